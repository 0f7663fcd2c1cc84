//! Where a list goes on: the last item that was shown.

use std::fmt;

use rocket::form::{self, FromFormField, ValueField};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The item after which a list goes on, in URLs `1795270361999.0193…`: milliseconds and an ID. Needs no escaping.
#[derive(Clone, Copy)]
pub(in crate::web) struct Cursor {
    at: Timestamp,
    id: Uuid,
}

impl Cursor {
    pub(in crate::web) fn after(at: Timestamp, id: Uuid) -> Self {
        Self { at, id }
    }

    pub(in crate::web) fn into_inner(self) -> (Timestamp, Uuid) {
        (self.at, self.id)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.id.simple())
    }
}

impl askama::filters::HtmlSafe for Cursor {}

impl<'v> FromFormField<'v> for Cursor {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        let parsed = field.value.split_once('.').and_then(|(at, id)| {
            Some(Self {
                at: Timestamp::from_millis(at.parse().ok()?),
                id: Uuid::try_parse(id).ok()?,
            })
        });
        parsed.ok_or_else(|| form::Error::validation("no cursor").into())
    }
}
