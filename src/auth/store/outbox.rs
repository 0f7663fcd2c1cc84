//! The table `vestibule_outbox`: messages to be sent.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::{ColumnIndex, Database, Decode, FromRow, Type};
use uuid::Uuid;

use super::{ByEngine, Result, Store, Tx, batch_of};
use crate::auth::UserId;
use crate::auth::account::MessageExport;
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// How far ahead a message may be due: the longest retry delay, or the wait for a rate limit.
pub(in crate::auth) const FURTHEST: Duration = Duration::from_hours(1);

/// A message to be sent. It has the recipient but no link: tokens are made on delivery.
#[derive(FromRow)]
pub(in crate::auth) struct OutboxRow {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) message: String,
    /// The key of the recipient's address when the message was added.
    pub(in crate::auth) recipient: String,
    /// `None` means the user with this address at delivery, if there is one.
    pub(in crate::auth) user_id: Option<UserId>,
    /// Further content.
    pub(in crate::auth) payload: Option<String>,
    pub(in crate::auth) device: String,
    pub(in crate::auth) ip: String,
    pub(in crate::auth) attempts: i64,
    pub(in crate::auth) created_at: Timestamp,
    pub(in crate::auth) due_at: Timestamp,
    /// The key of the bucket in which it must still be counted.
    pub(in crate::auth) quota_key: Option<Vec<u8>>,
    pub(in crate::auth) priority: Priority,
    /// The key of the site that caused it, unless the address does not tell clients apart.
    pub(in crate::auth) site_key: Option<Vec<u8>>,
    /// The key of the recipient's domain.
    pub(in crate::auth) domain_key: Option<Vec<u8>>,
    /// How often it was permanently refused.
    pub(in crate::auth) refusals: i64,
    /// After how many attempts it may have arrived.
    pub(in crate::auth) unknown_outcomes: i64,
}

/// The priority of a message.
#[derive(Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[repr(i64)]
pub(in crate::auth) enum Priority {
    /// Somebody is waiting for it.
    Awaited = 0,
    /// To a new account.
    First = 1,
    /// A retry, or a message of a site with many others.
    Later = 2,
}

/// A message claimed by this process, or the error in its row.
pub(in crate::auth) struct Claimed {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) row: std::result::Result<OutboxRow, sqlx::Error>,
}

impl<'r, R> FromRow<'r, R> for Claimed
where
    R: sqlx::Row,
    OutboxRow: FromRow<'r, R>,
    Uuid: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
    <R as sqlx::Row>::Database: Database,
{
    fn from_row(row: &'r R) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self { id: row.try_get("id")?, row: OutboxRow::from_row(row) })
    }
}

/// The concatenated keys of sites, or domains, at their limit of messages in delivery. (Keys are HMACs: a false
/// match across two of them is not a practical concern.)
pub(in crate::auth) type Busy = Vec<u8>;

/// Further messages of a site with this many in the outbox get the last priority.
const MANY_OF_A_SITE: i64 = 40;

#[derive(FromRow)]
struct Waiting {
    n: i64,
}

const INSERT: &str = "INSERT INTO vestibule_outbox (id, message, recipient, user_id, payload, device, ip, \
                      attempts, created_at, due_at, quota_key, priority, site_key, domain_key) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN $12 = 0 AND $15 <= \
                      (SELECT COUNT(*) FROM (SELECT 1 FROM vestibule_outbox WHERE site_key = $13 LIMIT $15) \
                      AS bounded) THEN 2 ELSE $12 END, $13, $14)";

/// Walks along the index `vestibule_outbox_turn`, so that the cost does not depend on the number of due messages.
macro_rules! claim {
    ($due_at:literal, $site_is_busy:literal, $domain_is_busy:literal, $lock:literal) => {
        concat!(
            "UPDATE vestibule_outbox SET due_at = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM vestibule_outbox \
             WHERE priority = $3 AND ",
            $due_at,
            " <= $1 AND (site_key IS NULL OR ",
            $site_is_busy,
            " = 0) AND (domain_key IS NULL OR ",
            $domain_is_busy,
            " = 0) ORDER BY ",
            $due_at,
            ", id LIMIT 1",
            $lock,
            ") RETURNING id, message, recipient, user_id, payload, device, ip, attempts, created_at, due_at, \
             quota_key, priority, site_key, domain_key, refusals, unknown_outcomes"
        )
    };
}

/// The expression matches no other index: PostgreSQL might otherwise walk along `vestibule_outbox_due_at`, past all
/// messages of other priorities.
const CLAIM: ByEngine = ByEngine {
    sqlite: claim!("due_at", "instr($4, site_key)", "instr($5, domain_key)", ""),
    postgres: claim!(
        "(due_at + 0)",
        "position(site_key IN $4)",
        "position(domain_key IN $5)",
        " FOR UPDATE SKIP LOCKED"
    ),
};

impl OutboxRow {
    /// The client IP that caused it.
    pub(in crate::auth) fn sent_from(&self) -> IpAddr {
        self.ip.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }

    fn params(self) -> impl super::Params {
        (
            self.id,
            self.message,
            self.recipient,
            self.user_id,
            self.payload,
            self.device,
            self.ip,
            self.attempts,
            self.created_at,
            self.due_at,
            self.quota_key,
            self.priority,
            self.site_key,
            self.domain_key,
            MANY_OF_A_SITE,
        )
    }
}

impl Store {
    /// Claims the first due message of a priority that is not for a busy site or domain. Other processes ignore it
    /// until `lease` has passed; if this process dies, the next one takes over.
    pub(in crate::auth) async fn claim_due_message(
        &self,
        priority: Priority,
        (sites, domains): (Busy, Busy),
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<Claimed>> {
        let values = (now, now + lease, priority, sites, domains);
        Ok(self.returning(self.text(CLAIM), values).await?.pop())
    }

    /// Makes messages due that a wrong clock has put off too far.
    pub(in crate::auth) async fn update_far_messages(&self, now: Timestamp) -> Result<()> {
        let sql = batch_of!(
            "UPDATE vestibule_outbox SET due_at = $1 WHERE id IN ",
            "SELECT id FROM vestibule_outbox WHERE due_at > $2"
        );
        self.run(self.text(sql), (now, now + FURTHEST + CLOCKS_DIFFER)).await?;
        Ok(())
    }

    /// Makes messages due that were claimed by a process that has ended.
    pub(in crate::auth) async fn release_claims(
        &self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<u64> {
        let sql = "UPDATE vestibule_outbox SET due_at = $1 WHERE due_at > $1 AND due_at <= $2";
        self.run(sql, (now, now + lease)).await
    }

    /// Puts a message off without counting an attempt.
    pub(in crate::auth) async fn update_put_off(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, attempts = attempts - 1 WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    /// Whether a message of this kind to this user was put off.
    pub(in crate::auth) async fn is_message_put_off(
        &self,
        user: UserId,
        message: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM vestibule_outbox \
                   WHERE user_id = $1 AND message = $2 AND due_at > $3";
        let waiting: Option<Waiting> = self.find(sql, (user, message.to_owned(), now)).await?;
        Ok(waiting.is_some_and(|waiting| waiting.n > 0))
    }

    /// Lists the messages to a user that have not left.
    pub(in crate::auth) async fn list_messages(&self, user: UserId) -> Result<Vec<MessageExport>> {
        let sql = "SELECT message, recipient, device, ip, created_at FROM vestibule_outbox \
                   WHERE user_id = $1 ORDER BY created_at, id LIMIT 1000";
        self.list(sql, (user,)).await
    }

    /// Counts the messages of this bucket that were not charged yet, up to `most`.
    pub(in crate::auth) async fn count_uncharged(&self, key: Vec<u8>, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM \
                   (SELECT 1 FROM vestibule_outbox WHERE quota_key = $1 LIMIT $2) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (key, most)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// Counts all messages, up to `most`.
    pub(in crate::auth) async fn count_messages(&self, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM vestibule_outbox LIMIT $1) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (most,)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// Counts the messages of a site, up to `most`.
    pub(in crate::auth) async fn count_messages_of(&self, site: Vec<u8>, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM \
                   (SELECT 1 FROM vestibule_outbox WHERE site_key = $1 LIMIT $2) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (site, most)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// Extends the claim on a message.
    pub(in crate::auth) async fn update_lease(&self, id: Uuid, until: Timestamp) -> Result<()> {
        self.run("UPDATE vestibule_outbox SET due_at = $2 WHERE id = $1", (id, until)).await?;
        Ok(())
    }

    /// Schedules the next attempt after a failure.
    pub(in crate::auth) async fn update_retry(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, priority = 2 WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    /// Schedules the last attempt after a permanent refusal.
    pub(in crate::auth) async fn update_refused(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, priority = 2, refusals = refusals + 1 WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    /// Schedules the next attempt after one whose outcome is not known.
    pub(in crate::auth) async fn update_unknown(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, priority = 2, unknown_outcomes = unknown_outcomes + 1 \
                   WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    pub(in crate::auth) async fn delete_message(&self, id: Uuid) -> Result<()> {
        self.run("DELETE FROM vestibule_outbox WHERE id = $1", (id,)).await?;
        Ok(())
    }
}

impl Tx {
    pub(in crate::auth) async fn insert_message(&mut self, message: OutboxRow) -> Result<()> {
        self.run(INSERT, message.params()).await?;
        Ok(())
    }

    /// Writes the row unchanged, so that the commit has something to write. Returns whether it is still there.
    pub(in crate::auth) async fn touch_message(&mut self, id: Uuid) -> Result<bool> {
        Ok(self.run("UPDATE vestibule_outbox SET id = id WHERE id = $1", (id,)).await? == 1)
    }

    /// Takes back the messages of one kind to a user.
    pub(in crate::auth) async fn delete_messages_for(
        &mut self,
        user: UserId,
        message: &'static str,
    ) -> Result<()> {
        let sql = "DELETE FROM vestibule_outbox WHERE user_id = $1 AND message = $2";
        self.run(sql, (user, message)).await?;
        Ok(())
    }

    /// Whether a message of this kind to this user has not left yet.
    pub(in crate::auth) async fn is_message_waiting(
        &mut self,
        user: UserId,
        message: &'static str,
    ) -> Result<bool> {
        let sql = "SELECT COUNT(*) AS n FROM vestibule_outbox WHERE user_id = $1 AND message = $2";
        let waiting: Option<Waiting> = self.find(sql, (user, message)).await?;
        Ok(waiting.is_some_and(|waiting| waiting.n > 0))
    }

    /// Counts the messages of the same bucket that will be charged before this one.
    pub(in crate::auth) async fn count_uncharged_before(
        &mut self,
        key: Vec<u8>,
        message: &OutboxRow,
    ) -> Result<u32> {
        let sql = "SELECT COUNT(*) AS n FROM vestibule_outbox WHERE quota_key = $1 \
                   AND (created_at < $2 OR (created_at = $2 AND id < $3))";
        let before: Option<Waiting> = self.find(sql, (key, message.created_at, message.id)).await?;
        Ok(before.map_or(0, |before| u32::try_from(before.n).unwrap_or(u32::MAX)))
    }

    /// Marks the message as charged.
    pub(in crate::auth) async fn update_charged(&mut self, id: Uuid) -> Result<()> {
        self.run("UPDATE vestibule_outbox SET quota_key = NULL WHERE id = $1", (id,)).await?;
        Ok(())
    }

    /// Makes the next message of this bucket due, except if it is in delivery: it would be sent twice.
    pub(in crate::auth) async fn update_next_due(
        &mut self,
        key: Vec<u8>,
        now: Timestamp,
    ) -> Result<()> {
        self.run(
            "UPDATE vestibule_outbox SET due_at = $2 WHERE due_at > $2 AND id IN (SELECT id FROM vestibule_outbox \
             WHERE quota_key = $1 AND attempts = 0 ORDER BY created_at, id LIMIT 1)",
            (key, now),
        )
        .await?;
        Ok(())
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::*;

    /// Promise 53: the cost of finding a due message does not depend on how many there are.
    #[rocket::async_test]
    async fn a_message_is_claimed_by_a_walk_along_an_index() {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("src/auth/store/migrations/sqlite").run(&mut db).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", CLAIM.sqlite));
        let plan = sqlx::query(explain).fetch_all(&mut db).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        let plan = steps.join("\n");
        let walk = "COVERING INDEX vestibule_outbox_turn (priority=? AND due_at<?)";
        assert!(plan.contains(walk) && !plan.contains("TEMP B-TREE"), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    }
}
