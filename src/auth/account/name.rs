//! Display names.

use std::fmt;

use serde::Serialize;

use super::is_unseen;

/// A display name: one line of at most 100 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The text, without spaces around it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a name. Returns `None` if nothing in the text can be seen.
    ///
    /// # Errors
    /// If the text is too long or has invisible characters.
    pub fn parse(text: &str) -> Result<Option<Self>, NameError> {
        let name = text.trim();
        if name.chars().count() > 100 {
            return Err(NameError::TooLong);
        }
        if name.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(NameError::ControlCharacter);
        }
        // Marks may join letters, but alone they are no name.
        Ok((!name.chars().all(is_unseen)).then(|| Self(name.to_owned())))
    }

    pub(in crate::auth) fn from_row(name: String) -> Self {
        Self(name)
    }
}

/// Line and paragraph separators break a line of mail or log. Bidirectional marks let a name overwrite the text
/// around it (CVE-2021-42574).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not accepted as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// More than 100 characters.
    TooLong,
    /// An invisible character.
    ControlCharacter,
}

impl fmt::Display for NameError {
    /// For developers; users read the text in `words`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a name is too long",
            Self::ControlCharacter => "a name has a control character",
        })
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Promise 38.
    #[test]
    fn a_name_is_one_visible_line() {
        assert_eq!(Name::parse("  Ada  ").unwrap().unwrap().as_str(), "Ada");
        for text in ["", " ", "\u{200b}", "\u{2060}\u{feff}"] {
            assert_eq!(Name::parse(text), Ok(None), "{text:?}");
        }
        assert!(Name::parse(&"é".repeat(100)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(101)), Err(NameError::TooLong));
        for text in ["a\0b", "a\nb", "a\u{7f}b", "a\u{202e}b"] {
            assert_eq!(Name::parse(text), Err(NameError::ControlCharacter), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_one_line(text in "(?s).{0,120}") {
            if let Ok(Some(name)) = Name::parse(&text) {
                prop_assert!(name.0.lines().count() == 1 && !name.0.contains('\0'));
            }
        }
    }
}
