//! The validated settings, for a start, `vestibule migrate` and `vestibule check` alike. Creates nothing.

use std::io;
use std::path::PathBuf;

use figment::Figment;

use super::StartError;
use crate::config::{Config, ConfigError, DatabaseUrl, Must, Problem, with_database};

/// Validated settings.
pub(super) struct Settings {
    pub(super) config: Config,
    /// With everything that the pool needs.
    pub(super) figment: Figment,
    pub(super) database: DatabaseUrl,
}

/// The source of the secret key.
pub(super) enum SecretKey {
    /// From the settings.
    Set(String),
    /// From a file, which a start creates if it does not exist.
    File(PathBuf),
}

impl Settings {
    /// Reads them from a figment that already includes the environment.
    pub(super) fn read(figment: Figment, is_whole_service: bool) -> Result<Self, ConfigError> {
        let config = Config::read(&figment)?;
        let (figment, database) = with_database(figment, &config, is_whole_service)?;
        Ok(Self { config, figment, database })
    }

    pub(super) fn secret_key(&self) -> Result<SecretKey, ConfigError> {
        const KEY: &str = "secret_key";
        let rocket = rocket::Config::try_from(&self.figment).map_err(|e| ConfigError::of(&e))?;
        if rocket.secret_key.is_provided() {
            let set = self.figment.extract_inner(KEY).map(SecretKey::Set);
            return set.map_err(|_| ConfigError::must(KEY, Must::SecretKey));
        }
        if self.database.is_postgres() {
            return Err(ConfigError::new(KEY, Problem::NoSecretKey));
        }
        Ok(SecretKey::File(self.config.data_dir.join("secret_key")))
    }

    pub(super) fn no_data_folder(&self, error: io::Error) -> StartError {
        StartError::DataFolder { folder: self.config.data_dir.clone(), error }
    }

    pub(super) fn no_secret_key(&self, error: io::Error) -> StartError {
        StartError::SecretKey { folder: self.config.data_dir.clone(), error }
    }
}
