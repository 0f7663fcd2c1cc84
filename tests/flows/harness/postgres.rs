//! PostgreSQL for the second run: schemas, held locks, and gates.

use std::net::ToSocketAddrs;

use sqlx::{AssertSqlSafe, Connection};

use super::app::{TestApp, new_runtime};
use super::gate::Gate;
use super::in_ci;

/// Set in the run on PostgreSQL: the URL of the server.
pub const SECOND_RUN: &str = "FLOWS_ON_POSTGRES_URL";

impl TestApp {
    /// A gate in front of PostgreSQL, and the URL of this service's database through it.
    pub fn gate(&self) -> (Gate, String) {
        gate_before(&self.database)
    }

    /// Closes the connections of this service to PostgreSQL.
    pub fn end_connections(&self) {
        let (_, rest) = self.database.split_once("application_name=").unwrap();
        let name = rest.split('&').next().unwrap();
        self.block_on(async {
            let mut db = postgres(&std::env::var(SECOND_RUN).unwrap()).await;
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
            let ended = sqlx::query(sql).bind(name).fetch_all(&mut db).await.unwrap();
            assert!(!ended.is_empty());
        });
    }

    /// Runs `sql` in a transaction that stays open until the result is dropped.
    pub fn hold(&self, sql: &str) -> Held<'_> {
        let sql = AssertSqlSafe(sql.to_owned());
        let connection = self.block_on(async {
            let mut db = postgres(&self.database).await;
            sqlx::query("BEGIN").execute(&mut db).await.unwrap();
            sqlx::query(sql).fetch_all(&mut db).await.unwrap();
            db
        });
        Held { app: self, connection: Some(connection) }
    }
}

/// An open transaction.
pub struct Held<'a> {
    app: &'a TestApp,
    connection: Option<sqlx::PgConnection>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.app.block_on(connection.close()).unwrap();
        }
    }
}

/// The same for a process; `None` in the run on SQLite.
pub fn new_postgres_database() -> Option<String> {
    let server = std::env::var(SECOND_RUN).ok()?;
    Some(new_runtime().block_on(fresh_schema(&server)))
}

/// A gate in front of PostgreSQL, and the URL of this database through it.
pub fn gate_before(database: &str) -> (Gate, String) {
    let mut url: url::Url = database.parse().unwrap();
    let host = url.host_str().unwrap().to_owned();
    let server = (host.as_str(), url.port().unwrap_or(5432)).to_socket_addrs();
    let gate = Gate::before(server.unwrap().next().unwrap());
    url.set_ip_host(gate.address.ip()).unwrap();
    url.set_port(Some(gate.address.port())).unwrap();
    (gate, url.into())
}

/// Runs a statement on the server of the second run.
pub fn run_on_server(sql: &str) {
    new_runtime().block_on(async {
        let mut db = postgres(&std::env::var(SECOND_RUN).unwrap()).await;
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

/// Counts PostgreSQL's connections from clients with this URL that meet a condition.
pub fn connections(url: &str, of_which: &str) -> i64 {
    let (_, name) = url.split_once("application_name=").unwrap();
    let name = name.split('&').next().unwrap();
    let sql = format!(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = '{name}' AND {of_which}"
    );
    new_runtime().block_on(async {
        let mut db = postgres(&std::env::var(SECOND_RUN).unwrap()).await;
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap()
    })
}

/// Whether commits on the server of the second run can be made to wait forever: see `.ci/postgres`.
pub fn has_a_standby_that_is_gone() -> bool {
    let named: String = new_runtime().block_on(async {
        let mut db = postgres(&std::env::var(SECOND_RUN).unwrap()).await;
        sqlx::query_scalar("SHOW synchronous_standby_names").fetch_one(&mut db).await.unwrap()
    });
    if named.is_empty() {
        assert!(!in_ci(), "PostgreSQL names no standby");
        eprintln!("SKIPPED: PostgreSQL names no standby; start it with .ci/postgres");
    }
    !named.is_empty()
}

pub async fn fresh_schema(server: &str) -> String {
    let schema = format!("t{}", uuid::Uuid::now_v7().simple());
    let mut db = postgres(server).await;
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::query(create).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let joint = if server.contains('?') { '&' } else { '?' };
    format!("{server}{joint}application_name={schema}&options=-c%20search_path%3D{schema}")
}

pub async fn postgres(url: &str) -> sqlx::PgConnection {
    sqlx::PgConnection::connect(url).await.expect("TEST_POSTGRES_URL names a running server")
}
