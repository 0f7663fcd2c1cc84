//! What the settings say, for a start, `vestibule migrate` and `vestibule check` alike. Makes nothing.

use std::path::PathBuf;

use figment::Figment;

use crate::config::{Config, ConfigError, DatabaseUrl, with_database};

/// Settings that were read and found good.
pub(super) struct Settings {
    pub(super) config: Config,
    /// With all that the pool needs.
    pub(super) figment: Figment,
    pub(super) database: DatabaseUrl,
}

/// Where the secret key comes from.
pub(super) enum SecretKey {
    /// From the settings.
    Set(String),
    /// From a file, which a start makes if it is not there.
    File(PathBuf),
}

impl Settings {
    /// Reads them from a figment that has the environment already.
    pub(super) fn read(figment: Figment, is_whole_service: bool) -> Result<Self, ConfigError> {
        let config = Config::read(&figment)?;
        let (figment, database) = with_database(figment, &config, is_whole_service)?;
        Ok(Self { config, figment, database })
    }

    pub(super) fn secret_key(&self) -> Result<SecretKey, String> {
        let rocket = rocket::Config::try_from(&self.figment)
            .map_err(|e| ConfigError::from(&e).to_string())?;
        if rocket.secret_key.is_provided() {
            let set = self.figment.extract_inner("secret_key").map(SecretKey::Set);
            return set
                .map_err(|_| "the setting secret_key must be a text, in base64 or hex".to_owned());
        }
        if self.database.is_postgres() {
            return Err("the setting secret_key must be set when the database is PostgreSQL, the \
                        same for every node (make one with `openssl rand -base64 32`)"
                .into());
        }
        Ok(SecretKey::File(self.config.data_dir.join("secret_key")))
    }

    pub(super) fn no_data_folder(&self, error: &std::io::Error) -> String {
        format!("the data folder {} cannot be made: {error}", self.config.data_dir.display())
    }

    pub(super) fn no_secret_key(&self, error: &std::io::Error) -> String {
        format!("the secret key in {} cannot be kept: {error}", self.config.data_dir.display())
    }
}
