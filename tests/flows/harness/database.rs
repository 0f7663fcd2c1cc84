//! Direct access to the database of a test.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::app::TestApp;
use super::bystander::{self, Bystander};
use super::hex;
use super::postgres::{SECOND_RUN, fresh_schema, postgres};

impl TestApp {
    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn is_sqlite(&self) -> bool {
        self.database.starts_with("sqlite")
    }

    /// Changes the database directly, as another node would: revocations take effect after a second.
    pub fn sql(&self, sql: &str) {
        self.clock.advance(Duration::from_secs(1));
        let reads = ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
        let of_others = self.bystander.as_ref().filter(|_| reads).map(Bystander::hidden);
        self.execute(&[format!("{}{sql}", of_others.unwrap_or_default())]);
        if let Some(bystander) = &self.bystander {
            bystander.is_now(self.rows_of(bystander));
        }
    }

    /// Runs `act` while every statement about this table fails, at the same moment of the clock: what succeeds did not
    /// ask the database.
    pub fn without_table(&self, table: &str, act: impl FnOnce()) {
        let rename =
            |from: &str, to: &str| self.execute(&[format!("ALTER TABLE {from} RENAME TO {to}")]);
        rename(table, "gone");
        act();
        rename("gone", table);
    }

    /// Runs these statements on one connection.
    pub(super) fn execute(&self, statements: &[String]) {
        let statements = statements.iter().cloned().map(AssertSqlSafe);
        self.block_on(async {
            if self.is_sqlite() {
                let mut db = sqlite(&self.database).await;
                for sql in statements {
                    sqlx::query(sql).execute(&mut db).await.unwrap();
                }
                db.close().await.unwrap();
            } else {
                let mut db = postgres(&self.database).await;
                for sql in statements {
                    sqlx::query(sql).execute(&mut db).await.unwrap();
                }
                db.close().await.unwrap();
            }
        });
    }

    /// Returns the first column of the result as text, without the bystander's rows.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let of_others = self.bystander.as_ref().map(Bystander::hidden).unwrap_or_default();
        self.try_texts(&format!("{of_others}{sql}"))
            .unwrap_or_else(|| panic!("cannot be read: {sql}"))
    }

    pub(super) fn try_texts(&self, sql: &str) -> Option<Vec<String>> {
        self.try_all(&[sql.to_owned()]).remove(0)
    }

    /// Returns the first column of each result, using one connection; `None` for a query that fails.
    pub(super) fn try_all(&self, queries: &[String]) -> Vec<Option<Vec<String>>> {
        let queries = queries.iter().cloned().map(AssertSqlSafe);
        self.block_on(async {
            let mut found = Vec::new();
            if self.is_sqlite() {
                let mut db = sqlite(&self.database).await;
                for sql in queries {
                    let rows = sqlx::query(sql).fetch_all(&mut db).await.ok();
                    found
                        .push(rows.and_then(|r| r.iter().map(|row| row.try_get(0).ok()).collect()));
                }
            } else {
                let mut db = postgres(&self.database).await;
                for sql in queries {
                    let rows = sqlx::query(sql).fetch_all(&mut db).await.ok();
                    found
                        .push(rows.and_then(|r| r.iter().map(|row| row.try_get(0).ok()).collect()));
                }
            }
            found
        })
    }

    /// Counts the rows of a `FROM` clause, without the bystander's.
    pub fn count(&self, from: &str) -> i64 {
        let text = self.texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM vestibule_{from}"));
        text[0].parse().unwrap()
    }

    /// Counts the write transactions of `act` in the SQLite file: every commit writes one frame to the write-ahead
    /// log that has the size of the database (<https://sqlite.org/fileformat2.html#walformat>).
    pub fn count_writes(&self, act: impl FnOnce()) -> usize {
        let path = format!("{}-wal", self.database.strip_prefix("sqlite:").unwrap());
        let (header, frame) = (32, 24 + 4096);
        let commits = || {
            let log = std::fs::read(&path).unwrap();
            let frames = log[header..].chunks_exact(frame);
            frames.filter(|frame| frame[4..8] != [0; 4]).count()
        };
        let before = commits();
        act();
        commits() - before
    }

    /// Every value of every table, as text: what a thief of a copy has.
    pub fn dump(&self) -> String {
        self.dump_without(&[])
    }

    /// The same, without some tables.
    pub fn dump_without(&self, left_out: &[&str]) -> String {
        let tables = if self.is_sqlite() {
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        } else {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
        };
        let tables = self.texts(&format!("{tables} ORDER BY 1"));
        assert!(tables.contains(&"vestibule_throttle".to_owned()), "{tables:?}");
        let tables: Vec<&str> =
            tables.iter().map(String::as_str).filter(|table| !left_out.contains(table)).collect();
        let rows = tables.iter().zip(self.whole_rows(&tables)).map(|(table, row)| {
            self.texts(&format!("SELECT {row} FROM {table} ORDER BY 1")).join("\n")
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// Promises 17 and 42: the database has only the SHA-256 of a token.
    #[track_caller]
    pub fn keeps_only_the_digest_of(&self, token: &str) {
        let secret = URL_SAFE_NO_PAD.decode(token).expect("a token");
        let dump = self.dump().to_lowercase();
        let forms =
            [token.to_owned(), STANDARD.encode(&secret), hex(&secret), hex(token.as_bytes())];
        for form in forms {
            assert!(!dump.contains(&form.to_lowercase()), "the database holds the token as {form}");
        }
        assert!(dump.contains(&hex(&Sha256::digest(&secret))), "the database has no digest of it");
    }

    /// Expressions for a whole row of each of these tables as one text.
    fn whole_rows(&self, tables: &[&str]) -> Vec<String> {
        if !self.is_sqlite() {
            return tables.iter().map(|table| format!("CAST({table} AS TEXT)")).collect();
        }
        let columns = |table: &&str| format!("SELECT name FROM pragma_table_info('{table}')");
        let all = self.try_all(&tables.iter().map(columns).collect::<Vec<_>>());
        let quoted = |names: Vec<String>| names.into_iter().map(|name| format!("quote({name})"));
        all.into_iter()
            .map(|names| quoted(names.unwrap_or_default()).collect::<Vec<_>>().join("||' '||"))
            .collect()
    }

    /// Runs `act` while another process has locked the SQLite file for writing.
    pub fn while_locked(&self, act: impl FnOnce()) {
        let mut db = self.block_on(sqlite(&self.database));
        self.block_on(sqlx::query("BEGIN IMMEDIATE").execute(&mut db)).unwrap();
        act();
        self.block_on(sqlx::query("ROLLBACK").execute(&mut db)).unwrap();
    }

    pub(super) fn rows_of(&self, bystander: &Bystander) -> Vec<Option<Vec<String>>> {
        self.try_all(&bystander.selects(&self.whole_rows(&bystander::TABLES.map(|(name, _)| name))))
    }
}

/// A new database: a file, or a schema on the server of the second run.
pub async fn fresh_database(folder: &Path) -> String {
    match std::env::var(SECOND_RUN) {
        Ok(server) => fresh_schema(&server).await,
        Err(_) => format!("sqlite:{}", folder.join("test.sqlite3").display()),
    }
}

async fn sqlite(url: &str) -> sqlx::SqliteConnection {
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    options.busy_timeout(Duration::from_secs(5)).connect().await.unwrap()
}
