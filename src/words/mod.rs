//! Every sentence that a person can read; nothing else holds one. A constant, or a function where a sentence
//! has values, grouped by area. No sentence is put together from parts, so that each can be translated as a
//! whole. HTML stays in the templates.
//!
//! Errors are values. Where a framework or an app prints an error itself, its `Display` stands here too, beside the
//! other sentences, so that the module of the error holds none.

pub(crate) mod api;
pub(crate) mod check;
pub(crate) mod dates;
pub(crate) mod errors;
pub(crate) mod fields;
pub(crate) mod mail;
pub(crate) mod notices;
pub(crate) mod pages;
pub(crate) mod passwords;
pub(crate) mod refusals;
pub(crate) mod settings;
pub(crate) mod start;

use askama::filters::Safe;

/// A text for a page that needs no escaping, so that none is done whenever the page is drawn.
pub(crate) type Text = Safe<&'static str>;

/// Does not compile for a text that HTML would read as something else.
const fn text(text: &'static str) -> Text {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        assert!(
            !matches!(bytes[i], b'<' | b'>' | b'&' | b'"'),
            "a text for a page must need no escaping"
        );
        i += 1;
    }
    Safe(text)
}
