//! The paths in pages, messages and redirects. A test compares them with the routes.

use std::fmt::{self, Display};

use askama::filters::HtmlSafe;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The path of a page or a static file. Needs no escaping in HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path(&'static str);

impl Path {
    /// Fails to compile if the path has other characters than letters, digits, `/`, `-` and `.`.
    const fn new(path: &'static str) -> Self {
        let bytes = path.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(bytes[i].is_ascii_alphanumeric() || matches!(bytes[i], b'/' | b'-' | b'.'));
            i += 1;
        }
        Self(path)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        self.0
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Path {}

pub(crate) const FRONT_PAGE: Path = Path::new("/");
pub(crate) const SIGN_UP: Path = Path::new("/signup");
pub(crate) const SIGN_IN: Path = Path::new("/login");
pub(crate) const SIGN_OUT: Path = Path::new("/logout");
pub(crate) const PROFILE: Path = Path::new("/profile");
pub(crate) const PASSWORD_CHANGE: Path = Path::new("/password-change");
pub(crate) const PASSWORD_RESET: Path = Path::new("/password-reset");
pub(crate) const SET_PASSWORD: Path = Path::new("/set-password");
pub(crate) const VERIFY_EMAIL: Path = Path::new("/verify-email");
pub(crate) const STYLE: Path = Path::new("/static/style.css");
pub(crate) const THEME: Path = Path::new("/static/theme.css");
pub(crate) const FAVICON: Path = Path::new("/static/favicon.svg");

/// Internal paths for requests that are refused before routing.
pub(crate) const CROSS_SITE: &str = "/-/cross-site";
pub(crate) const TOO_LONG: &str = "/-/too-long";
pub(crate) const UNKNOWN_METHOD: &str = "/-/unknown-method";
pub(crate) const UNREADABLE: &str = "/-/unreadable";

/// The characters to escape in the value of a query; a slash stays readable.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of a page that leads on to `next`, unless that is empty.
pub(crate) fn and_then(page: Path, next: &str) -> String {
    if next.is_empty() {
        return page.to_string();
    }
    format!("{page}?next={}", utf8_percent_encode(next, QUERY))
}

/// The path of a mailed link.
pub(crate) fn link(page: Path, secret: &str) -> String {
    format!("{page}/{secret}")
}

/// The secret in the path of a mailed link to this page.
pub(crate) fn secret_of(path: &str, page: Path) -> Option<&str> {
    path.strip_prefix(page.as_str())?.strip_prefix('/')
}
