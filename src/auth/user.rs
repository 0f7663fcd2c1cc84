//! Who somebody is: [`User`], [`UserId`], [`Email`], [`Name`].

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use serde::Serialize;
use uuid::Uuid;

use crate::clock::Timestamp;

/// A user's account, without its password: that never leaves `auth`.
#[derive(Clone, Debug)]
pub struct User {
    /// The key of the account; never reused, sorted by time of sign-up (`UUIDv7`, RFC 9562).
    pub id: UserId,
    /// The address as it was typed at sign-up.
    pub email: Email,
    /// What the person wants to be called, if they said.
    pub name: Option<Name>,
    /// When the person showed that the address is theirs; `None` if never.
    pub email_verified_at: Option<Timestamp>,
    /// When they signed up.
    pub created_at: Timestamp,
}

impl User {
    /// The address, if the person has shown that it is theirs. Authorise on this one, never on
    /// `email`: anybody can sign up with somebody else's address.
    pub fn verified_email(&self) -> Option<&Email> {
        self.email_verified_at.map(|_| &self.email)
    }

    /// The name, or the address where there is none.
    pub fn called(&self) -> &str {
        self.name.as_ref().map_or(self.email.as_str(), Name::as_str)
    }
}

/// The key of a user.
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

/// An e-mail address that a letter can be sent to. Two addresses are the same account when their
/// [`key`](Email::key)s are equal.
#[derive(Clone, Debug)]
pub struct Email {
    typed: String,
    key: String,
}

impl Email {
    /// As it was typed, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// In lower case, the domain as A-labels (RFC 5890): what makes an account unique.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What a letter is sent to: the local part as it was typed (RFC 5321, 2.4: it may matter), the
    /// domain as A-labels.
    pub fn deliverable(&self) -> String {
        let local = self.typed.rsplit_once('@').map_or("", |(local, _)| local);
        let domain = self.key.rsplit_once('@').map_or("", |(_, domain)| domain);
        format!("{local}@{domain}")
    }

    /// Both forms as the database holds them.
    pub(in crate::auth) fn from_row(typed: String, key: String) -> Self {
        Self { typed, key }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Why a text is no address that we take; the message stands beside the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailError {
    /// Nothing was typed.
    Missing,
    /// More than 254 characters (RFC 5321, 4.5.3.1.3).
    TooLong,
    /// Not of the form `name@example.com`, or of characters that mail servers refuse or that look
    /// like others.
    Malformed,
}

impl fmt::Display for EmailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Enter your e-mail address.",
            Self::TooLong => "Enter an e-mail address of at most 254 characters.",
            Self::Malformed => "Enter an e-mail address like name@example.com.",
        })
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let typed = text.trim_matches([' ', '\t']);
        if typed.is_empty() {
            return Err(EmailError::Missing);
        }
        if typed.len() > 254 {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = typed.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !is_local_part(local) {
            return Err(EmailError::Malformed);
        }
        let domain = ascii_domain(domain).ok_or(EmailError::Malformed)?;
        let key = format!("{}@{domain}", local.to_ascii_lowercase());
        if key.len() > 254 {
            return Err(EmailError::TooLong);
        }
        Ok(Self { typed: typed.to_owned(), key })
    }
}

/// A dot-atom of RFC 5322 (3.2.3) of at most 64 bytes. Quoted strings are valid there, but nobody
/// has one, and non-ASCII local parts are a play-ground for look-alikes.
fn is_local_part(local: &str) -> bool {
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(atext))
}

/// The domain in lower case and as A-labels; `None` if mail could not reach it or if it only looks
/// like what it says: UTS 46 would quietly turn full-width letters and the Kelvin sign into ASCII.
fn ascii_domain(domain: &str) -> Option<String> {
    let lower: String = domain.chars().flat_map(char::to_lowercase).collect();
    let folds_to_ascii =
        domain.chars().any(|c| !c.is_ascii() && c.to_lowercase().all(|l| l.is_ascii()));
    if folds_to_ascii || lower.contains('ı') {
        return None;
    }
    let ascii = idna::domain_to_ascii_cow(lower.as_bytes(), AsciiDenyList::STD3).ok()?;
    let (unicode, valid) = idna::domain_to_unicode(&ascii);
    // What was typed must be what the A-label says, or be that label itself.
    let same = unicode == lower || *ascii == *lower;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let labels = ascii.split('.').all(|label| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    });
    let is_name = !last.bytes().all(|b| b.is_ascii_digit());
    (valid.is_ok() && same && labels && is_name && ascii.contains('.') && ascii.len() <= 253)
        .then(|| ascii.into_owned())
}

/// What a person wants to be called: one line of at most 100 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The text, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a name; a text of spaces alone is no name.
    ///
    /// # Errors
    /// The message that stands beside the field.
    pub fn parse(text: &str) -> Result<Option<Self>, NameError> {
        let name = text.trim();
        if name.chars().count() > 100 {
            return Err(NameError::TooLong);
        }
        if name.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(NameError::ControlCharacter);
        }
        Ok((!name.is_empty()).then(|| Self(name.to_owned())))
    }

    pub(in crate::auth) fn from_row(name: String) -> Self {
        Self(name)
    }
}

/// Line and paragraph separators break a line of mail or log; the marks that turn the direction of
/// writing make a name overwrite the words around it (CVE-2021-42574).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// More than 100 characters.
    TooLong,
    /// A character that cannot be seen.
    ControlCharacter,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "Enter a name of at most 100 characters.",
            Self::ControlCharacter => "Enter a name without line breaks and control characters.",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Result<String, EmailError> {
        text.parse::<Email>().map(|email| email.key)
    }

    /// Promise 13.
    #[test]
    fn one_address_in_many_spellings_is_one_account() {
        for text in ["a@example.com", "A@Example.com", " a@example.com ", "a@EXAMPLE.com"] {
            assert_eq!(key(text).as_deref(), Ok("a@example.com"), "{text}");
        }
        assert_eq!(" A@Example.com".parse::<Email>().unwrap().as_str(), "A@Example.com");
    }

    /// Promise 13.
    #[test]
    fn an_international_domain_is_kept_as_its_a_label() {
        for text in ["a@bücher.example", "a@BÜCHER.example", "a@xn--bcher-kva.example"] {
            assert_eq!(key(text).as_deref(), Ok("a@xn--bcher-kva.example"), "{text}");
        }
    }

    /// Promise 13.
    #[test]
    fn what_is_no_address_or_looks_like_another_is_refused() {
        let long_domain = format!("a@{}.com", "a".repeat(64));
        for text in [
            "a",
            "@example.com",
            "a@",
            "a@example",
            "a b@example.com",
            "a@b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a@-example.com",
            "a@example..com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@example.com\n",
            "a\0@example.com",
            "\"a\"@example.com",
            "a\u{200b}@example.com",
            "a@exam\u{200b}ple.com",
            "a@exam\u{ad}ple.com",
            "ä@example.com",
            "\u{212a}@example.com",
            "a@\u{212a}elvin.com",
            "a@ex\u{0131}t.com",
            "a@\u{ff45}xample.com",
            "a@example\u{3002}com",
            "a@xn--a.com",
            "a@exa_mple.com",
            &long_domain,
        ] {
            assert_eq!(key(text), Err(EmailError::Malformed), "{text:?}");
        }
        assert_eq!(key("  "), Err(EmailError::Missing));
        assert_eq!(key(&format!("a@{}.com", "a.".repeat(130))), Err(EmailError::TooLong));
    }

    /// Promise 38.
    #[test]
    fn a_name_is_one_visible_line() {
        assert_eq!(Name::parse("  Ada  ").unwrap().unwrap().as_str(), "Ada");
        assert_eq!(Name::parse(" "), Ok(None));
        assert!(Name::parse(&"é".repeat(100)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(101)), Err(NameError::TooLong));
        for text in ["a\0b", "a\nb", "a\u{7f}b", "a\u{202e}b"] {
            assert_eq!(Name::parse(text), Err(NameError::ControlCharacter), "{text:?}");
        }
    }

    proptest! {
        /// What is taken can be mailed to, is taken again as the same account, and holds no surprise.
        #[test]
        fn an_address_that_is_taken_is_sound(text in "\\PC{0,60}|[a-z.+]{1,20}@[a-zäöü.-]{1,30}") {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert!(email.key.is_ascii() && email.key.len() <= 254);
                prop_assert_eq!(email.key.to_ascii_lowercase(), email.key.clone());
                prop_assert!(email.deliverable().parse::<lettre::Address>().is_ok());
                let again: Email = email.key.parse().unwrap();
                prop_assert_eq!(again.key, email.key);
            }
        }

        #[test]
        fn a_name_that_is_taken_is_one_line(text in "(?s).{0,120}") {
            if let Ok(Some(name)) = Name::parse(&text) {
                prop_assert!(name.0.lines().count() == 1 && !name.0.contains('\0'));
            }
        }
    }
}
