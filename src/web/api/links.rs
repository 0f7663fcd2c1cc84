//! What mailed links do that belong to no other resource.

use rocket::{FromForm, State, post};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, Reply, Success, dead_link};
use crate::auth::{Auth, Client, LinkToken, OpenedLink, Purpose};
use crate::web::body::Json;
use crate::web::forms::{Fields, Input, Typed};
use crate::web::openapi::schemas;
use crate::{Email, words};

/// The token of a link.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct TokenFields {
    /// The token of the link.
    pub(super) token: Typed,
}

impl Fields for TokenFields {
    const NAMES: &'static [&'static str] = &["token"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Looks a link up by the secret in it.
pub(super) async fn open(
    auth: &Auth,
    purpose: Purpose,
    token: &str,
) -> Result<OpenedLink, ApiError> {
    let token: LinkToken = token.parse().map_err(|_| dead_link())?;
    Ok(auth.open_link(purpose, token).await?)
}

/// What a link is for, and its token.
#[derive(FromForm, ToSchema)]
pub(in crate::web) struct LinkFields {
    purpose: Purpose,
    /// The token of the link.
    token: Typed,
}

impl Fields for LinkFields {
    const NAMES: &'static [&'static str] = &["purpose", "token"];
    const SHOWN: &'static [&'static str] = &[];
}

/// A link that works.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
pub(in crate::web) struct LinkJson {
    /// The address that the account has, or gets by the link; `null` if the link is not about one.
    #[schema(required, value_type = Option<schemas::Email>)]
    email: Option<Email>,
}

/// Look at a link before using it
///
/// Says whose it is, and uses nothing up.
#[utoipa::path(
    post,
    path = "/open_link",
    operation_id = "open_link",
    tag = "Mailed links",
    request_body = LinkFields,
    responses(
        (status = 200, body = LinkJson, description = "The link works"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `bad-request`")
    )
)]
#[post("/open_link", data = "<input>")]
pub(in crate::web) async fn look(
    input: Input<'_, LinkFields>,
    auth: &State<Auth>,
) -> Reply<LinkJson> {
    let LinkFields { purpose, token } = input.fields()?;
    let OpenedLink { user, email, .. } = open(auth, purpose, &token.0).await?;
    // What the pages of these links do not show either.
    let is_silent = matches!(purpose, Purpose::NotMe | Purpose::AccountRestore);
    let email = match (email, user) {
        (None, None) => return Err(dead_link()),
        (Some(email), _) => Some(email),
        (None, Some(user)) => Some(user.email).filter(|_| !is_silent),
    };
    Ok(Json(LinkJson { email }))
}

/// "This wasn't me"
///
/// By the link in a notice. All sessions end, and a link to reset the password is mailed.
#[utoipa::path(
    post,
    path = "/not_me",
    operation_id = "report_not_me",
    tag = "Mailed links",
    request_body = TokenFields,
    responses(
        (status = 200, body = Success, description = "All sessions have ended"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `bad-request`")
    )
)]
#[post("/not_me", data = "<input>")]
pub(in crate::web) async fn not_me(
    input: Input<'_, TokenFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Success> {
    let link = open(auth, Purpose::NotMe, &input.fields()?.token.0).await?;
    auth.report_not_me(&link, &client).await?;
    Ok(Json(Success::new(words::api::RESET_LINK_SENT)))
}

/// Restore the account
///
/// By the link that its owner got on deleting it.
#[utoipa::path(
    post,
    path = "/account_restore",
    operation_id = "restore_account",
    tag = "Mailed links",
    request_body = TokenFields,
    responses(
        (status = 200, body = Success, description = "The account is enabled again"),
        (status = 400, description = "`invalid-fields`, `dead-link`, `bad-request`")
    )
)]
#[post("/account_restore", data = "<input>")]
pub(in crate::web) async fn restore(
    input: Input<'_, TokenFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Success> {
    let link = open(auth, Purpose::AccountRestore, &input.fields()?.token.0).await?;
    auth.restore_account(&link, &client).await?;
    Ok(Json(Success::new(words::api::RESTORED)))
}
