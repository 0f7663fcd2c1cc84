//! **Vestibule** is the entrance hall of a web application: user accounts as one binary, or as a
//! part of your own Rocket app.
//!
//! ```no_run
//! use rocket::{get, launch, routes};
//!
//! #[get("/hello")]
//! fn hello(user: vestibule::User) -> String {
//!     format!("Hello, {}!", user.called())
//! }
//!
//! #[launch]
//! fn app() -> _ {
//!     rocket::custom(vestibule::figment()).attach(vestibule::stage()).mount("/", routes![hello])
//! }
//! ```
//!
//! # A map of the crate
//!
//! | Where | What |
//! |---|---|
//! | `auth` | what is true: users, passwords, sessions, mailed links, and the flows between them |
//! | `auth::store` | the database; the only SQL |
//! | `web` | what is shown: pages, forms, JSON; the checks that every request passes |
//! | `mail` | letters, and how they leave |
//! | `jobs` | what happens without being asked |
//! | `config`, `data_dir`, `clock`, `error` | settings, own files, time, faults |
//!
//! `web` and `jobs` know `auth`; `auth` knows `mail`; nobody but `auth` knows the database.

mod auth;
mod clock;
mod config;
mod data_dir;
mod error;
mod jobs;
mod mail;
mod web;

use std::sync::Arc;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::{Figment, Profile};
use log::{error, info, warn};
use rocket::fairing::AdHoc;
use rocket::shield::Shield;
use rocket::{Build, Rocket};

pub use auth::{Email, EmailError, Name, NameError, User, UserId};
pub use clock::{Clock, Timestamp};
pub use config::{Config, ConfigError};
pub use error::Error;
pub use jobs::run_jobs;
pub use mail::{Letters, SentLetter};

use auth::{Auth, Pepper};
use error::errors_in_a_row;
use mail::Mail;

/// Rocket's figment with the defaults that a service of this kind needs: nothing says what it is
/// built with, no header says who the client is, bodies are small, and requests in flight are
/// answered before the process ends. `Rocket.toml` and `ROCKET_…` win, as always.
pub fn figment() -> Figment {
    let ours = [
        ("ident", "false"),
        ("ip_header", "false"),
        ("limits", "{form=\"32KiB\",data-form=\"32KiB\",json=\"32KiB\",string=\"32KiB\"}"),
        ("shutdown", "{grace=16,mercy=2}"),
    ];
    let text = ours.map(|(key, value)| format!("{key}={value}")).join("\n");
    Figment::from(rocket::Config::default())
        .merge(Toml::string(&format!("[default]\n{text}")).nested())
        .merge(Toml::file(Env::var_or("ROCKET_CONFIG", "Rocket.toml")).nested())
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).global())
        .select(Profile::from_env_or("ROCKET_PROFILE", rocket::Config::DEFAULT_PROFILE))
}

/// The pages, `/api/v1`, the database and the jobs, for `attach`ing to a Rocket of yours. Their
/// checks and headers hold for their own paths alone. Your handlers take a [`User`] argument.
///
/// Settings are read from your Rocket's figment, table `vestibule`, and the environment; see
/// [`Config`]. If your Rocket manages a [`Clock`] or [`Letters`] already, those are used.
pub fn stage() -> AdHoc {
    AdHoc::try_on_ignite("Vestibule", |rocket| async {
        match settle(rocket) {
            Ok(rocket) => Ok(rocket),
            Err((rocket, reason)) => {
                error!("{reason}");
                Err(rocket)
            }
        }
    })
}

/// The whole service, as the binary runs it: [`stage`], the front page, the routes of older clients,
/// and error pages for everything else.
pub fn service(figment: Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .manage(web::WholeService)
        // Rocket's own headers allow framing by the same site; ours stand instead.
        .attach(Shield::new())
        .attach(stage())
        .attach(AdHoc::on_liftoff("Vestibule: greeting", |rocket| {
            Box::pin(async move {
                let (address, port) = (rocket.config().address, rocket.config().port);
                let origin =
                    rocket.state().map_or_else(String::new, |config: &Arc<Config>| config.origin());
                info!("listening on {address} port {port}; people reach it at {origin}");
            })
        }))
        .mount("/", web::service_routes())
        .register("/", web::catchers().0)
}

/// Reads the settings and attaches what they ask for.
#[expect(clippy::result_large_err, reason = "Rocket wants itself back")]
fn settle(rocket: Rocket<Build>) -> Result<Rocket<Build>, (Rocket<Build>, String)> {
    let (figment, unknown) = config::with_environment(rocket.figment().clone());
    for name in unknown {
        warn!("the variable {name} names no setting and is not used");
    }
    let settled = Config::read(&figment)
        .map_err(|e| e.to_string())
        .and_then(|config| Ok((with_own_files(figment, &config)?, config)));
    let (figment, config) = match settled {
        Ok(settled) => settled,
        Err(reason) => return Err((rocket, reason)),
    };
    let config = Arc::new(config);
    let (catchers, bases) = web::catchers();
    let rocket = bases.fold(rocket, |rocket, base| rocket.register(base, catchers.clone()));
    Ok(rocket
        .configure(figment)
        .manage(config.clone())
        .manage(web::Assets::new(&config))
        .attach(auth::database())
        .attach(AdHoc::try_on_ignite("Vestibule: accounts", |rocket| async move {
            match open(&rocket, config) {
                Ok(auth) => Ok(rocket.manage(auth)),
                Err(reason) => {
                    error!("{reason}");
                    Err(rocket)
                }
            }
        }))
        .attach(jobs::fairing())
        .attach(web::fairing())
        .mount("/", web::routes()))
}

/// Fills in what a start without any settings needs from the data folder: the database and a secret
/// key that outlives the process.
fn with_own_files(figment: Figment, config: &Config) -> Result<Figment, String> {
    const URL: &str = "databases.vestibule.url";
    const READERS: &str = "databases.vestibule.max_connections";
    let folder = &config.data_dir;
    data_dir::make_folder(folder)
        .map_err(|e| format!("the data folder {} cannot be made: {e}", folder.display()))?;
    let database: Option<String> = figment.extract_inner(URL).ok();
    let is_shared = database.as_ref().is_some_and(|url| url.starts_with("postgres"));
    let file = folder.join("vestibule.sqlite3");
    let mut figment = figment.join(Serialized::default(URL, format!("sqlite:{}", file.display())));
    if !is_shared {
        // Each is a thread; more than there are cores read no quicker.
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        figment = figment.join(Serialized::default(READERS, cores.max(2)));
    }
    let rocket =
        rocket::Config::try_from(&figment).map_err(|e| ConfigError::from(&e).to_string())?;
    if rocket.secret_key.is_provided() {
        return Ok(figment);
    }
    if is_shared {
        return Err(
            "the setting secret_key must be set when the database is PostgreSQL, the same \
                    for every node (make one with `openssl rand -base64 32`)"
                .into(),
        );
    }
    let key = data_dir::secret_key(&folder.join("secret_key"))
        .map_err(|e| format!("the secret key in {} cannot be kept: {e}", folder.display()))?;
    Ok(figment.merge(Serialized::global("secret_key", key)))
}

fn open(rocket: &Rocket<Build>, config: Arc<Config>) -> Result<Auth, String> {
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
    if config.is_https() && config.trusted_proxies.is_empty() {
        warn!(
            "public_url is https but no proxy is trusted: who comes by a proxy on this machine or \
             a private network gets no limit by address; set trusted_proxies"
        );
    }
    let clock = rocket.state::<Clock>().cloned().unwrap_or_default();
    let secret: String = rocket
        .figment()
        .extract_inner("secret_key")
        .map_err(|_| "the setting secret_key must be a text, in base64 or hex".to_owned())?;
    let pepper = Pepper::new(&secret);
    Auth::new(rocket, config, clock, mail, pepper).map_err(|e| errors_in_a_row(&e))
}
