//! Random tokens and their digests.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a random token. A stolen database reveals no session or link: 256 random bits cannot be guessed, so
/// no salt and no slow hash are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::auth) struct Digest([u8; 32]);

impl Digest {
    /// One byte, as random as any other.
    pub(in crate::auth) fn first_byte(self) -> u8 {
        self.0[0]
    }

    /// Reads it from the database.
    pub(in crate::auth) fn from_row(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As stored in the database.
    pub(in crate::auth) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// The error for text that is not a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAToken;

/// 32 random bytes (ASVS 11.5.1). A secret has no `Display` and no `Serialize`, and its `Debug` does not reveal it.
macro_rules! token {
    ($(#[$meta:meta])* $name:ident, $out:ident, $read:ident) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name([u8; 32]);

        impl $name {
            pub(in crate::auth) fn new() -> Result<Self, crate::Error> {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes)
                    .map_err(|e| crate::Error::new("the system has no random numbers", e))?;
                Ok(Self(bytes))
            }

            /// What the database stores of it.
            pub(in crate::auth) fn digest(&self) -> Digest {
                Digest(Sha256::digest(self.0).into())
            }

            /// The secret: 43 characters that need no escaping in a URL.
            pub(crate) fn $out(&self) -> String {
                URL_SAFE_NO_PAD.encode(self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAToken;

            fn from_str(text: &str) -> Result<Self, NotAToken> {
                let bytes = URL_SAFE_NO_PAD.decode(&*$read(text)).map_err(|_| NotAToken)?;
                bytes.try_into().map(Self).map_err(|_| NotAToken)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

token! {
    /// The secret in the session cookie.
    SessionToken, in_cookie, exactly
}
token! {
    /// The secret in a mailed link.
    LinkToken, in_link, as_copied
}

/// How many characters a token has.
const LENGTH: usize = 43;

fn exactly(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// A link that a mail program has made clickable, or somebody has copied, may end in the full stop or bracket behind it,
/// or be cut by spaces, line ends, signs of quoting and `=` (quoted-printable). What cannot be part of a token is skipped,
/// and so is everything behind it. Whoever has all of the secret has the link, so this lets nobody else in.
fn as_copied(text: &str) -> Cow<'_, str> {
    let is_of_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    Cow::Owned(text.chars().filter(is_of_token).take(LENGTH).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_survives_its_way_through_a_link() {
        let token = LinkToken::new().unwrap();
        let text = token.in_link();
        assert_eq!(text.len(), LENGTH);
        assert_eq!(text.parse::<LinkToken>().unwrap().digest(), token.digest());
        assert_ne!(LinkToken::new().unwrap().digest(), token.digest());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = LinkToken::new().unwrap().in_link();
        for text in ["", "a", &token[1..], &format!("+{}", &token[1..]), ".", &token[..42]] {
            assert_eq!(text.parse::<LinkToken>().map(|_| ()), Err(NotAToken), "{text:?}");
            assert_eq!(text.parse::<SessionToken>().map(|_| ()), Err(NotAToken), "{text:?}");
        }
    }

    /// A copied link may have something around it, or spaces and line ends in it; a cookie is never copied.
    #[test]
    fn a_copied_link_is_understood() {
        let token = LinkToken::new().unwrap();
        let text = token.in_link();
        let (start, end) = text.split_at(20);
        for copied in [
            &format!("{text}="),
            &format!("{text}."),
            &format!("{text})."),
            &format!("{text}>"),
            &format!("<{text}>"),
            &format!("{text}\u{201d},"),
            &format!("{text}/"),
            &format!("{text}&gt;"),
            &format!("{text}_"),
            &format!("{text}Then press"),
            &format!(" {text}\n"),
            &format!("{start} {end}"),
            &format!("{start}\r\n{end}"),
            &format!("{start}=\r\n{end}"),
            &format!("{start}\n> {end}"),
            &format!("{start}\u{a0}{end}\u{200b}"),
            &format!("{start}\u{ad}{end}"),
        ] {
            let read: LinkToken = copied.parse().unwrap();
            assert_eq!(read.digest(), token.digest(), "{copied:?}");
            assert!(copied.parse::<SessionToken>().is_err(), "{copied:?}");
        }
    }

    /// Promise 18: `Debug` does not reveal a token.
    #[test]
    fn a_token_is_mute() {
        assert_eq!(format!("{:?}", SessionToken::new().unwrap()), "SessionToken(…)");
    }

    proptest! {
        /// Each token has exactly one text form: a cookie has no second spelling, and a link none with other characters.
        #[test]
        fn a_token_has_one_spelling(text in "[a-zA-Z0-9_=-]{40,46}|\\PC{0,50}") {
            if let Ok(token) = text.parse::<SessionToken>() {
                prop_assert_eq!(token.in_cookie(), text.as_str());
            }
            if let Ok(token) = text.parse::<LinkToken>() {
                prop_assert!(text.replace('=', "").starts_with(&token.in_link()));
            }
        }
    }
}
