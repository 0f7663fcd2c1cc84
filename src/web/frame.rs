//! What stands around every page.

use rocket::Request;

use crate::User;
use crate::auth::Auth;
use crate::web::assets::Assets;
use crate::web::flash::Notice;

/// What `layout.html` needs.
#[derive(Clone, Copy)]
pub(in crate::web) struct Frame<'r> {
    /// The name of the site.
    pub(in crate::web) site_name: &'r str,
    /// Changes when a style sheet does.
    pub(in crate::web) version: &'r str,
    /// Whether to offer logging in or out: where nobody looked who is signed in, neither is true.
    pub(in crate::web) has_menu: bool,
    /// Who is signed in.
    pub(in crate::web) user: Option<&'r User>,
    /// What was just done.
    pub(in crate::web) notice: Option<Notice>,
}

impl<'r> Frame<'r> {
    /// A frame that asks the database nothing: for error pages.
    pub(in crate::web) fn bare(request: &'r Request<'_>) -> Self {
        let config = request.rocket().state::<Auth>().map(Auth::config);
        Self {
            site_name: config.map_or("Vestibule", |config| &config.site_name),
            version: Assets::version(request),
            has_menu: false,
            user: None,
            notice: None,
        }
    }
}
