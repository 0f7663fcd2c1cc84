//! A whole service for one test, and people who use it: [`TestApp`] has its own database, bcrypt at
//! its lowest cost, letters in memory and a clock that moves; a [`Browser`] keeps cookies and fills
//! in the forms that it was shown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::ToSocketAddrs;
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rocket::figment::Figment;
use rocket::http::{Cookie, Header, Method};
use rocket::local::asynchronous::Client;
use rocket::serde::json::Value;
use rocket::tokio::runtime::{Builder, Runtime};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tempfile::TempDir;
use vestibule::{Clock, Letters, SentLetter};

use crate::bystander::{self, Bystander};
use crate::gate::Gate;
use crate::limit::TimeLimit;

/// A password that meets the default policy.
pub const PASSWORD: &str = "seven purple lanterns";
/// What seals the cookies.
pub const SECRET_KEY: &str = "2RwDo2B1e5D5zXWyfM3sBQSZgZzmvVZ9dfzlMGlAbH4=";
/// Set for the run of these stories on `PostgreSQL`: the server.
pub const SECOND_RUN: &str = "FLOWS_ON_POSTGRES_URL";
/// Another one.
pub const NEW_PASSWORD: &str = "a quiet morning tide";

/// The service and its surroundings. Derefs to a first browser.
pub struct TestApp {
    browser: Browser,
    pub clock: Clock,
    letters: Letters,
    database: String,
    pub folder: Rc<TempDir>,
    _limit: TimeLimit,
    /// Whoever made the database has one; those who share it do not.
    bystander: Option<Bystander>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(bystander) = &self.bystander
            && !std::thread::panicking()
        {
            bystander.is_untouched(&self.rows_of(bystander), &self.clock);
            self.every_letter_has_a_cause();
        }
    }
}

/// The running service; shared by all browsers of a test.
struct Server {
    runtime: Rc<Runtime>,
    client: Option<Client>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let client = self.client.take();
        // Connections close within the runtime that opened them.
        self.runtime.block_on(async move { drop(client) });
    }
}

impl TestApp {
    pub fn new() -> Self {
        Self::with(|figment| figment)
    }

    /// With other settings.
    pub fn with(change: impl FnOnce(Figment) -> Figment) -> Self {
        Self::start(change, vestibule::service)
    }

    /// With other settings, around another Rocket.
    pub fn start(
        change: impl FnOnce(Figment) -> Figment,
        build: impl FnOnce(Figment) -> rocket::Rocket<rocket::Build>,
    ) -> Self {
        let folder = Rc::new(TempDir::new().unwrap());
        let runtime = new_runtime();
        let database = runtime.block_on(fresh_database(folder.path()));
        let mut app = Self::open(folder, runtime, database, Clock::stopped(), change, build);
        let bystander = Bystander::new(app.is_sqlite(), &app.clock);
        for sql in bystander.inserts() {
            app.execute(&sql);
        }
        bystander.is_now(app.rows_of(&bystander));
        app.bystander = Some(bystander);
        app
    }

    /// No letter left that nothing in the table of events brought about, and none to whoever takes no part.
    fn every_letter_has_a_cause(&self) {
        let letters = self.letters.all();
        assert!(letters.iter().all(|letter| letter.to != bystander::EMAIL), "{letters:?}");
        let Some(events) = self.try_texts("SELECT kind FROM vestibule_events ORDER BY at, id")
        else {
            return;
        };
        // The first one is the bystander's. It goes with others of its age.
        if letters.is_empty() || events.first().is_none_or(|kind| kind != "logged-in") {
            return;
        }
        let caused = |by: &[&str]| events.iter().filter(|kind| by.contains(&kind.as_str())).count();
        let left = |words: &str| letters.iter().filter(|l| l.subject.contains(words)).count();
        let changes = caused(&["password-changed", "password-reset"]);
        assert!(left("was changed") <= changes, "a notice of nothing: {letters:?}");
        let asked = caused(&["password-reset-asked"]);
        assert!(left("Reset") <= asked, "nobody asked for these: {letters:?}");
    }

    fn rows_of(&self, bystander: &Bystander) -> Vec<Option<Vec<String>>> {
        let selects = bystander.selects(|table| self.whole_row(table));
        selects.iter().map(|sql| self.try_texts(sql)).collect()
    }

    /// The same service after a restart: what was not on disk is gone.
    pub fn restarted(self) -> Self {
        self.restarted_with(|figment| figment)
    }

    /// The same service after a restart, with another time of day.
    pub fn restarted_at(mut self, clock: Clock) -> Self {
        if let Some(bystander) = self.bystander.as_mut().filter(|_| clock.now() < self.clock.now())
        {
            bystander.saw_a_wrong_clock();
        }
        self.clock = clock;
        self.restarted()
    }

    /// Does something while another process holds the SQLite file for writing.
    pub fn while_locked(&self, act: impl FnOnce()) {
        let mut db = self.block_on(sqlite(&self.database));
        self.block_on(sqlx::query("BEGIN IMMEDIATE").execute(&mut db)).unwrap();
        act();
        self.block_on(sqlx::query("ROLLBACK").execute(&mut db)).unwrap();
    }

    /// A gate before PostgreSQL, and how this service's database is reached through it.
    pub fn gate(&self) -> (Gate, String) {
        gate_before(&self.database)
    }

    /// Whether another node with these settings and this clock would start beside this one.
    pub fn can_start(&self, clock: Clock, change: impl FnOnce(Figment) -> Figment) -> bool {
        let figment = change(settings(self.folder.path(), &self.database));
        let rocket = vestibule::service(figment).manage(clock).manage(Letters::default());
        match self.block_on(Client::untracked(rocket)) {
            Ok(client) => {
                // Connections close within the runtime that opened them.
                self.block_on(async move { drop(client) });
                true
            }
            Err(error) => {
                // Rocket panics if nobody asks for the reason.
                let _ = error.kind();
                false
            }
        }
    }

    /// Ends the connections of this service to PostgreSQL.
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

    /// The same service after a restart with other settings.
    pub fn restarted_with(mut self, change: impl FnOnce(Figment) -> Figment) -> Self {
        let bystander = self.bystander.take();
        let (folder, database, clock) =
            (self.folder.clone(), self.database.clone(), self.clock.clone());
        drop(self);
        let runtime = new_runtime();
        let mut app = Self::open(folder, runtime, database, clock, change, vestibule::service);
        app.bystander = bystander;
        app
    }

    /// Another node of the same service, on the same database.
    pub fn twin(&self) -> Self {
        let (folder, database) = (self.folder.clone(), self.database.clone());
        let runtime = self.browser.server.runtime.clone();
        Self::open(
            folder,
            runtime,
            database,
            Clock::stopped(),
            |figment| figment,
            vestibule::service,
        )
    }

    fn open(
        folder: Rc<TempDir>,
        runtime: Rc<Runtime>,
        database: String,
        clock: Clock,
        change: impl FnOnce(Figment) -> Figment,
        build: impl FnOnce(Figment) -> rocket::Rocket<rocket::Build>,
    ) -> Self {
        if log::set_logger(&Captured).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
        let figment = settings(folder.path(), &database);
        let letters = Letters::default();
        let figment = change(figment);
        let keeps_letters = !figment.contains("vestibule.mail");
        let mut rocket = build(figment).manage(clock.clone());
        if keeps_letters {
            rocket = rocket.manage(letters.clone());
        }
        let client = runtime.block_on(Client::untracked(rocket)).expect("the service starts");
        let server = Rc::new(Server { runtime, client: Some(client) });
        Self {
            browser: Browser::new(server),
            clock,
            letters,
            database,
            folder,
            _limit: TimeLimit::begin(),
            bystander: None,
        }
    }

    /// Every path that has a route.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.routes().into_iter().map(|(_, path)| path).collect();
        paths.dedup();
        paths
    }

    /// Every route.
    pub fn routes(&self) -> Vec<(Method, String)> {
        let rocket = self.browser.server.client().rocket();
        let route = |route: &rocket::Route| (route.method, route.uri.path().to_owned());
        let mut routes: Vec<_> = rocket.routes().map(route).collect();
        routes.sort_by(|(_, a), (_, b)| a.cmp(b));
        routes
    }

    /// Somebody else, with a browser of their own.
    pub fn other_browser(&self) -> Browser {
        Browser::new(self.browser.server.clone())
    }

    /// All letters that left so far; those that are due leave first.
    pub fn letters(&self) -> Vec<Letter> {
        self.run_jobs();
        let mut letters = self.letters.all();
        letters.sort_by_key(|letter| letter.id);
        letters.into_iter().map(Letter).collect()
    }

    /// The last letter that left.
    pub fn last_letter(&self) -> Letter {
        self.letters().pop().expect("a letter was sent")
    }

    /// One round of the background job.
    pub fn run_jobs(&self) {
        let server = &self.browser.server;
        server.runtime.block_on(vestibule::run_jobs(server.client().rocket())).unwrap();
    }

    /// One round on this node and on `twin` at once.
    pub fn run_jobs_with(&self, twin: &Self) {
        let (here, there) = (&self.browser.server, &twin.browser.server);
        let both = rocket::futures::future::join(
            vestibule::run_jobs(here.client().rocket()),
            vestibule::run_jobs(there.client().rocket()),
        );
        let (one, other) = here.runtime.block_on(both);
        one.and(other).unwrap();
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn is_sqlite(&self) -> bool {
        self.database.starts_with("sqlite")
    }

    /// Changes the database behind the service's back, as another node would: what it revokes counts
    /// after a second.
    pub fn sql(&self, sql: &str) {
        self.clock.advance(Duration::from_secs(1));
        let reads = ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb));
        let of_others = self.bystander.as_ref().filter(|_| reads).map(Bystander::hidden);
        self.execute(&format!("{}{sql}", of_others.unwrap_or_default()));
        if let Some(bystander) = &self.bystander {
            bystander.is_now(self.rows_of(bystander));
        }
    }

    fn execute(&self, sql: &str) {
        self.block_on(async {
            let sql = AssertSqlSafe(sql.to_owned());
            if self.is_sqlite() {
                let mut db = sqlite(&self.database).await;
                sqlx::query(sql).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            } else {
                let mut db = postgres(&self.database).await;
                sqlx::query(sql).execute(&mut db).await.unwrap();
                db.close().await.unwrap();
            }
        });
    }

    /// Leaves a transaction open in which this was asked, until what comes back is dropped.
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

    /// The first column of what is found, as text; of all but the bystander.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let of_others = self.bystander.as_ref().map(Bystander::hidden).unwrap_or_default();
        self.try_texts(&format!("{of_others}{sql}"))
            .unwrap_or_else(|| panic!("cannot be read: {sql}"))
    }

    fn try_texts(&self, sql: &str) -> Option<Vec<String>> {
        self.block_on(async {
            let sql = AssertSqlSafe(sql.to_owned());
            if self.is_sqlite() {
                let mut db = sqlite(&self.database).await;
                let rows = sqlx::query(sql).fetch_all(&mut db).await.ok()?;
                rows.iter().map(|row| row.try_get(0).ok()).collect()
            } else {
                let mut db = postgres(&self.database).await;
                let rows = sqlx::query(sql).fetch_all(&mut db).await.ok()?;
                rows.iter().map(|row| row.try_get(0).ok()).collect()
            }
        })
    }

    /// How many rows there are, `FROM` what is given; without those of the bystander.
    pub fn count(&self, from: &str) -> i64 {
        let text = self.texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM vestibule_{from}"));
        text[0].parse().unwrap()
    }

    /// How many transactions of `act` have written to the SQLite file: every commit leaves one page in its
    /// write-ahead log that says how large the database then was (<https://sqlite.org/fileformat2.html#walformat>).
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

    /// Every value of every table, as text: what somebody has who stole a copy.
    pub fn dump(&self) -> String {
        self.dump_without(&[])
    }

    /// The same without some tables.
    pub fn dump_without(&self, left_out: &[&str]) -> String {
        let tables = if self.is_sqlite() {
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        } else {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema()"
        };
        let tables = self.texts(&format!("{tables} ORDER BY 1"));
        assert!(tables.contains(&"vestibule_throttle".to_owned()), "{tables:?}");
        let rows = tables.iter().filter(|table| !left_out.contains(&table.as_str())).map(|table| {
            let row = self.whole_row(table);
            self.texts(&format!("SELECT {row} FROM {table} ORDER BY 1")).join("\n")
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// Promises 17 and 42: a token rests in the database as its SHA-256, and in no other form.
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

    /// What reads a row of a table as one text.
    fn whole_row(&self, table: &str) -> String {
        if self.is_sqlite() {
            let columns = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns = self.try_texts(&columns).unwrap_or_default().into_iter();
            columns.map(|name| format!("quote({name})")).collect::<Vec<_>>().join("||' '||")
        } else {
            format!("CAST({table} AS TEXT)")
        }
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.browser.server.runtime.block_on(future)
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

impl Deref for TestApp {
    type Target = Browser;
    fn deref(&self) -> &Browser {
        &self.browser
    }
}

/// What the service logs stands beside a story that fails.
struct Captured;

impl log::Log for Captured {
    fn enabled(&self, record: &log::Metadata<'_>) -> bool {
        record.target().starts_with("vestibule") && record.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            println!("{:5} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

fn new_runtime() -> Rc<Runtime> {
    Rc::new(Builder::new_current_thread().enable_all().build().unwrap())
}

/// The settings of every test: a database and a data folder of its own.
pub fn settings(folder: &Path, database: &str) -> Figment {
    vestibule::figment()
        .merge(("databases.vestibule.url", database))
        .merge(("log_level", "off"))
        .merge(("secret_key", SECRET_KEY))
        .merge(("vestibule.data_dir", folder.join("data")))
        .merge(("vestibule.password.cost", 4))
        .merge(("vestibule.jobs", false))
}

/// Whether what is slow is to be tested too, and nothing to be left out.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}

/// A database that nobody has used: a file, or a schema on the server of the second run.
async fn fresh_database(folder: &Path) -> String {
    match std::env::var(SECOND_RUN) {
        Ok(server) => fresh_schema(&server).await,
        Err(_) => format!("sqlite:{}", folder.join("test.sqlite3").display()),
    }
}

/// The same for a process of its own; `None` where these stories run on `SQLite`.
pub fn new_postgres_database() -> Option<String> {
    let server = std::env::var(SECOND_RUN).ok()?;
    Some(new_runtime().block_on(fresh_schema(&server)))
}

/// A gate before PostgreSQL, and how this database is reached through it.
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

/// How many connections PostgreSQL has from whoever reaches it by this URL, of which this is true.
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

/// Whether commits on the server of the second run can be made to wait for ever: see `.ci/postgres`.
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

async fn fresh_schema(server: &str) -> String {
    let schema = format!("t{}", uuid::Uuid::now_v7().simple());
    let mut db = postgres(server).await;
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::query(create).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let joint = if server.contains('?') { '&' } else { '?' };
    format!("{server}{joint}application_name={schema}&options=-c%20search_path%3D{schema}")
}

async fn sqlite(url: &str) -> sqlx::SqliteConnection {
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    options.busy_timeout(Duration::from_secs(5)).connect().await.unwrap()
}

async fn postgres(url: &str) -> sqlx::PgConnection {
    sqlx::PgConnection::connect(url).await.expect("TEST_POSTGRES_URL names a running server")
}

impl Server {
    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }
}

/// A letter as somebody reads it.
#[derive(Debug)]
pub struct Letter(SentLetter);

impl Letter {
    /// The path of the link in it.
    pub fn link(&self) -> String {
        let at = self.text.find("http://localhost:8000/").expect("the letter has a link");
        let path = &self.text[at + "http://localhost:8000".len()..];
        path.split_whitespace().next().unwrap().to_owned()
    }

    /// The secret in its link.
    pub fn token(&self) -> String {
        self.link().rsplit('/').next().unwrap().to_owned()
    }
}

impl Deref for Letter {
    type Target = SentLetter;
    fn deref(&self) -> &SentLetter {
        &self.0
    }
}

/// Somebody at a browser.
#[derive(Clone)]
pub struct Browser {
    server: Rc<Server>,
    pub cookies: Rc<RefCell<BTreeMap<String, String>>>,
}

impl Browser {
    fn new(server: Rc<Server>) -> Self {
        Self { server, cookies: Rc::default() }
    }

    /// Opens a page.
    pub fn visit(&self, path: &str) -> Seen {
        self.request(Method::Get, path, &[("Accept", "text/html,*/*;q=0.8")], None)
    }

    /// Opens the page at `path`, fills in its form, and sends it.
    pub fn submit<const N: usize>(&self, path: &str, fields: [(&str, &str); N]) -> Seen {
        self.visit(path).and_submit(fields)
    }

    /// Sends a form that was not read first, as a browser would.
    pub fn post<const N: usize>(&self, path: &str, fields: [(&str, &str); N]) -> Seen {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.post_form(path, &fields)
    }

    fn post_form(&self, path: &str, fields: &[(String, String)]) -> Seen {
        let headers = [
            ("Accept", "text/html,*/*;q=0.8"),
            ("Origin", "http://localhost:8000"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        self.request(Method::Post, path, &headers, Some(&urlencoded(fields)))
    }

    /// What a program sends: a form, and no word about where it comes from.
    pub fn call<const N: usize>(
        &self,
        method: Method,
        path: &str,
        fields: [(&str, &str); N],
    ) -> Seen {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.request(method, path, &[("Accept", "*/*"), form], Some(&urlencoded(&fields)))
    }

    /// What a program sends without a body.
    pub fn ask(&self, method: Method, path: &str) -> Seen {
        self.request(method, path, &[("Accept", "*/*")], None)
    }

    /// What a program sends as JSON.
    pub fn send_json(&self, method: Method, path: &str, body: &str) -> Seen {
        let headers = [("Accept", "*/*"), ("Content-Type", "application/json")];
        self.request(method, path, &headers, Some(body))
    }

    /// Sends anything.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Seen {
        self.server.runtime.block_on(self.dispatch(method, path, headers, body))
    }

    /// Sends the same form `n` times at once; the statuses of the answers.
    pub fn post_at_once<const N: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
    ) -> Vec<u16> {
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = urlencoded(&fields);
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "text/html")];
        let all = (0..n).map(|_| self.dispatch(Method::Post, path, &headers, Some(&body)));
        let seen = self.server.runtime.block_on(rocket::futures::future::join_all(all));
        seen.into_iter().map(|seen| seen.status).collect()
    }

    /// Sends forms at once; the statuses of the answers, in order.
    pub fn send_all<const N: usize>(
        &self,
        requests: impl Iterator<Item = (Method, String, [(String, String); N])>,
    ) -> Vec<u16> {
        let all = requests.map(|(method, path, fields)| async move {
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            self.dispatch(method, &path, &headers, Some(&urlencoded(&fields))).await.status
        });
        self.server.runtime.block_on(rocket::futures::future::join_all(all))
    }

    /// Sends a form `n` times, and once another beside it, all at once; the answers, the other's last.
    pub fn post_beside<const N: usize, const M: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
        other: &str,
        other_fields: [(&str, &str); M],
    ) -> Vec<Seen> {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let own = |fields: &[(&str, &str)]| -> Vec<(String, String)> {
            fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let (body, other_body) = (urlencoded(&own(&fields)), urlencoded(&own(&other_fields)));
        let mut all: Vec<_> =
            (0..n).map(|_| self.dispatch(Method::Post, path, &headers, Some(&body))).collect();
        all.push(self.dispatch(Method::Post, other, &headers, Some(&other_body)));
        self.server.runtime.block_on(rocket::futures::future::join_all(all))
    }

    /// Sends a form `n` times at once, and visits pages before any of that is answered; the statuses
    /// of both.
    pub fn during_storm<const N: usize>(
        &self,
        n: usize,
        path: &str,
        fields: [(&str, &str); N],
        pages: &[&str],
    ) -> (Vec<u16>, Vec<u16>) {
        use rocket::futures::future::{join, join_all};
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let body = urlencoded(&fields);
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let is_over = std::cell::Cell::new(0);
        let storm = join_all((0..n).map(|_| async {
            let seen = self.dispatch(Method::Post, path, &headers, Some(&body)).await;
            is_over.set(is_over.get() + usize::from(seen.status != 503));
            seen.status
        }));
        let visits = async {
            let mut statuses = Vec::new();
            for _ in 0..5 {
                for page in pages {
                    statuses.push(self.dispatch(Method::Get, page, &[], None).await.status);
                }
            }
            assert!(is_over.get() < 25, "the pages were answered during the storm");
            statuses
        };
        self.server.runtime.block_on(join(storm, visits))
    }

    /// Logs one account in `n` times at once from one address, with the cookies of this browser, and beside
    /// that some strangers, `p0@example.com` and so on, each from an address of their own; the statuses.
    pub fn storm_beside_others(&self, n: usize, email: &str, strangers: usize) -> Vec<u16> {
        let form = |email: &str| {
            urlencoded(&[("email".into(), email.into()), ("password".into(), PASSWORD.into())])
        };
        let device = self.cookies.borrow().get("vestibule_device").cloned().unwrap_or_default();
        let own = (0..n).map(|_| ("203.0.113.1".to_owned(), form(email), device.clone()));
        let theirs = (0..strangers).map(|n| {
            (format!("198.51.100.{n}"), form(&format!("p{n}@example.com")), String::new())
        });
        let all = own.chain(theirs).map(|(from, body, device)| async move {
            let cookie = format!("vestibule_device={device}");
            let headers = [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("X-Forwarded-For", &from),
                ("Cookie", &cookie),
            ];
            self.dispatch(Method::Post, "/login", &headers, Some(&body)).await.status
        });
        self.server.runtime.block_on(rocket::futures::future::join_all(all))
    }

    /// Sends anything, for tests that do two things at once.
    pub async fn dispatch(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Seen {
        let mut request = self.server.client().req(method, path.to_owned());
        let named = |wanted: &str| headers.iter().any(|(name, _)| *name == wanted);
        if !named("User-Agent") {
            let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
            request.add_header(Header::new("User-Agent", agent));
        }
        for (name, value) in headers {
            request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
        }
        // The local client reads no `Cookie` header.
        let kept = || {
            let jar = self.cookies.borrow();
            jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        let given = headers.iter().find(|(name, _)| *name == "Cookie").map(|(_, value)| value);
        let cookies = given
            .map_or_else(kept, |value| value.split(';').map(|c| c.trim().to_owned()).collect());
        for cookie in cookies.iter().filter_map(|c| Cookie::parse_encoded(c.clone()).ok()) {
            request = request.cookie(cookie);
        }
        if let Some(body) = body {
            request.add_header(Header::new("Content-Length", body.len().to_string()));
            request.set_body(body);
        }
        let response = request.dispatch().await;
        let status = response.status().code;
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|header| {
                (header.name().to_string().to_ascii_lowercase(), header.value().to_owned())
            })
            .collect();
        let body = response.into_bytes().await.unwrap_or_default();
        for (_, cookie) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            let mut jar = self.cookies.borrow_mut();
            if attributes.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Seen { browser: self.clone(), path: path.to_owned(), status, headers, body }
    }

    /// Signs up by the page.
    pub fn sign_up(&self, email: &str) -> Seen {
        let seen = self.submit("/signup", [("email", email), ("password", PASSWORD)]);
        seen.redirects_to("/profile")
    }

    /// Logs in by the page.
    pub fn log_in(&self, email: &str, password: &str) -> Seen {
        self.submit("/login", [("email", email), ("password", password)])
    }

    /// Presses the button to log out.
    pub fn log_out(&self) -> Seen {
        self.post("/logout", [])
    }

    /// What is inside a sealed cookie; `None` if it is not there or not sealed with the key.
    pub fn unsealed(&self, name: &str) -> Option<String> {
        let value = self.cookies.borrow().get(name)?.clone();
        let cookie = Cookie::parse_encoded(format!("{name}={value}")).ok()?.into_owned();
        let request = self.server.client().get("/").cookie(cookie);
        request.inner().cookies().get_private(name).map(|cookie| cookie.value().to_owned())
    }

    /// The cookie of the session.
    pub fn session_cookie(&self) -> Option<String> {
        self.cookies.borrow().get("session_id").cloned()
    }

    /// Whether this browser is signed in, asking the server.
    #[track_caller]
    pub fn is_signed_in(&self) -> bool {
        let seen = self.ask(Method::Get, "/api/v1/session");
        match seen.status {
            200 => true,
            401 => false,
            _ => panic!("neither signed in nor out: {} {}", seen.status, seen.body),
        }
    }

    /// Another browser with the same cookies: those of a thief, or of a second tab that has not seen later ones.
    pub fn copy(&self) -> Self {
        Self { server: self.server.clone(), cookies: Rc::new(self.cookies.as_ref().clone()) }
    }
}

/// What came back.
pub struct Seen {
    browser: Browser,
    path: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} answered:\n{}", self.path, self.body);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text().contains(text), "{} does not say {text:?}:\n{}", self.path, self.body);
        self
    }

    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(!self.text().contains(text), "{} says {text:?}:\n{}", self.path, self.body);
        self
    }

    #[track_caller]
    pub fn redirects_to(self, path: &str) -> Self {
        assert_eq!(self.status, 303, "{} answered:\n{}", self.path, self.body);
        assert_eq!(self.header("location"), Some(path));
        self
    }

    #[track_caller]
    pub fn is_json(&self, json: &str) {
        let wanted: Value = rocket::serde::json::from_str(json).unwrap();
        assert_eq!(self.json(), wanted);
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        rocket::serde::json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The body as it reads.
    fn text(&self) -> String {
        unescaped(&self.body)
    }

    /// A field of a form on the page.
    #[track_caller]
    pub fn field(&self, name: &str) -> Field {
        let mut inputs =
            self.body.split("<input ").skip(1).filter_map(|rest| rest.split('>').next());
        let input = inputs.find(|input| input.contains(&format!("name=\"{name}\"")));
        let input =
            input.unwrap_or_else(|| panic!("{} has no field {name}:\n{}", self.path, self.body));
        let error = between(&self.body, &format!("id=\"{name}-error\">"), "</p>");
        let is_marked = input.contains("aria-invalid=\"true\"");
        assert_eq!(is_marked, error.is_some(), "a wrong field is marked, and no other: {input}");
        let words = |html: &str| {
            let texts = html.split('<').map(|part| part.rsplit('>').next().unwrap_or(part));
            unescaped(texts.collect::<String>().trim())
        };
        Field {
            value: between(input, "value=\"", "\"").map(unescaped).unwrap_or_default(),
            error: error.map(words).map(|text| text.trim_start_matches("! Error: ").to_owned()),
        }
    }

    /// The title of the page.
    pub fn title(&self) -> String {
        between(&self.body, "<title>", "</title>").map(unescaped).unwrap_or_default()
    }

    /// Sends the form of this page: its hidden and filled-in fields, and what is typed over them.
    #[track_caller]
    pub fn and_submit<const N: usize>(&self, typed: [(&str, &str); N]) -> Seen {
        let forms: Vec<&str> = self.body.split("<form ").skip(1).collect();
        // The first one in the page's main part; the header has one to log out.
        let form = forms
            .iter()
            .find(|form| {
                let own = form.split("</form>").next().unwrap();
                typed.iter().all(|(name, _)| own.contains(&format!("name=\"{name}\"")))
                    && !own.contains("action=\"/logout\"")
            })
            .unwrap_or_else(|| panic!("{} has no such form:\n{}", self.path, self.body));
        let form = form.split("</form>").next().unwrap();
        let opening = form.split('>').next().unwrap();
        assert!(opening.contains("method=\"post\""), "a form that changes something posts");
        let action = between(opening, "action=\"", "\"").unwrap_or(&self.path);
        let mut fields: Vec<(String, String)> = Vec::new();
        for input in form.split("<input ").skip(1) {
            let input = input.split('>').next().unwrap();
            let Some(name) = between(input, "name=\"", "\"") else { continue };
            let ticked = !input.contains("type=\"checkbox\"") || input.contains(" checked");
            let value = between(input, "value=\"", "\"").map(unescaped).unwrap_or_default();
            if ticked {
                fields.push((name.to_owned(), value));
            }
        }
        for (name, value) in typed {
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), value.to_owned()));
        }
        self.browser.post_form(action, &fields)
    }
}

/// A field as a person sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    pub value: String,
    /// What stands beside it.
    pub error: Option<String>,
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

fn unescaped(html: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(html.to_owned(), |text, (escape, c)| text.replace(escape, c))
}

/// `application/x-www-form-urlencoded`
pub fn urlencoded(fields: &[(String, String)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(b).to_string()
                }
                _ => format!("%{b:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}
