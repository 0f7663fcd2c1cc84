//! The routes, fields, status codes and bodies that clients of the older servers rely on.

use crate::web::body::Json;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{FromForm, State, delete, post, put};

use crate::auth::{Auth, Client, Password, Refused, ResetPasswordError, SignUpError, SignedUp};
use crate::web::api::password::ResetAsked;
use crate::web::api::session::SignedIn;
use crate::web::api::{self, ApiError, Done, Reply};
use crate::web::errors::Refusal;
use crate::web::forms::{Fields, Input, Typed};
use crate::web::guards::{CurrentSession, HostPlace};
use crate::web::pages::password_reset::AskForm;
use crate::web::pages::sign_in::SignInForm;
use crate::web::pages::sign_up::SignUpForm;
use crate::web::refusals::Reason;
use crate::web::session;
use crate::{Email, urls, words};

#[post("/users", data = "<input>")]
pub(in crate::web) async fn sign_up(
    input: Input<'_, SignUpForm>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    match api::sign_up::sign_up(input, &client, auth).await? {
        Ok(SignedUp::Account { email, .. } | SignedUp::LinkSent(email)) => {
            Ok(Json(Done::new(&email, words::api::SIGNED_UP)))
        }
        Err(Refused::Because(SignUpError::EmailTaken)) => {
            Err(Refusal::new(Status::BadRequest, words::api::EMAIL_TAKEN).into())
        }
        Err(refused) => Err(refused.into()),
    }
}

#[post("/sessions", data = "<input>")]
pub(in crate::web) async fn sign_in(
    input: Input<'_, SignInForm>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply<SignedIn> {
    let form = input.fields_or(Status::Unauthorized)?;
    let (new, reply) = api::session::open(form, &client, jar, auth).await?;
    // Older clients read the first cookie of a response: here it is the only one.
    session::write_session(jar, auth.config(), &new);
    Ok(reply)
}

#[delete("/sessions")]
pub(in crate::web) async fn sign_out(
    current: CurrentSession<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, ApiError> {
    if current.0.is_none() && !session::end_session(auth, jar, &client).await? {
        return Err(Refusal::new(Status::Forbidden, words::api::NOT_SIGNED_IN).into());
    }
    session::sign_out(auth, jar, &client).await?;
    Ok(Redirect::found(urls::FRONT_PAGE.as_str()))
}

#[post("/reset_password", data = "<input>")]
pub(in crate::web) async fn ask_for_reset(
    input: Input<'_, AskForm>,
    client: Client,
    place: HostPlace,
    auth: &State<Auth>,
) -> Reply<ResetAsked> {
    let form = input.fields_or(Status::Forbidden)?;
    api::password::ask(form, &client, place, auth, Status::Forbidden).await
}

#[derive(FromForm)]
pub(in crate::web) struct ResetFields {
    email: Email,
    reset_token: Typed,
    new_password: Password,
}

impl Fields for ResetFields {
    const NAMES: &'static [&'static str] = &["email", "reset_token", "new_password"];
    const SHOWN: &'static [&'static str] = &[];
}

#[put("/reset_password", data = "<input>")]
pub(in crate::web) async fn reset(
    input: Input<'_, ResetFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply<Done> {
    let ResetFields { email, reset_token, new_password } = input.fields_or(Status::Forbidden)?;
    let token = &reset_token.0;
    let set = api::password::set(auth, token, Some(&email), new_password, &client).await;
    set.map_err(|refused| match refused {
        Refused::Because(dead @ ResetPasswordError::DeadLink) => {
            Refusal::from(Reason::from(dead)).with_status(Status::Forbidden).into()
        }
        refused => ApiError::from(refused),
    })?;
    Ok(Json(Done::new(&email, words::api::PASSWORD_UPDATED)))
}
