//! The network to PostgreSQL: connections that hang, and lost packets.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{STATEMENT_TIMEOUT, behind_a_gate};
use crate::harness::mail_server::MailServer;
use crate::harness::process::{Process, answer, ask, command, form_post, sign_up_form};
use crate::harness::{ADA, PASSWORD, SECRET_KEY, TestApp, postgres};

fn log_in(service: &Process) -> String {
    let form = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    answer(service.post("/login", &form))
}

/// Promise 53: an address moves away from a dead host. No connection notices, and new ones work.
#[test]
fn a_network_failure_is_survived() {
    let mail = MailServer::start(vec![]);
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let settings = [("VESTIBULE_MAIL__SMTP_URL", smtp.as_str()), (STATEMENT_TIMEOUT, "1")];
    let Some((gate, service, _folder)) = behind_a_gate(&settings) else { return };
    service.sign_up(ADA);
    assert!(mail.email().contains(ADA));
    let mut failures = 0;
    for _ in 0..3 {
        gate.silence();
        while !log_in(&service).starts_with("HTTP/1.1 303") {
            failures += 1;
            assert!(failures < 20, "it never comes back");
        }
    }
    // The delivery job's own connections were silenced as well.
    let asked = answer(service.post("/password-reset", "email=ada%40example.com"));
    assert!(asked.starts_with("HTTP/1.1 303"), "{asked}");
    assert!(mail.email().contains("/password-reset/"));
}

/// Promise 54: a commit gets no answer, and the service is told to stop.
#[test]
fn a_commit_that_hangs_does_not_keep_a_stop_waiting() {
    let settings = [("ROCKET_SHUTDOWN__GRACE", "1"), (STATEMENT_TIMEOUT, "600")];
    let Some((gate, service, _folder)) = behind_a_gate(&settings) else { return };
    gate.swallow("COMMIT");
    let _waits = service.post("/signup", &sign_up_form(ADA));
    gate.has_swallowed();
    service.signal("-TERM");
    assert!(service.ends_within(Duration::from_secs(20)));
}

/// While commits hang, a node takes no more connections than documented: others need some too.
#[test]
fn connections_that_hang_are_counted() {
    let settings =
        [("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "2"), (STATEMENT_TIMEOUT, "1")];
    let Some(database) = postgres::new_postgres_database() else { return };
    let (gate, url) = postgres::gate_before(&database);
    let folder = TempDir::new().unwrap();
    let settings =
        [&settings[..], &[("VESTIBULE_DATABASE_URL", &url), ("ROCKET_SECRET_KEY", SECRET_KEY)]];
    let service = Process::start(folder.path(), &settings.concat());
    gate.swallow("COMMIT");
    for n in 0..10 {
        let seen = service.sign_up(&format!("p{n}@example.com"));
        assert!(seen.starts_with("HTTP/1.1 503"), "{seen}");
        // Two of the pool, twice as many abandoned ones, and one that finds out the reason.
        let connections = postgres::connections(&database, "TRUE");
        assert!(connections <= 7, "{connections}");
    }
}

/// The same for statements that get no answer: PostgreSQL does not hear that the node has given them up, and keeps
/// their connections for a minute.
#[test]
fn connections_that_are_given_up_are_counted_until_postgresql_notices() {
    let settings = [
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "2"),
        ("ROCKET_DATABASES__VESTIBULE__CONNECT_TIMEOUT", "1"),
        (STATEMENT_TIMEOUT, "1"),
    ];
    let Some((gate, url)) =
        postgres::new_postgres_database().map(|url| postgres::gate_before(&url))
    else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let settings =
        [&settings[..], &[("VESTIBULE_DATABASE_URL", &url), ("ROCKET_SECRET_KEY", SECRET_KEY)]];
    let service = Process::start(folder.path(), &settings.concat());
    gate.swallow("vestibule_links AS links");
    for _ in 0..12 {
        let seen = service.get("/password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q");
        assert!(seen.starts_with("HTTP/1.1 503"), "{seen}");
        // Two of the pool, twice as many abandoned ones, and two that find out the reason.
        let connections = postgres::connections(&url, "TRUE");
        assert!(connections <= 8, "{connections}");
    }
}

/// Promise 53: the standby for which every commit waits is lost. Pages can still be read, PostgreSQL has
/// connections left for others, and what would hang forever is terminated.
#[test]
fn commits_that_wait_for_a_standby_that_is_gone_are_ended() {
    let app = TestApp::new();
    if app.is_sqlite() || !postgres::has_a_standby_that_is_gone() {
        return;
    }
    app.sign_up(ADA);
    let page = format!(
        "GET /profile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={}\r\n\r\n",
        app.session_cookie().unwrap()
    );
    let url = app
        .database()
        .replace("application_name=", "application_name=waits_")
        .replace("&options=", "&options=-c%20synchronous_commit%3Don%20");
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "4"),
        (STATEMENT_TIMEOUT, "1"),
    ];
    let folder = TempDir::new().unwrap();
    // A migration does not wait for the standby: it holds locks until it is committed.
    let key = app.texts("SELECT encode(key_fingerprint, 'hex') FROM vestibule_health").remove(0);
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    app.sql("DROP TABLE vestibule_health");
    assert!(command(folder.path(), &settings).arg("migrate").status().unwrap().success());
    app.sql(&format!("UPDATE vestibule_health SET key_fingerprint = decode('{key}', 'hex')"));
    let service = Process::start(folder.path(), &settings);
    let (port, request) = (service.port, form_post("/login", &sign_up_form(ADA)));
    std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| [(); 3].map(|()| ask(port, &request).unwrap())))
            .collect();
        while crowd.iter().any(|one| !one.is_finished()) {
            // Four of the pool, twice as many abandoned ones, and one that terminates them.
            let connections = postgres::connections(&url, "TRUE");
            assert!(connections <= 13, "{connections}");
            let seen = answer(service.send(&page));
            assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
            let seen = service.get("/health/ready");
            assert!(seen.starts_with("HTTP/1.1 503"), "{seen}");
        }
        for answer in crowd.into_iter().flat_map(|one| one.join().unwrap()) {
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        }
    });
    let begun_at = Instant::now();
    while postgres::connections(&url, "wait_event = 'SyncRep'") > 0 {
        assert!(begun_at.elapsed() < Duration::from_secs(60), "they wait for ever");
    }
}
