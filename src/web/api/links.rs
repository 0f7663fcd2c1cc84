//! What mailed links do that belong to no other resource.

use rocket::{FromForm, State, post};

use super::{ApiError, Reply, Success, dead_link};
use crate::auth::{Auth, Client, LinkToken, OpenedLink, Purpose};
use crate::web::body::Json;
use crate::web::forms::{Fields, Input, Typed};
use crate::words;

#[derive(FromForm)]
pub(in crate::web) struct TokenFields {
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

/// "This wasn't me".
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
