//! The API for programs, under `/api/v1`: forms or JSON in, JSON out, and problem+json (RFC 9457) for refusals. One
//! file per resource.

pub(in crate::web) mod account;
pub(in crate::web) mod password;
pub(in crate::web) mod session;

use crate::web::body::Json;
use rocket::Responder;
use serde::Serialize;

use crate::auth::{Limited, Refused, SignedOut};
use crate::web::errors::Refusal;
use crate::web::refusals::Reason;
use crate::{Email, Error};

/// JSON, or an error.
pub(in crate::web) type Reply<T> = Result<Json<T>, ApiError>;

/// A success, as older clients expect it.
#[derive(Serialize)]
pub(in crate::web) struct Done {
    /// The address as typed.
    email: String,
    message: &'static str,
}

impl Done {
    /// Reports a success for the account of this address.
    pub(in crate::web) fn new(email: &Email, message: &'static str) -> Self {
        Self { email: email.as_str().to_owned(), message }
    }
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
