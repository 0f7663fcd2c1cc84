//! Accounts: signing up and the profile.

use crate::web::body::Json;
use rocket::http::{CookieJar, Status};
use rocket::{FromForm, State, patch, post};
use serde::Serialize;

use super::{ApiError, Done, Reply, not_signed_in};
use crate::auth::{Auth, Client, Refused, SignUp, SignUpBy, SignUpError};
use crate::web::forms::{Fields, Input, Patch};
use crate::web::guards::CurrentSession;
use crate::web::pages::account_deletion::DeletionForm;
use crate::web::pages::sign_up::{SignUpForm, also_wrong};
use crate::web::session;
use crate::{Name, Timestamp, User, UserId, words};

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

/// The response to a deletion.
#[derive(Serialize)]
pub(in crate::web) struct Deleted {
    message: &'static str,
    /// Until when a mailed link restores the account; `null` if it is erased.
    restorable_until: Option<String>,
}

#[post("/account_deletion", data = "<input>")]
pub(in crate::web) async fn delete(
    input: Input<'_, DeletionForm>,
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<Deleted> {
    let session = current.0.ok_or_else(not_signed_in)?;
    let password = input.fields()?.password.0;
    let until = auth.request_deletion(session, password.as_ref(), &client).await?;
    session::remove(jar, auth.config());
    let restorable_until = until.map(Timestamp::rfc3339);
    Ok(Json(Deleted { message: words::api::DELETED, restorable_until }))
}
