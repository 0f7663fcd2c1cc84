//! Accounts: the profile, and deleting an account.

use crate::web::body::Json;
use rocket::http::CookieJar;
use rocket::{FromForm, State, patch, post};
use serde::Serialize;

use super::{Reply, not_signed_in};
use crate::auth::{Auth, Client};
use crate::web::forms::{Fields, Input, Patch};
use crate::web::guards::CurrentSession;
use crate::web::pages::account_deletion::DeletionForm;
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
    let deleted = auth.request_deletion(session, password.as_ref(), &client).await?;
    session::remove(jar, auth.config());
    let restorable_until = deleted.until.map(Timestamp::rfc3339);
    Ok(Json(Deleted { message: words::api::DELETED, restorable_until }))
}
