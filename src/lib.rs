//! **Vestibule** provides user accounts for a web application, as a single binary or as a part of your own Rocket
//! app.
//!
//! ```no_run
//! use rocket::{get, launch, routes};
//!
//! #[get("/hello")]
//! fn hello(user: vestibule::User) -> String {
//!     format!("Hello, {}!", user.display_name())
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
//! | `auth` | the rules: users, passwords, sessions, mailed links, and the flows between them |
//! | `auth::store` | the database; the only SQL |
//! | `web` | pages, forms, JSON; the checks that every request passes |
//! | `mail` | the messages that the service sends, and their transport |
//! | `words` | every sentence that users read |
//! | `urls` | the paths in pages, messages and redirects |
//! | `jobs` | background jobs |
//! | `server` | an HTTP server with limits on what clients send |
//! | `setup` | from the settings to a service: data folder, database, secret key, routes |
//! | `config`, `private_files`, `clock`, `error`, `log` | settings, private files, time, errors, the log |
//!
//! `web` and `jobs` use `auth`; `auth` uses `mail`; only `auth` uses the database.

mod accounts;
mod auth;
mod clock;
mod config;
mod error;
mod jobs;
mod log;
mod mail;
mod private_files;
mod seldom;
mod server;
mod setup;
mod urls;
mod web;
mod words;

use figment::providers::{Env, Format, Toml};
use figment::{Figment, Profile};
use rocket::shield::Shield;
use rocket::{Build, Rocket};

pub use accounts::Accounts;
pub use auth::{
    AccountEvent, CreateError, DeleteError, Email, EmailError, Name, NameError, NewAccount,
    SessionInfo, User, UserId, UserIdError,
};
pub use clock::{Clock, Timestamp};
pub use config::{Config, ConfigError};
pub use error::Error;
pub use jobs::{EventResult, run_jobs};
pub use log::init as init_log;
pub use mail::{Mailbox, SentMessage};
pub use server::{ServeError, serve};
pub use setup::{Report, Stage};
pub use web::{
    Admin, Layout, Menu, RecentLogin, SameOrigin, SignInFirst, Visitor, catchers, sign_in_first,
};

/// Rocket's figment for a host app: no header reveals the software, and none is trusted for the client IP.
/// `Rocket.toml` and `ROCKET_…` override both, as usual; `ROCKET_DATABASES__VESTIBULE__URL` sets one level down.
/// Limits and shutdown are Rocket's. A plain `rocket::build()` does as well.
pub fn figment() -> Figment {
    with_defaults("ident=false\nip_header=false")
}

/// The figment of the binary: as [`figment`], and bodies are small, and requests in flight are answered before the
/// process ends.
pub fn service_figment() -> Figment {
    with_defaults(
        "ident=false\nip_header=false\n\
         limits={form=\"32KiB\",data-form=\"32KiB\",json=\"32KiB\",string=\"32KiB\"}\n\
         shutdown={grace=16,mercy=2}",
    )
}

fn with_defaults(ours: &str) -> Figment {
    Figment::from(rocket::Config::default())
        .merge(Toml::string(&format!("[default]\n{ours}")).nested())
        .merge(Toml::file(Env::var_or("ROCKET_CONFIG", "Rocket.toml")).nested())
        // `ROCKET_DATABASES__VESTIBULE__URL` as well as `ROCKET_DATABASES='{vestibule={url="…"}}'`.
        .merge(Env::prefixed("ROCKET_").ignore(&["PROFILE"]).split("__").global())
        .select(Profile::from_env_or("ROCKET_PROFILE", rocket::Config::DEFAULT_PROFILE))
}

/// Reports what a start of the service would find, and whether it would succeed. Creates and changes nothing.
pub async fn check(figment: Figment) -> Report {
    setup::check(figment).await
}

/// Checks that Rocket can run with these settings: it panics if it cannot.
///
/// # Errors
/// If a setting is wrong. The error names the key, the place and the reason.
pub fn check_rocket(figment: &Figment) -> Result<(), ConfigError> {
    config::check_rocket(figment)
}

/// Migrates the tables of the configured database to this version, as a start does if it may.
///
/// # Errors
/// If the settings are wrong, the database cannot be reached, or the role may not change tables.
pub async fn migrate(figment: Figment) -> Result<(), Error> {
    setup::migrate(figment).await.map_err(|error| {
        Error::new(words::start::TABLES_NOT_CHANGED, words::start::refusal(&error))
    })
}

/// The pages, `/api/v1`, the database and the jobs, to `attach` to your Rocket.
///
/// The checks and headers apply to its own paths only, with three exceptions: an `Accept` of more than 1 KiB is
/// refused on every path (431), a malformed request gets our 400 unless your Rocket has a catcher for it, and
/// [`User`] refuses a change that another site sends (403). Your handlers take a [`User`] argument.
///
/// Settings are read from your Rocket's figment, table `vestibule`, and from the environment; see [`Config`]. If
/// your Rocket already manages a [`Clock`] or [`Mailbox`], it is used.
pub fn stage() -> Stage {
    Stage::default()
}

/// The whole service, as the binary runs it: [`stage`], the front page, the routes of older clients, and error
/// pages for all other paths.
pub fn service(figment: Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .manage(web::WholeService)
        // Rocket's own headers allow framing by the same site; ours do not.
        .attach(Shield::new())
        .attach(stage())
}
