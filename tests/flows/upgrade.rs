//! Upgrades from the previous version. `PREVIOUS_VESTIBULE` names its program.

use std::io::Write;
use std::time::{Duration, Instant};

use rocket::http::Method;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use vestibule::Clock;

use crate::harness::postgres::run_on_server;
use crate::harness::process::{
    Process, answer, command, command_of, form_post, new_folder, session_cookie, sign_up_form,
};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, SECRET_KEY, TestApp, postgres, settings};

const PREVIOUS: &str = "PREVIOUS_VESTIBULE";

/// The service in the previous version; `None`, with a message, without it; in CI that is a failure.
fn start_previous(folder: &TempDir) -> Option<Process> {
    let Some(program) = std::env::var_os(PREVIOUS) else {
        assert!(!crate::harness::in_ci(), "{PREVIOUS} must be set in CI");
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: no upgrade was tested. Set {PREVIOUS} to the program of the last version to do so.\n"
        );
        return None;
    };
    Some(Process::run(command_of(program, folder.path(), &[])))
}

fn log_in(at: &Process, email: &str, password: &str) -> String {
    let form = format!("email={email}&password={}", password.replace(' ', "+"));
    let seen = answer(at.post("/login", &form));
    session_cookie(&seen).unwrap_or_else(|| panic!("{seen}")).to_owned()
}

fn is_signed_in(at: &Process, cookie: &str) -> bool {
    let request = format!(
        "GET /profile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
    );
    answer(at.send(&request)).starts_with("HTTP/1.1 200")
}

fn post(at: &Process, cookie: &str, path: &str, form: &str) -> String {
    let with_cookie = format!("Cookie: session_id={cookie}\r\nContent-Type");
    answer(at.send(&form_post(path, form).replacen("Content-Type", &with_cookie, 1)))
}

/// Promise 87: no account is lost, and sessions continue; the previous version says why it does not start with the
/// new tables.
#[test]
fn a_database_of_the_previous_version_is_taken_over() {
    let folder = new_folder();
    let Some(previous) = start_previous(&folder) else { return };
    assert!(previous.sign_up("ada@example.com").contains("303 See Other"));
    let cookie = log_in(&previous, "ada@example.com", PASSWORD);
    previous.signal("-TERM");
    assert!(previous.end().0.success());

    let service = Process::start(folder.path(), &[]);
    assert!(is_signed_in(&service, &cookie));
    log_in(&service, "ada@example.com", PASSWORD);
    let taken = answer(service.post("/users", &sign_up_form("ada@example.com")));
    assert!(taken.contains("already registered"), "{taken}");
    service.signal("-TERM");
    assert!(service.end().0.success());

    let program = std::env::var_os(PREVIOUS).unwrap();
    let refused = command_of(program, folder.path(), &[]).output().unwrap();
    let log = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && log.contains("migration"), "{log}");
}

/// Rolling upgrade: while the nodes of several are replaced one by one, those of both versions serve the same
/// people from the same tables.
#[test]
fn nodes_of_the_version_before_serve_beside_those_of_this_one() {
    if crate::harness::postgres::new_postgres_database().is_none() {
        return;
    }
    let folder = new_folder();
    let Some(previous) = start_previous(&folder) else { return };
    assert!(previous.sign_up("ada@example.com").contains("303 See Other"));
    let service = Process::run(command(folder.path(), &[]));
    let passwords = [PASSWORD, NEW_PASSWORD, PASSWORD];
    for (n, (here, there)) in [(&previous, &service), (&service, &previous)].iter().enumerate() {
        let email = format!("p{n}@example.com");
        assert!(here.sign_up(&email).contains("303 See Other"));
        log_in(there, &email, PASSWORD);
        // A changed password counts on the other one, and so does what it ends.
        let old = log_in(there, "ada@example.com", passwords[n]);
        let own = log_in(here, "ada@example.com", passwords[n]);
        assert!(is_signed_in(here, &old) && is_signed_in(there, &own));
        let [from, to] = [passwords[n], passwords[n + 1]].map(|text| text.replace(' ', "+"));
        let form = format!("password={from}&new_password={to}");
        let changed = post(here, &own, "/password-change", &form);
        let renewed = session_cookie(&changed).unwrap_or_else(|| panic!("{changed}"));
        assert!(is_signed_in(there, renewed));
        assert!(!is_signed_in(here, &old) && !is_signed_in(here, &own));
        log_in(there, "ada@example.com", passwords[n + 1]);
        let asked = answer(here.post("/password-reset", &format!("email={email}")));
        // 0.1 answers with the page itself.
        assert!(asked.contains("200 OK") || asked.contains("303 See Other"), "{asked}");
        assert!(post(there, renewed, "/logout", "").contains("303 See Other"));
        assert!(!is_signed_in(there, renewed));
    }
    for node in [previous, service] {
        node.signal("-TERM");
        let (status, log) = node.end();
        assert!(status.success());
        let faults: Vec<_> = log.iter().filter(|line| line.contains(" ERROR ")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// Promise 87, row by row: an installation of 0.1 with accounts, sessions, links and waiting messages is the same
/// afterwards, and works.
#[test]
fn every_row_of_the_previous_version_is_taken_over() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/profile");
    app.other_browser()
        .post("/password-reset", [("email", "ada@example.com")])
        .redirects_to("/password-reset-sent");
    let reset = app.last_email().link();
    app.submit("/profile", [("name", "Ada")]).redirects_to("/profile");
    app.other_browser().log_in("ada@example.com", "not the password").is(401);
    app.other_browser().sign_up("bob@example.com");
    let cookie = format!("session_id={}", app.session_cookie().unwrap());
    let compared = |app: &TestApp| {
        app.dump_without(&["vestibule_health", "vestibule_migrations", "_sqlx_migrations"])
    };
    let before = compared(&app);
    back_to_0_1(&app);
    let app = app.restarted();
    forget_0_1(&app);
    assert_eq!(compared(&app), before);
    assert_eq!(tables(&app).iter().filter(|table| !table.starts_with("vestibule_")).count(), 1);
    let profile = app.request(Method::Get, "/profile", &[("Cookie", &cookie)], None);
    profile.is(200).says("Ada");
    assert_eq!(app.last_email().to, "bob@example.com");
    app.visit(&reset).is(200);
    app.restarted().log_in("ada@example.com", PASSWORD).redirects_to("/profile");
}

/// A host app may have migrations of its own in the same database: they are not ours.
#[test]
fn migrations_of_a_host_are_left_alone() {
    let app = TestApp::new();
    run(&app, &MIGRATIONS_OF_A_HOST);
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    app.sql("DROP TABLE vestibule_health");
    let app = app.restarted();
    app.sign_up("ada@example.com").redirects_to("/profile");
    assert_eq!(tables(&app).iter().filter(|table| !table.starts_with("vestibule_")).count(), 2);
}

/// The same for a first start in the database of a host: there is nothing of version 0.1 to take over.
#[test]
fn a_first_start_leaves_the_migrations_of_a_host_alone() {
    let folder = TempDir::new().unwrap();
    let url = postgres::new_postgres_database().unwrap_or_else(|| {
        format!("sqlite:{}?mode=rwc", folder.path().join("host.sqlite3").display())
    });
    let runtime = rocket::tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run_at(&url, &MIGRATIONS_OF_A_HOST));
    let settings = [("VESTIBULE_DATABASE_URL", &*url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let service = Process::start(folder.path(), &settings);
    assert!(service.sign_up(ADA).contains("303 See Other"));
    runtime.block_on(run_at(&url, &["INSERT INTO users VALUES ('theirs')"]));
}

/// A host has a table `users` of its own, and a first migration with the number of ours.
const MIGRATIONS_OF_A_HOST: [&str; 3] = [
    "CREATE TABLE users (id TEXT)",
    "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT, success BOOLEAN, checksum BYTEA)",
    "INSERT INTO _sqlx_migrations VALUES (1, 'accounts', true, 'theirs')",
];

/// Promise 87: what foreign keys that were off, or a hand, have left behind stops no upgrade.
#[test]
fn rows_that_belong_to_nobody_are_left_out() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    run(&app, &["DELETE FROM health"]);
    if app.is_sqlite() {
        run(
            &app,
            &[
                "PRAGMA foreign_keys = OFF",
                "INSERT INTO sessions SELECT randomblob(32), randomblob(16), randomblob(16), 0, 1, 1, 1, 1, '', ''",
                "INSERT INTO outbox (id, letter, user_id, device, network, attempts, created_at, due_at) \
                 VALUES (randomblob(16), 'verify-email', randomblob(16), '', '', 0, 1, 1)",
            ],
        );
    }
    let app = app.restarted();
    forget_0_1(&app);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    app.emails_do_not_matter();
}

/// Promise 87: a host's own rows are never deleted with ours: the upgrade is refused while something depends on the old tables,
/// and 0.1 can go on.
#[test]
fn an_upgrade_deletes_nothing_of_a_host() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    let id = if app.is_sqlite() { "BLOB" } else { "UUID" };
    let notes =
        format!("CREATE TABLE notes (owner {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE)");
    run(&app, &[&notes, "INSERT INTO notes SELECT id FROM users"]);
    refuses(&app, "notes");
    assert_eq!(count(&app, "notes"), "2", "the bystander's as well");
    assert_eq!(count(&app, "_sqlx_migrations"), "7");
    run(&app, &["DROP TABLE notes"]);
    let app = app.restarted();
    forget_0_1(&app);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 87: the first node changes the tables while the others wait for them, and find them changed.
#[test]
fn several_nodes_take_the_tables_over_at_once() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    let (folder, url) = (TempDir::new().unwrap(), app.database().to_owned());
    let settings = [("VESTIBULE_DATABASE_URL", &*url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let node = |_| command(folder.path(), &settings).arg("migrate").spawn().unwrap();
    let nodes: Vec<_> = (0..4).map(node).collect();
    for node in nodes {
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let app = app.restarted();
    forget_0_1(&app);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 87: a table that is missing for another reason does not keep a start waiting.
#[test]
fn an_upgrade_of_incomplete_tables_fails_soon() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    run(&app, &["ALTER TABLE health RENAME TO gone"]);
    let begun_at = Instant::now();
    assert!(!app.can_start(Clock::stopped(), |figment| figment));
    assert!(begun_at.elapsed() < Duration::from_secs(20), "{:?}", begun_at.elapsed());
    run(&app, &["ALTER TABLE gone RENAME TO health"]);
    let app = app.restarted();
    forget_0_1(&app);
}

/// Promise 87: nor are a host's columns, triggers and views.
#[test]
fn an_upgrade_drops_no_column_trigger_or_view_of_a_host() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    run(&app, &["CREATE TABLE counted (n INTEGER)", "CREATE TABLE app_users (n INTEGER)"]);
    run(&app, &["CREATE VIEW staff AS SELECT n FROM app_users"]);
    let (trigger, no_trigger) = if app.is_sqlite() {
        (
            "CREATE TRIGGER counts AFTER INSERT ON users BEGIN INSERT INTO counted VALUES (1); END",
            "DROP TRIGGER counts",
        )
    } else {
        (
            "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER counts AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION counts()",
            "DROP TRIGGER counts ON users",
        )
    };
    let mut in_the_way = vec![
        ("ALTER TABLE users ADD COLUMN plan TEXT", "users", "ALTER TABLE users DROP COLUMN plan"),
        ("ALTER TABLE events ADD COLUMN seen TEXT", "seen", "ALTER TABLE events DROP COLUMN seen"),
        (trigger, "counts", no_trigger),
        ("CREATE VIEW people AS SELECT name FROM users", "people", "DROP VIEW people"),
    ];
    if app.is_sqlite() {
        in_the_way.push((
            "CREATE TRIGGER greets AFTER INSERT ON counted BEGIN UPDATE Users SET name = NULL; END",
            "greets",
            "DROP TRIGGER greets",
        ));
    } else {
        in_the_way.extend([
            ("CREATE TABLE heirs () INHERITS (users)", "heirs", "DROP TABLE heirs"),
            ("CREATE TABLE kept (person users)", "kept", "DROP TABLE kept"),
            (
                "CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS 'SELECT * FROM users'",
                "all_users",
                "DROP FUNCTION all_users",
            ),
            ("CREATE POLICY own ON users USING (TRUE)", "own", "DROP POLICY own ON users"),
        ]);
    }
    for (made, named, removed) in in_the_way {
        run(&app, &[made]);
        refuses(&app, named);
        run(&app, &[removed]);
    }
    let app = app.restarted();
    forget_0_1(&app);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(count(&app, "staff"), "0");
}

/// A migration of 0.1 that broke off, or whose row is lost, is not done again on the same tables.
#[test]
fn an_unfinished_migration_of_0_1_is_named() {
    let app = TestApp::with_ada();
    back_to_0_1(&app);
    run(&app, &["UPDATE _sqlx_migrations SET success = FALSE WHERE version = 3"]);
    refuses(&app, "migration 3 of version 0.1");
    run(&app, &["UPDATE _sqlx_migrations SET success = TRUE WHERE version = 3"]);
    run(&app, &["CREATE TABLE lost AS SELECT * FROM _sqlx_migrations WHERE version = 4"]);
    run(&app, &["DELETE FROM _sqlx_migrations WHERE version = 4"]);
    refuses(&app, "migration 4 of version 0.1");
    run(&app, &["INSERT INTO _sqlx_migrations SELECT * FROM lost"]);
    let app = app.restarted();
    forget_0_1(&app);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// A start and `vestibule check` name what is in the way.
fn refuses(app: &TestApp, named: &str) {
    assert!(!app.can_start(Clock::stopped(), |figment| figment));
    let figment = settings(app.folder.path(), app.database());
    let said = app.block_on(vestibule::check(figment)).to_string();
    let refusal = said.split("A start would fail: ").nth(1);
    assert!(refusal.is_some_and(|why| why.contains(named)), "{named}: {said}");
}

/// A schema may have a name with capitals.
#[test]
fn a_schema_with_capitals_is_taken_over() {
    let app = TestApp::with_ada();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT CAST(current_schema() AS TEXT)").remove(0);
    back_to_0_1(&app);
    let rename = |from: &str, to: &str| {
        run_on_server(&format!("ALTER SCHEMA \"{from}\" RENAME TO \"{to}\""));
    };
    let capitals = format!("S{schema}");
    rename(&schema, &capitals);
    let url = app
        .database()
        .replace(&format!("search_path%3D{schema}"), &format!("search_path%3D%22{capitals}%22"));
    assert!(app.can_start(Clock::stopped(), |figment| {
        figment.merge(("databases.vestibule.url", &url)).merge(("vestibule.database_url", &url))
    }));
    rename(&capitals, &schema);
    forget_0_1(&app);
    app.restarted().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 87: tables that another schema hides are not begun anew: every account would seem to be gone.
#[test]
fn a_schema_that_comes_first_is_refused() {
    let app = TestApp::with_ada();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT CAST(current_schema() AS TEXT)").remove(0);
    let front = format!("front_{schema}");
    app.sql(&format!("CREATE SCHEMA {front}"));
    let url = app.database().replace(&format!("%3D{schema}"), &format!("%3D{front}%2C{schema}"));
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    app.sql("DROP TABLE vestibule_health");
    assert!(!app.can_start(Clock::stopped(), |figment| {
        figment.merge(("databases.vestibule.url", &url)).merge(("vestibule.database_url", &url))
    }));
    app.restarted().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Removes what nodes of 0.1 need to serve beside this one, as a later version will.
pub fn forget_0_1(app: &TestApp) {
    if !app.is_sqlite() {
        run(
            app,
            &[
                "DROP VIEW users",
                "DROP TRIGGER vestibule_password_for_0_1 ON vestibule_passwords",
                "DROP TRIGGER vestibule_password_of_0_1 ON vestibule_users",
                "ALTER TABLE vestibule_users DROP COLUMN password_hash, DROP COLUMN password_version",
            ],
        );
    }
}

fn run(app: &TestApp, statements: &[&str]) {
    app.block_on(run_at(app.database(), statements));
}

async fn run_at(url: &str, statements: &[&str]) {
    let script = AssertSqlSafe(statements.join("; "));
    if url.starts_with("sqlite") {
        let mut db = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(script).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    } else {
        let mut db = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(script).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }
}

fn count(app: &TestApp, table: &str) -> String {
    app.block_on(async {
        let sql = AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}"));
        if app.is_sqlite() {
            let mut db = sqlx::SqliteConnection::connect(app.database()).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap()
        } else {
            let mut db = sqlx::PgConnection::connect(app.database()).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap()
        }
    })
}

/// Reverts `take_over.sql`.
const BACK_TO_0_1: &str = "\
    INSERT INTO users SELECT id, email, email_key, name, hash, email_verified_at, disabled_at, created_at, version, \
    charged_key, charged_millis FROM vestibule_users JOIN vestibule_passwords ON user_id = id; \
    INSERT INTO sessions SELECT * FROM vestibule_sessions; \
    INSERT INTO renewed_sessions SELECT * FROM vestibule_renewed_sessions; \
    INSERT INTO tokens SELECT digest, purpose, user_id, recipient, created_at, expires_at, message_id \
    FROM vestibule_links; \
    INSERT INTO used_tokens SELECT * FROM vestibule_used_links; \
    INSERT INTO outbox (id, letter, user_id, email_key, device, network, attempts, created_at, due_at, uncounted_key, \
    priority, site_key, domain_key, refusals) SELECT id, message, user_id, CASE WHEN user_id IS NULL THEN recipient END, \
    device, ip, attempts, created_at, due_at, quota_key, priority, site_key, domain_key, refusals FROM vestibule_outbox; \
    INSERT INTO throttle SELECT * FROM vestibule_throttle; \
    INSERT INTO events SELECT id, at, kind, user_id, ip, user_agent FROM vestibule_events; \
    UPDATE health SET key_fingerprint = (SELECT key_fingerprint FROM vestibule_health); \
    DROP TABLE vestibule_outbox; DROP TABLE vestibule_used_links; DROP TABLE vestibule_links; \
    DROP TABLE vestibule_renewed_sessions; DROP TABLE vestibule_sessions; DROP TABLE vestibule_former_emails; DROP TABLE vestibule_passwords; \
    DROP TABLE vestibule_users; DROP TABLE vestibule_throttle; DROP TABLE vestibule_events; \
    DROP TABLE vestibule_health; DROP TABLE vestibule_migrations";

/// Makes the tables those of version 0.1, with the same rows.
pub fn back_to_0_1(app: &TestApp) {
    app.block_on(async {
        if app.is_sqlite() {
            let mut db = sqlx::SqliteConnection::connect(app.database()).await.unwrap();
            sqlx::migrate!("src/auth/store/migrations/0.1/sqlite").run(&mut db).await.unwrap();
            sqlx::raw_sql(BACK_TO_0_1).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        } else {
            let mut db = sqlx::PgConnection::connect(app.database()).await.unwrap();
            sqlx::migrate!("src/auth/store/migrations/0.1/postgres").run(&mut db).await.unwrap();
            sqlx::raw_sql(BACK_TO_0_1).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        }
    });
}

fn tables(app: &TestApp) -> Vec<String> {
    app.texts(if app.is_sqlite() {
        "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"
    } else {
        "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
    })
}
