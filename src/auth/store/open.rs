//! Opens and closes the database with the service.

use std::sync::Arc;
use std::time::Duration;

use figment::Figment;
use figment::providers::Serialized;
use log::warn;
use rocket::serde::Deserialize;
use rocket::tokio::time::{sleep, timeout};
use rocket_db_pools::{Config, Pool};
use sqlx::pool::PoolOptions;

use super::fair_semaphore::FairSemaphore;
use super::{Engine, Store, on_engine, on_url};
use crate::Error;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Settings of the pool that `rocket_db_pools` does not know.
#[derive(Deserialize)]
#[serde(crate = "rocket::serde", default)]
pub(super) struct OwnConfig {
    /// See [`deadline`](Self::deadline), in seconds.
    statement_timeout: u64,
    /// Whether a start may migrate the tables.
    pub(super) migrate: bool,
    /// The longest time for closing, in seconds: set to Rocket's `shutdown.grace`.
    close_within: u64,
}

impl Default for OwnConfig {
    fn default() -> Self {
        Self { statement_timeout: 5, migrate: true, close_within: 15 }
    }
}

impl OwnConfig {
    /// The longest time for one statement.
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_secs(self.statement_timeout.max(1))
    }
}

/// Reads the settings of the pool.
pub(super) fn settings(figment: &Figment) -> Result<(Config, OwnConfig)> {
    let wrong = |error: figment::Error| sqlx::Error::Configuration(error.into());
    Ok((figment.extract().map_err(wrong)?, figment.extract_lossy().map_err(wrong)?))
}

/// Adds the defaults of `rocket_db_pools`, for use without Rocket.
pub(super) fn without_rocket(figment: &Figment) -> Figment {
    let default = Config { max_connections: 2, connect_timeout: 5, ..Config::default() };
    figment.focus("databases.vestibule").join(Serialized::defaults(default))
}

/// Migrates the tables, whatever the setting `migrate` says.
///
/// # Errors
/// If the database cannot be reached, or the role may not change tables.
pub(crate) async fn migrate(figment: &Figment) -> std::result::Result<(), Error> {
    let figment = without_rocket(figment).merge(("migrate", true));
    let store = Store::init(&figment).await.map_err(Error::database)?;
    store.close().await;
    Ok(())
}

/// Time for connections to end after their last response: Rocket checks once after this, and if one is left it
/// waits for the whole of `shutdown.grace`.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// One in this many connections is reserved for reading: if commits hang, pages can still be read.
const RESERVED_FOR_READING: usize = 4;

#[rocket::async_trait]
impl Pool for Store {
    type Connection = Self;
    type Error = sqlx::Error;

    async fn init(figment: &Figment) -> Result<Self> {
        let (config, own) = settings(figment)?;
        let (engine, delivery_lock) =
            on_url!(config.url, engine => engine::open(&config, &own).await)?;
        let most = config.max_connections;
        let writers = match &delivery_lock {
            Some(_) => 1,
            None => (most - most.div_ceil(RESERVED_FOR_READING)).max(1),
        };
        Ok(Self {
            engine,
            delivery_lock: delivery_lock.map(Arc::new),
            deadline: own.deadline(),
            close_within: Duration::from_secs(own.close_within),
            requests: Arc::default(),
            faults: Arc::default(),
            readers: FairSemaphore::new(most),
            writers: FairSemaphore::new(writers),
        })
    }

    async fn get(&self) -> Result<Self> {
        Ok(self.clone())
    }

    /// The pool fairing calls this when shutdown is requested, while requests are still in flight. Waits for them,
    /// or they would find a closed pool; does not wait for commits that hang.
    async fn close(&self) {
        let closed = async {
            self.requests.all_gone().await;
            sleep(LAST_WORDS).await;
            on_engine!(&self.engine, Engine(database) => database.close().await);
        };
        if timeout(self.close_within, closed).await.is_err() {
            warn!("the database does not answer: left without a word");
        }
    }
}

/// Settings of the pool for both engines.
pub(super) fn pool<DB: sqlx::Database>(config: &Config) -> PoolOptions<DB> {
    let connections = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
    let options = PoolOptions::new()
        .max_connections(connections)
        .min_connections(config.min_connections.unwrap_or(0).min(connections))
        .acquire_timeout(Duration::from_secs(config.connect_timeout))
        .test_before_acquire(false);
    match config.idle_timeout {
        Some(seconds) => options.idle_timeout(Duration::from_secs(seconds)),
        None => options,
    }
}
