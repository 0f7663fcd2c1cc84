//! Verifying and changing the email address.

use std::time::Duration;

use rocket::http::CookieJar;
use rocket::{FromForm, State, delete, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::links::{TokenFields, open};
use super::{Done, Reply, Success, not_signed_in, recent};
use crate::auth::{Auth, Client, Purpose, VerificationRequest, Wait};
use crate::web::body::Json;
use crate::web::errors::Refusal;
use crate::web::forms::{Attempt, Fields, Input, Typed};
use crate::web::guards::CurrentSession;
use crate::web::pages::email_change::EmailForm;
use crate::web::session;
use crate::words;

/// The limits on links are by the hour.
const ASK_AGAIN_AFTER: Wait = Wait::TooManyAttempts(Duration::from_hours(1));

/// Ask for another link that verifies the address
///
/// If enough links still work, or an email is on its way, none is sent: `message` says so.
#[utoipa::path(
    post,
    path = "/verification_link",
    operation_id = "request_verification",
    tag = "Email address",
    security(("session" = [])),
    responses((status = 200, body = Done, description = "A link is on its way, or none is needed"))
)]
#[post("/verification_link")]
pub(in crate::web) async fn ask_to_verify(
    current: CurrentSession<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let user = &session.user;
    if user.email_verified_at.is_some() {
        return Ok(Json(Done::new(&user.email, words::api::EMAIL_VERIFIED)));
    }
    let message = match auth.request_verification(session, &client).await? {
        VerificationRequest::Sent => words::api::LINK_SENT,
        VerificationRequest::IsWaiting => words::api::LINK_IS_WAITING,
        VerificationRequest::EnoughLinks => words::api::ENOUGH_LINKS,
        VerificationRequest::TooMany => return Err(Refusal::wait(ASK_AGAIN_AFTER).into()),
    };
    Ok(Json(Done::new(&user.email, message)))
}

/// Verify the address by the link in the email
///
/// Without a session of the account, the password is needed, and begins one.
#[utoipa::path(
    post,
    path = "/verify_email",
    operation_id = "verify_email",
    tag = "Email address",
    security((), ("session" = [])),
    request_body = ConfirmFields,
    responses(
        (status = 200, body = Success, description = "The address is verified"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `wrong-password`, `bad-request`")
    )
)]
#[post("/verify_email", data = "<input>")]
pub(in crate::web) async fn verify(
    input: Input<'_, ConfirmFields>,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Success> {
    let ConfirmFields { token, password } = input.fields()?;
    let password = password.and_then(|tried| tried.0);
    let link = open(auth, Purpose::VerifyEmail, &token.0).await?;
    let proof = auth.verify_email(&link, current.0, password.as_ref(), &client).await?;
    if let Some(proof) = proof {
        session::sign_in(auth, jar, &client, &proof, false).await?;
    }
    Ok(Json(Success::new(words::api::EMAIL_VERIFIED)))
}

/// Ask for another address
///
/// Mails a link to the new address, and changes nothing yet. Answers the same for every address. The sign-in must be recent.
#[utoipa::path(
    post,
    path = "/email_change",
    operation_id = "request_email_change",
    tag = "Email address",
    security(("session" = [])),
    request_body = EmailForm,
    responses(
        (status = 200, body = Done, description = "A link is on its way"),
        (status = 400, description = "`invalid-fields`, `same-email`, `bad-request`"),
        (status = 401, description = "`not-signed-in`, `login-too-old`")
    )
)]
#[post("/email_change", data = "<input>")]
pub(in crate::web) async fn ask(
    input: Input<'_, EmailForm>,
    current: CurrentSession<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    let session = recent(&current, auth)?;
    let EmailForm { email } = input.fields()?;
    auth.request_email_change(session, &email, &client).await?;
    Ok(Json(Done::new(&email, words::api::LINK_SENT)))
}

/// Keep the address after all
///
/// Takes the wish for another address back: its link is void.
#[utoipa::path(
    delete,
    path = "/email_change",
    operation_id = "cancel_email_change",
    tag = "Email address",
    security(("session" = [])),
    responses((status = 200, body = Success, description = "The address stays"))
)]
#[delete("/email_change")]
pub(in crate::web) async fn cancel(
    current: CurrentSession<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Success> {
    let session = current.0.ok_or_else(not_signed_in)?;
    auth.cancel_email_change(session, &client).await?;
    Ok(Json(Success::new(words::api::CANCELLED)))
}

/// The token of a link, and who uses it.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct ConfirmFields {
    /// The token of the link.
    token: Typed,
    /// The password of the account, unless the client has a session of it.
    password: Option<Attempt>,
}

impl Fields for ConfirmFields {
    const NAMES: &'static [&'static str] = &["token", "password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Change the address by the link in the email
///
/// Without a session of the account, the password is needed, and begins one.
#[utoipa::path(
    post,
    path = "/email_confirm",
    operation_id = "confirm_email_change",
    tag = "Email address",
    security((), ("session" = [])),
    request_body = ConfirmFields,
    responses(
        (status = 200, body = Success, description = "The address is changed"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `wrong-password`, `bad-request`"),
        (status = 409, description = "`email-taken`")
    )
)]
#[post("/email_confirm", data = "<input>")]
pub(in crate::web) async fn confirm(
    input: Input<'_, ConfirmFields>,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Success> {
    let ConfirmFields { token, password } = input.fields()?;
    let password = password.and_then(|tried| tried.0);
    let link = open(auth, Purpose::EmailChange, &token.0).await?;
    let proof = auth.confirm_email_change(&link, current.0, password.as_ref(), &client).await?;
    if let Some(proof) = proof {
        session::sign_in(auth, jar, &client, &proof, false).await?;
    }
    Ok(Json(Success::new(words::api::EMAIL_CHANGED)))
}

/// The token with which a new password is set.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct PutBack {
    /// What was done.
    message: &'static str,
    /// For `POST /api/v1/update_password`: the old password is void.
    reset_token: String,
}

/// Put the old address back
///
/// By the link that the old address got when somebody changed it. All sessions, links and the password are void.
#[utoipa::path(
    post,
    path = "/email_undo",
    operation_id = "undo_email_change",
    tag = "Email address",
    request_body = TokenFields,
    responses(
        (status = 200, body = PutBack, description = "The old address is back"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `bad-request`")
    )
)]
#[post("/email_undo", data = "<input>")]
pub(in crate::web) async fn undo(
    input: Input<'_, TokenFields>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<PutBack> {
    let link = open(auth, Purpose::EmailUndo, &input.fields()?.token.0).await?;
    let token = auth.undo_email_change(&link, &client).await?;
    session::sign_out(auth, jar, &client).await?;
    Ok(Json(PutBack { message: words::api::EMAIL_PUT_BACK, reset_token: token.in_link() }))
}
