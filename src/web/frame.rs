//! The frame around every page: ours, or the layout of a host app.

use std::sync::Arc;

use rocket::Request;

use crate::User;
use crate::auth::Auth;
use crate::urls::Urls;
use crate::web::assets::Assets;
use crate::web::flash::Notice;
use crate::web::paths::urls_of;

/// A page of the service, for a layout of the host app; see [`Stage::layout`](crate::Stage::layout).
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Layout<'a> {
    /// The title, as HTML.
    pub title: &'a str,
    /// The content, as HTML: with its heading, and above it the notice of what was just done.
    pub main: &'a str,
    /// Links in the head of the page to the style sheets that the content needs, as HTML. They style elements by
    /// name: leave them out if you have styles of your own.
    pub styles: &'a str,
    /// Links to sign in or out, as HTML.
    pub menu: &'a str,
    /// The signed-in user.
    pub user: Option<&'a User>,
}

/// Draws a page in the layout of the host app.
pub(crate) type DrawLayout = dyn Fn(&Layout<'_>) -> String + Send + Sync;

/// The layout of the host app.
pub(crate) struct HostLayout(pub(crate) Arc<DrawLayout>);

/// The values of `layout.html`.
#[derive(Clone, Copy)]
pub(in crate::web) struct Frame<'r> {
    /// Makes the URLs.
    pub(in crate::web) urls: &'r Urls,
    /// The layout of the host app.
    pub(in crate::web) layout: Option<&'r HostLayout>,
    /// The name of the site.
    pub(in crate::web) site_name: &'r str,
    /// The version of the style sheets.
    pub(in crate::web) version: &'r str,
    /// Whether to offer signing in or out: on pages without a session lookup, neither is known.
    pub(in crate::web) has_menu: bool,
    /// The signed-in user.
    pub(in crate::web) user: Option<&'r User>,
    /// The notice about what was just done.
    pub(in crate::web) notice: Option<Notice>,
}

impl<'r> Frame<'r> {
    /// A frame that needs no database query: for error pages.
    pub(in crate::web) fn bare(request: &'r Request<'_>) -> Self {
        let config = request.rocket().state::<Auth>().map(Auth::config);
        Self {
            urls: urls_of(request),
            layout: request.rocket().state(),
            site_name: config.map_or("Vestibule", |config| &config.site_name),
            version: Assets::version(request),
            has_menu: false,
            user: None,
            notice: None,
        }
    }
}
