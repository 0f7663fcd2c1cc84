//! Passwords: changing and resetting.

use crate::web::body::Json;
use crate::web::openapi::schemas;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Done, Reply, not_signed_in};
use crate::auth::{
    Auth, Client, LinkToken, OnRepeat, Password, Purpose, Refused, ResetPasswordError,
};
use crate::web::errors::Refusal;
use crate::web::forms::{Fields, Input, Typed};
use crate::web::guards::{CurrentSession, HostPlace};
use crate::web::pages::password_change::{ChangeForm, also_wrong};
use crate::web::pages::password_reset::AskForm;
use crate::web::problems::Kind;
use crate::web::session;
use crate::{Email, words};

/// Change the password
///
/// All other sessions end, and this one gets a new cookie.
#[utoipa::path(
    post,
    path = "/password_change",
    operation_id = "change_password",
    tag = "Password",
    security(("session" = [])),
    request_body = ChangeForm,
    responses(
        (status = 200, body = Done, description = "The password is changed", headers(("Set-Cookie" = String))),
        (status = 400, description = "`invalid-fields`, `wrong-password`, `weak-password`, `bad-request`")
    )
)]
#[post("/password_change", data = "<input>")]
pub(in crate::web) async fn change(
    input: Input<'_, ChangeForm>,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Done> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let token = session::read(jar, auth.config()).ok_or_else(not_signed_in)?;
    let Input(submitted) = input;
    let Some(ChangeForm { password, new_password }) = submitted.form else {
        let also = also_wrong(&submitted, session, &client, auth).await;
        return Err(submitted.refusal(also)?.into());
    };
    let current = password.0.as_ref();
    let renewed = auth.change_password(session, &token, current, new_password, &client).await?;
    session::write(jar, auth.config(), renewed, &client);
    Ok(Json(Done::new(&session.user.email, words::api::PASSWORD_UPDATED)))
}

/// The response to a reset request, possibly with its token.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::web) enum ResetAsked {
    Sent(Done),
    /// Only with the setting `reveal_reset_token`, for tests.
    Revealed {
        #[schema(value_type = schemas::Email)]
        email: Email,
        reset_token: String,
    },
}

/// Requests a reset link, with the same answer for every address. With `reveal_reset_token` the response has the
/// token, and `unknown` is the status for an unknown address.
pub(in crate::web) async fn ask(
    AskForm { email }: AskForm,
    client: &Client,
    place: HostPlace,
    auth: &Auth,
    unknown: Status,
) -> Reply<ResetAsked> {
    if !(auth.config().reveal_reset_token && place == HostPlace::Loopback) {
        auth.request_password_reset(&email, client).await?;
        return Ok(Json(ResetAsked::Sent(Done::new(&email, words::api::RESET_LINK_SENT))));
    }
    let Some(token) = auth.reveal_reset_token(&email).await? else {
        let refusal = Refusal::new(unknown, words::api::UNKNOWN_EMAIL);
        return Err(refusal.of_kind(Kind::UnknownEmail).into());
    };
    Ok(Json(ResetAsked::Revealed { email, reset_token: token.in_link() }))
}

/// Ask for a link to set a new password
///
/// Answers the same for every address.
#[utoipa::path(
    post,
    path = "/reset_password",
    operation_id = "request_password_reset",
    tag = "Password",
    request_body = AskForm,
    responses(
        (status = 200, body = ResetAsked, description = "A link is on its way, if the address has an account"),
        (status = 404, description = "`unknown-email`: only with the setting `reveal_reset_token`, for tests")
    )
)]
#[post("/reset_password", data = "<input>")]
pub(in crate::web) async fn ask_for_reset(
    input: Input<'_, AskForm>,
    client: Client,
    place: HostPlace,
    auth: &State<Auth>,
) -> Reply<ResetAsked> {
    ask(input.fields()?, &client, place, auth, Status::NotFound).await
}

/// The token of a link, and a new password.
#[derive(FromForm, ToSchema)]
#[schema(as = PasswordResetFields)]
pub(in crate::web) struct ResetFields {
    /// The token of the link.
    reset_token: Typed,
    new_password: Password,
}

impl Fields for ResetFields {
    const NAMES: &'static [&'static str] = &["reset_token", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Set a new password by the link in the email
///
/// All sessions end. Begins none.
#[utoipa::path(
    post,
    path = "/update_password",
    operation_id = "reset_password",
    tag = "Password",
    request_body = ResetFields,
    responses(
        (status = 200, body = Done, description = "The password is set"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `weak-password`, `bad-request`")
    )
)]
#[post("/update_password", data = "<input>")]
pub(in crate::web) async fn reset(
    input: Input<'_, ResetFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    let ResetFields { reset_token, new_password } = input.fields()?;
    let purpose = Purpose::PasswordReset;
    let email = set(auth, purpose, &reset_token.0, None, new_password, &client).await?;
    Ok(Json(Done::new(&email, words::api::PASSWORD_UPDATED)))
}

/// The token of a link, and a first password.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct FirstPasswordFields {
    /// The token of the link.
    token: Typed,
    new_password: Password,
}

impl Fields for FirstPasswordFields {
    const NAMES: &'static [&'static str] = &["token", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Set the first password
///
/// By the link that its owner gets when somebody else creates the account. Begins no session.
#[utoipa::path(
    post,
    path = "/set_password",
    operation_id = "set_password",
    tag = "Password",
    request_body = FirstPasswordFields,
    responses(
        (status = 200, body = Done, description = "The password is set"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `weak-password`, `bad-request`")
    )
)]
#[post("/set_password", data = "<input>")]
pub(in crate::web) async fn set_first(
    input: Input<'_, FirstPasswordFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    let FirstPasswordFields { token, new_password } = input.fields()?;
    let email = set(auth, Purpose::SetPassword, &token.0, None, new_password, &client).await?;
    Ok(Json(Done::new(&email, words::api::PASSWORD_UPDATED)))
}

/// Sets a password with the token of a link, and returns the address of the account. If `email` is given, the
/// token must belong to it.
pub(in crate::web) async fn set(
    auth: &Auth,
    purpose: Purpose,
    token: &str,
    email: Option<&Email>,
    password: Password,
    client: &Client,
) -> Result<Email, Refused<ResetPasswordError>> {
    let dead = || Refused::Because(ResetPasswordError::DeadLink);
    let token: LinkToken = token.parse().map_err(|_| dead())?;
    let link = auth.open_link(purpose, token).await?;
    let owner = link.user.as_ref().ok_or_else(dead)?.email.clone();
    if email.is_some_and(|email| email.key() != owner.key()) {
        return Err(dead());
    }
    auth.reset_password(&link, password, client, OnRepeat::Refused).await?;
    Ok(owner)
}
