//! Why a setting stops the start.

use std::fmt;

use figment::Profile;
use figment::error::Kind;

use super::environment::new_name;

/// A setting that stops the start.
#[derive(Debug)]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(key: &str, reason: impl fmt::Display) -> Self {
        Self(format!("the setting {key} {reason}"))
    }

    /// One that is about a variable of the environment which is no setting.
    pub(super) fn of_variable(name: &str, reason: &str) -> Self {
        Self(format!("the variable {name} {reason}"))
    }
}

impl From<&figment::Error> for ConfigError {
    fn from(error: &figment::Error) -> Self {
        // figment puts the table's name last.
        let mut path = error.path.clone();
        if path.last().is_some_and(|last| last == "vestibule") {
            path.rotate_right(1);
        }
        let key = path.join(".");
        let new_name = key.strip_prefix("vestibule.").and_then(new_name);
        // figment's own words repeat the value that was found; a mistyped `smtp_url` is a secret.
        let reason = match &error.kind {
            Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => {
                let is_whole = ["u8", "u16", "u32", "usize", "i64"].contains(&wanted.as_str());
                format!("must be {}", if is_whole { "a whole number" } else { wanted.as_str() })
            }
            Kind::UnknownField(_, known) => match new_name {
                Some(new_name) => format!("was renamed to vestibule.{new_name}"),
                None => format!("is not a setting; here are: {}", known.join(", ")),
            },
            Kind::Message(reason) => reason.clone(),
            _ => "can't be read".into(),
        };
        let place = error.metadata.as_ref().map_or_else(String::new, |found| {
            let profile = error.profile.as_ref().filter(|p| *p != Profile::Global);
            let profile = profile.map_or_else(String::new, |p| format!(" [{p}]"));
            match &found.source {
                Some(source) => format!(" ({source}{profile})"),
                None => format!(" ({}{profile})", found.name),
            }
        });
        Self::new(&key, format_args!("{reason}{place}"))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
