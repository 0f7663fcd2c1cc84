//! Signing up, and the links that make an account.

use rocket::http::Status;
use rocket::{FromForm, State, post};
use utoipa::ToSchema;

use super::links::open;
use super::{ApiError, Done, Reply};
use crate::auth::{
    Auth, Client, Password, Purpose, Refused, SignUp, SignUpBy, SignUpError, SignedUp,
};
use crate::web::body::Json;
use crate::web::errors::Refusal;
use crate::web::forms::{Attempt, Fields, Input, Patch, Typed};
use crate::web::openapi::schemas;
use crate::web::pages::password_reset::AskForm;
use crate::web::pages::sign_up::{SignUpForm, also_wrong};
use crate::{Name, words};

/// Signs up without beginning a session. The inner result has the refusals of a form without other mistakes.
pub(in crate::web) async fn sign_up(
    Input(submitted): Input<'_, SignUpForm>,
    client: &Client,
    auth: &Auth,
) -> Result<Result<SignedUp, Refused<SignUpError>>, ApiError> {
    auth.may_sign_up(None).map_err(Refused::Because)?;
    let Some(SignUpForm { email, password, name, .. }) = submitted.form else {
        let also = also_wrong(&submitted, client, auth).await;
        return Err(submitted.refusal(also)?.into());
    };
    let form = SignUp { email, password, name: name.into_new(), next: None };
    Ok(auth.sign_up(form, client, SignUpBy::Program).await)
}

/// Sign up
///
/// Creates an account, and mails a link that verifies its address. Begins no session. With the setting
/// `verification = "required"` nothing exists before that link is used: the answer is 202, the same for every address.
#[utoipa::path(
    post,
    path = "/register",
    operation_id = "sign_up",
    tag = "Accounts",
    request_body = SignUpForm,
    responses(
        (status = 201, body = Done, description = "There is an account"),
        (status = 202, body = Done, description = "A link is on its way, which makes the account"),
        (
            status = 400,
            description = "`invalid-fields`, `email-taken`, `other-domain`, `weak-password`, `bad-request`"
        ),
        (status = 403, description = "`sign-up-not-open`, `cross-site`")
    )
)]
#[post("/register", data = "<input>")]
pub(in crate::web) async fn register(
    input: Input<'_, SignUpForm>,
    client: Client,
    auth: &State<Auth>,
) -> Result<(Status, Json<Done>), ApiError> {
    Ok(match sign_up(input, &client, auth).await?? {
        SignedUp::Account { email, .. } => {
            (Status::Created, Json(Done::new(&email, words::api::SIGNED_UP)))
        }
        SignedUp::LinkSent(email) => {
            (Status::Accepted, Json(Done::new(&email, words::api::SIGN_UP_LINK_SENT)))
        }
    })
}

/// Ask for another link that makes the account
///
/// After a sign-up that was answered with 202. Answers the same for every address.
#[utoipa::path(
    post,
    path = "/signup_link",
    operation_id = "request_sign_up_link",
    tag = "Accounts",
    request_body = AskForm,
    responses(
        (status = 200, body = Done, description = "A link is on its way, if somebody signed up with the address"),
        (status = 404, description = "`not-found`: nothing is to be confirmed here, since `verification` is `optional`")
    )
)]
#[post("/signup_link", data = "<input>")]
pub(in crate::web) async fn send_link(
    input: Input<'_, AskForm>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    if !auth.config().requires_verification() {
        return Err(Refusal::of_status(Status::NotFound).into());
    }
    let AskForm { email } = input.fields()?;
    auth.request_sign_up_link(&email, &client).await?;
    Ok(Json(Done::new(&email, words::api::LINK_SENT)))
}

/// The token of a link, and the password that was chosen at the sign-up.
#[derive(FromForm, ToSchema)]
#[schema(as = SignUpConfirmFields)]
pub(in crate::web) struct ConfirmFields {
    /// The token of the link.
    token: Typed,
    /// The password that was chosen at the sign-up.
    #[schema(nullable = false)]
    password: Option<Attempt>,
    /// Another password instead, which has to meet the policy.
    #[schema(value_type = Password, required = false)]
    new_password: Patch<Password>,
}

impl Fields for ConfirmFields {
    const NAMES: &'static [&'static str] = &["token", "password", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Make the account by the link in the email
///
/// After a sign-up that was answered with 202. With the password that was chosen then; or with another one, and then
/// nothing else of that sign-up counts. Begins no session.
#[utoipa::path(
    post,
    path = "/signup_confirm",
    operation_id = "confirm_sign_up",
    tag = "Accounts",
    request_body = ConfirmFields,
    responses(
        (status = 201, body = Done, description = "There is an account"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `wrong-password`, `weak-password`, `bad-request`"),
        (status = 409, description = "`email-taken`")
    )
)]
#[post("/signup_confirm", data = "<input>")]
pub(in crate::web) async fn confirm(
    input: Input<'_, ConfirmFields>,
    client: Client,
    auth: &State<Auth>,
) -> Result<(Status, Json<Done>), ApiError> {
    let ConfirmFields { token, password, new_password } = input.fields()?;
    let link = open(auth, Purpose::SignUp, &token.0).await?;
    let by = SignUpBy::Program;
    let new = if let Some(new_password) = new_password.into_new() {
        auth.accept_link(&link, new_password, None, &client, by).await?
    } else {
        let password = password.and_then(|tried| tried.0);
        auth.confirm_sign_up(&link, password.as_ref(), &client, by).await?
    };
    Ok((Status::Created, Json(Done::new(&new.email, words::api::SIGNED_UP))))
}

/// The token of an invitation, and who accepts it.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct AcceptFields {
    /// The token of the link.
    token: Typed,
    password: Password,
    #[schema(value_type = Option<schemas::Name>)]
    name: Patch<Name>,
}

impl Fields for AcceptFields {
    const NAMES: &'static [&'static str] = &["token", "password", "name"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Accept an invitation
///
/// Makes the account of the address that was invited. Begins no session.
#[utoipa::path(
    post,
    path = "/invitation_accept",
    operation_id = "accept_invitation",
    tag = "Accounts",
    request_body = AcceptFields,
    responses(
        (status = 201, body = Done, description = "There is an account"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `weak-password`, `bad-request`"),
        (status = 409, description = "`email-taken`")
    )
)]
#[post("/invitation_accept", data = "<input>")]
pub(in crate::web) async fn accept(
    input: Input<'_, AcceptFields>,
    client: Client,
    auth: &State<Auth>,
) -> Result<(Status, Json<Done>), ApiError> {
    let AcceptFields { token, password, name } = input.fields()?;
    let link = open(auth, Purpose::Invitation, &token.0).await?;
    let name = name.into_new();
    let new = auth.accept_link(&link, password, name, &client, SignUpBy::Program).await?;
    Ok((Status::Created, Json(Done::new(&new.email, words::api::SIGNED_UP))))
}
