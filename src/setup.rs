//! From the settings to a service: the data folder, the database, the secret key, and what is attached.

use std::sync::Arc;

use figment::Figment;
use figment::providers::{Env, Serialized};
use figment::value::Value;
use log::{error, info, warn};
use rocket::fairing::AdHoc;
use rocket::{Build, Rocket};

use crate::auth::{self, Auth, ThrottleKey};
use crate::config::{self, Config, ConfigError, DatabaseUrl};
use crate::error::errors_in_a_row;
use crate::mail::Mail;
use crate::{Clock, jobs, private_files, web};

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
    let (figment, _) = config::with_environment(figment);
    let config = Config::read(&figment).map_err(|e| e.to_string())?;
    let figment = with_database(figment, &config, true)?;
    auth::migrate(&figment).await.map_err(|e| errors_in_a_row(&e))
}

/// Reads the settings and attaches what they ask for.
#[expect(clippy::result_large_err, reason = "Rocket wants itself back")]
fn attach(rocket: Rocket<Build>) -> Result<Rocket<Build>, (Rocket<Build>, String)> {
    let (figment, unknown) = config::with_environment(rocket.figment().clone());
    for name in unknown {
        warn!("the variable {name} names no setting and is not used");
    }
    let is_whole_service = rocket.state::<web::WholeService>().is_some();
    let settled = Config::read(&figment).map_err(|e| e.to_string()).and_then(|config| {
        let figment = with_database(figment, &config, is_whole_service)?;
        Ok((with_secret_key(figment, &config)?, config))
    });
    let (figment, config) = match settled {
        Ok(settled) => settled,
        Err(reason) => return Err((rocket, reason)),
    };
    let config = Arc::new(config);
    Ok(web::mount(rocket)
        .configure(figment)
        .manage(config.clone())
        .manage(web::Assets::new(&config))
        .manage(web::Floods::default())
        .attach(auth::database())
        .attach(AdHoc::try_on_ignite("Vestibule: accounts", |rocket| async move {
            let opened = match open(&rocket, config) {
                Ok(auth) => auth.agree_with_others().await.map(|()| auth),
                Err(reason) => Err(reason),
            };
            match opened {
                Ok(auth) => Ok(rocket.manage(auth)),
                Err(reason) => {
                    error!("{reason}");
                    Err(rocket)
                }
            }
        }))
        .attach(jobs::fairing()))
}

/// Fills in which database it is, if it is the one in the data folder, and what it needs.
fn with_database(
    figment: Figment,
    config: &Config,
    is_whole_service: bool,
) -> Result<Figment, String> {
    let folder = &config.data_dir;
    // A host app that did not begin with our figment has not read this one.
    let env = Env::prefixed("ROCKET_DATABASES__VESTIBULE__");
    let figment =
        figment.merge(env.map(|key| format!("databases.vestibule.{key}").into()).global());
    if is_whole_service {
        refuse_what_was_meant()?;
    }
    let database = database_url(&figment, config, is_whole_service)?;
    if let Some(reason) = database.misread() {
        return Err(format!("the setting vestibule.database_url (or {URL}) {reason}"));
    }
    check_pool(&figment)?;
    private_files::make_folder(folder)
        .map_err(|e| format!("the data folder {} cannot be made: {e}", folder.display()))?;
    info!("accounts are kept in {}", database.described());
    let mut figment = figment.merge(Serialized::global(URL, database.as_str()));
    if !database.is_postgres() {
        // Each is a thread; more than there are cores read no quicker.
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        figment = figment.join(Serialized::default(READERS, cores.max(2)));
    }
    let rocket =
        rocket::Config::try_from(&figment).map_err(|e| ConfigError::from(&e).to_string())?;
    Ok(figment.merge(Serialized::global("databases.vestibule.close_within", rocket.shutdown.grace)))
}

/// Fills in the secret key, if it is kept in the data folder.
fn with_secret_key(figment: Figment, config: &Config) -> Result<Figment, String> {
    let rocket =
        rocket::Config::try_from(&figment).map_err(|e| ConfigError::from(&e).to_string())?;
    if rocket.secret_key.is_provided() {
        return Ok(figment);
    }
    let url = figment.extract_inner::<String>(URL).unwrap_or_default();
    if DatabaseUrl::parse(&url).is_some_and(|url| url.is_postgres()) {
        return Err(
            "the setting secret_key must be set when the database is PostgreSQL, the same \
                    for every node (make one with `openssl rand -base64 32`)"
                .into(),
        );
    }
    let folder = &config.data_dir;
    let key = private_files::secret_key(&folder.join("secret_key"))
        .map_err(|e| format!("the secret key in {} cannot be kept: {e}", folder.display()))?;
    Ok(figment.merge(Serialized::global("secret_key", key)))
}

const URL: &str = "databases.vestibule.url";
const READERS: &str = "databases.vestibule.max_connections";
const MIGRATE: &str = "databases.vestibule.migrate";

/// The settings of the pool: it would panic at some, and read others as something else.
fn check_pool(figment: &Figment) -> Result<(), String> {
    // More are no use, and a pool of millions takes the memory for them.
    const MOST: u32 = 10_000;
    for (key, least) in [
        (READERS, 1),
        ("databases.vestibule.statement_timeout", 1),
        ("databases.vestibule.connect_timeout", 1),
        ("databases.vestibule.idle_timeout", 1),
        ("databases.vestibule.min_connections", 0),
    ] {
        let number = figment.extract_inner::<u32>(key);
        let is_sound = number.is_ok_and(|number| (least..=MOST).contains(&number));
        if figment.find_value(key).is_ok() && !is_sound {
            return Err(format!("the setting {key} must be a number from {least} to {MOST}"));
        }
    }
    if figment.find_value(MIGRATE).is_ok() && figment.extract_inner::<bool>(MIGRATE).is_err() {
        return Err(format!("the setting {MIGRATE} must be true or false"));
    }
    Ok(())
}

/// Variables that were meant to name a database, or a file of settings, and do not.
fn refuse_what_was_meant() -> Result<(), String> {
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().to_uppercase();
        let value = value.to_string_lossy().to_lowercase();
        if !(name.starts_with("VESTIBULE_") || name.starts_with("ROCKET_")) {
            continue;
        }
        let names_one = ["postgres:", "postgresql:", "mysql:", "sqlite:"];
        let is_read = name == "VESTIBULE_DATABASE_URL" || name.starts_with("ROCKET_DATABASES");
        if names_one.iter().any(|scheme| value.starts_with(scheme)) && !is_read {
            return Err(format!(
                "the variable {name} names a database, but is not read here: use VESTIBULE_DATABASE_URL"
            ));
        }
        if name == "VESTIBULE_DATABASE_URL" && value.is_empty() {
            return Err(format!(
                "the variable {name} is set, but empty: name a database, or unset it"
            ));
        }
    }
    let settings = std::env::var_os("ROCKET_CONFIG");
    if settings.is_some_and(|path| !std::path::Path::new(&path).exists()) {
        return Err("the variable ROCKET_CONFIG names a file that is not there".into());
    }
    Ok(())
}

/// The database that the settings name, or the file in the data folder if they name none. Whoever meant
/// another one and misspelt it must not start on an empty file: to the users, every account would be gone.
fn database_url(
    figment: &Figment,
    config: &Config,
    is_whole_service: bool,
) -> Result<DatabaseUrl, String> {
    let refuse = |key: &str, reason: &str| Err(format!("the setting {key} {reason}"));
    let mut named = None;
    match figment.find_value("databases") {
        Ok(Value::Dict(_, databases)) => {
            let stranger = databases.keys().find(|name| *name != "vestibule");
            match databases.get("vestibule") {
                Some(Value::Dict(_, ours)) => {
                    let unknown = ours.keys().find(|key| !KNOWN.contains(&key.as_str()));
                    if let Some(key) = unknown {
                        let reason = format!("is not a setting; here are: {}", KNOWN.join(", "));
                        return refuse(&format!("databases.vestibule.{key}"), &reason);
                    }
                    if let Some(url) = ours.get("url") {
                        let url = url.as_str().and_then(DatabaseUrl::parse);
                        let Some(url) = url else { return refuse(URL, DatabaseUrl::MUST) };
                        named = Some(url);
                    }
                }
                Some(_) => return refuse("databases.vestibule", "must be a table with a `url`"),
                None => {
                    if let Some(name) = stranger.filter(|_| is_whole_service) {
                        let reason =
                            "names no database of this service; here is: databases.vestibule";
                        return refuse(&format!("databases.{name}"), reason);
                    }
                }
            }
        }
        Ok(_) => {
            let must =
                "must be a table such as {vestibule={url=\"postgres://user@host/database\"}}";
            return refuse("databases", must);
        }
        Err(_) => {}
    }
    match (&config.database_url, named) {
        (Some(ours), Some(theirs)) if ours.as_str() != theirs.as_str() => refuse(
            "vestibule.database_url",
            "names another database than databases.vestibule.url; set one of them",
        ),
        (Some(url), _) => Ok(url.clone()),
        (None, Some(url)) => Ok(url),
        (None, None) => {
            // In a host app it names the host's own.
            if is_whole_service && std::env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty()) {
                return Err(
                    "the variable DATABASE_URL is set, but is not read here: name the database \
                            of this service in VESTIBULE_DATABASE_URL, or unset it"
                        .into(),
                );
            }
            let file = config.data_dir.join("vestibule.sqlite3");
            let reason = "must be a folder whose path a URL can hold";
            DatabaseUrl::parse(&format!("sqlite:{}", file.display()))
                .ok_or_else(|| format!("the setting vestibule.data_dir {reason}"))
        }
    }
}

/// What may be said of the database.
const KNOWN: [&str; 7] = [
    "url",
    "min_connections",
    "max_connections",
    "connect_timeout",
    "idle_timeout",
    "statement_timeout",
    "migrate",
];

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
    if config.is_public() && config.trusted_proxies.is_empty() {
        warn!(
            "public_url is set but no proxy is trusted: all who come by a proxy on this machine or a \
             private network share one limit; set trusted_proxies"
        );
    }
    let clock = rocket.state::<Clock>().cloned().unwrap_or_default();
    let secret: String = rocket
        .figment()
        .extract_inner("secret_key")
        .map_err(|_| "the setting secret_key must be a text, in base64 or hex".to_owned())?;
    let throttle_key = ThrottleKey::new(&secret);
    Auth::new(rocket, config, clock, mail, throttle_key).map_err(|e| errors_in_a_row(&e))
}
