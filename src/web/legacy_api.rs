//! The routes, fields, status codes and bodies that clients of the older servers rely on.

use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::serde::json::json;
use rocket::{FromForm, State, delete, post, put};

use crate::Email;
use crate::auth::{Auth, Client, Password, Refused, ResetPasswordError, SignUpError, cookie};
use crate::web::api::{self, ApiError, Reply};
use crate::web::errors::Refusal;
use crate::web::form::{Fields, Input, Typed};
use crate::web::guards::{HostPlace, Visitor};
use crate::web::pages::login::LogInForm;
use crate::web::pages::password_reset::AskForm;
use crate::web::pages::signup::SignUpForm;
use crate::web::refusals::Reason;
use crate::web::session;

/// Where errors are `{"message": …}`.
pub(in crate::web) const PATHS: [&str; 3] = ["/users", "/sessions", "/reset_password"];

#[post("/users", data = "<input>")]
pub(in crate::web) async fn sign_up(
    input: Input<SignUpForm>,
    client: Client,
    auth: &State<Auth>,
) -> Reply {
    api::sign_up(input.fields()?, &client, auth).await.map_err(|refused| match refused {
        // The older servers' very words.
        Refused::Because(SignUpError::EmailTaken) => {
            Refusal::new(Status::BadRequest, "email already registered").into()
        }
        refused => refused.into(),
    })
}

#[post("/sessions", data = "<input>")]
pub(in crate::web) async fn log_in(
    input: Input<LogInForm>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Reply {
    let form = input.fields_or(Status::Unauthorized)?;
    let (new, reply) = api::open_session(form, &client, jar, auth).await?;
    // Older clients read the first cookie of an answer: here it is the only one.
    cookie::write_session(jar, auth.config(), &new);
    Ok(reply)
}

#[delete("/sessions")]
pub(in crate::web) async fn log_out(
    visitor: Visitor<'_>,
    client: Client,
    jar: &CookieJar<'_>,
    auth: &State<Auth>,
) -> Result<Redirect, ApiError> {
    if visitor.0.is_none() && !session::end_renewed_session(auth, jar, &client).await? {
        return Err(Refusal::new(Status::Forbidden, "not logged in").into());
    }
    session::sign_out(auth, jar, &client).await?;
    Ok(Redirect::found("/"))
}

#[post("/reset_password", data = "<input>")]
pub(in crate::web) async fn request_password_reset(
    input: Input<AskForm>,
    client: Client,
    place: HostPlace,
    auth: &State<Auth>,
) -> Reply {
    let form = input.fields_or(Status::Forbidden)?;
    api::ask_for_reset(form, &client, place, auth, Status::Forbidden).await
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
pub(in crate::web) async fn reset_password(
    input: Input<ResetFields>,
    client: Client,
    auth: &State<Auth>,
) -> Reply {
    let ResetFields { email, reset_token, new_password } = input.fields_or(Status::Forbidden)?;
    let token = &reset_token.0;
    let set = api::set_password(auth, token, Some(&email), new_password, &client).await;
    set.map_err(|refused| match refused {
        Refused::Because(dead @ ResetPasswordError::DeadLink) => {
            Refusal::from(Reason::from(dead)).with_status(Status::Forbidden).into()
        }
        refused => ApiError::from(refused),
    })?;
    Ok(json!({ "email": email.as_str(), "message": "Password updated" }))
}
