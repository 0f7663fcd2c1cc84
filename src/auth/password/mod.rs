//! Passwords: as typed, as checked against the policy, and as stored.

pub(in crate::auth) mod change;
pub(in crate::auth) mod hash;
pub(in crate::auth) mod hasher;
mod policy;
pub(in crate::auth) mod reset;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

pub(crate) use policy::{NewPassword, WeakPassword};

/// A password as typed: an attempt to sign in, or the input of a [`NewPassword`]. Every character counts, including
/// spaces at both ends. Wiped from memory when dropped.
pub struct Password {
    /// In Unicode Normalization Form C: keyboards write `é` as one character or as two, and both must be the same
    /// password (NIST SP 800-63B, 3.1.1.2).
    text: Zeroizing<String>,
    /// The text as typed, if it differs: older hashes were made from it.
    typed: Option<Zeroizing<String>>,
}

impl Password {
    /// The maximum number of characters; longer passwords are refused before hashing, so that length costs nothing.
    pub const MAX_CHARS: usize = 256;
    /// The maximum number of bytes.
    pub const MAX_BYTES: usize = 1024;

    #[cfg(test)]
    fn as_str(&self) -> &str {
        &self.text
    }

    /// The texts that a stored hash may have been made from, the likeliest first.
    fn spellings(&self) -> impl Iterator<Item = (Spelling, &str)> {
        let trimmed = self.text.trim();
        let has_ends = !trimmed.is_empty() && trimmed.len() < self.text.len();
        std::iter::once((Spelling::Normal, self.text.as_str()))
            .chain(self.typed.iter().map(|typed| (Spelling::Typed, typed.as_str())))
            .chain(has_ends.then_some((Spelling::Trimmed, trimmed)))
    }

    /// The password of a hash that was made from this spelling of it, in normal form.
    pub(in crate::auth) fn spelled(&self, spelling: Spelling) -> Self {
        let text = match spelling {
            Spelling::Normal | Spelling::Typed => &self.text,
            Spelling::Trimmed => self.text.trim(),
        };
        Self { text: Zeroizing::new(text.to_owned()), typed: None }
    }
}

/// How the text that a hash was made from relates to the text that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Spelling {
    /// The normal form.
    Normal,
    /// Exactly what was typed, before passwords were normalised.
    Typed,
    /// Without the white space at its ends: pasted text often has some (NIST SP 800-63B, 3.1.1.2, allows this try).
    Trimmed,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why a text cannot be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordError {
    /// The text is empty.
    Missing,
    /// Longer than [`Password::MAX_CHARS`] or [`Password::MAX_BYTES`].
    TooLong,
}

impl FromStr for Password {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() {
            return Err(PasswordError::Missing);
        }
        // Another normal form may be three times as long.
        if text.len() > 3 * Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
        normal.extend(text.nfc());
        if normal.len() > Self::MAX_BYTES || normal.chars().count() > Self::MAX_CHARS {
            return Err(PasswordError::TooLong);
        }
        let typed = (*normal != text).then(|| Zeroizing::new(text.to_owned()));
        Ok(Self { text: normal, typed })
    }
}

/// Counts how often an account's password was set. A sign-in in progress and a known device are void once it has
/// changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct PasswordVersion(i64);

impl PasswordVersion {
    /// The version that this one has replaced.
    pub(in crate::auth) const fn before(self) -> Self {
        Self(self.0 - 1)
    }
}

impl fmt::Display for PasswordVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PasswordVersion {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promises 2, 3 and 4.
    #[test]
    fn any_characters_make_a_password_up_to_a_length() {
        for text in [" ", "é", &"😀".repeat(256), &"字".repeat(256), &"a".repeat(256), "a\0b"] {
            assert!(text.parse::<Password>().is_ok(), "{text}");
        }
        assert_eq!("".parse::<Password>().unwrap_err(), PasswordError::Missing);
        assert_eq!("a".repeat(257).parse::<Password>().unwrap_err(), PasswordError::TooLong);
        assert_eq!(" a ".parse::<Password>().unwrap().as_str(), " a ");
    }
}
