//! From the settings to a service: the data folder, the database, the secret key, and what is attached.

mod check;
mod settings;

use std::sync::Arc;

use figment::Figment;
use figment::providers::Serialized;
use log::{error, info, warn};
use rocket::fairing::AdHoc;
use rocket::{Build, Rocket};
use rocket_db_pools::Database;

pub(crate) use check::check;
pub use check::{Finding, Report};

use crate::auth::{self, Auth, Db, Store, ThrottleKey};
use crate::config::{self, Config};
use crate::error::error_chain;
use crate::mail::Mail;
use crate::{Clock, jobs, private_files, web};
use settings::{SecretKey, Settings};

pub(crate) fn stage() -> AdHoc {
    AdHoc::try_on_ignite("Vestibule", |rocket| async {
        match attach(rocket) {
            Ok(rocket) => Ok(rocket),
            Err((rocket, reason)) => {
                error!("{reason}");
                Err(rocket)
            }
        }
    })
}

/// Brings the tables to this version.
pub(crate) async fn migrate(figment: Figment) -> Result<(), String> {
    let settings = Settings::read(with_environment(figment), true).map_err(|e| e.to_string())?;
    make_data_folder(&settings)?;
    auth::migrate(&settings.figment).await.map_err(|e| error_chain(&e))
}

/// Adds the environment, and warns of variables in it that name no setting.
fn with_environment(figment: Figment) -> Figment {
    let (figment, unknown) = config::with_environment(figment);
    for name in unknown {
        warn!("the variable {name} names no setting and is not used");
    }
    figment
}

/// Reads the settings and attaches what they ask for.
#[expect(clippy::result_large_err, reason = "Rocket wants itself back")]
fn attach(rocket: Rocket<Build>) -> Result<Rocket<Build>, (Rocket<Build>, String)> {
    let figment = with_environment(rocket.figment().clone());
    let is_whole_service = rocket.state::<web::WholeService>().is_some();
    let settled = Settings::read(figment, is_whole_service).map_err(|e| e.to_string());
    let settled = settled.and_then(|settings| {
        make_data_folder(&settings)?;
        let key = secret_key(&settings)?;
        Ok((settings, key))
    });
    let (Settings { config, figment, .. }, key) = match settled {
        Ok(settled) => settled,
        Err(reason) => return Err((rocket, reason)),
    };
    let throttle_key = ThrottleKey::new(&key);
    let config = Arc::new(config);
    Ok(web::mount(rocket)
        .configure(figment.merge(Serialized::global("secret_key", key)))
        .manage(config.clone())
        .manage(web::Assets::new(&config))
        .manage(web::Floods::default())
        .attach(Db::init())
        .attach(AdHoc::try_on_ignite("Vestibule: accounts", |rocket| async move {
            match open(&rocket, config, throttle_key).await {
                Ok(auth) => Ok(rocket.manage(auth)),
                Err(reason) => {
                    error!("{reason}");
                    Err(rocket)
                }
            }
        }))
        .attach(jobs::fairing()))
}

/// Makes the data folder, and says which database it is.
fn make_data_folder(settings: &Settings) -> Result<(), String> {
    private_files::make_folder(&settings.config.data_dir)
        .map_err(|e| settings.no_data_folder(&e))?;
    info!("accounts are kept in {}", settings.database.described());
    Ok(())
}

/// The secret key; if it is kept in the data folder and is not there yet, it is made.
fn secret_key(settings: &Settings) -> Result<String, String> {
    match settings.secret_key()? {
        SecretKey::Set(key) => Ok(key),
        SecretKey::File(path) => {
            private_files::secret_key(&path).map_err(|e| settings.no_secret_key(&e))
        }
    }
}

async fn open(
    rocket: &Rocket<Build>,
    config: Arc<Config>,
    throttle_key: ThrottleKey,
) -> Result<Auth, String> {
    let is_debug = rocket.figment().profile() == rocket::Config::DEBUG_PROFILE;
    let mail = Mail::new(&config, rocket.state(), is_debug).map_err(|e| e.to_string())?;
    if let Some(folder) = mail.folder() {
        let place = folder.display();
        if is_debug {
            info!("no mail server is set: letters are put into {place}, their links shown here");
        } else {
            warn!("no mail server is set: letters are put into {place} and reach nobody");
        }
    }
    if config.reveal_reset_token {
        warn!("reveal_reset_token is on: ANYBODY WHO CAN REACH THIS SERVICE CAN TAKE ANY ACCOUNT");
    }
    if config.is_public() && config.trusted_proxies.is_empty() {
        warn!(
            "public_url is set but no proxy is trusted: all who come by a proxy on this machine or a \
             private network share one limit; set trusted_proxies"
        );
    }
    let clock = rocket.state::<Clock>().cloned().unwrap_or_default();
    let store = Db::fetch(rocket).ok_or("the database is not open")?;
    Auth::open(Store::clone(store), config, clock, mail, throttle_key).await
}
