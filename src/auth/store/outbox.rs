//! The table `vestibule_outbox`: messages that are still to be sent.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::{ColumnIndex, Database, Decode, FromRow, Type};
use uuid::Uuid;

use super::{ByEngine, Result, Store, Tx, keys_of};
use crate::auth::UserId;
use crate::clock::{CLOCKS_DIFFER, Timestamp};

/// How far ahead a message may be put off: the longest delay between two tries, or the pace of sign-ups.
pub(in crate::auth) const FURTHEST: Duration = Duration::from_hours(1);

/// A message to be sent. It names who gets it, never what a link in it will be: the token is made
/// when the message leaves.
#[derive(FromRow)]
pub(in crate::auth) struct OutboxRow {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) message: String,
    /// The key of the address that it was meant for when it was put here.
    pub(in crate::auth) recipient: String,
    /// `None`: to whoever has the address when the message leaves, if anybody has.
    pub(in crate::auth) user_id: Option<UserId>,
    /// What else it says.
    pub(in crate::auth) payload: Option<String>,
    pub(in crate::auth) device: String,
    pub(in crate::auth) ip: String,
    pub(in crate::auth) attempts: i64,
    pub(in crate::auth) created_at: Timestamp,
    pub(in crate::auth) due_at: Timestamp,
    /// The key of the bucket in which it is still to be counted.
    pub(in crate::auth) quota_key: Option<Vec<u8>>,
    pub(in crate::auth) priority: Priority,
    /// The key of the site that caused it, if that tells one visitor from another.
    pub(in crate::auth) site_key: Option<Vec<u8>>,
    /// The key of the domain that it goes to.
    pub(in crate::auth) domain_key: Option<Vec<u8>>,
    /// How many times it was refused for good.
    pub(in crate::auth) refusals: i64,
}

/// Which messages leave before others.
#[derive(Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[repr(i64)]
pub(in crate::auth) enum Priority {
    /// Somebody waits for it.
    Awaited = 0,
    /// To a new account.
    First = 1,
    /// It did not leave the first time, or its site has many others.
    Later = 2,
}

/// A message that this process has claimed; or its row cannot be read.
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

/// The keys of sites, or domains, that have as many messages under way as they may: one behind the other. (A key is an
/// HMAC: that one is found across the border of two others happens never.)
pub(in crate::auth) type Busy = Vec<u8>;

/// A site with so many messages in the outbox waits with more behind all others.
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

/// A walk along the index `vestibule_outbox_turn`, however many messages are due.
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
             quota_key, priority, site_key, domain_key, refusals"
        )
    };
}

/// PostgreSQL is asked for an expression that no other index has: it would walk along `vestibule_outbox_due_at`, past all
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
    /// The address that caused it.
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
    /// Takes the first message of a priority that is due and not of a busy site or domain, for this process
    /// alone: until `lease` has passed nobody else sees it. A process that dies meanwhile leaves it to the
    /// next.
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

    /// Makes messages due that a clock which was wrong has put off further than any is.
    pub(in crate::auth) async fn update_far_messages(&self, now: Timestamp) -> Result<()> {
        let sql = keys_of!(
            "UPDATE vestibule_outbox SET due_at = $1 WHERE id IN ",
            "SELECT id FROM vestibule_outbox WHERE due_at > $2 LIMIT 1000",
            ""
        );
        self.run(self.text(sql), (now, now + FURTHEST + CLOCKS_DIFFER)).await?;
        Ok(())
    }

    /// Lets messages leave at once that a process had claimed which is gone.
    pub(in crate::auth) async fn release_claims(
        &self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<u64> {
        let sql = "UPDATE vestibule_outbox SET due_at = $1 WHERE due_at > $1 AND due_at <= $2";
        self.run(sql, (now, now + lease)).await
    }

    /// Puts a message off that was not tried.
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

    /// How many messages of this bucket were not counted yet, up to `most`.
    pub(in crate::auth) async fn count_uncharged(&self, key: Vec<u8>, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM \
                   (SELECT 1 FROM vestibule_outbox WHERE quota_key = $1 LIMIT $2) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (key, most)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// How many messages wait, up to `most`.
    pub(in crate::auth) async fn count_messages(&self, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM vestibule_outbox LIMIT $1) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (most,)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// How many messages of a site wait, up to `most`.
    pub(in crate::auth) async fn count_messages_of(&self, site: Vec<u8>, most: i64) -> Result<i64> {
        let sql = "SELECT COUNT(*) AS n FROM \
                   (SELECT 1 FROM vestibule_outbox WHERE site_key = $1 LIMIT $2) AS bounded";
        let waiting: Option<Waiting> = self.find(sql, (site, most)).await?;
        Ok(waiting.map_or(0, |waiting| waiting.n))
    }

    /// Until then a message is this process's alone.
    pub(in crate::auth) async fn update_lease(&self, id: Uuid, until: Timestamp) -> Result<()> {
        self.run("UPDATE vestibule_outbox SET due_at = $2 WHERE id = $1", (id, until)).await?;
        Ok(())
    }

    /// A message did not leave; the next try.
    pub(in crate::auth) async fn update_retry(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, priority = 2 WHERE id = $1";
        self.run(sql, (id, due_at)).await?;
        Ok(())
    }

    /// A message was refused for good; the one more try.
    pub(in crate::auth) async fn update_refused(&self, id: Uuid, due_at: Timestamp) -> Result<()> {
        let sql = "UPDATE vestibule_outbox SET due_at = $2, priority = 2, refusals = refusals + 1 WHERE id = $1";
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

    /// Writes a message's row as it is, as a commit needs something to write.
    pub(in crate::auth) async fn touch_message(&mut self, id: Uuid) -> Result<()> {
        self.run("UPDATE vestibule_outbox SET id = id WHERE id = $1", (id,)).await?;
        Ok(())
    }

    /// How many messages of this one's bucket are to be counted before it.
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

    /// The message has been counted.
    pub(in crate::auth) async fn update_charged(&mut self, id: Uuid) -> Result<()> {
        self.run("UPDATE vestibule_outbox SET quota_key = NULL WHERE id = $1", (id,)).await?;
        Ok(())
    }

    /// The next message of this bucket may leave now. Not one that is under way: it would leave twice.
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

    use super::*;

    /// Promise 53: however many messages are due, one is found without looking at the others.
    #[rocket::async_test]
    async fn a_letter_is_claimed_by_a_walk_along_an_index() {
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
