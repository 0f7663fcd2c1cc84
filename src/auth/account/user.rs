//! The public type of an account.

use std::fmt;
use std::str::FromStr;

use rocket::form::{self, FromFormField, ValueField};
use rocket::http::impl_from_uri_param_identity;
use rocket::http::uri::{
    self,
    fmt::{Part, UriDisplay},
};
use rocket::request::FromParam;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Email, Name};
use crate::clock::Timestamp;

/// A user's account, without the password hash, which never leaves `auth`.
///
/// As a guard, the signed-in user: a route with a `User` argument answers 401 without one, and 403 to a change that
/// another website sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct User {
    /// The ID of the account; never reused, sorted by time of sign-up (`UUIDv7`, RFC 9562).
    pub id: UserId,
    /// The address as typed at sign-up.
    pub email: Email,
    /// The display name, if there is one.
    pub name: Option<Name>,
    /// When the user verified the address, if they have.
    pub email_verified_at: Option<Timestamp>,
    /// When a mail server last refused the address for good, since it does not exist or takes no email. Forgotten once an
    /// email has been accepted.
    pub email_refused_at: Option<Timestamp>,
    /// When the account was disabled, if it is. Nobody is signed in to a disabled account.
    pub disabled_at: Option<Timestamp>,
    /// When the account, which its owner has deleted, will be erased. Until then it is disabled, and a mailed link
    /// restores it.
    pub delete_at: Option<Timestamp>,
    /// The address that the user wants to change to; it counts once they have confirmed it.
    pub new_email: Option<Email>,
    /// Whether the user is an administrator: whom the guard `Admin` lets in.
    pub is_admin: bool,
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

/// The ID of a user: a `UUIDv7` (RFC 9562). In URLs, forms and JSON it is written with hyphens, in lower case.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct UserId(Uuid);

/// The error for a text that is no [`UserId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserIdError;

impl UserId {
    pub(in crate::auth) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// Its 16 bytes, as a column of type BLOB or BYTEA holds them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The ID of these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// 32 hexadecimal digits.
    pub(in crate::auth) fn simple(self) -> String {
        self.0.simple().to_string()
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<UserId> for Uuid {
    fn from(id: UserId) -> Self {
        id.0
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, UserIdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| UserIdError)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UserIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is no ID of a user")
    }
}

impl std::error::Error for UserIdError {}

impl<'a> FromParam<'a> for UserId {
    type Error = UserIdError;

    fn from_param(param: &'a str) -> Result<Self, UserIdError> {
        param.parse()
    }
}

impl<'v> FromFormField<'v> for UserId {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        field.value.parse().map_err(|UserIdError| form::Error::validation("no ID of a user").into())
    }
}

impl<P: Part> UriDisplay<P> for UserId {
    fn fmt(&self, f: &mut uri::fmt::Formatter<'_, P>) -> fmt::Result {
        f.write_value(self.0.hyphenated().to_string())
    }
}

impl_from_uri_param_identity!(UserId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = UserId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(UserId::from_param(&id.to_string()), Ok(id));
        assert_eq!(UserId::from_bytes(*id.as_bytes()), id);
        assert_eq!(UserId::from(Uuid::from(id)), id);
        assert!("ada".parse::<UserId>().is_err());
    }
}
