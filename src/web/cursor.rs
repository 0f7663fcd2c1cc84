//! Where a list goes on: the last item that was shown.

use std::fmt;
use std::str::FromStr;

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

/// The error for text that is no cursor.
pub(in crate::web) struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (at, id) = text.split_once('.').ok_or(NoCursor)?;
        Ok(Self {
            at: Timestamp::from_millis(at.parse().map_err(|_| NoCursor)?),
            id: Uuid::try_parse(id).map_err(|_| NoCursor)?,
        })
    }
}

impl<'v> FromFormField<'v> for Cursor {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        field.value.parse().map_err(|NoCursor| form::Error::validation("no cursor").into())
    }
}
