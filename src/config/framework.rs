//! Settings of Rocket.

use figment::Figment;

use super::{ConfigError, Must, Problem};

/// Refuses settings of Rocket with which it would panic, or silently do something else.
pub(crate) fn check_rocket(figment: &Figment) -> Result<(), ConfigError> {
    let config = rocket::Config::try_from(figment).map_err(|e| ConfigError::of(&e))?;
    for (key, n) in [("workers", config.workers), ("max_blocking", config.max_blocking)] {
        if n == 0 {
            return Err(ConfigError::must(key, Must::AtLeastOne));
        }
    }
    if figment.contains("tls") {
        return Err(ConfigError::new("tls", Problem::TlsIsNotRead));
    }
    let profile = figment.profile();
    let is_known = ["debug", "release"].iter().any(|known| profile == known)
        || figment.profiles().any(|known| known == profile);
    if !is_known {
        let problem = Problem::UnknownProfile(profile.to_string());
        return Err(ConfigError::new("ROCKET_PROFILE", problem));
    }
    Ok(())
}
