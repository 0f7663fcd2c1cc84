//! The submitted fields, for the handler and for showing the form again.

mod fields;
mod read;
mod state;

use rocket::form::FromForm;

pub(in crate::web) use fields::{Attempt, Patch, Ticked, Typed};
pub(in crate::web) use read::{Input, Submitted};
pub(in crate::web) use state::FormState;

/// A set of form fields.
pub(in crate::web) trait Fields: for<'f> FromForm<'f> + Send {
    /// All fields; others are ignored.
    const NAMES: &'static [&'static str];
    /// The fields whose values may be shown again. Never a password.
    const SHOWN: &'static [&'static str];
}
