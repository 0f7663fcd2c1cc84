//! Signing up, and the links that make an account.

use rocket::http::Status;
use rocket::{FromForm, State, post};

use super::links::open;
use super::{ApiError, Done, Reply};
use crate::auth::{
    Auth, Client, Password, Purpose, Refused, SignUp, SignUpBy, SignUpError, SignedUp,
};
use crate::web::body::Json;
use crate::web::errors::Refusal;
use crate::web::forms::{Attempt, Fields, Input, Patch, Typed};
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

/// Sends the link of a sign-up again: the same for every address.
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

#[derive(FromForm)]
pub(in crate::web) struct ConfirmFields {
    token: Typed,
    password: Option<Attempt>,
    new_password: Patch<Password>,
}

impl Fields for ConfirmFields {
    const NAMES: &'static [&'static str] = &["token", "password", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Confirms the address of a sign-up, which makes the account: with the password that was chosen, or with another one,
/// and then without the name. Begins no session.
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

#[derive(FromForm)]
pub(in crate::web) struct AcceptFields {
    token: Typed,
    password: Password,
    name: Patch<Name>,
}

impl Fields for AcceptFields {
    const NAMES: &'static [&'static str] = &["token", "password", "name"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Accepts an invitation, which makes the account. Begins no session.
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
