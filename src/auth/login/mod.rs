//! Signing in: the client proves the password, then a session begins
//! ([`Auth::start_session`](super::Auth::start_session)). A second factor would go in between.

mod password;

pub(crate) use password::{PasswordProof, WrongCredentials};
