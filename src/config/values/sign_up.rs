//! Who may sign up.

use serde::{Deserialize, Deserializer};

use super::{Must, parsed};
use crate::auth::Email;

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUps {
    /// Everybody.
    Open,
    /// Who was invited.
    ByInvitation,
    /// Nobody: accounts are created by the operator or the host app.
    Closed,
}

impl<'de> Deserialize<'de> for SignUps {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::SignUps, |text| match text {
            "open" => Some(Self::Open),
            "invite" => Some(Self::ByInvitation),
            "closed" => Some(Self::Closed),
            _ => None,
        })
    }
}

/// Whether people have to show that an email address is theirs before they can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// They can sign in at once, and are asked to.
    Optional,
    /// They have to.
    Required,
}

impl<'de> Deserialize<'de> for Verification {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Verification, |text| match text {
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        })
    }
}

/// A domain of email addresses, without its subdomains.
#[derive(Clone, Debug)]
pub struct EmailDomain {
    /// As A-labels (RFC 5890).
    key: String,
    shown: String,
}

impl EmailDomain {
    fn parse(text: &str) -> Option<Self> {
        let domain = text.strip_prefix('@').unwrap_or(text);
        let email: Email = format!("somebody@{domain}").parse().ok()?;
        let (_, shown) = email.as_str().rsplit_once('@')?;
        Some(Self { key: email.domain().to_owned(), shown: shown.to_owned() })
    }

    /// Whether the address is at this domain.
    pub(crate) fn has(&self, email: &Email) -> bool {
        email.domain() == self.key
    }

    /// The domain for people; in A-labels if it could pass for another one.
    pub(crate) fn as_str(&self) -> &str {
        &self.shown
    }
}

impl<'de> Deserialize<'de> for EmailDomain {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::EmailDomain, Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 60.
    #[test]
    fn a_domain_is_compared_whole_and_as_a_labels() {
        let domain = EmailDomain::parse("@b\u{fc}cher.example").unwrap();
        let has = |email: &str| domain.has(&email.parse().unwrap());
        assert!(has("ada@B\u{dc}CHER.example") && has("ada@xn--bcher-kva.example"));
        assert!(!has("ada@a.b\u{fc}cher.example") && !has("ada@bucher.example"));
        assert!(!has("ada@xn--bcher-kva.example.com") && !has("ada@example.com"));
        for text in ["", "@", "ada@example.com", "*.example.com", "localhost", "exa mple.com"] {
            assert!(EmailDomain::parse(text).is_none(), "{text}");
        }
    }
}
