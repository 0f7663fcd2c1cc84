//! What a verb refused, in words: the same on pages, under `/api/v1` and for older clients.

use std::convert::Infallible;

use rocket::http::Status;

use crate::auth::{
    ChangePasswordError, ResetPasswordError, SignUpError, SignedOut, VerifyEmailError,
    WrongCredentials,
};
use crate::web::errors::Refusal;

/// Why not, in words.
pub(in crate::web) enum Reason {
    /// Something is wrong with one field.
    Field { name: &'static str, text: String },
    /// Something is wrong with the whole.
    Whole { status: Status, title: &'static str, text: &'static str },
}

impl Reason {
    fn field(name: &'static str, text: impl Into<String>) -> Self {
        Self::Field { name, text: text.into() }
    }

    /// Nothing was typed.
    pub(in crate::web) fn missing(name: &'static str) -> Self {
        Self::field(name, missing(name))
    }
}

/// What is said of a field in which nothing was typed.
pub(in crate::web) fn missing(name: &str) -> &'static str {
    match name {
        "email" => "Enter your e-mail address.",
        "password" => "Enter your password.",
        "new_password" => "Enter a new password.",
        "reset_token" => "Enter the token of the reset link.",
        _ => "This field is missing.",
    }
}

/// What is never refused.
impl From<Infallible> for Reason {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The one message for an unknown address, a wrong password and a disabled account.
impl From<WrongCredentials> for Reason {
    fn from(WrongCredentials: WrongCredentials) -> Self {
        Self::Whole {
            status: Status::Unauthorized,
            title: "We could not log you in",
            text: "The e-mail address or the password is wrong.",
        }
    }
}

impl From<SignedOut> for Reason {
    fn from(SignedOut: SignedOut) -> Self {
        let (title, text) = ("Not logged in", "Log in first.");
        Self::Whole { status: Status::Unauthorized, title, text }
    }
}

impl From<SignUpError> for Reason {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::EmailTaken => Self::field("email", "This address is already in use."),
            SignUpError::WeakPassword(weak) => Self::field("password", weak.to_string()),
        }
    }
}

impl From<ChangePasswordError> for Reason {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::WrongPassword => {
                Self::field("password", "This is not your current password.")
            }
            ChangePasswordError::WeakPassword(weak) => {
                Self::field("new_password", weak.to_string())
            }
            ChangePasswordError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<ResetPasswordError> for Reason {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::DeadLink => Self::Whole {
                status: Status::BadRequest,
                title: "This link does not work any more",
                text: "The reset token is not valid, or not any more.",
            },
            ResetPasswordError::WeakPassword(weak) => Self::field("new_password", weak.to_string()),
        }
    }
}

impl From<VerifyEmailError> for Reason {
    fn from(error: VerifyEmailError) -> Self {
        match error {
            VerifyEmailError::WrongPassword => {
                Self::field("password", "This is not the password of this account.")
            }
            VerifyEmailError::DeadLink => ResetPasswordError::DeadLink.into(),
            VerifyEmailError::SignedOut => SignedOut.into(),
        }
    }
}

/// As programs are told.
impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Field { name, text } => Self::field(name, text),
            Reason::Whole { status, text, .. } => Self::new(status, text),
        }
    }
}
