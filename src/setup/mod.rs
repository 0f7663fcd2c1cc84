//! Builds the service from the settings: data folder, database, secret key, fairings and routes.

mod check;
mod error;
mod settings;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use figment::providers::Serialized;
use log::{info, warn};
use rocket::{Build, Rocket};
use rocket_db_pools::Database;

pub use check::Report;
pub(crate) use check::{Finding, check};
pub(crate) use error::StartError;
pub use stage::Stage;

use crate::auth::{self, Auth, Db, OpenError, Store, ThrottleKey};
use crate::config::{self, Config, ConfigError};
use crate::mail::Mail;
use crate::urls::Urls;
use crate::{Clock, jobs, private_files, web, words};
use settings::{SecretKey, Settings};

/// Migrates the tables.
pub(crate) async fn migrate(figment: Figment) -> Result<(), StartError> {
    let settings = Settings::read(with_environment(figment)?, true)?;
    make_data_folder(&settings)?;
    auth::migrate(&settings.figment).await.map_err(|error| OpenError::Failed(error).into())
}

/// Adds the environment, and warns about unknown variables.
fn with_environment(figment: Figment) -> Result<Figment, ConfigError> {
    let (figment, unknown) = config::with_environment(figment)?;
    for name in unknown {
        warn!("{}", words::settings::unknown_variable(&name));
    }
    Ok(figment)
}

/// Reads the settings and mounts the service. Returns the key for its rate limits, to open the accounts with.
#[expect(clippy::result_large_err, reason = "Rocket wants itself back")]
fn attach(
    rocket: Rocket<Build>,
    base: &str,
) -> Result<(Rocket<Build>, ThrottleKey), (Rocket<Build>, StartError)> {
    if rocket.state::<Arc<Config>>().is_some() {
        return Err((rocket, StartError::AttachedTwice));
    }
    let Some(urls) = Urls::under(base) else {
        return Err((rocket, StartError::NoPath(base.to_owned())));
    };
    let is_whole_service = rocket.state::<web::WholeService>().is_some();
    let settled = with_environment(rocket.figment().clone())
        .and_then(|figment| Settings::read(figment, is_whole_service))
        .map_err(StartError::from);
    let settled = settled.and_then(|settings| {
        make_data_folder(&settings)?;
        let key = secret_key(&settings)?;
        let assets = web::Assets::read(&settings.config)?;
        Ok((settings, key, assets))
    });
    let (Settings { mut config, figment, .. }, key, assets) = match settled {
        Ok(settled) => settled,
        Err(refusal) => return Err((rocket, refusal)),
    };
    let throttle_key = ThrottleKey::new(&key);
    config.urls = urls;
    config.name_cookies(is_whole_service);
    let config = Arc::new(config);
    let rocket = web::mount(rocket, &config)
        .configure(figment.merge(Serialized::global("secret_key", key)))
        .manage(assets)
        .manage(config)
        .manage(web::Floods::default())
        .manage(web::SilentProxies::default())
        .attach(jobs::fairing());
    Ok((rocket, throttle_key))
}

/// Creates the data folder, and logs which database is used.
fn make_data_folder(settings: &Settings) -> Result<(), StartError> {
    private_files::make_folder(&settings.config.data_dir)
        .map_err(|error| settings.no_data_folder(error))?;
    info!("{}", words::start::accounts_are_kept_in(&settings.database.place()));
    Ok(())
}

/// Reads the secret key; creates it if it is kept in the data folder and does not exist.
fn secret_key(settings: &Settings) -> Result<String, StartError> {
    match settings.secret_key()? {
        SecretKey::Set(key) => Ok(key),
        SecretKey::File(path) => {
            private_files::secret_key(&path).map_err(|error| settings.no_secret_key(error))
        }
    }
}

/// Opens the accounts on the open database.
async fn open(rocket: &Rocket<Build>, throttle_key: ThrottleKey) -> Result<Auth, StartError> {
    let config = rocket.state::<Arc<Config>>().cloned().unwrap_or_default();
    let is_debug = rocket.figment().profile() == rocket::Config::DEBUG_PROFILE;
    let mail = Mail::new(&config, rocket.state(), is_debug)?;
    if let Some(folder) = mail.folder() {
        if is_debug {
            info!("{}", words::start::links_are_shown(folder));
        } else {
            warn!("{}", words::start::messages_into_folder(folder));
        }
    }
    // In a host app, the profiles of this workspace do not apply.
    if cfg!(debug_assertions) {
        let takes = auth::time_of_hash(config.password.cost);
        if takes > Duration::from_secs(1) {
            warn!("{}", words::start::slow_hashes(takes));
        }
    }
    if config.reveal_reset_token {
        warn!("{}", words::start::TOKENS_ARE_REVEALED);
    }
    if !config.signup_domains.is_empty() && !config.requires_verification() {
        warn!("{}", words::start::DOMAINS_ARE_NOT_PROVEN);
    }
    if config.is_public() && config.trusted_proxies.is_empty() {
        warn!("{}", words::start::NO_TRUSTED_PROXY);
    }
    let clock = rocket.state::<Clock>().cloned().unwrap_or_default();
    let store = Db::fetch(rocket).ok_or(StartError::DatabaseIsNotOpen)?;
    Ok(Auth::open(Store::clone(store), config, clock, mail, throttle_key).await?)
}
