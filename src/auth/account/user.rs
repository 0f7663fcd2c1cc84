//! The public type of an account.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use super::{Email, Name};
use crate::clock::Timestamp;

/// A user's account, without the password hash, which never leaves `auth`.
#[derive(Clone, Debug)]
pub struct User {
    /// The ID of the account; never reused, sorted by time of sign-up (`UUIDv7`, RFC 9562).
    pub id: UserId,
    /// The address as typed at sign-up.
    pub email: Email,
    /// The display name, if there is one.
    pub name: Option<Name>,
    /// When the user verified the address; `None` if never.
    pub email_verified_at: Option<Timestamp>,
    /// When the user signed up.
    pub created_at: Timestamp,
}

impl User {
    /// The address, if the user has verified it. Authorise on this one, never on `email`: anybody can sign up with
    /// somebody else's address.
    pub fn verified_email(&self) -> Option<&Email> {
        self.email_verified_at.map(|_| &self.email)
    }

    /// The display name, or the address if there is none.
    pub fn display_name(&self) -> &str {
        self.name.as_ref().map_or(self.email.as_str(), Name::as_str)
    }
}

/// The ID of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct UserId(Uuid);

impl UserId {
    pub(in crate::auth) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl FromStr for UserId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Uuid::try_parse(text).map(Self).map_err(|_| ())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
