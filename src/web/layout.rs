//! The pages in the layout of a host app, and the menu for its own pages.

use std::fmt;

use askama::Template;
use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use crate::web::frame::Frame;
use crate::web::guards::Page;
use crate::{Error, User};

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
pub(crate) struct HostLayout(pub(crate) std::sync::Arc<DrawLayout>);

/// A page whose title and content can be drawn apart.
pub(in crate::web) trait Parts: Template {
    fn frame(&self) -> Frame<'_>;
    fn title(&self) -> askama::Result<String>;
    fn main(&self) -> askama::Result<String>;
}

/// Implements [`Parts`] for a page with a field `frame` and the blocks `title` and `main`.
macro_rules! parts {
    ($Page:ident) => {
        impl $crate::web::layout::Parts for $Page<'_> {
            fn frame(&self) -> $crate::web::frame::Frame<'_> {
                self.frame
            }

            fn title(&self) -> askama::Result<String> {
                self.as_title().render()
            }

            fn main(&self) -> askama::Result<String> {
                self.as_main().render()
            }
        }
    };
}
pub(in crate::web) use parts;

#[derive(Template)]
#[template(path = "menu.html")]
struct MenuPart<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePart<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "styles.html")]
struct StylesPart<'a> {
    frame: Frame<'a>,
}

/// Draws a page, in the layout of the host app if it has one.
pub(in crate::web) fn draw(page: &impl Parts) -> Result<String, Error> {
    let failed = |error| Error::new("a page cannot be drawn", error);
    let frame = page.frame();
    let Some(HostLayout(draw)) = frame.layout else { return page.render().map_err(failed) };
    let notice = NoticePart { frame }.render().map_err(failed)?;
    Ok(draw(&Layout {
        title: &page.title().map_err(failed)?,
        main: &format!("{notice}{}", page.main().map_err(failed)?),
        styles: &StylesPart { frame }.render().map_err(failed)?,
        menu: &MenuPart { frame }.render().map_err(failed)?,
        user: frame.user,
    }))
}

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
/// Whoever takes the menu shows the notice: it is for one page.
pub struct Menu<'r> {
    frame: Frame<'r>,
}

impl Menu<'_> {
    /// The signed-in user.
    pub fn user(&self) -> Option<&User> {
        self.frame.user
    }

    /// Links in the head of the page to the style sheets of the service, as HTML.
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

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Menu<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        Page::from_request(request).await.map(|page| Self { frame: page.frame })
    }
}
