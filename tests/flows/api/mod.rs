//! The API for programs: its document, and what is only there.

mod document;
mod links;
mod problems;
mod verification;
