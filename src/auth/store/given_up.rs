//! Connections that were given up while PostgreSQL may still be at work for them: a statement had no answer within
//! its deadline, or whoever waited for it has gone. PostgreSQL has so many fewer for everybody else, so they are
//! counted, and ended where they would hang for ever.

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

use super::conn::Faults;
use super::fair_semaphore::Permit;

/// How many times as many connections as the pool has may be given up before others have to wait: two breaks of the
/// network, one right after the other, cost nobody more than a second.
const GIVEN_UP: usize = 2;

/// After how many deadlines of a statement PostgreSQL should have ended it by itself.
const ENDED_AFTER: u32 = 2;

/// How long PostgreSQL takes to notice that nobody is at the other end: see `tcp_keepalives_idle` and the others.
const NOTICED_WITHIN: Duration = Duration::from_mins(1);

const LOOKS_WITHIN: Duration = Duration::from_secs(2);

/// All that are asked for in this time get one answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Those of this service that are at work for longer than `$1` seconds. What waits for a standby that is gone looks
/// neither at the clock nor at its connection, and would wait for ever; what it has written is written.
const END_HANGING: &str = "\
    SELECT CASE WHEN wait_event = 'SyncRep' THEN pg_terminate_backend(pid) ELSE FALSE END \
    FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'active' \
    AND datname = current_database() AND usename = current_user \
    AND application_name = current_setting('application_name') \
    AND query_start < clock_timestamp() - make_interval(secs => $1)";

/// What is known of them.
pub(super) struct GivenUp {
    /// Quota for so many.
    room: Arc<Semaphore>,
    /// How PostgreSQL is reached; nothing hangs for ever in SQLite.
    options: Option<Arc<PgConnectOptions>>,
    ended_after: Duration,
    /// When PostgreSQL was last asked, and whether any hangs, if it said so.
    seen: Mutex<Option<(Instant, Option<bool>)>>,
}

impl GivenUp {
    pub(super) fn new(
        options: Option<Arc<PgConnectOptions>>,
        connections: usize,
        deadline: Duration,
    ) -> Self {
        let room = Arc::new(Semaphore::new(GIVEN_UP * connections));
        Self { room, options, ended_after: deadline * ENDED_AFTER, seen: Mutex::default() }
    }

    /// Keeps a connection until PostgreSQL has done with it: outside the pool if there is room, else in its place
    /// there, with its permit, or the database would have room for nobody.
    pub(super) fn keep(
        faults: &Arc<Faults>,
        mut link: PoolConnection<Postgres>,
        permit: Option<Permit>,
    ) {
        let faults = faults.clone();
        if let Ok(room) = faults.given_up.room.clone().try_acquire_owned() {
            let mut link = link.detach();
            spawn(async move {
                faults.given_up.is_over(&mut link).await;
                drop((link, room));
            });
        } else {
            spawn(async move {
                faults.given_up.is_over(&mut link).await;
                drop((link.detach(), permit));
            });
        }
    }

    /// Returns when PostgreSQL has answered, or has hung up, or has noticed that the network is gone.
    async fn is_over(&self, link: &mut PgConnection) {
        let given_up_at = Instant::now();
        let mut answer = pin!(link.ping());
        while timeout(self.ended_after, &mut answer).await.is_err() {
            let hangs = self.end_hanging().await;
            if hangs == Some(false) && given_up_at.elapsed() > NOTICED_WITHIN {
                return;
            }
        }
    }

    /// Whether any hangs; those that would for ever are ended. `None` if PostgreSQL does not say.
    async fn end_hanging(&self) -> Option<bool> {
        let mut seen = self.seen.lock().await;
        if let Some((at, hangs)) = *seen
            && at.elapsed() < LOOK_EVERY
        {
            return hangs;
        }
        let look = async {
            let mut conn = self.options.as_ref()?.connect().await.ok()?;
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
