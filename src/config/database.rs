//! The choice of the database, and `databases.vestibule.*`: the settings of Rocket's pool.

use figment::Figment;
use figment::providers::{Env, Serialized};
use figment::value::Value;

use super::{Config, ConfigError, DatabaseUrl, Must, Problem, Variable};

const URL: &str = "databases.vestibule.url";
const READERS: &str = "databases.vestibule.max_connections";
const MIGRATE: &str = "databases.vestibule.migrate";

/// The keys of `databases.vestibule`.
const KNOWN: [&str; 7] = [
    "url",
    "min_connections",
    "max_connections",
    "connect_timeout",
    "idle_timeout",
    "statement_timeout",
    "migrate",
];

/// Adds the URL of the default database, if none is set, and the settings of the pool.
pub(crate) fn with_database(
    figment: Figment,
    config: &Config,
    is_whole_service: bool,
) -> Result<(Figment, DatabaseUrl), ConfigError> {
    // A host app with another figment has not read this variable.
    let env = Env::prefixed("ROCKET_DATABASES__VESTIBULE__").ignore(&["url_file"]);
    let figment =
        figment.merge(env.map(|key| format!("databases.vestibule.{key}").into()).global());
    if is_whole_service {
        refuse_unread_variables()?;
    }
    let database = database_url(&figment, config, is_whole_service)?;
    let missing = database.missing_feature().map(Problem::NotBuiltIn);
    if let Some(problem) = missing.or_else(|| database.misread().map(Problem::Misread)) {
        let either = format!("vestibule.database_url (or {URL})");
        return Err(ConfigError::new(&either, problem));
    }
    check_pool(&figment)?;
    let mut figment = figment.merge(Serialized::global(URL, database.as_str()));
    if !database.is_postgres() {
        // Each connection is a thread; more than one per core is no faster.
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        figment = figment.join(Serialized::default(READERS, cores.max(2)));
    }
    let rocket = rocket::Config::try_from(&figment).map_err(|e| ConfigError::of(&e))?;
    let close_within = rocket.shutdown.grace;
    let figment =
        figment.merge(Serialized::global("databases.vestibule.close_within", close_within));
    Ok((figment, database))
}

/// Refuses settings with which the pool would panic or do something else.
fn check_pool(figment: &Figment) -> Result<(), ConfigError> {
    // More are useless, and a pool of millions would allocate memory for them.
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
            return Err(ConfigError::new(key, Problem::MustBeNumber { least, most: MOST }));
        }
    }
    if figment.find_value(MIGRATE).is_ok_and(|value| value.to_bool_lossy().is_none()) {
        return Err(ConfigError::must(MIGRATE, Must::Bool));
    }
    Ok(())
}

/// Refuses variables that look like a database or settings file but are not read.
fn refuse_unread_variables() -> Result<(), ConfigError> {
    let refuse = |name: &str, wrong| Err(ConfigError::new(name, Problem::Variable(wrong)));
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy().to_uppercase();
        let value = value.to_string_lossy().to_lowercase();
        if !(name.starts_with("VESTIBULE_") || name.starts_with("ROCKET_")) {
            continue;
        }
        let names_one = ["postgres:", "postgresql:", "mysql:", "sqlite:"];
        let is_read = name == "VESTIBULE_DATABASE_URL" || name.starts_with("ROCKET_DATABASES");
        if names_one.iter().any(|scheme| value.starts_with(scheme)) && !is_read {
            return refuse(&name, Variable::NamesDatabase);
        }
        if name == "VESTIBULE_DATABASE_URL" && value.is_empty() {
            return refuse(&name, Variable::IsEmpty);
        }
        // The service would make a key of its own, and a second node another one.
        if ["VESTIBULE_SECRET_KEY", "VESTIBULE_SECRET_KEY_FILE"].contains(&&*name)
            && !value.is_empty()
        {
            return refuse(&name, Variable::IsSecretKey);
        }
    }
    let settings = std::env::var_os("ROCKET_CONFIG");
    if settings.is_some_and(|path| !std::path::Path::new(&path).exists()) {
        return refuse("ROCKET_CONFIG", Variable::NoSuchFile);
    }
    Ok(())
}

/// The configured database, or the file in the data folder if there is none. A misspelt setting must not start the
/// service on an empty file: to users, every account would be gone.
fn database_url(
    figment: &Figment,
    config: &Config,
    is_whole_service: bool,
) -> Result<DatabaseUrl, ConfigError> {
    match (&config.database_url, pool_url(figment, is_whole_service)?) {
        (Some(ours), Some(theirs)) if ours.as_str() != theirs.as_str() => {
            Err(ConfigError::new("vestibule.database_url", Problem::TwoDatabases))
        }
        (Some(url), _) => Ok(url.clone()),
        (None, Some(url)) => Ok(url),
        (None, None) => {
            // In a host app, this is the host's own database.
            let is_set = |name: &&str| std::env::var_os(name).is_some_and(|url| !url.is_empty());
            let others = ["DATABASE_URL", "DATABASE_URL_FILE"];
            if let Some(name) = others.into_iter().find(is_set).filter(|_| is_whole_service) {
                let problem = Problem::Variable(Variable::IsDatabaseUrl);
                return Err(ConfigError::new(name, problem));
            }
            if !cfg!(feature = "sqlite") {
                return Err(ConfigError::new("vestibule.database_url", Problem::NoDatabase));
            }
            let file = config.data_dir.join("vestibule.sqlite3");
            DatabaseUrl::of_file(&file)
                .ok_or_else(|| ConfigError::must("vestibule.data_dir", Must::FolderInUrl))
        }
    }
}

/// `databases.vestibule.url`, if set.
fn pool_url(figment: &Figment, is_whole_service: bool) -> Result<Option<DatabaseUrl>, ConfigError> {
    let refuse = |key: &str, problem| Err(ConfigError::new(key, problem));
    let databases = match figment.find_value("databases") {
        Ok(Value::Dict(_, databases)) => databases,
        Ok(_) => return refuse("databases", Problem::Must(Must::DatabaseTable)),
        Err(_) => return Ok(None),
    };
    let ours = match databases.get("vestibule") {
        Some(Value::Dict(_, ours)) => ours,
        Some(_) => return refuse("databases.vestibule", Problem::Must(Must::TableWithUrl)),
        None => {
            return match databases.keys().next().filter(|_| is_whole_service) {
                Some(name) => refuse(&format!("databases.{name}"), Problem::OtherPool),
                None => Ok(None),
            };
        }
    };
    if let Some(key) = ours.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return refuse(&format!("databases.vestibule.{key}"), Problem::Unknown(&KNOWN));
    }
    let Some(url) = ours.get("url") else { return Ok(None) };
    match url.as_str().and_then(DatabaseUrl::parse) {
        Some(url) => Ok(Some(url)),
        None => refuse(URL, Problem::Must(Must::DatabaseUrl)),
    }
}
