//! A database connection and its statements.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::{error, warn};
use rocket::futures::future::BoxFuture;
use rocket::tokio::spawn;
use rocket::tokio::time::timeout;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, ConnectOptions, Encode, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Type,
    query_as_with, query_with, raw_sql,
};

use super::Result;
use super::abandoned::Abandoned;
use super::fair_semaphore::{FairSemaphore, Permit};
use crate::Error;
use crate::seldom::Seldom;

/// A connection of the pool. After any error it is not reused: after a full disk or an I/O error SQLite has rolled
/// back by itself, and a statement that was cut off may still be running.
pub(super) struct Conn {
    /// `None` only during drop.
    link: Option<RawConn>,
    /// The longest time for one statement: a network that silently drops packets never returns an error.
    deadline: Duration,
    /// Whether the connection may be reused. False while a statement runs: its future may be dropped at any time.
    is_sound: bool,
    faults: Arc<Faults>,
    /// `None` only during drop.
    permit: Option<Permit>,
}

/// State that outlives broken connections.
pub(super) struct Faults {
    pub(super) abandoned: Abandoned,
    /// Whether PostgreSQL's disk was full at the last attempt to write more than fits into an existing page.
    disk_is_full: AtomicBool,
    none_free: Seldom,
    no_permit: Seldom,
}

impl Faults {
    pub(super) fn new(abandoned: Abandoned) -> Arc<Self> {
        Arc::new(Self {
            abandoned,
            disk_is_full: AtomicBool::default(),
            none_free: Seldom::default(),
            no_permit: Seldom::default(),
        })
    }

    pub(super) fn disk_is_full(&self) -> bool {
        self.disk_is_full.load(Ordering::Relaxed)
    }

    pub(super) fn disk_has_room(&self) {
        self.disk_is_full.store(false, Ordering::Relaxed);
    }

    fn note(&self, error: &sqlx::Error) {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if code.is_some_and(|code| code == DISK_FULL) {
            self.disk_is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Finds out why no connection was free, and logs it; the pool only reports a timeout.
    fn explain(&self, pool: &PgPool) {
        self.none_free.note(|times| {
            let options = pool.connect_options();
            spawn(async move {
                match timeout(EXPLAINED_WITHIN, options.connect()).await {
                    Ok(Ok(_)) => warn!(
                        "{times} waited in vain for a connection: all are in use, and PostgreSQL takes new ones"
                    ),
                    Ok(Err(error)) => error!("PostgreSQL lets nobody in: {error}"),
                    Err(_) => error!("PostgreSQL does not answer"),
                }
            });
        });
    }
}

/// `disk_full` (PostgreSQL's manual, appendix A).
const DISK_FULL: &str = "53100";

const EXPLAINED_WITHIN: Duration = Duration::from_secs(2);

/// A connection to either engine.
pub(super) enum RawConn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// How long returning a connection to the pool may take.
const BACK_WITHIN: Duration = Duration::from_secs(5);

impl RawConn {
    /// Returns it to the pool.
    pub(super) fn go_back(self) {
        match self {
            Self::Sqlite(link) => drop(link),
            // The pool pings the connection first, without a time limit of its own.
            Self::Postgres(mut link) => drop(spawn(timeout(BACK_WITHIN, link.return_to_pool()))),
        }
    }
}

/// A row that can be read from either engine.
pub(in crate::auth) trait Row:
    Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{
}
impl<T> Row for T where T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>
{}

/// The values of `$1`, `$2`, … as a tuple.
pub(in crate::auth) trait Params: Send {
    fn sqlite(self) -> Result<SqliteArguments>;
    fn postgres(self) -> Result<PgArguments>;
}

macro_rules! params {
    ($($T:ident $v:ident),*) => {
        impl<$($T),*> Params for ($($T,)*)
        where $($T: Send + for<'q> Encode<'q, Sqlite> + Type<Sqlite>
            + for<'q> Encode<'q, Postgres> + Type<Postgres>),*
        {
            fn sqlite(self) -> Result<SqliteArguments> { params!(@add SqliteArguments, self, $($v),*) }
            fn postgres(self) -> Result<PgArguments> { params!(@add PgArguments, self, $($v),*) }
        }
    };
    (@add $Args:ident, $self:ident, $($v:ident),*) => {{
        let ($($v,)*) = $self;
        let mut args = $Args::default();
        $(args.add($v).map_err(|e| Error::database(sqlx::Error::Encode(e)))?;)*
        Ok(args)
    }};
}

impl Params for () {
    fn sqlite(self) -> Result<SqliteArguments> {
        Ok(SqliteArguments::default())
    }

    fn postgres(self) -> Result<PgArguments> {
        Ok(PgArguments::default())
    }
}

params!(A a);
params!(A a, B b);
params!(A a, B b, C c);
params!(A a, B b, C c, D d);
params!(A a, B b, C c, D d, E e);
params!(A a, B b, C c, D d, E e, F f);
params!(A a, B b, C c, D d, E e, F f, G g);
params!(A a, B b, C c, D d, E e, F f, G g, H h);
params!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
params!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
params!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l, M m, N n, O o);

impl Conn {
    pub(super) async fn sqlite(
        pool: &SqlitePool,
        permits: &Arc<FairSemaphore>,
        deadline: Duration,
        faults: &Arc<Faults>,
    ) -> Result<Self> {
        let mut permit = next_permit(permits, pool.options().get_acquire_timeout(), faults).await?;
        let link = match permit.link.take() {
            Some(link) => link,
            None => RawConn::Sqlite(acquire(pool).await.map_err(Error::database)?),
        };
        let (link, permit, faults) = (Some(link), Some(permit), faults.clone());
        Ok(Self { link, deadline, is_sound: true, faults, permit })
    }

    pub(super) async fn postgres(
        pool: &PgPool,
        permits: &Arc<FairSemaphore>,
        deadline: Duration,
        faults: &Arc<Faults>,
    ) -> Result<Self> {
        let permit = next_permit(permits, pool.options().get_acquire_timeout(), faults).await;
        if permit.is_err() {
            faults.explain(pool);
        }
        let mut permit = permit?;
        let link = match permit.link.take() {
            Some(link) => link,
            None => RawConn::Postgres(acquire(pool).await.map_err(|error| {
                if matches!(error, sqlx::Error::PoolTimedOut) {
                    faults.explain(pool);
                }
                Error::database(error)
            })?),
        };
        let (link, permit, faults) = (Some(link), Some(permit), faults.clone());
        Ok(Self { link, deadline, is_sound: true, faults, permit })
    }

    pub(super) async fn find<T: Row>(
        &mut self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<Option<T>> {
        let (was_sound, deadline, link) = self.begin();
        let found = match link {
            RawConn::Sqlite(link) => {
                let query = query_as_with(sql, params.sqlite()?);
                within(deadline, query.fetch_optional(&mut **link)).await
            }
            RawConn::Postgres(link) => {
                let query = query_as_with(sql, params.postgres()?);
                within(deadline, query.fetch_optional(&mut **link)).await
            }
        };
        self.end(was_sound, found)
    }

    pub(super) async fn list<T: Row>(
        &mut self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<Vec<T>> {
        let (was_sound, deadline, link) = self.begin();
        let found = match link {
            RawConn::Sqlite(link) => {
                let query = query_as_with(sql, params.sqlite()?);
                within(deadline, query.fetch_all(&mut **link)).await
            }
            RawConn::Postgres(link) => {
                let query = query_as_with(sql, params.postgres()?);
                within(deadline, query.fetch_all(&mut **link)).await
            }
        };
        self.end(was_sound, found)
    }

    pub(super) async fn run(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        let (was_sound, deadline, link) = self.begin();
        let touched = match link {
            RawConn::Sqlite(link) => {
                let query = query_with(sql, params.sqlite()?);
                let done = within(deadline, query.execute(&mut **link)).await;
                done.map(|done| done.rows_affected())
            }
            RawConn::Postgres(link) => {
                let query = query_with(sql, params.postgres()?);
                let done = within(deadline, query.execute(&mut **link)).await;
                done.map(|done| done.rows_affected())
            }
        };
        self.end(was_sound, touched)
    }

    /// Begins, commits or rolls back.
    pub(super) async fn control(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Result<()> {
        let (was_sound, deadline, link) = self.begin();
        let done = match link {
            RawConn::Sqlite(link) => {
                within(deadline, raw_sql(sqlite).execute(&mut **link)).await.map(drop)
            }
            RawConn::Postgres(link) => {
                within(deadline, raw_sql(postgres).execute(&mut **link)).await.map(drop)
            }
        };
        self.end(was_sound, done)
    }

    fn begin(&mut self) -> (bool, Duration, &mut RawConn) {
        let was_sound = std::mem::replace(&mut self.is_sound, false);
        (was_sound, self.deadline, self.link.as_mut().expect("it is here until it is dropped"))
    }

    fn end<T>(&mut self, was_sound: bool, done: std::result::Result<T, sqlx::Error>) -> Result<T> {
        let done = done.map_err(|error| {
            self.faults.note(&error);
            Error::database(error)
        })?;
        self.is_sound = was_sound;
        Ok(done)
    }

    /// Marks the connection as not reusable.
    pub(super) fn throw_away(&mut self) {
        self.is_sound = false;
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        match self.link.take() {
            // Detach it instead of closing it properly, which might never finish; the pool opens another one.
            Some(RawConn::Sqlite(link)) if !self.is_sound => drop(link.detach()),
            Some(RawConn::Postgres(link)) if !self.is_sound => {
                Abandoned::keep(&self.faults, link, self.permit.take());
            }
            Some(link) => match &mut self.permit {
                Some(permit) => permit.link = Some(link),
                None => link.go_back(),
            },
            None => {}
        }
    }
}

/// Runs a statement with a deadline.
async fn within<T>(
    deadline: Duration,
    statement: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> std::result::Result<T, sqlx::Error> {
    timeout(deadline, statement).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {deadline:?}");
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, reason)))
    })
}

async fn next_permit(
    permits: &Arc<FairSemaphore>,
    wait: Duration,
    faults: &Faults,
) -> Result<Permit> {
    let permit = timeout(wait, permits.next()).await.ok().flatten();
    permit.ok_or_else(|| {
        faults
            .no_permit
            .note(|times| warn!("{times} found no permit at the database within {wait:?}"));
        Error::busy("too many want the database at once", wait)
    })
}

/// Boxed, since the future that may open a connection is large: every future that may read from the database would
/// contain it, and be copied for each request even when the session is cached.
fn acquire<DB: sqlx::Database>(
    pool: &sqlx::Pool<DB>,
) -> BoxFuture<'_, std::result::Result<PoolConnection<DB>, sqlx::Error>> {
    Box::pin(pool.acquire())
}
