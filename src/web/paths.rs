//! Which paths are ours, and how the errors of each are shown. Known from the routes that were mounted.

use rocket::Request;
use rocket::http::uri::Origin;

/// Managed when every path of the Rocket is ours, and not only those that have a route.
pub(crate) struct WholeService;

/// How errors are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum ErrorStyle {
    /// A page for people.
    Page,
    /// A page for people, `{"message": …}` for programs.
    PageOrMessage,
    /// `{"message": …}`, for older clients.
    Message,
    /// problem+json (RFC 9457).
    Problem,
}

/// A path of ours.
pub(in crate::web) struct OwnPath {
    pub(in crate::web) path: String,
    /// Whether the errors of all paths below it are shown in the same way.
    pub(in crate::web) is_folder: bool,
    pub(in crate::web) errors: ErrorStyle,
}

/// All paths of ours, managed by Rocket.
pub(in crate::web) struct OwnPaths(pub(in crate::web) Vec<OwnPath>);

impl OwnPaths {
    /// Whether the path is one of ours or lies below one, with a route or without.
    pub(in crate::web) fn contains(&self, path: &str) -> bool {
        self.0.iter().any(|own| lies_under(path, &own.path))
    }

    /// How the errors of a path are shown; `None` if it has no route.
    fn error_style(&self, path: &str) -> Option<ErrorStyle> {
        let is_of =
            |own: &&OwnPath| own.path == path || own.is_folder && lies_under(path, &own.path);
        self.0.iter().find(is_of).map(|own| own.errors)
    }
}

fn lies_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the request is for a path of ours.
pub(in crate::web) fn is_ours(request: &Request<'_>) -> bool {
    let rocket = request.rocket();
    rocket.state::<WholeService>().is_some()
        || rocket.state().is_some_and(|own: &OwnPaths| own.contains(asked_path(request)))
}

/// How errors of this request are shown; `None` if its path has no route.
pub(in crate::web) fn error_style(request: &Request<'_>) -> Option<ErrorStyle> {
    let path = match asked_path(request).trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    request.rocket().state().and_then(|own: &OwnPaths| own.error_style(path))
}

/// The path as it was asked for, before any of it was rewritten. May hold a secret.
struct AskedPath(String);

/// The path that the client asked for, as [`clean_path`] has it.
pub(in crate::web) fn asked_path<'r>(request: &'r Request<'_>) -> &'r str {
    &request.local_cache(|| AskedPath(clean_path(request.uri()))).0
}

/// The path as the router sees it, and as a browser would: decoded, without empty segments, `.` and
/// `..`. Whoever decides by a path must not be fooled by another spelling of it.
pub(in crate::web) fn clean_path(uri: &Origin<'_>) -> String {
    let path = uri.path().as_str();
    // Nearly every path is clean as it is.
    let is_odd = |two: &[u8]| two[0] == b'%' || (two[0] == b'/' && matches!(two[1], b'/' | b'.'));
    if !path.as_bytes().windows(2).any(is_odd) {
        return path.to_owned();
    }
    let mut segments: Vec<String> = Vec::new();
    for raw in uri.path().raw_segments() {
        // What is not UTF-8 is nothing of ours, and stays as it is.
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
