//! PostgreSQL: one pool, for reading and writing.

mod abandoned;
mod dependents;
mod inspect;
mod migrate;
mod unusable;

use std::fs::File;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::{error, warn};
use rocket::tokio::spawn;
use rocket::tokio::time::timeout;
use rocket_db_pools::Config;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};

pub(super) use inspect::inspect;
pub(crate) use unusable::PostgresUnusable;

use super::conn::{Conn, RawConn};
use super::fair_semaphore::{FairSemaphore, Permit};
use super::open::{OwnConfig, pool};
use super::{Engine, Store};
use crate::seldom::Seldom;
use abandoned::Abandoned;
use migrate::{migrate, no_answer};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// PostgreSQL ends a transaction that its client has left idle for this many times the deadline of a statement: the
/// node is gone, and others wait for its locks.
const LEFT_OPEN: u32 = 2;

/// How long the ping of an idle connection may take before another one is opened.
const SAYS_SO_WITHIN: Duration = Duration::from_secs(1);

/// How long returning a connection to the pool may take.
const BACK_WITHIN: Duration = Duration::from_secs(5);

const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

/// An open database.
#[derive(Clone)]
pub(super) struct Database {
    pool: PgPool,
    abandoned: Arc<Abandoned>,
    none_free: Arc<Seldom>,
}

/// A connection of the pool.
pub(super) struct Link {
    pub(super) conn: PoolConnection<Postgres>,
    abandoned: Arc<Abandoned>,
}

impl Database {
    pub(super) async fn reader(&self, store: &Store) -> super::Result<Conn> {
        self.take(store, &store.readers).await
    }

    pub(super) async fn writer(&self, store: &Store) -> super::Result<Conn> {
        self.take(store, &store.writers).await
    }

    async fn take(&self, store: &Store, permits: &Arc<FairSemaphore>) -> super::Result<Conn> {
        let link = |conn| RawConn::Postgres(Link { conn, abandoned: self.abandoned.clone() });
        Conn::take(store, permits, &self.pool, link, || self.explain()).await
    }

    /// Finds out why no connection was free, and logs it; the pool only reports a timeout.
    fn explain(&self) {
        self.none_free.note(|times| {
            let options = self.pool.connect_options();
            spawn(async move {
                match timeout(EXPLAINED_WITHIN, options.connect()).await {
                    Ok(Ok(_)) => warn!(
                        "{times} waited in vain for a connection: all are in use, and PostgreSQL takes new ones"
                    ),
                    Ok(Err(error)) => error!("{}", not_let_in(&options, error)),
                    Err(_) => error!("{}", PostgresUnusable::Silent { server: server(&options) }),
                }
            });
        });
    }

    /// The number of all connections, and of idle ones.
    pub(super) fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Link {
    /// Returns it to the pool, which pings it first, without a time limit of its own.
    pub(super) fn go_back(mut self) {
        spawn(timeout(BACK_WITHIN, self.conn.return_to_pool()));
    }

    /// Does not return it to the pool: a statement may still be running.
    pub(super) fn throw_away(self, permit: Option<Permit>) {
        self.abandoned.keep(self.conn, permit);
    }
}

/// Opens the database, and migrates its tables if needed and allowed. There is no lock for delivery: all nodes deliver.
pub(super) async fn open(config: &Config, own: &OwnConfig) -> Result<(Engine, Option<File>)> {
    let deadline = own.deadline();
    let options = options(&config.url)?;
    migrate(&options, Duration::from_secs(config.connect_timeout), own.migrate).await?;
    let options = options.options([
        // The server gives up a little later than the node.
        ("statement_timeout", (deadline + SAYS_SO_WITHIN).as_millis()),
        ("idle_in_transaction_session_timeout", (deadline * LEFT_OPEN).as_millis()),
    ]);
    // After a network failure, all connections that were idle then are as dead as the first one that does not
    // answer.
    let silent_at = Arc::new(Mutex::new(None));
    let pool: PgPoolOptions = pool(config).before_acquire(move |conn: &mut PgConnection, meta| {
        let silent_at = silent_at.clone();
        Box::pin(async move {
            let lock = || silent_at.lock().unwrap_or_else(PoisonError::into_inner);
            if lock().is_some_and(|at: Instant| at.elapsed() < meta.idle_for) {
                return Ok(false);
            }
            let well = timeout(SAYS_SO_WITHIN, conn.ping()).await;
            well.unwrap_or_else(|_| {
                *lock() = Some(Instant::now());
                Err(no_answer())
            })
            .map(|()| true)
        })
    });
    let pool = pool.connect_with(options).await?;
    let abandoned = Abandoned::new(pool.connect_options(), config.max_connections, deadline);
    let (abandoned, none_free) = (Arc::new(abandoned), Arc::default());
    Ok((Engine::Postgres(Database { pool, abandoned, none_free }), None))
}

/// The host and port of the server.
fn server(options: &PgConnectOptions) -> String {
    format!("{}:{}", options.get_host(), options.get_port())
}

fn not_let_in(options: &PgConnectOptions, error: sqlx::Error) -> PostgresUnusable {
    PostgresUnusable::NotLetIn { server: server(options), error }
}

/// Options of all connections to PostgreSQL.
fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    // An IPv6 address has brackets in a URL.
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    let options = if host.contains(':') { options.host(&host) } else { options };
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("vestibule"),
    };
    // Some roles default to `serializable`; this is all that the service needs.
    let options = options.options([("default_transaction_isolation", "read committed")]);
    // Lets the server notice within a minute that a node or its network is gone.
    Ok(options.options([
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30000"),
    ]))
}
