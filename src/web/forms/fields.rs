//! The types of fields.

use rocket::form::error::ErrorKind;
use rocket::form::{self, FromFormField, ValueField};

use crate::auth::{Password, PasswordError, Purpose};
use crate::{Email, EmailError, Name, words};

impl<'v> FromFormField<'v> for Email {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        field.value.parse().map_err(|e| match e {
            EmailError::Missing => form::Error::from(ErrorKind::Missing).into(),
            e => refused(words::fields::email(e)),
        })
    }
}

impl<'v> FromFormField<'v> for Password {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        field.value.parse().map_err(|e| match e {
            PasswordError::Missing => form::Error::from(ErrorKind::Missing).into(),
            PasswordError::TooLong => refused(words::fields::password(e)),
        })
    }
}

/// An optional or empty value.
pub(in crate::web) enum Patch<T> {
    /// The field was not sent: keep the value.
    Keep,
    /// The new value; an empty field removes it.
    Set(Option<T>),
}

impl<T> Patch<T> {
    /// The value for a new object, which has none to keep.
    pub(in crate::web) fn into_new(self) -> Option<T> {
        match self {
            Self::Keep => None,
            Self::Set(value) => value,
        }
    }
}

impl<'v> FromFormField<'v> for Patch<Name> {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Name::parse(field.value).map(Self::Set).map_err(|e| refused(words::fields::name(e)))
    }

    fn default() -> Option<Self> {
        Some(Self::Keep)
    }
}

/// A password to be set, if the field was sent.
impl<'v> FromFormField<'v> for Patch<Password> {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Password::from_value(field).map(|password| Self::Set(Some(password)))
    }

    fn default() -> Option<Self> {
        Some(Self::Keep)
    }
}

/// A password attempt. Text that cannot be a password is a wrong one.
pub(in crate::web) struct Attempt(pub(in crate::web) Option<Password>);

impl<'v> FromFormField<'v> for Attempt {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        match field.value.parse() {
            Err(PasswordError::Missing) => Err(form::Error::from(ErrorKind::Missing).into()),
            tried => Ok(Self(tried.ok())),
        }
    }
}

/// Text that must not be empty, and is kept as typed.
pub(in crate::web) struct Typed(pub(in crate::web) String);

impl<'v> FromFormField<'v> for Typed {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        if field.value.is_empty() {
            return Err(form::Error::from(ErrorKind::Missing).into());
        }
        Ok(Self(field.value.to_owned()))
    }
}

impl<'v> FromFormField<'v> for Purpose {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        let found = Self::ALL.iter().find(|purpose| purpose.as_str() == field.value);
        found.copied().ok_or_else(|| refused(words::fields::UNEXPECTED))
    }
}

/// A checkbox.
pub(in crate::web) struct Ticked(pub(in crate::web) bool);

impl<'v> FromFormField<'v> for Ticked {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Ok(Self(!matches!(field.value, "" | "0" | "off" | "no" | "false")))
    }

    fn default() -> Option<Self> {
        Some(Self(false))
    }
}

fn refused<'v>(sentence: &'static str) -> form::Errors<'v> {
    form::Error::validation(sentence).into()
}
