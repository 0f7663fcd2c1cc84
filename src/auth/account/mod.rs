//! Accounts: users, signing up, verifying an email address, editing the profile.

mod email;
mod name;
mod profile;
mod signup;
mod user;
mod verify_email;

pub use email::{Email, EmailError};
pub use name::{Name, NameError};
pub(crate) use signup::{SignUp, SignUpBy, SignUpError};
pub use user::{User, UserId};
pub(crate) use verify_email::{VerificationRequest, VerifyEmailError};
