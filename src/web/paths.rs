//! Which paths are ours, and the form of their errors. Derived from the mounted routes.

use std::sync::{Arc, LazyLock};

use rocket::Request;
use rocket::http::uri::Origin;

use crate::config::Config;
use crate::urls::Urls;

/// Managed if every path of the Rocket is ours, and not only those with a route.
pub(crate) struct WholeService;

/// The form in which errors are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum ErrorStyle {
    /// A page.
    Page,
    /// A page for browsers, `{"message": …}` for programs.
    PageOrMessage,
    /// `{"message": …}`, for older clients.
    Message,
    /// problem+json (RFC 9457).
    Problem,
}

/// A path of ours.
pub(in crate::web) struct OwnPath {
    pub(in crate::web) path: String,
    /// Whether the paths below it are ours too.
    pub(in crate::web) is_folder: bool,
    pub(in crate::web) errors: ErrorStyle,
}

impl OwnPath {
    /// Where its errors are caught; `None` if that of another path does.
    pub(in crate::web) fn base(&self) -> Option<&str> {
        Some(&*self.path).filter(|path| !path.contains('<'))
    }
}

/// All paths of ours, managed by Rocket.
pub(in crate::web) struct OwnPaths(pub(in crate::web) Vec<OwnPath>);

impl OwnPaths {
    /// Whether the path is one of ours.
    pub(in crate::web) fn contains(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The form of the errors of a path; `None` if it is not one of ours.
    fn error_style(&self, path: &str) -> Option<ErrorStyle> {
        self.find(path).map(|own| own.errors)
    }

    fn find(&self, path: &str) -> Option<&OwnPath> {
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let is_of =
            |own: &&OwnPath| fits(path, &own.path) || own.is_folder && lies_under(path, &own.path);
        self.0.iter().find(is_of)
    }
}

/// Whether a path is that of a route, in which `<name>` stands for one segment.
pub(in crate::web) fn fits(path: &str, own: &str) -> bool {
    let Some((before, rest)) = own.split_once('<') else { return path == own };
    let after = rest.split_once('>').map_or("", |(_, after)| after);
    let segment = path.strip_prefix(before).and_then(|path| path.strip_suffix(after));
    segment.is_some_and(|segment| !segment.is_empty() && !segment.contains('/'))
}

fn lies_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Makes the URLs.
pub(in crate::web) fn urls_of<'r>(request: &'r Request<'_>) -> &'r Urls {
    static ROOT: LazyLock<Urls> = LazyLock::new(Urls::default);
    let config: Option<&Arc<Config>> = request.rocket().state();
    config.map_or(&*ROOT, |config| &config.urls)
}

/// Whether the request is for a path of ours.
pub(in crate::web) fn is_ours(request: &Request<'_>) -> bool {
    let rocket = request.rocket();
    rocket.state::<WholeService>().is_some()
        || rocket.state().is_some_and(|own: &OwnPaths| own.contains(asked_path(request)))
}

/// The form of the errors of this request; `None` if its path has no route.
pub(in crate::web) fn error_style(request: &Request<'_>) -> Option<ErrorStyle> {
    request.rocket().state().and_then(|own: &OwnPaths| own.error_style(asked_path(request)))
}

/// The requested path, before any rewriting. May contain a secret.
struct AskedPath(String);

/// The requested path, normalised by [`clean_path`].
pub(in crate::web) fn asked_path<'r>(request: &'r Request<'_>) -> &'r str {
    &request.local_cache(|| AskedPath(clean_path(request.uri()))).0
}

/// The path as the router and browsers see it: decoded, without empty segments, `.` and `..`. A decision based on a
/// path must not depend on its spelling.
pub(in crate::web) fn clean_path(uri: &Origin<'_>) -> String {
    let path = uri.path().as_str();
    // Nearly every path is already clean.
    let is_odd = |two: &[u8]| two[0] == b'%' || (two[0] == b'/' && matches!(two[1], b'/' | b'.'));
    if !path.as_bytes().windows(2).any(is_odd) {
        return path.to_owned();
    }
    let mut segments: Vec<String> = Vec::new();
    for raw in uri.path().raw_segments() {
        // A path that is not UTF-8 is not ours, and stays as it is.
        match raw.url_decode().as_deref().unwrap_or(raw.as_str()) {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_disguise_is_known() {
        for (path, clean) in [
            ("/", "/"),
            ("/login", "/login"),
            ("/%6Cogin", "/login"),
            ("//login/", "/login"),
            ("/login/", "/login/"),
            ("/./a/../login", "/login"),
            ("/%2e%2e/login", "/login"),
            ("/password%2Dreset/x", "/password-reset/x"),
        ] {
            assert_eq!(clean_path(&Origin::parse(path).unwrap()), clean, "{path}");
        }
    }
}
