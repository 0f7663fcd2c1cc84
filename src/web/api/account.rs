//! Accounts: the profile, and deleting an account.

use crate::web::body::Json;
use crate::web::openapi::schemas;
use rocket::http::CookieJar;
use rocket::{FromForm, State, patch, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Reply, not_signed_in};
use crate::auth::{Auth, Client};
use crate::web::forms::{Fields, Input, Patch};
use crate::web::guards::CurrentSession;
use crate::web::pages::account_deletion::DeletionForm;
use crate::web::session;
use crate::{Email, Name, Timestamp, User, UserId, words};

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserJson {
    #[schema(value_type = Uuid)]
    id: UserId,
    /// The address as typed at sign-up.
    #[schema(value_type = schemas::Email)]
    email: Email,
    /// The display name, if there is one.
    #[schema(required, value_type = Option<schemas::Name>)]
    name: Option<Name>,
    /// Whether the user has shown that the address is theirs.
    email_verified: bool,
    /// When a mail server last refused the address for good; `null` if never, or if it has taken an email since.
    #[schema(required, value_type = Option<schemas::Time>)]
    email_refused_at: Option<Timestamp>,
    /// The address that the user wants to change to, until it is confirmed.
    #[schema(required, value_type = Option<schemas::Email>)]
    new_email: Option<Email>,
    /// When the user signed up.
    #[schema(value_type = schemas::Time)]
    created_at: Timestamp,
}

impl UserJson {
    pub(super) fn new(user: &User) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            name: user.name.clone(),
            email_verified: user.email_verified_at.is_some(),
            email_refused_at: user.email_refused_at,
            new_email: user.new_email.clone(),
            created_at: user.created_at,
        }
    }
}

/// The members that are to change.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct ProfileFields {
    /// Empty or `null`: none.
    #[schema(value_type = Option<schemas::Name>)]
    name: Patch<Name>,
}

impl Fields for ProfileFields {
    const NAMES: &'static [&'static str] = &["name"];
    const SHOWN: &'static [&'static str] = &[];
}

/// The response with a changed user.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Changed {
    user: UserJson,
}

/// Change the profile
///
/// What is left out stays as it is.
#[utoipa::path(
    patch,
    path = "/profile",
    operation_id = "change_profile",
    tag = "Accounts",
    security(("session" = [])),
    request_body = ProfileFields,
    responses((status = 200, body = Changed, description = "The user as changed"))
)]
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
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Deleted {
    /// What was done.
    message: &'static str,
    /// Until when a mailed link restores the account; `null` if it is erased.
    #[schema(required, value_type = Option<schemas::Time>)]
    restorable_until: Option<Timestamp>,
}

/// Delete the account
///
/// All sessions end at once. A mailed link restores the account for some days; then it is erased.
#[utoipa::path(
    post,
    path = "/account_deletion",
    operation_id = "delete_account",
    tag = "Accounts",
    security(("session" = [])),
    request_body = DeletionForm,
    responses(
        (status = 200, body = Deleted, description = "The account is disabled, or erased"),
        (status = 400, description = "`invalid-fields`, `wrong-password`, `bad-request`"),
        (status = 409, description = "`account-in-use`")
    )
)]
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
    let restorable_until = deleted.until;
    Ok(Json(Deleted { message: words::api::DELETED, restorable_until }))
}
