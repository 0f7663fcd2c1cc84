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
pub(crate) const SIGN_UP_SENT: Path = Path::new("/signup-sent");
pub(crate) const INVITATION: Path = Path::new("/invitation");
pub(crate) const SIGN_IN: Path = Path::new("/login");
pub(crate) const RECENT_LOGIN: Path = Path::new("/recent-login");
pub(crate) const SIGN_IN_GO_ON: Path = Path::new("/login/go-on");
pub(crate) const SIGN_OUT: Path = Path::new("/logout");
pub(crate) const PROFILE: Path = Path::new("/profile");
pub(crate) const PASSWORD_CHANGE: Path = Path::new("/password-change");
pub(crate) const PASSWORD_RESET: Path = Path::new("/password-reset");
pub(crate) const PASSWORD_RESET_SENT: Path = Path::new("/password-reset-sent");
pub(crate) const SET_PASSWORD: Path = Path::new("/set-password");
pub(crate) const VERIFY_EMAIL: Path = Path::new("/verify-email");
pub(crate) const EMAIL_CHANGE: Path = Path::new("/email-change");
pub(crate) const EMAIL_CANCEL: Path = Path::new("/email-cancel");
pub(crate) const EMAIL_UNDO: Path = Path::new("/email-undo");
pub(crate) const NOT_ME: Path = Path::new("/not-me");
pub(crate) const SECURITY: Path = Path::new("/security");
pub(crate) const SESSIONS: Path = Path::new("/sessions");
pub(crate) const END_OTHERS: Path = Path::new("/sessions/end-others");
pub(crate) const ACTIVITY: Path = Path::new("/activity");
pub(crate) const YOUR_DATA: Path = Path::new("/your-data");
pub(crate) const EXPORT: Path = Path::new("/export");
pub(crate) const ACCOUNT_DELETION: Path = Path::new("/account-deletion");
pub(crate) const ACCOUNT_RESTORE: Path = Path::new("/account-restore");
pub(crate) const STYLE: Path = Path::new("/static/vestibule.css");
pub(crate) const THEME: Path = Path::new("/static/vestibule-theme.css");
pub(crate) const EXTRA_STYLE: Path = Path::new("/static/vestibule-extra.css");
pub(crate) const SCRIPT: Path = Path::new("/static/vestibule.js");
pub(crate) const LOGO: Path = Path::new("/static/vestibule-logo");
pub(crate) const FAVICON: Path = Path::new("/static/vestibule.svg");
pub(crate) const TOUCH_ICON: Path = Path::new("/static/vestibule-touch.png");

/// Internal paths for requests that are refused before routing.
pub(crate) const CROSS_SITE: &str = "/-/cross-site";
pub(crate) const TOO_LONG: &str = "/-/too-long";
pub(crate) const UNREADABLE: &str = "/-/unreadable";

/// The characters to escape in the value of a query; a slash stays readable.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes the URLs. The only place that knows under which path the service is mounted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Urls {
    /// Empty, or like `/accounts`.
    base: String,
}

/// A URL on this site. Needs no escaping in HTML.
#[derive(Clone, Copy)]
pub(crate) struct Url<'a>(&'a str, Path);

impl Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(base, Path(path)) = self;
        if !base.is_empty() {
            f.write_str(base)?;
        }
        f.write_str(path)
    }
}

impl HtmlSafe for Url<'_> {}

impl Urls {
    /// For a service mounted under this path; `None` unless it is empty, or begins with a slash, ends without one,
    /// and has no other characters than letters, digits, `-`, `_` and single slashes.
    pub(crate) fn under(base: &str) -> Option<Self> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let is_segment = |segment: &str| !segment.is_empty() && segment.bytes().all(is_plain);
        let is_path = base.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment));
        (base.is_empty() || is_path).then(|| Self { base: base.to_owned() })
    }

    /// The path under which the service is mounted; empty at the root.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The URL of a page or a static file.
    pub(crate) fn to(&self, path: Path) -> Url<'_> {
        Url(&self.base, path)
    }

    /// The URL of a page that leads on to `next`, unless that is empty.
    pub(crate) fn and_then(&self, page: Path, next: &str) -> String {
        let page = self.to(page);
        if next.is_empty() {
            return page.to_string();
        }
        format!("{page}?next={}", utf8_percent_encode(next, QUERY))
    }

    /// The path of a mailed link.
    pub(crate) fn link(&self, page: Path, secret: &str) -> String {
        format!("{}/{secret}", self.to(page))
    }

    /// The secret in the path of a mailed link to this page.
    pub(crate) fn secret_of<'p>(&self, path: &'p str, page: Path) -> Option<&'p str> {
        path.strip_prefix(&*self.base)?.strip_prefix(page.as_str())?.strip_prefix('/')
    }

    /// An internal path for requests that are refused before routing.
    pub(crate) fn refusal(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lie_under_the_path_of_the_service() {
        let root = Urls::default();
        assert_eq!(root.to(SIGN_IN).to_string(), "/login");
        let urls = Urls::under("/my/accounts").unwrap();
        assert_eq!(urls.to(SIGN_IN).to_string(), "/my/accounts/login");
        assert_eq!(urls.and_then(SIGN_IN, "/a?b=c"), "/my/accounts/login?next=/a%3Fb%3Dc");
        let link = urls.link(PASSWORD_RESET, "secret");
        assert_eq!(urls.secret_of(&link, PASSWORD_RESET), Some("secret"));
        assert_eq!(root.secret_of(&link, PASSWORD_RESET), None);
        for base in ["accounts", "/", "/accounts/", "//", "/a//b", "/a b", "/../b", "/<id>"] {
            assert!(Urls::under(base).is_none(), "{base}");
        }
    }
}
