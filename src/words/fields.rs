//! Fields of forms: labels, hints, and errors.

use crate::auth::PasswordError;
use crate::{EmailError, NameError};

pub(crate) const EMAIL: &str = "Email address";
pub(crate) const PASSWORD: &str = "Password";
pub(crate) const CURRENT_PASSWORD: &str = "Current password";
pub(crate) const NEW_PASSWORD: &str = "New password";
pub(crate) const NAME: &str = "Name";
pub(crate) const OPTIONAL_NAME: &str = "Name (optional)";
pub(crate) const NAME_HINT: &str = "What we should call you.";
pub(crate) const NAME_MAY_BE_EMPTY: &str = "What we should call you. You can leave this empty.";

pub(crate) const SHOW: &str = "Show";
pub(crate) const HIDE: &str = "Hide";
/// The names of these buttons for screen readers.
pub(crate) const SHOW_PASSWORD: &str = "Show password";
pub(crate) const HIDE_PASSWORD: &str = "Hide password";
pub(crate) const CAPS_LOCK: &str = "Caps Lock is on.";

pub(crate) fn new_password_hint(fewest: usize) -> String {
    format!("At least {fewest} characters. Three or four random words make a good password.")
}

/// The heading of the error summary.
pub(crate) const SUMMARY: &str = "There is a problem";
/// Read by screen readers before a message beside a field.
pub(crate) const ERROR: &str = "Error:";

/// The field of this name is empty.
pub(crate) fn missing(name: &str) -> &'static str {
    match name {
        "email" => "Enter your email address.",
        "password" => "Enter your password.",
        "new_password" => "Enter a new password.",
        "reset_token" => "Enter the token of the reset link.",
        _ => "This field is missing.",
    }
}

pub(crate) const UNEXPECTED: &str = "This is not what the field asks for.";
pub(crate) const NOT_UTF8: &str =
    "This has characters that could not be read. Type it again. Programs must send UTF-8.";
pub(crate) const NOT_TEXT: &str = "Send this as a text, in quotes.";

pub(crate) fn email(error: EmailError) -> &'static str {
    match error {
        EmailError::Missing => missing("email"),
        EmailError::TooLong => "Enter an email address of at most 254 characters.",
        EmailError::Malformed => "Enter an email address like name@example.com.",
        EmailError::Space => {
            "Enter an email address like name@example.com, without spaces or invisible characters."
        }
        EmailError::Dots => {
            "The part before the @ must not begin or end with a dot, or have two dots in a row: other \
             mail servers refuse that. Enter another address."
        }
        EmailError::Hyphen => {
            "The part before the @ must not begin with a hyphen: many mail servers refuse that. Enter \
             another address."
        }
        EmailError::NonAscii => {
            "The part before the @ has letters such as ä or ö, which many mail servers refuse. Enter an \
             address of plain letters."
        }
        EmailError::LocalPart => {
            "The part before the @ has characters that mail servers refuse, or more than 64 characters. \
             Enter an email address like name@example.com."
        }
        EmailError::LookAlike => {
            "The part after the @ has a letter that only looks like another. Type it again, like \
             name@example.com."
        }
        EmailError::Domain => {
            "The part after the @ is not a domain that mail can be sent to. Enter an email address like \
             name@example.com."
        }
    }
}

pub(crate) fn name(error: NameError) -> &'static str {
    match error {
        NameError::TooLong => "Enter a name of at most 100 characters.",
        NameError::ControlCharacter => "Enter a name without line breaks and control characters.",
    }
}

pub(crate) fn password(error: PasswordError) -> &'static str {
    match error {
        PasswordError::Missing => missing("password"),
        PasswordError::TooLong => "Use at most 256 characters.",
    }
}
