//! The session: signing in and out, and the signed-in user.

use crate::web::body::Json;
use crate::web::openapi::schemas;
use rocket::http::CookieJar;
use rocket::{State, get, post};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::account::UserJson;
use super::{ApiError, Done, Reply, Success, not_signed_in};
use crate::auth::{Auth, Client, NewSession, Refused, WrongCredentials};
use crate::web::forms::Input;
use crate::web::guards::CurrentSession;
use crate::web::pages::recent_login::RecentLoginForm;
use crate::web::pages::sign_in::SignInForm;
use crate::web::session;
use crate::{Timestamp, words};

/// The response to a sign-in.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct SignedIn {
    /// As typed.
    email: String,
    /// What was done.
    message: &'static str,
}

/// Sign in
///
/// Begins a session, whose cookie all other requests send. A wrong password and an unknown address are the same.
#[utoipa::path(
    post,
    path = "/session",
    operation_id = "sign_in",
    tag = "Session",
    request_body = SignInForm,
    responses(
        (status = 200, body = SignedIn, description = "Signed in", headers(("Set-Cookie" = String))),
        (status = 401, description = "`wrong-credentials`")
    )
)]
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

/// Give the password again
///
/// The sign-in is recent for ten minutes: what is critical needs that. The session gets a new cookie.
#[utoipa::path(
    post,
    path = "/recent_login",
    operation_id = "renew_login",
    tag = "Session",
    security(("session" = [])),
    request_body = RecentLoginForm,
    responses(
        (status = 200, body = Done, description = "The sign-in is recent", headers(("Set-Cookie" = String))),
        (status = 400, description = "`invalid-fields`, `wrong-password`, `bad-request`")
    )
)]
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

/// The session of the request.
#[derive(Serialize, ToSchema)]
#[schema(as = CurrentSession)]
struct SessionJson {
    id: Uuid,
    /// When the user signed in.
    #[schema(value_type = schemas::Time)]
    created_at: Timestamp,
    /// When it was last used.
    #[schema(value_type = schemas::Time)]
    last_seen_at: Timestamp,
    /// When it ends if it is not used any more.
    #[schema(value_type = schemas::Time)]
    expires_at: Timestamp,
}

/// The signed-in user and the session.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct WhoAmI {
    user: UserJson,
    session: SessionJson,
}

/// Show who is signed in
#[utoipa::path(
    get,
    path = "/session",
    operation_id = "get_session",
    tag = "Session",
    security(("session" = [])),
    responses((status = 200, body = WhoAmI, description = "The user and the session"))
)]
#[get("/session")]
pub(in crate::web) fn show(current: CurrentSession<'_>) -> Reply<WhoAmI> {
    let session = current.0.ok_or_else(not_signed_in)?;
    Ok(Json(WhoAmI {
        user: UserJson::new(&session.user),
        session: SessionJson {
            id: session.id,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        },
    }))
}

/// Sign out
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "sign_out",
    tag = "Session",
    security(("session" = [])),
    responses((status = 200, body = Success, description = "The session has ended"))
)]
#[post("/logout")]
pub(in crate::web) async fn sign_out(
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Success> {
    if current.0.is_none() && !session::end_session(auth, jar, &client).await? {
        return Err(not_signed_in());
    }
    session::sign_out(auth, jar, &client).await?;
    Ok(Json(Success::new(words::api::SIGNED_OUT)))
}
