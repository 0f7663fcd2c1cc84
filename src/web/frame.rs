//! The frame around every page: ours, or the layout of a host app.

use std::sync::{Arc, LazyLock};

use askama::filters::Safe;
use rocket::Request;

use crate::User;
use crate::config::Config;
use crate::urls::{self, Urls};
use crate::web::assets::Assets;
use crate::web::flash::Notice;
use crate::web::next::Next;
use crate::web::paths::asked_path;
use crate::web::session;

/// A page of the service, for a layout of the host app; see [`Stage::layout`](crate::Stage::layout).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Layout<'a> {
    /// The title, as HTML.
    pub title: &'a str,
    /// The content, as HTML: with its heading, above it the notice of what was just done, and below it the script
    /// that makes forms kinder. Everything works without that script.
    pub main: &'a str,
    /// Links in the head of the page to the style sheets of the service, as HTML. They reach only what is within the
    /// class `vestibule`, which is around `main`; give it to your `<body>`, and header and menu look like those of the
    /// service. Leave them out if you have styles of your own.
    pub styles: &'a str,
    /// Links to sign in or out, as HTML.
    pub menu: &'a str,
    /// The URLs for links of your own.
    pub urls: PageUrls<'a>,
    /// The links of the setting `links`, for the foot of the page, as HTML; empty if there are none.
    pub footer: &'a str,
    /// The signed-in user.
    pub user: Option<&'a User>,
}

/// The URLs of the pages of the service, for links of a host app's own; from [`Menu::urls`](crate::Menu::urls) and
/// [`Layout::urls`]. They need no escaping in HTML.
#[derive(Clone, Copy, Debug)]
pub struct PageUrls<'a> {
    pub(in crate::web) urls: &'a Urls,
    /// The page to come back to, or empty.
    pub(in crate::web) here: &'a str,
}

impl PageUrls<'_> {
    /// The page to sign in, which leads back to this one.
    pub fn sign_in(&self) -> String {
        self.urls.and_then(urls::SIGN_IN, self.here)
    }

    /// The page to sign up, which leads back to this one.
    pub fn sign_up(&self) -> String {
        self.urls.and_then(urls::SIGN_UP, self.here)
    }

    /// Where a form signs out: by `POST`, so that no link and no image of another site does.
    pub fn sign_out(&self) -> String {
        self.urls.to(urls::SIGN_OUT).to_string()
    }

    /// The profile of the signed-in user.
    pub fn profile(&self) -> String {
        self.urls.to(urls::PROFILE).to_string()
    }

    /// The page about signing in: the address and the password.
    pub fn security(&self) -> String {
        self.urls.to(urls::SECURITY).to_string()
    }

    /// The devices on which the user is signed in.
    pub fn sessions(&self) -> String {
        self.urls.to(urls::SESSIONS).to_string()
    }

    /// What happened to the account.
    pub fn activity(&self) -> String {
        self.urls.to(urls::ACTIVITY).to_string()
    }

    /// The page to download everything about the account, and to delete it.
    pub fn your_data(&self) -> String {
        self.urls.to(urls::YOUR_DATA).to_string()
    }

    /// The page to change the password.
    pub fn password_change(&self) -> String {
        self.urls.to(urls::PASSWORD_CHANGE).to_string()
    }
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
    /// The settings: the name of the site, and where its links lead.
    pub(in crate::web) config: &'r Config,
    /// The static files.
    pub(in crate::web) assets: &'r Assets,
    /// The path of this page.
    pub(in crate::web) path: &'r str,
    /// Whether to offer signing in or out: on pages for which nobody asked who is signed in, neither is known.
    pub(in crate::web) has_menu: bool,
    /// The signed-in user.
    pub(in crate::web) user: Option<&'r User>,
    /// The page to come back to after signing in; on pages of ours the one that led to them, if any.
    pub(in crate::web) here: &'r str,
    /// The notice about what was just done.
    pub(in crate::web) notice: Option<Notice>,
}

/// The page of the query `next`, so that the links of a menu keep it.
fn next_of<'r>(request: &'r Request<'_>) -> &'r str {
    struct NextOf(String);
    let next = || {
        let next = request.query_value::<&str>("next").and_then(Result::ok);
        NextOf(next.filter(|next| Next::parse(next).is_some()).unwrap_or_default().to_owned())
    };
    &request.local_cache(next).0
}

impl<'r> Frame<'r> {
    /// The frame with what is known without a query of its own: a page for an error must not need the database.
    pub(in crate::web) fn of(request: &'r Request<'_>) -> Self {
        // A host app has catchers of ours even if it forgets the stage.
        static UNATTACHED: LazyLock<(Config, Assets)> = LazyLock::new(Default::default);
        let rocket = request.rocket();
        let config = rocket.state().map_or(&UNATTACHED.0, |config: &Arc<Config>| config);
        Self {
            urls: &config.urls,
            layout: rocket.state(),
            config,
            assets: rocket.state().unwrap_or(&UNATTACHED.1),
            path: asked_path(request),
            has_menu: session::is_looked_up(request),
            user: session::found(request).map(|session| &session.user),
            here: next_of(request),
            notice: None,
        }
    }

    /// The URLs for links of a host app.
    pub(in crate::web) fn page_urls(&self) -> PageUrls<'r> {
        PageUrls { urls: self.urls, here: self.here }
    }

    /// For a link to `path`: whether it is this page, as an attribute.
    pub(in crate::web) fn current(&self, path: urls::Path) -> Safe<&'static str> {
        let is_here = self.path.strip_prefix(self.urls.base()) == Some(path.as_str());
        Safe(if is_here { " aria-current=\"page\"" } else { "" })
    }
}
