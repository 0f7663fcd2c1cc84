//! Accounts: signing up and the profile.

use crate::web::body::Json;
use rocket::http::Status;
use rocket::{FromForm, State, patch, post};
use serde::Serialize;

use super::{ApiError, Done, Reply, not_signed_in};
use crate::auth::{Auth, Client, Refused, SignUp, SignUpBy, SignUpError};
use crate::web::forms::{Fields, Input, Patch};
use crate::web::guards::CurrentSession;
use crate::web::pages::sign_up::{SignUpForm, also_wrong};
use crate::{Name, User, UserId, words};

/// A user in JSON.
#[derive(Serialize)]
pub(super) struct UserJson {
    id: UserId,
    email: String,
    name: Option<Name>,
    email_verified: bool,
    created_at: String,
}

impl UserJson {
    pub(super) fn new(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.as_str().to_owned(),
            name: user.name.clone(),
            email_verified: user.email_verified_at.is_some(),
            created_at: user.created_at.rfc3339(),
        }
    }
}

/// Signs up without beginning a session. The inner result has the refusals of a form without other mistakes.
pub(in crate::web) async fn sign_up(
    Input(submitted): Input<'_, SignUpForm>,
    client: &Client,
    auth: &Auth,
) -> Result<Result<Json<Done>, Refused<SignUpError>>, ApiError> {
    let Some(SignUpForm { email, password, name, .. }) = submitted.form else {
        let also = also_wrong(&submitted, client, auth).await;
        return Err(submitted.refusal(also)?.into());
    };
    let form = SignUp { email, password, name: name.into_new() };
    let new = auth.sign_up(form, client, SignUpBy::Program).await;
    Ok(new.map(|new| Json(Done::new(&new.email, words::api::SIGNED_UP))))
}

#[post("/register", data = "<input>")]
pub(in crate::web) async fn register(
    input: Input<'_, SignUpForm>,
    client: Client,
    auth: &State<Auth>,
) -> Result<(Status, Json<Done>), ApiError> {
    Ok((Status::Created, sign_up(input, &client, auth).await??))
}

#[derive(FromForm)]
pub(in crate::web) struct ProfileFields {
    name: Patch<Name>,
}

impl Fields for ProfileFields {
    const NAMES: &'static [&'static str] = &["name"];
    const SHOWN: &'static [&'static str] = &[];
}

/// The response with a changed user.
#[derive(Serialize)]
pub(in crate::web) struct Changed {
    user: UserJson,
}

#[patch("/profile", data = "<input>")]
pub(in crate::web) async fn change_profile(
    input: Input<'_, ProfileFields>,
    current: CurrentSession<'_>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Changed> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let mut user = session.user.clone();
    if let Patch::Set(name) = input.fields()?.name {
        auth.rename(session, name.as_ref(), &client).await?;
        user.name = name;
    }
    Ok(Json(Changed { user: UserJson::new(&user) }))
}
