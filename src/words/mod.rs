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
