//! **Vestibule** gives your Rocket app user accounts: people sign up, sign in, confirm their address, change their
//! profile and reset a forgotten password on pages that you do not have to write. The same crate is a whole service
//! in one binary; its README is the guide to that.
//!
//! # Attach it
//!
//! ```toml
//! [dependencies]
//! rocket = { version = "0.5.2", features = ["secrets"] }
//! vestibule = { path = "../vestibule" }
//!
//! # Otherwise signing in takes seconds in a debug build.
//! [profile.dev.package.eksblowfish]
//! opt-level = 3
//! ```
//!
//! ```no_run
//! use rocket::{get, launch, routes};
//! use vestibule::User;
//!
//! #[get("/hello")]
//! fn hello(user: User) -> String {
//!     format!("Hello, {}!", user.display_name())
//! }
//!
//! #[launch]
//! fn app() -> _ {
//!     rocket::build()
//!         .attach(vestibule::stage())
//!         .mount("/", routes![hello])
//!         .register("/", vestibule::catchers())
//! }
//! ```
//!
//! That is all: `/signup`, `/login`, `/profile` and the other pages are there, accounts are kept in
//! `data/vestibule.sqlite3`, and messages are written to files in `data/mail` until a mail server is set. [`Stage`]
//! mounts everything [under a path](Stage::at), draws the pages [in your layout](Stage::layout), and
//! [tells your code](Stage::on) what happens to accounts.
//!
//! # Guards
//!
//! | Guard | Lets in | Otherwise |
//! |---|---|---|
//! | [`User`] | who is signed in | 401 |
//! | [`Visitor`] | everybody: `Some(user)` or `None` | |
//! | [`RecentLogin`] | who gave the password in the last ten minutes | 401: `/recent-login` asks for it again |
//! | [`Admin`] | administrators | 401, 403 |
//! | [`SameOrigin`] | requests that no other website has caused | 403 |
//! | [`Accounts`] | everybody: finds, creates, disables and deletes accounts | |
//! | [`Menu`] | everybody: links to sign in and out, for your pages | |
//! | [`Draft`] | everybody: what was typed before the sign-in | |
//!
//! Authorise on [`User::verified_email`], never on [`User::email`]: anybody can sign up with somebody else's address.
//! A forgotten `attach` stops the launch. While the database is away, a guard that asks who is signed in answers 503, and
//! not as if nobody were. A page that asked who is signed in, and found somebody, gets `Cache-Control: no-store` unless you have set that header: after signing out,
//! Back must not show it.
//!
//! The first administrator is made by your code, with [`Accounts::set_admin`]: for example in a listener, once the
//! address that you expect is verified.
//!
//! ```no_run
//! use vestibule::AccountEvent;
//!
//! let stage = vestibule::stage().on(|event, accounts| async move {
//!     if let AccountEvent::EmailVerified(id) = event
//!         && let Some(user) = accounts.user(id).await?
//!         && user.verified_email().is_some_and(|email| email.key() == "ada@example.com")
//!     {
//!         accounts.set_admin(id, true).await?;
//!     }
//!     Ok(())
//! });
//! ```
//!
//! Where people sign up by invitation (`signup = "invite"`), nobody could sign up to become the first administrator: invite
//! that address when the app has started, with [`Accounts::invite`]. Whoever accepts has proven the address.
//!
//! If the address was proven before that listener existed, do the same when the app has started:
//!
//! ```no_run
//! use rocket::fairing::AdHoc;
//! use vestibule::Accounts;
//!
//! let first_admin = AdHoc::on_liftoff("the first administrator", |rocket| Box::pin(async move {
//!     if let Some(accounts) = Accounts::of(rocket)
//!         && let Ok(Some(user)) = accounts.user_by_email(&"ada@example.com".parse().unwrap()).await
//!         && user.verified_email().is_some()
//!     {
//!         let _ = accounts.set_admin(user.id, true).await;
//!     }
//! }));
//! ```
//!
//! # Invitations
//!
//! ```no_run
//! use rocket::form::Form;
//! use rocket::{FromForm, post};
//! use vestibule::{Accounts, Admin, Email, InviteError};
//!
//! #[derive(FromForm)]
//! struct Invite {
//!     email: Email,
//! }
//!
//! #[post("/admin/invite", data = "<form>")]
//! async fn invite(_admin: Admin, form: Form<Invite>, accounts: Accounts) -> Result<&'static str, vestibule::Error> {
//!     match accounts.invite(&form.email).await {
//!         Ok(()) => Ok("The invitation is on its way."),
//!         Err(InviteError::Failed(error)) => Err(error),
//!         Err(_) => Ok("This address has an account, or sign-up is closed."),
//!     }
//! }
//! ```
//!
//! Accepting it leads to the profile.
//!
//! # Catchers
//!
//! [`catchers`] draws the errors of your routes as pages. With catchers of your own, let the one for 401 call
//! [`sign_in_first`]: it leads to the sign-in page, and back to the page that was asked for. A form that was sent too
//! late comes back with what was typed if its route [says what to keep](SignInFirst::keep_draft). [`catchers`] are one for
//! 401 and a default; your own `catchers![not_found]` may stand beside them. To have your own for 401 too, take the others:
//! `catchers().into_iter().filter(|catcher| catcher.code != Some(401)).collect()`.
//!
//! # What is yours stays yours
//!
//! Only paths with a route of the service are the service's: checks, limits and headers apply there, errors of all
//! other paths go to your catchers, and a header that you have set is not overridden. There are three exceptions: an
//! `Accept` of more than 1 KiB is refused on every path (431), since Rocket's parser takes memory in the square of
//! it; a malformed request gets a plain 400 unless you have a catcher for it; and [`User`] refuses a change that
//! another site sends (403).
//!
//! The routes have the rank -9, as any static path has in Rocket. A route of yours for the same path, such as
//! `GET /login`, ends the launch with a collision; give it the rank -10 to replace the page on purpose.
//!
//! # Settings
//!
//! In `Rocket.toml` under `[default.vestibule]`, or as `VESTIBULE_…` in the environment; the README has all of them. To pin
//! one in code, build your Rocket from a figment: `rocket::custom(rocket::Config::figment().merge(("vestibule.signup",
//! "invite")))`.
//! Set `public_url` in production: cookies, links and the cross-site check depend on it. The session cookie is
//! `vestibule_session`, so that it does not collide with yours (`session.cookie_name`).
//!
//! # Your tables
//!
//! All tables begin with `vestibule_`, the one of migrations too, so that you can keep yours in the same database and
//! refer to accounts by a foreign key. The column has 16 bytes: `BLOB` in SQLite, `UUID` in PostgreSQL.
//!
//! ```sql
//! CREATE TABLE notes (
//!     id     INTEGER PRIMARY KEY,
//!     author BLOB NOT NULL REFERENCES vestibule_users (id) ON DELETE CASCADE,
//!     text   TEXT NOT NULL
//! );
//! ```
//!
//! Create such tables in a fairing that you attach after [`stage`]: then the tables of the service exist, and
//! `rocket.figment().extract_inner::<String>("databases.vestibule.url")` is the URL of the database. Always write `ON DELETE`: people
//! delete their accounts themselves, and without it (or with `RESTRICT`) an account that your table refers to is disabled
//! and never erased, which only the log says. It decides what
//! becomes of them when the account is deleted: without it, [`Accounts::delete`] refuses. [`UserId`] is a parameter
//! of routes and a field of forms, binds as it is in sqlx 0.9, and converts to and from `Uuid` and
//! bytes. Open your own pool; `examples/embed/notes.rs` does it with sqlx. On SQLite set a busy timeout: the service writes
//! too.
//!
//! With the feature `sqlite`, `libsqlite3-sys` may be linked once only, so a host's crate for SQLite must agree with sqlx 0.9 on it:
//!
//! | Works beside it | Does not |
//! |---|---|
//! | sqlx 0.8 and 0.9, rusqlite 0.32 to 0.39, diesel 2, sea-orm 1 | sqlx 0.7 and so `rocket_db_pools` with `sqlx_sqlite`, `rocket_sync_db_pools` with SQLite |
//!
//! The page "Your data" exports what the service stores, and knows nothing of your tables: say so in your layout, and link
//! to an export of your own.
//!
//! # Features
//!
//! | Feature | Brings | Without it |
//! |---|---|---|
//! | `sqlite` | accounts in a SQLite file, with SQLite in the program | set `database_url` to PostgreSQL |
//! | `postgres` | accounts in PostgreSQL, and TLS for it | accounts are in a SQLite file |
//! | `smtp` | messages by a mail server, and TLS for it | messages are files in a folder, or in a [`Mailbox`] |
//!
//! All are on by default; one of the databases is needed. An app on PostgreSQL builds no SQLite, so that its own crate
//! for SQLite need not agree with this one, by
//!
//! ```toml
//! vestibule = { …, default-features = false, features = ["postgres", "smtp"] }
//! ```
//!
//! A setting that needs a feature that is not built in stops the start, and the log names the feature.
//!
//! # Tests
//!
//! [`testing`] has settings for tests, signs clients in and out, and verifies addresses: a test of a page for signed-in
//! users takes five lines.
//!
//! # In production
//!
//! [`serve`] in place of `launch()` runs your app behind limits that Rocket's own server does not have, and
//! [`init_log`] keeps the secrets of mailed links out of the log; Rocket's own log writes them.

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("vestibule needs one of the features `sqlite` and `postgres`, or both");

mod accounts;
mod auth;
mod clock;
mod colours;
mod config;
mod error;
mod jobs;
mod log;
mod mail;
mod named;
mod private_files;
mod seldom;
mod server;
mod setup;
pub mod testing;
mod urls;
mod web;
mod words;

use figment::providers::{Env, Format, Toml};
use figment::{Figment, Profile};
use rocket::shield::Shield;
use rocket::{Build, Rocket};

/// The types of the fields of [`Config`].
pub mod settings {
    pub use crate::config::{
        Accent, AccountConfig, Allowances, DatabaseUrl, EmailDomain, EventsConfig, HashingConfig,
        Hello, Hsts, Link, LinksConfig, MailConfig, PasswordConfig, Proxy, PublicUrl, Sender,
        SessionConfig, SignUps, SmtpUrl, ThrottleConfig, Verification, Zone,
    };
}

pub use accounts::Accounts;
pub use auth::{
    AccountEvent, CreateError, DeleteError, Email, EmailError, Invitation, InviteError, Name,
    NameError, NewAccount, SessionInfo, User, UserId, UserIdError,
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
    Admin, Draft, Layout, Menu, PageUrls, RecentLogin, SameOrigin, SignInFirst, Visitor, catchers,
    sign_in_first,
};

/// Rocket's figment for a host app: no header reveals the software, and none is trusted for the client IP.
/// `Rocket.toml` and `ROCKET_…` override both, as usual; `ROCKET_DATABASES__VESTIBULE__URL` sets one level down.
/// Limits and shutdown are Rocket's. A plain `rocket::build()` does as well.
pub fn figment() -> Figment {
    with_defaults("ident=false\nip_header=false")
}

/// The figment of the binary: as [`figment()`], and bodies are small, and requests in flight are answered before the
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
        .merge(
            Env::prefixed("ROCKET_")
                .ignore(&["PROFILE"])
                .ignore(&config::secret_files::OF_ROCKET)
                .split("__")
                .global(),
        )
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

/// The pages, `/api/v1`, the database and the jobs, to `attach` to your Rocket; see the front page of this crate.
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
