//! The table `throttle`: how often something was tried. Each verb here is one statement that counts
//! and decides, so that two tries at once count as two.

use sqlx::FromRow;

use super::{Result, Store, Tx};
use crate::auth::throttle::{BucketKey, Count, Growing, Window};
use crate::clock::Timestamp;

#[derive(FromRow)]
struct Counted {
    tries: i64,
}

#[derive(FromRow)]
struct Closed {
    closed_until: Timestamp,
}

impl Tx {
    /// Counts a try, or says until when there may be none. The wait after try `n` is none up to
    /// `free - 1`, then doubles from `first` to `longest`. A try during the wait is not counted.
    pub(in crate::auth) async fn insert_growing(
        &mut self,
        key: BucketKey,
        rule: Growing,
        now: Timestamp,
    ) -> Result<std::result::Result<Count, Timestamp>> {
        // No wait is 0 and not `now`: two at once read the clock in one order and arrive in another.
        let counted: Option<Counted> = self
            .find(
                "INSERT INTO throttle (key, tries, closed_until, forget_at) \
                 VALUES ($1, 1, CASE WHEN $4 <= 1 THEN $2 + $5 ELSE 0 END, $3) \
                 ON CONFLICT (key) DO UPDATE SET \
                 tries = CASE WHEN throttle.forget_at <= $2 THEN 1 ELSE throttle.tries + 1 END, \
                 closed_until = CASE \
                   WHEN throttle.forget_at <= $2 THEN CASE WHEN $4 <= 1 THEN $2 + $5 ELSE 0 END \
                   WHEN throttle.tries + 1 < $4 THEN 0 \
                   WHEN throttle.tries + 1 - $4 > 20 THEN $2 + $6 \
                   WHEN ($5 << CAST(throttle.tries + 1 - $4 AS INTEGER)) > $6 THEN $2 + $6 \
                   ELSE $2 + ($5 << CAST(throttle.tries + 1 - $4 AS INTEGER)) END, \
                 forget_at = $3 \
                 WHERE throttle.closed_until <= $2 OR throttle.forget_at <= $2 \
                 RETURNING tries",
                (
                    key.to_vec(),
                    now.as_millis(),
                    (now + rule.forget_after).as_millis(),
                    rule.free,
                    millis(rule.first),
                    millis(rule.longest),
                ),
            )
            .await?;
        let sql = "SELECT closed_until FROM throttle WHERE key = $1";
        self.or_closed(counted, sql, key, now).await
    }

    /// Counts one more in the window of time that began with the first, or says when the next window
    /// begins.
    pub(in crate::auth) async fn insert_in_window(
        &mut self,
        key: BucketKey,
        rule: Window,
        now: Timestamp,
    ) -> Result<std::result::Result<Count, Timestamp>> {
        let counted: Option<Counted> = self
            .find(
                "INSERT INTO throttle (key, tries, closed_until, forget_at) \
                 VALUES ($1, 1, $2, $3) \
                 ON CONFLICT (key) DO UPDATE SET \
                 tries = CASE WHEN throttle.forget_at <= $2 THEN 1 ELSE throttle.tries + 1 END, \
                 forget_at = CASE WHEN throttle.forget_at <= $2 THEN $3 \
                   ELSE throttle.forget_at END \
                 WHERE throttle.tries < $4 OR throttle.forget_at <= $2 \
                 RETURNING tries",
                (key.to_vec(), now.as_millis(), (now + rule.per).as_millis(), rule.most),
            )
            .await?;
        let sql = "SELECT forget_at AS closed_until FROM throttle WHERE key = $1";
        self.or_closed(counted, sql, key, now).await
    }

    async fn or_closed(
        &mut self,
        counted: Option<Counted>,
        sql: &'static str,
        key: BucketKey,
        now: Timestamp,
    ) -> Result<std::result::Result<Count, Timestamp>> {
        if let Some(Counted { tries }) = counted {
            return Ok(Ok(Count { key, tries }));
        }
        let closed: Option<Closed> = self.find(sql, (key.to_vec(),)).await?;
        Ok(Err(closed.map_or(now, |closed| closed.closed_until)))
    }

    /// Takes one try back, and the wait that followed from it unless a later try brought one of its
    /// own.
    pub(in crate::auth) async fn update_uncounted(&mut self, count: Count) -> Result<()> {
        self.run(
            "UPDATE throttle SET tries = tries - 1, \
             closed_until = CASE WHEN tries = $2 THEN 0 ELSE closed_until END \
             WHERE key = $1 AND tries > 0",
            (count.key.to_vec(), count.tries),
        )
        .await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_bucket(&mut self, key: BucketKey) -> Result<()> {
        self.run("DELETE FROM throttle WHERE key = $1", (key.to_vec(),)).await?;
        Ok(())
    }
}

impl Store {
    pub(in crate::auth) async fn delete_forgotten_buckets(&self, now: Timestamp) -> Result<u64> {
        self.run("DELETE FROM throttle WHERE forget_at <= $1", (now,)).await
    }
}

fn millis(length: std::time::Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
