//! The sentences of refusals: the same on pages, under `/api/v1` and for older clients.

use std::convert::Infallible;

use rocket::http::Status;

use crate::auth::{
    CannotReport, CannotRestore, CannotUndo, ChangeEmailError, ChangePasswordError,
    ConfirmEmailError, DeletionError, EndSessionError, JoinError, RecentLoginError,
    ResetPasswordError, SignUpError, SignedOut, VerifyEmailError, WrongCredentials,
};
use crate::web::errors::Refusal;
use crate::web::problems::Kind;
use crate::words::{self, account};

/// The sentence of a refusal.
pub(in crate::web) enum Reason {
    /// About these fields: their names, and what is wrong.
    Fields { kind: Kind, fields: Vec<(&'static str, String)> },
    /// About the whole request.
    Whole { kind: Kind, status: Status, title: &'static str, text: &'static str },
}

impl Reason {
    /// About this field.
    pub(in crate::web) fn field(kind: Kind, name: &'static str, text: impl Into<String>) -> Self {
        Self::Fields { kind, fields: vec![(name, text.into())] }
    }

    /// The field is empty.
    pub(in crate::web) fn missing(name: &'static str) -> Self {
        Self::field(Kind::InvalidFields, name, words::fields::missing(name))
    }
}

/// A browser that does not keep cookies cannot be signed in.
pub(in crate::web) struct CookiesLost;

impl From<CookiesLost> for Reason {
    fn from(CookiesLost: CookiesLost) -> Self {
        Self::Whole {
            kind: Kind::BadRequest,
            status: Status::BadRequest,
            title: words::refusals::COOKIES_LOST_TITLE,
            text: words::refusals::COOKIES_LOST,
        }
    }
}

/// For methods that refuse nothing.
impl From<Infallible> for Reason {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// The same message for an unknown address, a wrong password and a disabled account.
impl From<WrongCredentials> for Reason {
    fn from(WrongCredentials: WrongCredentials) -> Self {
        Self::Whole {
            kind: Kind::WrongCredentials,
            status: Status::Unauthorized,
            title: words::refusals::WRONG_CREDENTIALS_TITLE,
            text: words::refusals::WRONG_CREDENTIALS,
        }
    }
}

impl From<SignedOut> for Reason {
    fn from(SignedOut: SignedOut) -> Self {
        Self::Whole {
            kind: Kind::NotSignedIn,
            status: Status::Unauthorized,
            title: words::refusals::SIGNED_OUT_TITLE,
            text: words::refusals::SIGNED_OUT,
        }
    }
}

impl From<SignUpError> for Reason {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::NotOpen(signups) => Self::Whole {
                kind: Kind::SignUpNotOpen,
                status: Status::Forbidden,
                title: words::pages::sign_up_closed::title(signups).0,
                text: words::pages::sign_up_closed::reason(signups),
            },
            SignUpError::OtherDomain(domains) => {
                Self::field(Kind::OtherDomain, "email", words::refusals::other_domain(&domains))
            }
            SignUpError::EmailTaken => {
                Self::field(Kind::EmailTaken, "email", words::refusals::EMAIL_TAKEN)
            }
            SignUpError::WeakPassword(weak) => {
                Self::field(Kind::WeakPassword, "password", words::passwords::weak(&weak))
            }
        }
    }
}

impl From<JoinError> for Reason {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::DeadLink => ResetPasswordError::DeadLink.into(),
            JoinError::WrongPassword => Self::field(
                Kind::WrongPassword,
                "password",
                words::refusals::WRONG_SIGN_UP_PASSWORD,
            ),
            JoinError::WeakPassword(weak) => {
                Self::field(Kind::WeakPassword, "password", words::passwords::weak(&weak))
            }
            JoinError::EmailTaken => Self::Whole {
                kind: Kind::EmailTaken,
                status: Status::Conflict,
                title: words::refusals::EMAIL_TAKEN_TITLE,
                text: words::refusals::EMAIL_TAKEN,
            },
        }
    }
}

impl From<ChangePasswordError> for Reason {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::Passwords { is_current_wrong, weak } => {
                let kind = match (is_current_wrong, &weak) {
                    (true, Some(_)) => Kind::InvalidFields,
                    (true, None) => Kind::WrongPassword,
                    (false, _) => Kind::WeakPassword,
                };
                let wrong = words::refusals::WRONG_CURRENT_PASSWORD;
                let current = is_current_wrong.then(|| ("password", wrong.to_owned()));
                let new = weak.map(|weak| ("new_password", words::passwords::weak(&weak)));
                Self::Fields { kind, fields: current.into_iter().chain(new).collect() }
            }
            ChangePasswordError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<RecentLoginError> for Reason {
    fn from(error: RecentLoginError) -> Self {
        match error {
            RecentLoginError::WrongPassword => Self::field(
                Kind::WrongPassword,
                "password",
                words::refusals::WRONG_CURRENT_PASSWORD,
            ),
            RecentLoginError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<ResetPasswordError> for Reason {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::DeadLink => Self::Whole {
                kind: Kind::DeadLink,
                status: Status::BadRequest,
                title: words::refusals::DEAD_LINK_TITLE,
                text: words::refusals::DEAD_LINK,
            },
            ResetPasswordError::WeakPassword(weak) => {
                Self::field(Kind::WeakPassword, "new_password", words::passwords::weak(&weak))
            }
        }
    }
}

impl From<VerifyEmailError> for Reason {
    fn from(error: VerifyEmailError) -> Self {
        match error {
            VerifyEmailError::WrongPassword => {
                Self::field(Kind::WrongPassword, "password", words::refusals::WRONG_PASSWORD)
            }
            VerifyEmailError::DeadLink => ResetPasswordError::DeadLink.into(),
            VerifyEmailError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<ChangeEmailError> for Reason {
    fn from(error: ChangeEmailError) -> Self {
        match error {
            ChangeEmailError::SameEmail => {
                Self::field(Kind::SameEmail, "email", account::email_change::SAME)
            }
            ChangeEmailError::OtherDomain(domains) => {
                Self::field(Kind::OtherDomain, "email", words::refusals::other_domain(&domains))
            }
            ChangeEmailError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<ConfirmEmailError> for Reason {
    fn from(error: ConfirmEmailError) -> Self {
        match error {
            ConfirmEmailError::WrongPassword => VerifyEmailError::WrongPassword.into(),
            ConfirmEmailError::DeadLink => ResetPasswordError::DeadLink.into(),
            ConfirmEmailError::SignedOut => SignedOut.into(),
            ConfirmEmailError::EmailTaken => Self::Whole {
                kind: Kind::EmailTaken,
                status: Status::Conflict,
                title: account::email_change::TAKEN_TITLE,
                text: account::email_change::TAKEN,
            },
        }
    }
}

impl From<EndSessionError> for Reason {
    fn from(error: EndSessionError) -> Self {
        match error {
            EndSessionError::NoSuchSession | EndSessionError::HasEnded => Self::Whole {
                kind: Kind::NoSuchSession,
                status: Status::NotFound,
                title: account::sessions::NO_SUCH_TITLE,
                text: account::sessions::NO_SUCH,
            },
            EndSessionError::SignedOut => SignedOut.into(),
        }
    }
}

impl From<DeletionError> for Reason {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::WrongPassword => VerifyEmailError::WrongPassword.into(),
            DeletionError::SignedOut => SignedOut.into(),
            DeletionError::InUse => Self::Whole {
                kind: Kind::AccountInUse,
                status: Status::Conflict,
                title: account::account_deletion::IN_USE_TITLE,
                text: account::account_deletion::IN_USE,
            },
        }
    }
}

impl From<CannotUndo> for Reason {
    fn from(_: CannotUndo) -> Self {
        ResetPasswordError::DeadLink.into()
    }
}

impl From<CannotReport> for Reason {
    fn from(CannotReport: CannotReport) -> Self {
        ResetPasswordError::DeadLink.into()
    }
}

impl From<CannotRestore> for Reason {
    fn from(CannotRestore: CannotRestore) -> Self {
        ResetPasswordError::DeadLink.into()
    }
}

/// The form for programs.
impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Fields { kind, fields } => {
                let owned = |(name, text): (&str, _)| (name.to_owned(), text);
                Self::fields(fields.into_iter().map(owned).collect()).of_kind(kind)
            }
            Reason::Whole { kind, status, text, .. } => Self::new(status, text).of_kind(kind),
        }
    }
}
