//! Every sentence that users read; nothing else contains one. A constant, or a function if a sentence has values,
//! grouped by area. No sentence is assembled from parts, so that each can be translated as a whole. HTML stays in
//! the templates.
//!
//! Errors are values. If a framework or a host app prints an error itself, its `Display` is here too, beside the
//! other sentences.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod check;
pub(crate) mod dates;
pub(crate) mod errors;
pub(crate) mod fields;
pub(crate) mod mail;
pub(crate) mod notices;
pub(crate) mod pages;
pub(crate) mod passwords;
#[cfg(feature = "postgres")]
mod postgres;
pub(crate) mod refusals;
pub(crate) mod settings;
pub(crate) mod start;

use askama::filters::Safe;

/// Text for a page without characters that need escaping, so that it is not escaped on every page view.
pub(crate) type Text = Safe<&'static str>;

/// Fails to compile if the text has characters that are special in HTML.
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

/// A sentence around a value that has an element of its own on the page, so that its direction of writing and its
/// length disturb nothing.
pub(crate) struct Around {
    pub(crate) before: Text,
    pub(crate) after: Text,
}

/// Fails to compile unless `{}` stands in the sentence, for the value.
const fn around(sentence: &'static str) -> Around {
    let bytes = sentence.as_bytes();
    let mut i = 0;
    while bytes[i] != b'{' || bytes[i + 1] != b'}' {
        i += 1;
    }
    let (before, rest) = sentence.split_at(i);
    Around { before: text(before), after: text(rest.split_at(2).1) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Promise 38: what somebody typed is escaped on every page and in every message.
    #[test]
    fn no_template_switches_escaping_off() {
        let mut seen = 0;
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let template: String =
                    fs::read_to_string(&path).unwrap().split_whitespace().collect();
                assert!(!template.contains("|safe") && !template.contains("|escape"), "{path:?}");
                seen += 1;
            }
        }
        assert!(seen > 15, "{seen}");
    }
}
