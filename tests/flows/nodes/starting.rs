//! Starting a node beside others.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vestibule::Clock;

use crate::harness::process::command;
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, SECRET_KEY, TestApp, postgres, settings};
use crate::proxies::{self, Proxy};

/// Promise 53: a start that dies during a migration blocks others only for a short time.
#[test]
fn a_dead_start_releases_the_tables() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up(ADA);
    // As if the last version had no outbox, which references the users.
    app.sql("DELETE FROM vestibule_migrations WHERE version IN (2, 7)");
    app.sql("DROP TABLE vestibule_outbox");
    let (gate, url) = app.gate();
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    gate.swallow("COMMIT");
    let mut gone = command(folder.path(), &settings).stderr(Stdio::null()).spawn().unwrap();
    gate.has_swallowed();
    gone.kill().unwrap();
    gone.wait().unwrap();
    let begun_at = Instant::now();
    let form = [("email", ADA), ("password", PASSWORD)];
    while app.other_browser().post("/login", form).status != 303 {
        assert!(
            begun_at.elapsed() < Duration::from_secs(60),
            "everybody waits for a process that is gone"
        );
    }
}

/// The port is closed until the service can answer; a start that gets no answer says so and exits.
#[test]
fn a_start_that_hears_nothing_keeps_its_port_closed_and_ends() {
    let Some(database) = postgres::new_postgres_database() else { return };
    let (gate, url) = postgres::gate_before(&database);
    let folder = TempDir::new().unwrap();
    let port = proxies::free_port();
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_PORT", &port.to_string()),
    ];
    gate.swallow("vestibule_migrations");
    let child = command(folder.path(), &settings).spawn().unwrap();
    gate.has_swallowed();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains("no answer from the server"), "{log}");
}

/// A node with another key could read no session, and would count attempts in other buckets.
#[test]
fn a_node_with_another_secret_key_does_not_start() {
    let app = TestApp::new();
    let other = "zIfyNRsQk1lcAfRMgLn0wS8yQyxuPlJbSNxTpgPVzcE=";
    let change = |figment: figment::Figment| figment.merge(("secret_key", other));
    // SQLite has one node: changing its key means signing everybody out.
    assert_eq!(app.can_start(Clock::stopped(), change), app.is_sqlite());
    assert!(app.can_start(Clock::stopped(), |figment| figment) || app.is_sqlite());
}

/// Rolling upgrade: a node of this version starts with the tables of a later one.
#[test]
fn tables_of_a_later_version_stop_no_node() {
    let app = TestApp::new();
    app.sql(
        "INSERT INTO vestibule_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, 'later', true, '', 0)",
    );
    app.restarted().sign_up(ADA).redirects_to("/profile");
}

/// Rolling upgrade: a start that must change a table which is being read waits for it, and lets other statements
/// pass.
#[test]
fn a_start_that_waits_for_a_table_says_so_and_delays_nobody() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up(ADA);
    // As if the last version had no outbox, which references the users.
    app.sql("DELETE FROM vestibule_migrations WHERE version IN (2, 7)");
    app.sql("DROP TABLE vestibule_outbox");
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", app.database()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let refusal = command(folder.path(), &settings)
        .env("ROCKET_DATABASES__VESTIBULE__MIGRATE", "false")
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success() && log.contains("run `vestibule migrate`"), "{log}");
    for held in
        ["LOCK TABLE vestibule_users IN ROW EXCLUSIVE MODE", "LOCK TABLE vestibule_migrations"]
    {
        let holder = app.hold(held);
        let mut child = command(folder.path(), &settings).arg("migrate").spawn().unwrap();
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("another process holds them: waiting for it (process ") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it waits");
        }
        assert!(line.contains("idle in transaction"), "{line}");
        app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
        drop(holder);
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(app.count("migrations WHERE version = 2"), 1);
    assert!(app.can_start(Clock::stopped(), |figment| {
        figment.merge(("databases.vestibule.migrate", false))
    }));
}

/// A pooler mixes up the state of connections: the start and `vestibule check` detect it in all of its modes, however it
/// treats the options of a connection.
#[test]
fn a_pooler_is_refused_with_a_reason() {
    let Some(url) = postgres::new_postgres_database() else { return };
    let folder = TempDir::new().unwrap();
    let server: url::Url = url.parse().unwrap();
    let (host, port) = (server.host_str().unwrap(), server.port().unwrap_or(5432));
    let modes = ["session", "transaction", "statement"];
    let treatments = [
        ("extra_float_digits", "is a pooler"),
        ("extra_float_digits,options", "drops the options of a connection"),
    ];
    for (mode, (ignored, words)) in modes.iter().flat_map(|mode| treatments.map(|how| (mode, how)))
    {
        let front = proxies::free_port();
        let text = format!(
            "[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {front}\nauth_type = any\nunix_socket_dir =\npool_mode = {mode}\n\
             ignore_startup_parameters = {ignored}\n"
        );
        let config = folder.path().join("pgbouncer.ini");
        std::fs::write(&config, text.replace("* = host", "postgres = user=vestibule host"))
            .unwrap();
        // It refuses to run as root.
        let is_root = std::os::unix::fs::MetadataExt::uid(&folder.path().metadata().unwrap()) == 0;
        let user = if is_root { &["-u", "nobody"][..] } else { &[] };
        let all = [user, &[config.to_str().unwrap()]].concat();
        let Some(_pooler) = Proxy::start("pgbouncer", folder.path(), &all, front) else { return };
        let mut through = server.clone();
        through.set_port(Some(front)).unwrap();
        let settings =
            [("VESTIBULE_DATABASE_URL", through.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
        // The second one meets the connection to PostgreSQL that the first one has left.
        for _ in 0..2 {
            let output = command(folder.path(), &settings).output().unwrap();
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && log.contains(words), "{mode}: {log}");
        }
        let check = command(folder.path(), &settings).arg("check").stdout(Stdio::piped()).output();
        let said = String::from_utf8_lossy(&check.unwrap().stdout).into_owned();
        let refusal = said.split("A start would fail: ").nth(1).unwrap_or_default();
        assert!(refusal.contains(words), "{mode}: {said}");
    }
}

/// What the start says about a server that it cannot use.
#[test]
fn a_server_that_cannot_be_used_is_named_with_the_cause() {
    let Some(url) = postgres::new_postgres_database() else { return };
    let folder = TempDir::new().unwrap();
    let start = |url: &str| {
        let settings = [("VESTIBULE_DATABASE_URL", url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
        let output = command(folder.path(), &settings).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let port = proxies::free_port();
    let log = start(&format!("postgres://vestibule@127.0.0.1:{port}/postgres"));
    assert!(log.contains(&format!("127.0.0.1:{port}")) && log.contains("refused"), "{log}");
    let name = format!("latin{port}");
    postgres::run_on_server(&format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    ));
    let mut latin: url::Url = url.parse().unwrap();
    latin.set_path(&name);
    latin.set_query(None);
    let log = start(latin.as_str());
    assert!(log.contains("ENCODING 'UTF8'"), "{log}");
    postgres::run_on_server(&format!("DROP DATABASE {name}"));
}

/// A role that cannot write starts, in case that passes, and `vestibule check` says that nobody can sign in.
#[test]
fn a_role_that_cannot_write_is_reported() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT current_schema()").remove(0);
    let role = format!("reader_{schema}");
    app.sql(&format!("CREATE ROLE {role} LOGIN"));
    app.sql(&format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"));
    app.sql(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let mut url: url::Url = app.database().parse().unwrap();
    url.set_username(&role).unwrap();
    let check = || {
        let figment = settings(app.folder.path(), url.as_str());
        app.block_on(vestibule::check(figment)).to_string()
    };
    assert!(!check().contains("rights"), "{}", check());
    app.sql(&format!("REVOKE INSERT ON vestibule_links FROM {role}"));
    assert!(check().contains("DELETE ON vestibule_links TO it"), "{}", check());
    app.sql(&format!("ALTER ROLE {role} SET default_transaction_read_only = on"));
    assert!(check().contains("POSTGRESQL TAKES NO WRITES"), "{}", check());
    // If the tables must be changed, the start fails.
    let mut empty = url.clone();
    app.sql(&format!("CREATE SCHEMA empty_{schema} AUTHORIZATION {role}"));
    let options = format!("options=-c%20search_path%3Dempty_{schema}");
    empty.set_query(Some(&options));
    let figment = settings(app.folder.path(), empty.as_str());
    let said = app.block_on(vestibule::check(figment)).to_string();
    assert!(!said.contains("would succeed") && said.contains("takes no writes"), "{said}");
    assert!(!app.can_start(Clock::stopped(), |figment| {
        figment.merge(("databases.vestibule.url", empty.as_str()))
    }));
    app.sql(&format!("DROP SCHEMA empty_{schema}"));
    app.sql(&format!("DROP OWNED BY {role}"));
    app.sql(&format!("DROP ROLE {role}"));
}

/// Least privilege: after the migration, a role that may only read and write the tables can start.
#[test]
fn a_role_without_ddl_rights_is_enough() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT current_schema()").remove(0);
    let role = format!("role_{schema}");
    app.sql(&format!("CREATE ROLE {role} LOGIN"));
    app.sql(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
    let mut url: url::Url = app.database().parse().unwrap();
    url.set_username(&role).unwrap();
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let refusal = command(folder.path(), &settings).output().unwrap();
    let log = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert!(!refusal.status.success() && log.contains("GRANT SELECT"), "{log}");
    app.sql(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let app =
        app.restarted_with(|figment| figment.merge(("databases.vestibule.url", url.as_str())));
    app.sign_up(ADA).redirects_to("/profile");
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    app.emails();
}
