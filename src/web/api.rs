//! The same verbs for programs, under `/api/v1`: forms or JSON in, JSON out, and problem+json (RFC
//! 9457) for what is refused.

use rocket::http::{CookieJar, Status};
use rocket::serde::json::{Json, Value, json};
use rocket::{FromForm, Responder, State, get, patch, post};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::{
    Auth, Client, LinkToken, NewSession, Password, Purpose, Refused, ResetPasswordError, SignUp,
    SignUpBy, SignUpError, SignedOut, Twice, WrongCredentials, cookie,
};
use crate::web::errors::Refusal;
use crate::web::form::{Fields, Input, MaybeName, SaidName, Typed};
use crate::web::guards::{HostPlace, Visitor};
use crate::web::pages::login::LogInForm;
use crate::web::pages::password_change::ChangeForm;
use crate::web::pages::password_reset::AskForm;
use crate::web::pages::signup::SignUpForm;
use crate::web::session;
use crate::{Email, Error, Name, User, UserId};

/// JSON, or why not.
pub(in crate::web) type Reply = Result<Value, ApiError>;

/// A refusal, or a fault.
#[derive(Responder)]
pub(in crate::web) enum ApiError {
    Refused(Refusal),
    Failed(Error),
}

fn not_signed_in() -> ApiError {
    Refused::Because(SignedOut).into()
}

/// A user, as programs see them.
#[derive(Serialize)]
struct UserJson<'a> {
    id: UserId,
    email: &'a str,
    name: Option<&'a str>,
    email_verified: bool,
    created_at: String,
}

impl<'a> UserJson<'a> {
    fn new(user: &'a User, name: Option<&'a Name>) -> Self {
        Self {
            id: user.id,
            email: user.email.as_str(),
            name: name.map(Name::as_str),
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.rfc3339(),
        }
    }
}

#[derive(Serialize)]
struct SessionJson {
    id: Uuid,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
}

#[derive(Serialize)]
pub(in crate::web) struct WhoAmI<'a> {
    user: UserJson<'a>,
    session: SessionJson,
}

/// Signs up, and says so as the older clients expect it.
pub(in crate::web) async fn sign_up(
    form: SignUpForm,
    client: &Client,
    auth: &Auth,
) -> Result<Value, Refused<SignUpError>> {
    let SignUpForm { email, password, name, .. } = form;
    let form = SignUp { email, password, name: name.0 };
    let new = auth.sign_up(form, client, SignUpBy::Program).await?;
    Ok(json!({ "email": new.email.as_str(), "message": "user created" }))
}

#[post("/api/v1/register", data = "<input>")]
pub(in crate::web) async fn register(
    input: Input<SignUpForm>,
    client: Client,
    auth: &State<Auth>,
) -> Result<(Status, Value), ApiError> {
    Ok((Status::Created, sign_up(input.fields()?, &client, auth).await?))
}

#[post("/api/v1/session", data = "<input>")]
pub(in crate::web) async fn log_in(
    input: Input<LogInForm>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply {
    let (new, reply) = open_session(input.fields()?, &client, jar, auth).await?;
    cookie::write(jar, auth.config(), new, &client);
    Ok(reply)
}

/// Logs in, and says so as the older clients expect it; the session is yet to be handed to the client.
pub(in crate::web) async fn open_session(
    form: LogInForm,
    client: &Client,
    jar: &CookieJar<'_>,
    auth: &Auth,
) -> Result<(NewSession, Value), ApiError> {
    let proof = auth.verify_password(&form.email.0, form.password.0.as_ref(), client).await?;
    let replaced = cookie::read(jar, auth.config());
    let new = auth.start_session(&proof, form.remember.0, client, replaced).await?;
    let reply = json!({ "email": form.email.0, "message": "logged in" });
    Ok((new.ok_or(Refused::Because(WrongCredentials))?, reply))
}

#[get("/api/v1/session")]
pub(in crate::web) fn show_session(visitor: Visitor<'_>) -> Result<Json<WhoAmI<'_>>, ApiError> {
    let session = visitor.0.ok_or_else(not_signed_in)?;
    Ok(Json(WhoAmI {
        user: UserJson::new(&session.user, session.user.name.as_ref()),
        session: SessionJson {
            id: session.id,
            created_at: session.created_at.rfc3339(),
            last_seen_at: session.last_seen_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        },
    }))
}

#[post("/api/v1/logout")]
pub(in crate::web) async fn log_out(
    visitor: Visitor<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply {
    if visitor.0.is_none() && !session::end_renewed_session(auth, jar, &client).await? {
        return Err(not_signed_in());
    }
    session::sign_out(auth, jar, &client).await?;
    Ok(json!({ "message": "logged out" }))
}

#[derive(FromForm)]
pub(in crate::web) struct RenameFields {
    /// Left out: nothing changes.
    name: SaidName,
}

#[patch("/api/v1/profile", data = "<input>")]
pub(in crate::web) async fn rename(
    input: Input<RenameFields>,
    visitor: Visitor<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Reply {
    let session = visitor.0.ok_or_else(not_signed_in)?;
    let user = &session.user;
    let mut name = user.name.clone();
    if let SaidName(Some(MaybeName(new))) = input.fields()?.name {
        auth.rename(session, new.as_ref(), &client).await?;
        name = new;
    }
    Ok(json!({ "user": UserJson::new(user, name.as_ref()) }))
}

impl Fields for RenameFields {
    const NAMES: &'static [&'static str] = &["name"];
    const SHOWN: &'static [&'static str] = &[];
}

#[post("/api/v1/password_change", data = "<input>")]
pub(in crate::web) async fn change_password(
    input: Input<ChangeForm>,
    visitor: Visitor<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply {
    let session = visitor.0.ok_or_else(not_signed_in)?;
    let token = cookie::read(jar, auth.config()).ok_or_else(not_signed_in)?;
    let ChangeForm { password, new_password } = input.fields()?;
    let current = password.0.as_ref();
    let renewed = auth.change_password(session, &token, current, new_password, &client).await?;
    cookie::write(jar, auth.config(), renewed, &client);
    Ok(json!({ "email": session.user.email.as_str(), "message": "Password updated" }))
}

/// Asks for a reset link, the same answer for every address; with `reveal_reset_token` the token is
/// in the answer, and `unknown` is what an unknown address gets.
pub(in crate::web) async fn ask_for_reset(
    AskForm { email }: AskForm,
    client: &Client,
    place: HostPlace,
    auth: &Auth,
    unknown: Status,
) -> Reply {
    if !(auth.config().reveal_reset_token && place == HostPlace::Loopback) {
        auth.request_password_reset(&email, client).await?;
        return Ok(json!({ "email": email.as_str(), "message": "reset link sent" }));
    }
    match auth.reveal_reset_token(&email).await? {
        Some(token) => Ok(json!({ "email": email.as_str(), "reset_token": token.in_link() })),
        None => Err(Refusal::new(unknown, "no account has this address").into()),
    }
}

#[post("/api/v1/reset_password", data = "<input>")]
pub(in crate::web) async fn request_password_reset(
    input: Input<AskForm>,
    client: Client,
    place: HostPlace,
    auth: &State<Auth>,
) -> Reply {
    ask_for_reset(input.fields()?, &client, place, auth, Status::NotFound).await
}

#[derive(FromForm)]
pub(in crate::web) struct ResetFields {
    reset_token: Typed,
    new_password: Password,
}

impl Fields for ResetFields {
    const NAMES: &'static [&'static str] = &["reset_token", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[post("/api/v1/update_password", data = "<input>")]
pub(in crate::web) async fn reset_password(
    input: Input<ResetFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply {
    let ResetFields { reset_token, new_password } = input.fields()?;
    let token = &reset_token.0;
    let email = set_password(auth, token, None, new_password, &client).await?;
    Ok(json!({ "email": email.as_str(), "message": "Password updated" }))
}

/// Resets a password with a token from a link; the address of the account. `email`: whose token it has
/// to be, if that was said.
pub(in crate::web) async fn set_password(
    auth: &Auth,
    token: &str,
    email: Option<&Email>,
    password: Password,
    client: &Client,
) -> Result<Email, Refused<ResetPasswordError>> {
    let dead = || Refused::Because(ResetPasswordError::DeadLink);
    let token: LinkToken = token.parse().map_err(|_| dead())?;
    let link = auth.open_link(Purpose::PasswordReset, token).await?;
    let owner = link.user.as_ref().ok_or_else(dead)?.email.clone();
    if email.is_some_and(|email| email.key() != owner.key()) {
        return Err(dead());
    }
    auth.reset_password(&link, password, client, Twice::Refused).await?;
    Ok(owner)
}
