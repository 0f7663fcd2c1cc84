//! Secrets in files, as container platforms hand them over: a variable such as `VESTIBULE_DATABASE_URL_FILE` names the
//! file.

use std::path::Path;

use figment::providers::Serialized;
use figment::value::{Dict, Map};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::{ConfigError, Problem};
use crate::private_files;

/// The variables of secrets, and their settings. The variable of the file has `_FILE` at its end.
const SECRETS: [(&str, &str); 4] = [
    ("VESTIBULE_DATABASE_URL", "vestibule.database_url"),
    ("VESTIBULE_MAIL__SMTP_URL", "vestibule.mail.smtp_url"),
    ("ROCKET_DATABASES__VESTIBULE__URL", "databases.vestibule.url"),
    ("ROCKET_SECRET_KEY", "secret_key"),
];

/// The `ROCKET_…` variables of files, without their prefix: to Rocket they would be settings.
pub(crate) const OF_ROCKET: [&str; 2] = ["DATABASES__VESTIBULE__URL_FILE", "SECRET_KEY_FILE"];

/// Whether this variable names the file of a secret.
pub(super) fn is_variable(name: &str) -> bool {
    let secret = name.len().checked_sub("_FILE".len()).and_then(|end| name.split_at_checked(end));
    secret.is_some_and(|(secret, ending)| {
        ending.eq_ignore_ascii_case("_FILE")
            && SECRETS.iter().any(|(variable, _)| variable.eq_ignore_ascii_case(secret))
    })
}

/// Adds the secrets in files to `figment`, above every profile.
pub(super) fn add(mut figment: Figment) -> Result<Figment, ConfigError> {
    let value_of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    for (variable, key) in SECRETS {
        let name = format!("{variable}_FILE");
        let Some(path) = value_of(&name) else { continue };
        let refused = |problem| ConfigError::new(&name, problem);
        if value_of(variable).is_some() {
            return Err(refused(Problem::SetTwice(variable)));
        }
        let secret = read(Path::new(&path)).map_err(|error| refused(Problem::SecretFile(error)))?;
        figment = figment.merge(SecretFile { name, key, secret });
    }
    Ok(figment)
}

fn read(path: &Path) -> std::io::Result<String> {
    private_files::check_is_file(path)?;
    let secret = std::fs::read_to_string(path)?.trim().to_owned();
    if secret.is_empty() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is empty"));
    }
    Ok(secret)
}

/// A secret that was read from a file.
struct SecretFile {
    /// The variable that names the file.
    name: String,
    key: &'static str,
    secret: String,
}

impl Provider for SecretFile {
    /// By the variable alone: whoever puts the secret itself there must not find it in the log.
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Serialized::global(self.key, &self.secret).data()
    }
}
