//! Logging in: a password is proved, and then a session begins ([`Auth::start_session`](super::Auth::start_session)). Another step goes in between.

mod password;

pub(crate) use password::{PasswordProof, WrongCredentials};
