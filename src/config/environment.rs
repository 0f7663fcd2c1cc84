//! Settings from the environment, and the former names of settings.

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Serialized};

use super::{Config, ConfigError, secret_files};

/// Adds the `VESTIBULE_…` variables and the files of secrets to `figment`, above every profile. Variables that are no
/// settings are left out and returned: container platforms inject some, so they must not stop a start.
///
/// # Errors
/// If a file of a secret cannot be used.
pub(crate) fn with_environment(figment: Figment) -> Result<(Figment, Vec<String>), ConfigError> {
    if figment.contains(CLOSED) {
        return Ok((figment, Vec::new()));
    }
    let prefix = |key: &str| format!("vestibule.{}", key.replace("__", "."));
    let (mut figment, mut unknown) = (figment, Vec::new());
    for (key, value) in Env::prefixed("VESTIBULE_").iter() {
        let name = key.as_str().to_owned();
        if value.is_empty() || secret_files::is_variable(&format!("VESTIBULE_{name}")) {
            continue;
        }
        // As literal text, if that is valid: figment would read 1901 and `true` as other types, and 007 as 7.
        let as_text = Serialized::global(&prefix(&name), &value);
        if Figment::from(&as_text).extract_inner::<Config>("vestibule").is_ok() {
            figment = figment.merge(as_text);
            continue;
        }
        let one = Env::prefixed("VESTIBULE_")
            .only(&[&name])
            .map(move |key| prefix(key.as_str()).into())
            .global();
        match Figment::from(&one).extract_inner::<Config>("vestibule") {
            // Keep a former name, which stops the start.
            Err(error)
                // Not for an unknown field of a table that is a setting: the whole table would be lost.
                if matches!(&error.kind, Kind::UnknownField(field, _)
                        if name.split("__").any(|part| part.eq_ignore_ascii_case(field)))
                    && new_name(&name.replace("__", ".")).is_none() =>
            {
                unknown.push(format!("VESTIBULE_{}", name.to_uppercase()));
            }
            _ => figment = figment.merge(one),
        }
    }
    Ok((secret_files::add(figment)?, unknown))
}

/// Present in the figment of a test, which must not reach a real database or mail server, whatever the shell has set.
pub(crate) const CLOSED: &str = "vestibule_reads_no_environment";

/// The new name of a setting, if `key` is a former one.
pub(super) fn new_name(key: &str) -> Option<&'static str> {
    FORMER_NAMES.iter().find(|(former, _)| *former == key).map(|(_, new)| *new)
}

const FORMER_NAMES: [(&str, &str); 5] = [
    ("throttle.free_tries", "throttle.free_attempts"),
    ("throttle.tries_by_client", "throttle.attempts_by_ip"),
    ("throttle.letters_to_address", "throttle.emails_to_address"),
    ("throttle.letters_by_client", "throttle.emails_by_ip"),
    ("throttle.signups_by_client", "throttle.signups_by_ip"),
];
