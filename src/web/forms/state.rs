//! The state of a form: its values and errors.

use std::borrow::Cow;

use rocket::form::Context;
use rocket::form::error::ErrorKind;
use rocket::http::Status;
use rocket::serde::json::{from_str, to_string};

use super::Fields;
use crate::auth::Wait;
use crate::web::refusals::Reason;
use crate::web::typed_email::TypedEmail;
use crate::words;

/// The state in which a form is shown (again).
#[derive(Default)]
pub(in crate::web) struct FormState {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
    alert: Option<Alert>,
    /// Whether a field is missing or empty.
    is_incomplete: bool,
    /// The fields in the order of the form.
    order: &'static [&'static str],
}

/// A message about the form as a whole.
pub(in crate::web) struct Alert {
    pub(in crate::web) title: &'static str,
    pub(in crate::web) text: String,
}

impl FormState {
    /// A form with one field filled in.
    pub(in crate::web) fn with(name: &str, value: &str) -> Self {
        Self { values: vec![(name.to_owned(), value.to_owned())], ..Self::default() }
    }

    /// The values as the text of a draft.
    pub(in crate::web) fn to_draft(&self) -> String {
        to_string(&self.values).unwrap_or_default()
    }

    /// A form with the values of a draft.
    pub(in crate::web) fn of_draft(text: &str) -> Self {
        Self { values: from_str(text).unwrap_or_default(), ..Self::default() }
    }

    /// Fills in the address that was typed before.
    pub(in crate::web) fn and_email(mut self, typed: Option<TypedEmail>) -> Self {
        let email = typed.map(|typed| ("email".to_owned(), typed.email.as_str().to_owned()));
        self.values.extend(email);
        self
    }

    /// The value of a field.
    pub(in crate::web) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The error of a field.
    pub(in crate::web) fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(field, _)| field == name).map(|(_, message)| message.as_str())
    }

    /// All errors, as pairs of a field's name and a message.
    pub(in crate::web) fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    /// Adds a message beside a field. The messages are in the order of the fields.
    pub(in crate::web) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push((name.to_owned(), message.into()));
        let order = self.order;
        self.errors.sort_by_key(|(field, _)| order.iter().position(|known| known == field));
    }

    /// Adds the reason of a refusal; returns the status.
    pub(in crate::web) fn refuse_because(&mut self, reason: Reason) -> Status {
        match reason {
            Reason::Fields { fields, .. } => {
                for (name, text) in fields {
                    self.refuse(name, text);
                }
                Status::UnprocessableEntity
            }
            Reason::Whole { status, title, text, .. } => {
                self.alert(title, text);
                status
            }
        }
    }

    /// The message about the form as a whole.
    pub(in crate::web) fn alerted(&self) -> Option<&Alert> {
        self.alert.as_ref()
    }

    /// Whether there is any error.
    pub(in crate::web) fn is_refused(&self) -> bool {
        self.alert.is_some() || !self.errors.is_empty()
    }

    /// Sets the message about the form as a whole.
    fn alert(&mut self, title: &'static str, text: impl Into<String>) {
        self.alert = Some(Alert { title, text: text.into() });
    }

    /// Adds a temporary refusal.
    pub(in crate::web) fn ask_to_wait(&mut self, wait: Wait) {
        self.alert(words::refusals::WAIT_TITLE, words::refusals::wait(wait));
    }

    /// Adds an error for a field that could not be decoded: Rocket has not seen it, and may have reported it as
    /// missing.
    pub(super) fn refuse_unread(&mut self, name: &str, reason: &str) {
        self.errors.retain(|(field, _)| field != name);
        self.refuse(name, reason);
        self.is_incomplete = false;
    }

    /// Whether a field is missing or empty.
    pub(super) fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// All errors.
    pub(super) fn into_errors(self) -> Vec<(String, String)> {
        self.errors
    }

    /// The state from Rocket's form context.
    pub(super) fn new<T: Fields>(context: &Context<'_>) -> Self {
        let value =
            |name: &&str| Some(((*name).to_owned(), context.field_value(*name)?.to_owned()));
        let values = T::SHOWN.iter().filter_map(value).collect();
        let mut state = Self { values, order: T::NAMES, ..Self::default() };
        for error in context.errors() {
            let name = error.name.as_ref().map_or_else(String::new, ToString::to_string);
            let message = match &error.kind {
                ErrorKind::Validation(message) => message.clone(),
                ErrorKind::Missing => Cow::Borrowed(words::fields::missing(&name)),
                _ => Cow::Borrowed(words::fields::UNEXPECTED),
            };
            state.is_incomplete |= matches!(error.kind, ErrorKind::Missing);
            if state.error(&name).is_none() {
                state.refuse(&name, message);
            }
        }
        state
    }
}
