//! Abandoned connections: a statement exceeded its deadline, or its future was dropped, while PostgreSQL may still
//! be working on it. Each one uses up a connection of the server, so they are counted, and terminated if they would
//! hang forever.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::warn;
use rocket::tokio::spawn;
use rocket::tokio::sync::{Mutex, Semaphore};
use rocket::tokio::time::timeout;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres};

use crate::auth::store::fair_semaphore::Permit;

/// This many times the pool's connections may be abandoned before others have to wait, so that two network failures
/// in a row delay nobody by more than a second.
const TIMES_THE_POOL: usize = 2;

/// PostgreSQL should end a statement by itself after this many deadlines.
const ENDED_AFTER: u32 = 2;

/// How long PostgreSQL takes to notice that the client is gone: see `tcp_keepalives_idle` and the related options.
const NOTICED_WITHIN: Duration = Duration::from_mins(1);

const LOOKS_WITHIN: Duration = Duration::from_secs(2);

/// How long the answer of a check is shared.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// This service's backends that have been active for more than `$1` seconds. A commit that waits for a lost
/// synchronous standby checks neither its timeout nor its connection, and would wait forever; its data is written.
const END_HANGING: &str = "\
    SELECT CASE WHEN wait_event = 'SyncRep' THEN pg_terminate_backend(pid) ELSE FALSE END \
    FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' \
    AND datname = current_database() AND usename = current_user \
    AND application_name = current_setting('application_name') \
    AND query_start < clock_timestamp() - make_interval(secs => $1)";

/// The abandoned connections.
pub(super) struct Abandoned {
    /// The number of connections that may still be abandoned outside the pool.
    room: Arc<Semaphore>,
    options: Arc<PgConnectOptions>,
    ended_after: Duration,
    /// When PostgreSQL was last checked, and whether a backend hangs, if known.
    seen: Mutex<Option<(Instant, Option<bool>)>>,
}

impl Abandoned {
    pub(super) fn new(
        options: Arc<PgConnectOptions>,
        connections: usize,
        deadline: Duration,
    ) -> Self {
        let room = Arc::new(Semaphore::new(TIMES_THE_POOL * connections));
        Self { room, options, ended_after: deadline * ENDED_AFTER, seen: Mutex::default() }
    }

    /// Keeps a connection until PostgreSQL is done with it: outside the pool while there is room, otherwise in its
    /// place there and with its permit, so that the server does not run out of connections.
    pub(super) fn keep(
        self: Arc<Self>,
        mut link: PoolConnection<Postgres>,
        permit: Option<Permit>,
    ) {
        if let Ok(room) = self.room.clone().try_acquire_owned() {
            let mut link = link.detach();
            spawn(async move {
                self.is_over(&mut link).await;
                drop((link, room));
            });
        } else {
            spawn(async move {
                self.is_over(&mut link).await;
                drop((link.detach(), permit));
            });
        }
    }

    /// Returns when PostgreSQL has answered, closed the connection, or noticed that the network is gone.
    async fn is_over(&self, link: &mut PgConnection) {
        let abandoned_at = Instant::now();
        let mut answer = pin!(link.ping());
        while timeout(self.ended_after, &mut answer).await.is_err() {
            let hangs = self.end_hanging().await;
            if hangs == Some(false) && abandoned_at.elapsed() > NOTICED_WITHIN {
                return;
            }
        }
    }

    /// Whether any backend hangs. Terminates those that would hang forever. `None` if PostgreSQL does not answer.
    async fn end_hanging(&self) -> Option<bool> {
        let mut seen = self.seen.lock().await;
        if let Some((at, hangs)) = *seen
            && at.elapsed() < LOOK_EVERY
        {
            return hangs;
        }
        let look = async {
            let mut conn = self.options.connect().await.ok()?;
            let hanging = sqlx::query_as::<_, (bool,)>(END_HANGING)
                .bind(self.ended_after.as_secs_f64())
                .fetch_all(&mut conn)
                .await
                .ok()?;
            let _ = conn.close().await;
            Some(hanging)
        };
        let hanging = timeout(LOOKS_WITHIN, look).await.ok().flatten();
        let ended = hanging.iter().flatten().filter(|(is_ended,)| *is_ended).count();
        if ended > 0 {
            warn!("{ended} commits waited in vain for a standby of PostgreSQL, and were ended");
        }
        let hangs = hanging.map(|hanging| !hanging.is_empty());
        *seen = Some((Instant::now(), hangs));
        hangs
    }
}
