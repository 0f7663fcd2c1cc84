//! Where to go after signing in.

use std::sync::Arc;

use rocket::Request;
use rocket::form::{self, FromFormField, ValueField};
use rocket::http::uri::Origin;
use url::{Position, Url};

use crate::config::Config;
use crate::web::fairings::link_secrets;
use crate::web::paths::clean_path;

/// A path of this site; anything else is ignored: a link to our sign-in page must not redirect to another site
/// (open redirect, ASVS 3.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Next(String);

/// The maximum length in bytes: it is sent back in a header, for which proxies have little room.
const MAX: usize = 1024;

impl Next {
    pub(in crate::web) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX {
            return None;
        }
        let mut bytes = text.bytes();
        // Browsers treat `//host` and `/\host` as another host, and drop tabs and line ends first.
        let is_path = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
        let is_plain = text.bytes().all(|b| b.is_ascii() && b > 0x20 && b != 0x7f && b != b'\\');
        let uri = Origin::parse(text).ok().filter(|_| is_path && is_plain)?;
        let path = clean_path(&uri);
        // Its secret would become part of the URL of the sign-in page.
        (!link_secrets::may_be_in(&path)).then(|| Self(text.to_owned()))
    }

    /// The page with the link or the form that led here, if the browser says that it is one of this site.
    pub(in crate::web) fn page_before(request: &Request<'_>) -> Option<Self> {
        let config: &Arc<Config> = request.rocket().state()?;
        let page = Url::parse(request.headers().get_one("Referer")?).ok()?;
        if !config.is_own_origin(&page.origin().ascii_serialization()) {
            return None;
        }
        Self::parse(&page[Position::BeforePath..Position::AfterQuery])
    }

    /// The path.
    pub(in crate::web) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'v> FromFormField<'v> for Next {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Self::parse(field.value).ok_or_else(|| form::Error::validation("is no path of ours").into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Promise 34.
    #[test]
    fn only_a_path_of_ours_is_followed() {
        for text in ["/", "/profile", "/a/b?c=d&e=%20", "/a?x=//b"] {
            assert_eq!(Next::parse(text).map(|n| n.0).as_deref(), Some(text));
        }
        for text in [
            "",
            "profile",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/ /evil.example",
            "https://evil.example",
            "/a\\b",
            "/a b",
            "/a\nb",
            "/é",
            "/a\0",
            "/\u{7f}",
            "javascript:alert(1)",
            "/password-reset/abc",
            "/verify-email/abc",
            "/./password-reset/abc",
            "/x/../password-reset/abc",
            "/%70assword-reset/abc",
            "//password-reset/abc",
            "/a#b",
        ] {
            assert_eq!(Next::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        /// As browsers parse it (WHATWG URL): the redirect stays on this site.
        #[test]
        fn what_is_followed_stays_here(text in "[/\\\\.:@a-z%0-9?#\t ]{0,20}|\\PC{0,20}") {
            if Next::parse(&text).is_some() {
                let base = url::Url::parse("https://here.example/login").unwrap();
                let there = base.join(&text).unwrap();
                prop_assert_eq!(there.origin(), base.origin());
                prop_assert!(!there.path().starts_with("/password-reset/"));
            }
        }
    }
}
