//! The API for programs, under `/api/v1`: forms or JSON in, JSON out, and problem+json (RFC 9457) for refusals. One
//! file per resource.

pub(in crate::web) mod account;
pub(in crate::web) mod activity;
pub(in crate::web) mod email;
pub(in crate::web) mod links;
pub(in crate::web) mod password;
pub(in crate::web) mod session;
pub(in crate::web) mod sessions;
pub(in crate::web) mod sign_up;

use crate::web::body::Json;
use crate::web::openapi::schemas;
use rocket::Responder;
use rocket::http::Status;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{Auth, Limited, Refused, ResetPasswordError, Session, SignedOut};
use crate::web::errors::Refusal;
use crate::web::guards::CurrentSession;
use crate::web::problems::Kind;
use crate::web::refusals::Reason;
use crate::{Email, Error, words};

/// JSON, or an error.
pub(in crate::web) type Reply<T> = Result<Json<T>, ApiError>;

/// A success for the account of an address.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Done {
    /// The address as typed.
    #[schema(value_type = schemas::Email)]
    email: Email,
    /// What was done.
    message: &'static str,
}

impl Done {
    /// Reports a success for the account of this address.
    pub(in crate::web) fn new(email: &Email, message: &'static str) -> Self {
        Self { email: email.clone(), message }
    }
}

/// A success, in words.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Success {
    /// What was done.
    message: &'static str,
}

impl Success {
    pub(in crate::web) fn new(message: &'static str) -> Self {
        Self { message }
    }
}

/// The session, if the password was given recently: for what is critical (ASVS 7.5.1).
fn recent<'r>(current: &CurrentSession<'r>, auth: &Auth) -> Result<&'r Session, ApiError> {
    let session = current.0.ok_or_else(not_signed_in)?;
    if auth.is_recent(session) {
        Ok(session)
    } else {
        let refusal = Refusal::new(Status::Unauthorized, words::api::LOGIN_TOO_OLD);
        Err(refusal.of_kind(Kind::LoginTooOld).into())
    }
}

/// The refusal of a link that was used, has expired, or never existed.
fn dead_link() -> ApiError {
    Refusal::from(Reason::from(ResetPasswordError::DeadLink)).into()
}

/// A refusal, or an error of the service.
#[derive(Responder)]
pub(in crate::web) enum ApiError {
    Refused(Refusal),
    Failed(Error),
}

impl<R: Into<Reason>> From<Refused<R>> for ApiError {
    fn from(refused: Refused<R>) -> Self {
        match refused {
            Refused::Because(reason) => Self::Refused(Refusal::from(reason.into())),
            Refused::Wait(wait) => Self::Refused(Refusal::wait(wait)),
            Refused::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<Limited> for ApiError {
    fn from(limited: Limited) -> Self {
        Refused::<std::convert::Infallible>::from(limited).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn not_signed_in() -> ApiError {
    Refused::Because(SignedOut).into()
}
