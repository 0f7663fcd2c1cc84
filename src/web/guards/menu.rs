//! The menu for the pages of a host app.

use std::fmt;

use askama::Template;
use rocket::Request;
use rocket::http::Method;
use rocket::request::{FromRequest, Outcome};

use crate::User;
use crate::web::frame::{Frame, PageUrls};
use crate::web::guards::Page;
use crate::web::layout::{MenuPart, NoticePart, StylesPart};
use crate::web::next::Next;

/// The links to sign in and out, and the notice of what was just done, for a host's own pages: a guard.
///
/// ```
/// use rocket::get;
/// use rocket::response::content::RawHtml;
/// use vestibule::Menu;
///
/// #[get("/about")]
/// fn about(menu: Menu<'_>) -> RawHtml<String> {
///     RawHtml(format!("<header>{menu}</header><main>{}<h1>About us</h1></main>", menu.notice()))
/// }
/// ```
///
/// Whoever takes the menu shows the notice: it is for one page. So do not take it in a catcher: a picture that is missing
/// would use the notice up, and nobody would see it. [`Visitor`](crate::Visitor) says who is signed in there.
pub struct Menu<'r> {
    frame: Frame<'r>,
}

impl Menu<'_> {
    /// The signed-in user.
    pub fn user(&self) -> Option<&User> {
        self.frame.user
    }

    /// The URLs for links of your own instead of the menu's.
    pub fn urls(&self) -> PageUrls<'_> {
        self.frame.page_urls()
    }

    /// Links in the head of the page to the style sheets of the service, as HTML; see
    /// [`Layout::styles`](crate::Layout::styles).
    pub fn styles(&self) -> String {
        StylesPart { frame: self.frame }.render().unwrap_or_default()
    }

    /// What was just done, such as "You are signed out.", as HTML; empty if there is nothing to say.
    pub fn notice(&self) -> String {
        NoticePart { frame: self.frame }.render().unwrap_or_default()
    }
}

/// The links and the button, as HTML.
impl fmt::Display for Menu<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&MenuPart { frame: self.frame }.render().map_err(|_| fmt::Error)?)
    }
}

/// The URL of a page view; empty if it is none.
struct Here(String);

fn page_to_come_back_to(request: &Request<'_>) -> String {
    let url = match request.method() {
        Method::Get | Method::Head => request.uri().to_string(),
        _ => String::new(),
    };
    Next::parse(&url).map_or_else(String::new, |_| url)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Menu<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        Page::from_request(request).await.map(|page| {
            let here = request.local_cache(|| Here(page_to_come_back_to(request)));
            Self { frame: Frame { here: &here.0, ..page.frame } }
        })
    }
}
