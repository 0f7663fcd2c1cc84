//! Draws pages, in the layout of a host app if it has one.

use askama::Template;

use crate::Error;
use crate::web::frame::{Frame, HostLayout, Layout};

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
pub(in crate::web) struct MenuPart<'a> {
    pub(in crate::web) frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "notice.html")]
pub(in crate::web) struct NoticePart<'a> {
    pub(in crate::web) frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "footer.html")]
struct FooterPart<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "script.html")]
struct ScriptPart<'a> {
    frame: Frame<'a>,
}

#[derive(Template)]
#[template(path = "styles.html")]
pub(in crate::web) struct StylesPart<'a> {
    pub(in crate::web) frame: Frame<'a>,
}

/// Draws a page, in the layout of the host app if it has one.
pub(in crate::web) fn draw(page: &impl Parts) -> Result<String, Error> {
    let failed = |error| Error::new("a page cannot be drawn", error);
    let frame = page.frame();
    let Some(HostLayout(draw)) = frame.layout else { return page.render().map_err(failed) };
    let notice = NoticePart { frame }.render().map_err(failed)?;
    let script = ScriptPart { frame }.render().map_err(failed)?;
    Ok(draw(&Layout {
        title: &page.title().map_err(failed)?,
        main: &format!(
            "<div class=\"vestibule\">\n{notice}\n{}\n</div>\n{script}",
            page.main().map_err(failed)?
        ),
        styles: &StylesPart { frame }.render().map_err(failed)?,
        menu: &MenuPart { frame }.render().map_err(failed)?,
        urls: frame.page_urls(),
        footer: &FooterPart { frame }.render().map_err(failed)?,
        user: frame.user,
    }))
}
