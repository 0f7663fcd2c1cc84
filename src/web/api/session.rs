//! The session: signing in and out, and the signed-in user.

use crate::web::body::Json;
use rocket::http::CookieJar;
use rocket::{State, get, post};
use serde::Serialize;
use uuid::Uuid;

use super::account::UserJson;
use super::{ApiError, Done, Reply, not_signed_in};
use crate::auth::{Auth, Client, NewSession, Refused, WrongCredentials};
use crate::web::forms::Input;
use crate::web::guards::CurrentSession;
use crate::web::pages::recent_login::RecentLoginForm;
use crate::web::pages::sign_in::SignInForm;
use crate::web::session;
use crate::words;

/// The response to a sign-in, as older clients expect it.
#[derive(Serialize)]
pub(in crate::web) struct SignedIn {
    /// As typed: an address without an account has no [`Email`](crate::Email).
    email: String,
    message: &'static str,
}

#[post("/session", data = "<input>")]
pub(in crate::web) async fn sign_in(
    input: Input<'_, SignInForm>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<SignedIn> {
    let (new, reply) = open(input.fields()?, &client, jar, auth).await?;
    session::write(jar, auth.config(), new, &client);
    Ok(reply)
}

/// Signs in; the caller hands the session to the client.
pub(in crate::web) async fn open(
    form: SignInForm,
    client: &Client,
    jar: &CookieJar<'_>,
    auth: &Auth,
) -> Result<(NewSession, Json<SignedIn>), ApiError> {
    let proof = auth.verify_password(&form.email.0, form.password.0.as_ref(), client).await?;
    let replaced = session::read(jar, auth.config());
    let new = auth.start_session(&proof, form.remember.0, client, replaced).await?;
    let reply = SignedIn { email: form.email.0, message: words::api::SIGNED_IN };
    Ok((new.ok_or(Refused::Because(WrongCredentials))?, Json(reply)))
}

#[post("/recent_login", data = "<input>")]
pub(in crate::web) async fn renew_login(
    input: Input<'_, RecentLoginForm>,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Done> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let token = session::read(jar, auth.config()).ok_or_else(not_signed_in)?;
    let password = input.fields()?.password.0;
    let renewed = auth.renew_login(session, &token, password.as_ref(), &client).await?;
    session::write(jar, auth.config(), renewed, &client);
    Ok(Json(Done::new(&session.user.email, words::api::SIGNED_IN)))
}

/// A session in JSON.
#[derive(Serialize)]
struct SessionJson {
    id: Uuid,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
}

/// The signed-in user and the session.
#[derive(Serialize)]
pub(in crate::web) struct WhoAmI {
    user: UserJson,
    session: SessionJson,
}

#[get("/session")]
pub(in crate::web) fn show(current: CurrentSession<'_>) -> Reply<WhoAmI> {
    let session = current.0.ok_or_else(not_signed_in)?;
    Ok(Json(WhoAmI {
        user: UserJson::new(&session.user),
        session: SessionJson {
            id: session.id,
            created_at: session.created_at.rfc3339(),
            last_seen_at: session.last_seen_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
        },
    }))
}

/// The response to a sign-out.
#[derive(Serialize)]
pub(in crate::web) struct Ended {
    message: &'static str,
}

#[post("/logout")]
pub(in crate::web) async fn sign_out(
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Ended> {
    if current.0.is_none() && !session::end_session(auth, jar, &client).await? {
        return Err(not_signed_in());
    }
    session::sign_out(auth, jar, &client).await?;
    Ok(Json(Ended { message: words::api::SIGNED_OUT }))
}
