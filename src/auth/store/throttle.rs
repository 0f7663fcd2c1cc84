//! The table `vestibule_throttle`: the buckets of rate limits. Each method is one statement that counts and
//! decides, so that concurrent attempts are all counted. A row further in the future than possible was written by a
//! wrong clock, and counts as past.

use sqlx::FromRow;

use super::{Result, Store, Tx, batch_of, keys_of};
use crate::auth::throttle::{Backoff, BucketKey, Count, FixedWindow, Rate};
use crate::clock::{CLOCKS_DIFFER, Timestamp, millis};

/// A charge in a bucket with a rate, which can be refunded.
pub(in crate::auth) struct Charge {
    /// The key of the bucket.
    pub(in crate::auth) key: Vec<u8>,
    /// The time that the charge takes, in milliseconds.
    pub(in crate::auth) millis: i64,
}

/// Whether a bucket had room.
pub(in crate::auth) enum Quota<T = ()> {
    /// It had, and this attempt is counted.
    Counted(T),
    /// It is full until then.
    UsedUpUntil(Timestamp),
}

impl<T> Quota<T> {
    pub(in crate::auth) fn is_counted(&self) -> bool {
        matches!(self, Self::Counted(_))
    }

    /// Drops what would be needed for a refund.
    pub(in crate::auth) fn for_good(self) -> Quota {
        match self {
            Self::Counted(_) => Quota::Counted(()),
            Self::UsedUpUntil(at) => Quota::UsedUpUntil(at),
        }
    }
}

#[derive(FromRow)]
struct Counted {
    attempts: i64,
}

#[derive(FromRow)]
struct Closed {
    closed_until: Timestamp,
}

impl Tx {
    /// Counts an attempt, or returns until when none is allowed. There is no wait up to attempt `free - 1`; then it
    /// doubles from `first` to `longest`. Attempts during the wait are not counted.
    pub(in crate::auth) async fn charge_backoff(
        &mut self,
        key: BucketKey,
        rule: Backoff,
        now: Timestamp,
    ) -> Result<Quota<Count>> {
        // No wait is stored as 0, not as `now`: two concurrent attempts may arrive in another order than they read
        // the clock.
        let counted: Option<Counted> = self
            .find(
                "INSERT INTO vestibule_throttle AS throttle (key, attempts, closed_until, forget_at) \
                 VALUES ($1, 1, CASE WHEN $4 <= 1 THEN $2 + $5 ELSE 0 END, $3) \
                 ON CONFLICT (key) DO UPDATE SET \
                 attempts = CASE WHEN throttle.forget_at <= $2 OR throttle.forget_at > $3 + $7 THEN 1 \
                   ELSE throttle.attempts + 1 END, \
                 closed_until = CASE \
                   WHEN throttle.forget_at <= $2 OR throttle.forget_at > $3 + $7 \
                     THEN CASE WHEN $4 <= 1 THEN $2 + $5 ELSE 0 END \
                   WHEN throttle.attempts + 1 < $4 THEN 0 \
                   WHEN throttle.attempts + 1 - $4 > 20 THEN $2 + $6 \
                   WHEN ($5 << CAST(throttle.attempts + 1 - $4 AS INTEGER)) > $6 THEN $2 + $6 \
                   ELSE $2 + ($5 << CAST(throttle.attempts + 1 - $4 AS INTEGER)) END, \
                 forget_at = $3 \
                 WHERE throttle.closed_until <= $2 OR throttle.closed_until > $2 + $6 + $7 \
                   OR throttle.forget_at <= $2 OR throttle.forget_at > $3 + $7 \
                 RETURNING attempts",
                (
                    key.to_vec(),
                    now.as_millis(),
                    (now + rule.forget_after).as_millis(),
                    rule.free,
                    millis(rule.first),
                    millis(rule.longest),
                    millis(CLOCKS_DIFFER),
                ),
            )
            .await?;
        let sql = "SELECT closed_until FROM vestibule_throttle WHERE key = $1";
        self.or_closed(counted, sql, key, now).await
    }

    /// Counts one in the fixed window that began with the first, or returns when the next window begins.
    pub(in crate::auth) async fn charge_window(
        &mut self,
        key: BucketKey,
        rule: FixedWindow,
        now: Timestamp,
    ) -> Result<Quota<Count>> {
        let counted: Option<Counted> = self
            .find(
                "INSERT INTO vestibule_throttle AS throttle (key, attempts, closed_until, forget_at) \
                 VALUES ($1, 1, $2, $3) \
                 ON CONFLICT (key) DO UPDATE SET \
                 attempts = CASE WHEN throttle.forget_at <= $2 OR throttle.forget_at > $3 + $5 THEN 1 \
                   ELSE throttle.attempts + 1 END, \
                 forget_at = CASE WHEN throttle.forget_at <= $2 OR throttle.forget_at > $3 + $5 \
                   THEN $3 ELSE throttle.forget_at END \
                 WHERE throttle.attempts < $4 OR throttle.forget_at <= $2 \
                   OR throttle.forget_at > $3 + $5 \
                 RETURNING attempts",
                (
                    key.to_vec(),
                    now.as_millis(),
                    (now + rule.per).as_millis(),
                    rule.most,
                    millis(CLOCKS_DIFFER),
                ),
            )
            .await?;
        let sql = "SELECT forget_at AS closed_until FROM vestibule_throttle WHERE key = $1";
        self.or_closed(counted, sql, key, now).await
    }

    /// Counts one at a steady rate: a burst of `most`, then one per `per / most`. Or returns when the next one is
    /// allowed. `closed_until` is when all that were counted would have passed at that rate (the "theoretical
    /// arrival time" of the generic cell rate algorithm, ITU-T I.371).
    pub(in crate::auth) async fn charge_rate(
        &mut self,
        key: BucketKey,
        rule: Rate,
        now: Timestamp,
    ) -> Result<Quota> {
        let (each, per) = (rule.each(), millis(rule.per));
        let counted: Option<Counted> = self
            .find(
                "INSERT INTO vestibule_throttle AS throttle (key, attempts, closed_until, forget_at) \
                 VALUES ($1, 1, $2 + $3, $2 + $3) \
                 ON CONFLICT (key) DO UPDATE SET \
                 attempts = throttle.attempts + 1, \
                 closed_until = $3 + CASE WHEN throttle.closed_until <= $2 \
                   OR throttle.closed_until > $2 + $4 + $5 THEN $2 ELSE throttle.closed_until END, \
                 forget_at = $3 + CASE WHEN throttle.closed_until <= $2 \
                   OR throttle.closed_until > $2 + $4 + $5 THEN $2 ELSE throttle.closed_until END \
                 WHERE throttle.closed_until + $3 <= $2 + $4 \
                   OR throttle.closed_until > $2 + $4 + $5 \
                 RETURNING attempts",
                (key.to_vec(), now.as_millis(), each, per, millis(CLOCKS_DIFFER)),
            )
            .await?;
        if counted.is_some() {
            return Ok(Quota::Counted(()));
        }
        let sql = "SELECT closed_until FROM vestibule_throttle WHERE key = $1";
        let closed: Option<Closed> = self.find(sql, (key.to_vec(),)).await?;
        let all_left = closed.map_or(now, |closed| closed.closed_until);
        let wait = all_left.since(now).saturating_sub(rule.per) + rule.interval();
        Ok(Quota::UsedUpUntil(now + wait))
    }

    /// Takes a charge back.
    pub(in crate::auth) async fn refund(&mut self, charge: &Charge) -> Result<()> {
        let sql = "UPDATE vestibule_throttle SET attempts = attempts - 1, closed_until = closed_until - $2, \
                   forget_at = forget_at - $2 WHERE key = $1 AND attempts > 0";
        self.run(sql, (charge.key.clone(), charge.millis)).await?;
        Ok(())
    }

    async fn or_closed(
        &mut self,
        counted: Option<Counted>,
        sql: &'static str,
        key: BucketKey,
        now: Timestamp,
    ) -> Result<Quota<Count>> {
        if let Some(Counted { attempts }) = counted {
            return Ok(Quota::Counted(Count { key, attempts }));
        }
        let closed: Option<Closed> = self.find(sql, (key.to_vec(),)).await?;
        Ok(Quota::UsedUpUntil(closed.map_or(now, |closed| closed.closed_until)))
    }

    /// Takes one attempt back, with its wait, unless a later attempt has set another.
    pub(in crate::auth) async fn uncount(&mut self, count: Count) -> Result<()> {
        self.run(
            "UPDATE vestibule_throttle SET attempts = attempts - 1, \
             closed_until = CASE WHEN attempts = $2 THEN 0 ELSE closed_until END \
             WHERE key = $1 AND attempts > 0",
            (count.key.to_vec(), count.attempts),
        )
        .await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_bucket(&mut self, key: BucketKey) -> Result<()> {
        self.run("DELETE FROM vestibule_throttle WHERE key = $1", (key.to_vec(),)).await?;
        Ok(())
    }
}

impl Store {
    /// `longest` is the furthest time ahead at which any bucket may end.
    pub(in crate::auth) async fn delete_forgotten_buckets(
        &self,
        now: Timestamp,
        longest: std::time::Duration,
    ) -> Result<u64> {
        let sql = batch_of!(
            "DELETE FROM vestibule_throttle WHERE key IN ",
            "SELECT key FROM vestibule_throttle WHERE forget_at <= $1 OR forget_at > $2"
        );
        self.run(self.text(sql), (now, now + longest + CLOCKS_DIFFER)).await
    }

    /// Counts the buckets.
    pub(in crate::auth) async fn count_buckets(&self) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS attempts FROM vestibule_throttle WHERE forget_at > $1";
        let counted: Option<Counted> = self.find(sql, (0_i64,)).await?;
        Ok(counted.map_or(0, |counted| counted.attempts))
    }

    /// Deletes this many buckets: those with the fewest attempts first, and of these the oldest.
    pub(in crate::auth) async fn delete_least_buckets(&self, surplus: i64) -> Result<u64> {
        let sql = keys_of!(
            "DELETE FROM vestibule_throttle WHERE key IN ",
            "SELECT key FROM vestibule_throttle ORDER BY attempts, forget_at LIMIT $1",
            ""
        );
        self.run(self.text(sql), (surplus,)).await
    }
}
