//! The paths in pages, messages and redirects. A test compares them with the routes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) const FRONT_PAGE: &str = "/";
pub(crate) const SIGN_UP: &str = "/signup";
pub(crate) const SIGN_IN: &str = "/login";
pub(crate) const SIGN_OUT: &str = "/logout";
pub(crate) const PROFILE: &str = "/profile";
pub(crate) const PASSWORD_CHANGE: &str = "/password-change";
pub(crate) const PASSWORD_RESET: &str = "/password-reset";
pub(crate) const VERIFY_EMAIL: &str = "/verify-email";
pub(crate) const STYLE: &str = "/static/style.css";
pub(crate) const THEME: &str = "/static/theme.css";
pub(crate) const FAVICON: &str = "/static/favicon.svg";

/// Internal paths for requests that are refused before routing.
pub(crate) const CROSS_SITE: &str = "/-/cross-site";
pub(crate) const TOO_LONG: &str = "/-/too-long";
pub(crate) const UNKNOWN_METHOD: &str = "/-/unknown-method";
pub(crate) const UNREADABLE: &str = "/-/unreadable";

/// The characters to escape in the value of a query; a slash stays readable.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of a page that leads on to `next`, unless that is empty.
pub(crate) fn and_then(page: &str, next: &str) -> String {
    if next.is_empty() {
        return page.to_owned();
    }
    format!("{page}?next={}", utf8_percent_encode(next, QUERY))
}

/// The path of a mailed link.
pub(crate) fn link(page: &str, secret: &str) -> String {
    format!("{page}/{secret}")
}

/// The secret in the path of a mailed link to this page.
pub(crate) fn secret_of<'p>(path: &'p str, page: &str) -> Option<&'p str> {
    path.strip_prefix(page)?.strip_prefix('/')
}
