//! Every sentence that a person can read, and nothing else holds one: constants, and functions where a
//! sentence has values. No sentence is put together from parts, so that each can be translated as a whole.

pub(crate) mod api;
pub(crate) mod errors;
