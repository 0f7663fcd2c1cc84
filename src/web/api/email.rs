//! Changing the email address.

use rocket::http::CookieJar;
use rocket::{FromForm, State, delete, post};
use serde::Serialize;

use super::links::{TokenFields, open};
use super::{Done, Reply, Success, not_signed_in, recent};
use crate::auth::{Auth, Client, Purpose};
use crate::web::body::Json;
use crate::web::forms::{Attempt, Fields, Input, Typed};
use crate::web::guards::CurrentSession;
use crate::web::pages::email_change::EmailForm;
use crate::web::session;
use crate::words;

/// Mails a link to the new address: the same for every address.
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

#[derive(FromForm)]
pub(in crate::web) struct ConfirmFields {
    token: Typed,
    password: Option<Attempt>,
}

impl Fields for ConfirmFields {
    const NAMES: &'static [&'static str] = &["token", "password"];
    const SHOWN: &'static [&'static str] = &[];
}

/// Without a session of the account, the password is needed, and begins one.
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
#[derive(Serialize)]
pub(in crate::web) struct PutBack {
    message: &'static str,
    reset_token: String,
}

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
