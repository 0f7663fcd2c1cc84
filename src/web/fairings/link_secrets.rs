//! Keeps the secrets of mailed links out of the log.

use rocket::Request;
use rocket::http::uri::Origin;

use crate::auth::Purpose;
use crate::urls::Urls;
use crate::web::paths::{clean_path, urls_of};

/// The secret in the path of a mailed link.
pub(in crate::web) struct Secret {
    pub(in crate::web) purpose: Purpose,
    pub(in crate::web) text: String,
}

/// Removes the secret from the path before Rocket logs it: the route is `/<page>/link`, and the handler gets the
/// secret from the guard [`Link`](crate::web::guards::Link).
pub(super) fn hide(request: &mut Request<'_>) {
    let path = clean_path(request.uri());
    let urls = urls_of(request);
    let Some(secret) = secret_in(&path, urls) else { return };
    let mut link = urls.link(secret.purpose.page(), "link");
    if let Some(query) = request.uri().query() {
        link.push('?');
        link.push_str(query.as_str());
    }
    if let Ok(uri) = Origin::parse_owned(link) {
        request.local_cache(|| Some(secret));
        request.set_uri(uri);
    }
}

/// The secret in a path, if it is that of a mailed link.
pub(in crate::web) fn secret_in(path: &str, urls: &Urls) -> Option<Secret> {
    Purpose::ALL.iter().find_map(|purpose| {
        let text = urls.secret_of(path, purpose.page())?.to_owned();
        Some(Secret { purpose: *purpose, text })
    })
}

/// Whether there may be a secret in a path, wherever the service is mounted.
pub(in crate::web) fn may_be_in(path: &str) -> bool {
    Purpose::ALL.iter().any(|purpose| path.contains(&format!("{}/", purpose.page())))
}

/// The secret that was removed from the path.
pub(in crate::web) fn hidden<'r>(request: &'r Request<'_>) -> Option<&'r Secret> {
    request.local_cache(|| None::<Secret>).as_ref()
}
