//! Links to pages that are not ours.

use std::fmt::{self, Display};

use serde::{Deserialize, Deserializer};
use url::Url;

use super::parsed;
use crate::config::Must;

/// A path of this site, a page elsewhere, or an email address: `/about`, `https://example.com/about`,
/// `mailto:help@example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    pub(in crate::config) fn parse(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            // Browsers read `//host` and `/\\host` as another host.
            let is_path = !text.starts_with("//") && !text.contains('\\');
            let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
            return (is_path && is_plain).then(|| Self(text.to_owned()));
        }
        let url = Url::parse(text).ok()?;
        let is_known = match url.scheme() {
            "https" | "http" => {
                url.has_host() && url.username().is_empty() && url.password().is_none()
            }
            "mailto" => url.path().contains('@'),
            _ => false,
        };
        is_known.then(|| Self(url.into()))
    }

    /// The root of this site.
    pub(in crate::config) fn front_page() -> Self {
        Self("/".into())
    }

    /// As it is written into a page.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it leads to a page, and not to a mail program.
    pub(in crate::config) fn is_page(&self) -> bool {
        !self.0.starts_with("mailto:")
    }
}

impl Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        parsed(value, Must::Link, Self::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_page_or_a_mail_program() {
        for text in [
            "/",
            "/about?lang=en#top",
            "https://example.com/privacy",
            "http://localhost:3000/",
            "mailto:help@example.com",
        ] {
            assert_eq!(Link::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "about",
            "//evil.example",
            "/\\evil.example",
            "/a b",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://user:password@example.com",
            "mailto:help",
        ] {
            assert!(Link::parse(text).is_none(), "{text}");
        }
    }
}
