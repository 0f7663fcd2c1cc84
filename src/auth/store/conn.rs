//! A database connection and its statements.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use log::warn;
use rocket::futures::future::BoxFuture;
use rocket::tokio::time::timeout;
use sqlx::pool::{Pool, PoolConnection};
use sqlx::{Arguments, Database, Encode, FromRow, Type, query_as_with, query_with, raw_sql};

use super::fair_semaphore::{FairSemaphore, Permit};
use super::{Result, Store, on_engine};
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
#[derive(Default)]
pub(super) struct Faults {
    /// Whether PostgreSQL's disk was full at the last attempt to write more than fits into an existing page.
    disk_is_full: AtomicBool,
    no_permit: Seldom,
}

impl Faults {
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
}

/// How long one attempt to open a connection lasts before it is seen whether one is free.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// `disk_full` (PostgreSQL's manual, appendix A).
const DISK_FULL: &str = "53100";

/// A connection to either engine.
pub(super) enum RawConn {
    #[cfg(feature = "sqlite")]
    Sqlite(super::sqlite::Link),
    #[cfg(feature = "postgres")]
    Postgres(super::postgres::Link),
}

impl RawConn {
    /// Returns it to the pool.
    pub(super) fn go_back(self) {
        on_engine!(self, RawConn(link) => link.go_back());
    }
}

/// The engines that rows and values must suit. If one is not built in, the other one is here twice.
mod engines {
    #[cfg(not(feature = "sqlite"))]
    pub(super) use sqlx::Postgres as Sqlite;
    #[cfg(feature = "postgres")]
    pub(super) use sqlx::Postgres;
    #[cfg(feature = "sqlite")]
    pub(super) use sqlx::Sqlite;
    #[cfg(not(feature = "postgres"))]
    pub(super) use sqlx::Sqlite as Postgres;
}
use engines::{Postgres, Sqlite};

/// A row that can be read from either engine.
pub(in crate::auth) trait Row:
    Send
    + Unpin
    + for<'r> FromRow<'r, <Sqlite as Database>::Row>
    + for<'r> FromRow<'r, <Postgres as Database>::Row>
{
}
impl<T> Row for T where
    T: Send
        + Unpin
        + for<'r> FromRow<'r, <Sqlite as Database>::Row>
        + for<'r> FromRow<'r, <Postgres as Database>::Row>
{
}

/// The values of `$1`, `$2`, … as a tuple.
pub(in crate::auth) trait Params: ParamsOf<Sqlite> + ParamsOf<Postgres> {}
impl<T: ParamsOf<Sqlite> + ParamsOf<Postgres>> Params for T {}

/// The values for one engine.
pub(in crate::auth) trait ParamsOf<DB: Database>: Send {
    fn arguments(self) -> Result<DB::Arguments>;
}

macro_rules! params {
    ($($T:ident $v:ident),*) => {
        impl<DB: Database, $($T),*> ParamsOf<DB> for ($($T,)*)
        where $($T: Send + for<'q> Encode<'q, DB> + Type<DB>),*
        {
            fn arguments(self) -> Result<DB::Arguments> {
                let ($($v,)*) = self;
                let mut args = DB::Arguments::default();
                $(args.add($v).map_err(|e| Error::database(sqlx::Error::Encode(e)))?;)*
                Ok(args)
            }
        }
    };
}

impl<DB: Database> ParamsOf<DB> for () {
    fn arguments(self) -> Result<DB::Arguments> {
        Ok(DB::Arguments::default())
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
    /// Waits for a permit and a connection. Calls `none_free` if there was none in time.
    pub(super) async fn take<DB: Database>(
        store: &Store,
        permits: &Arc<FairSemaphore>,
        pool: &Pool<DB>,
        raw: impl FnOnce(PoolConnection<DB>) -> RawConn,
        none_free: impl Fn(),
    ) -> Result<Self> {
        let (deadline, faults) = (store.deadline, store.faults.clone());
        let permit = next_permit(permits, pool.options().get_acquire_timeout(), &faults).await;
        let mut permit = permit.inspect_err(|_| none_free())?;
        let link = match permit.link.take() {
            Some(link) => link,
            None => raw(acquire(pool).await.map_err(|error| {
                if matches!(error, sqlx::Error::PoolTimedOut) {
                    none_free();
                }
                Error::database(error)
            })?),
        };
        Ok(Self { link: Some(link), deadline, is_sound: true, faults, permit: Some(permit) })
    }

    pub(super) async fn find<T: Row>(
        &mut self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<Option<T>> {
        let (was_sound, deadline, link) = self.begin();
        let found = on_engine!(link, RawConn(link) => {
            let query = query_as_with(sql, arguments(&link.conn, params)?);
            within(deadline, query.fetch_optional(&mut *link.conn)).await
        });
        self.end(was_sound, found)
    }

    pub(super) async fn list<T: Row>(
        &mut self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<Vec<T>> {
        let (was_sound, deadline, link) = self.begin();
        let found = on_engine!(link, RawConn(link) => {
            let query = query_as_with(sql, arguments(&link.conn, params)?);
            within(deadline, query.fetch_all(&mut *link.conn)).await
        });
        self.end(was_sound, found)
    }

    pub(super) async fn run(&mut self, sql: &'static str, params: impl Params) -> Result<u64> {
        let (was_sound, deadline, link) = self.begin();
        let touched = on_engine!(link, RawConn(link) => {
            let query = query_with(sql, arguments(&link.conn, params)?);
            within(deadline, query.execute(&mut *link.conn)).await.map(|done| done.rows_affected())
        });
        self.end(was_sound, touched)
    }

    /// Begins, commits or rolls back.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<()> {
        let (was_sound, deadline, link) = self.begin();
        let done = on_engine!(link, RawConn(link) => {
            within(deadline, raw_sql(sql).execute(&mut *link.conn)).await.map(drop)
        });
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
            Some(link) if !self.is_sound => {
                on_engine!(link, RawConn(link) => link.throw_away(self.permit.take()));
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

/// The values for the engine of this connection.
fn arguments<DB: Database>(
    _: &PoolConnection<DB>,
    params: impl ParamsOf<DB>,
) -> Result<DB::Arguments> {
    params.arguments()
}

/// Takes a connection of the pool, or opens one.
///
/// The pool tries to open one for as long as PostgreSQL has none left, even if one of its own has become free by then:
/// those who came first would fail while later ones are served. So this looks for a free one again and again.
///
/// Boxed, since the future that may open a connection is large: every future that may read from the database would
/// contain it, and be copied for each request even when the session is cached.
fn acquire<DB: Database>(
    pool: &Pool<DB>,
) -> BoxFuture<'_, std::result::Result<PoolConnection<DB>, sqlx::Error>> {
    Box::pin(async move {
        let mut acquired = pin!(pool.acquire());
        let search = async {
            loop {
                if let Ok(acquired) = timeout(LOOK_AGAIN, &mut acquired).await {
                    return acquired;
                }
                if pool.num_idle() > 0 {
                    acquired.set(pool.acquire());
                }
            }
        };
        let within = pool.options().get_acquire_timeout();
        timeout(within, search).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    })
}
