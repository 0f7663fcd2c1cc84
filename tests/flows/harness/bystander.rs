//! A user with rows in every test database who takes no part in the test: nothing that others do may change these
//! rows. A statement without its `WHERE` would.

use std::cell::RefCell;
use std::time::Duration;

use vestibule::{Clock, Timestamp};

const HOUR: Duration = Duration::from_hours(1);

/// The tables in which the bystander has a row, and how to find it.
pub const TABLES: [(&str, &str); 7] = [
    ("vestibule_users", "id = @id"),
    ("vestibule_passwords", "user_id = @id"),
    ("vestibule_sessions", "user_id = @id"),
    ("vestibule_links", "user_id = @id"),
    ("vestibule_used_links", "user_id = @id"),
    ("vestibule_events", "user_id = @id"),
    ("vestibule_throttle", "key = @key"),
];

/// No email may be sent there.
pub const EMAIL: &str = "bystander@example.org";

/// An account with a name, a password, a remembered session, an open and a used link, counted attempts, and events.
pub struct Bystander {
    is_sqlite: bool,
    begun_at: Timestamp,
    is_old: bool,
    /// The rows of each table; `None` if they cannot be read.
    before: RefCell<Vec<Option<Vec<String>>>>,
}

impl Bystander {
    pub fn new(is_sqlite: bool, clock: &Clock) -> Self {
        Self { is_sqlite, begun_at: clock.now(), is_old: false, before: RefCell::default() }
    }

    /// The statements that create the account.
    pub fn inserts(&self) -> Vec<String> {
        let now = self.begun_at.since(Timestamp::from(std::time::UNIX_EPOCH)).as_millis();
        let (past, soon) = (now - HOUR.as_millis(), now + 23 * HOUR.as_millis());
        let later = now + 10_000 * HOUR.as_millis();
        let yes = if self.is_sqlite { "1" } else { "true" };
        let digest = |n: u8| self.bytes(&format!("b{n}").repeat(32));
        [
            format!(
                "INSERT INTO vestibule_users (id, email, email_key, name, email_verified_at, created_at) \
                 VALUES (@id, 'Bystander@example.org', 'bystander@example.org', 'By Stander', {past}, {past})"
            ),
            "INSERT INTO vestibule_passwords (user_id, hash) \
             VALUES (@id, '$2b$04$abcdefghijklmnopqrstuuG7TyoYmAJ3Jw4aKYkIEPaNlvCn2pVRS')"
                .into(),
            format!(
                "INSERT INTO vestibule_sessions (digest, id, user_id, remembered, created_at, last_seen_at, authenticated_at, \
                 expires_at, ip, user_agent) \
                 VALUES ({}, @id, @id, {yes}, {past}, {now}, {past}, {later}, '192.0.2.1', 'Bystander')",
                digest(1)
            ),
            format!(
                "INSERT INTO vestibule_links (digest, purpose, user_id, recipient, created_at, expires_at) \
                 VALUES ({}, 'password-reset', @id, 'bystander@example.org', {past}, {later})",
                digest(2)
            ),
            format!(
                "INSERT INTO vestibule_used_links (digest, purpose, user_id, used_at) \
                 VALUES ({}, 'verify-email', @id, {now})",
                digest(3)
            ),
            format!(
                "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
                 VALUES (@id, {past}, 'signed-in', @id, '192.0.2.1', 'Bystander')"
            ),
            format!(
                "INSERT INTO vestibule_throttle (key, attempts, closed_until, forget_at) VALUES (@key, 9, {soon}, {soon})"
            ),
        ]
        .map(|sql| self.named(&sql))
        .into()
    }

    /// The beginning of a `SELECT` that hides the bystander.
    pub fn hidden(&self) -> String {
        let schema = if self.is_sqlite { "main." } else { "" };
        let others = TABLES.map(|(table, own)| {
            format!("{table} AS (SELECT * FROM {schema}{table} WHERE ({own}) IS NOT TRUE)")
        });
        self.named(&format!("WITH {} ", others.join(", ")))
    }

    /// Queries for the bystander's rows in each table, given expressions for a whole row as text.
    pub fn selects(&self, rows: &[String]) -> Vec<String> {
        let all = TABLES.iter().zip(rows);
        all.map(|((table, own), row)| {
            self.named(&format!("SELECT {row} FROM {table} WHERE {own} ORDER BY 1"))
        })
        .collect()
    }

    /// Records the current rows; also after a test has changed them itself.
    pub fn is_now(&self, rows: Vec<Option<Vec<String>>>) {
        *self.before.borrow_mut() = rows;
    }

    /// A clock was ahead for a while, so that expired rows may be gone.
    pub fn saw_a_wrong_clock(&mut self) {
        self.is_old = true;
    }

    /// Asserts that nothing has changed.
    pub fn is_untouched(&self, rows: &[Option<Vec<String>>], clock: &Clock) {
        let now = clock.now();
        let is_old = self.is_old || now < self.begun_at;
        let passed = if is_old { HOUR * 10_000 } else { now.since(self.begun_at) };
        for (((table, _), before), rows) in TABLES.iter().zip(&*self.before.borrow()).zip(rows) {
            // The time after which the sweep may remove the rows.
            let lasts = match *table {
                "vestibule_users" | "vestibule_passwords" => HOUR * 10_000_000,
                "vestibule_sessions" => HOUR * 24 * 13,
                "vestibule_events" => HOUR * 24 * 170,
                "vestibule_links" => HOUR * 9_000,
                _ => HOUR / 6,
            };
            if before.is_some() && passed < lasts {
                assert_eq!(before, rows, "{table}: somebody who took no part was touched");
            }
        }
    }

    fn named(&self, sql: &str) -> String {
        let id = "00".repeat(15) + "0b";
        let uuid = "00000000-0000-0000-0000-00000000000b";
        let id = if self.is_sqlite { format!("X'{id}'") } else { format!("'{uuid}'::uuid") };
        sql.replace("@key", &self.bytes(&"0b".repeat(32))).replace("@id", &id)
    }

    fn bytes(&self, hex: &str) -> String {
        if self.is_sqlite { format!("X'{hex}'") } else { format!("'\\x{hex}'::bytea") }
    }
}
