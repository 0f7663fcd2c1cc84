//! Health checks for load balancers.

use std::time::{Duration, Instant};

use rocket::serde::json::Value;
use tempfile::TempDir;

use super::{STATEMENT_TIMEOUT, behind_a_gate};
use crate::harness::process::{Process, answer, new_folder};
use crate::harness::{ADA, SECRET_KEY, TestApp, postgres};

/// Promise 55: a readiness check gets an answer even if its test write hangs.
#[test]
fn readiness_answers_even_if_its_check_hangs() {
    let Some((gate, service, _folder)) = behind_a_gate(&[(STATEMENT_TIMEOUT, "600")]) else {
        return;
    };
    assert!(service.get("/health/ready").starts_with("HTTP/1.1 200"));
    gate.swallow("UPDATE vestibule_health");
    let begun_at = Instant::now();
    loop {
        let seen = service.get("/health/ready");
        if seen.starts_with("HTTP/1.1 503") {
            break;
        }
        assert!(seen.starts_with("HTTP/1.1 200"), "the last look counts for a second: {seen}");
        assert!(begun_at.elapsed() < Duration::from_secs(20), "it goes on saying so");
    }
}

/// Promise 55: a node that dies during its check does not make others look broken.
#[test]
fn readiness_does_not_wait_for_other_nodes() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let _gone = app.hold("SELECT * FROM vestibule_health FOR UPDATE");
    app.visit("/health/ready").is(200);
}

/// Promises 26 and 55: a readiness check by a client whose other requests wait for the database does not wait with
/// them: its result is for the load balancer too.
#[test]
fn readiness_does_not_wait_behind_its_client() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let url = app.database().replace("application_name=", "application_name=crowd_");
    let settings = [
        ("VESTIBULE_DATABASE_URL", url.as_str()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "8"),
        (STATEMENT_TIMEOUT, "1"),
    ];
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &settings);
    // Looking up a link takes a second, eight at a time.
    let held = app.hold("LOCK TABLE vestibule_links");
    let link = "GET /password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q HTTP/1.1\r\n\
                Host: localhost\r\nConnection: close\r\n\r\n";
    let crowd: Vec<_> = (0..64).map(|_| service.send(link)).collect();
    while postgres::connections(&url, "wait_event_type = 'Lock'") < 8 {
        std::thread::yield_now();
    }
    let seen = service.get("/health/ready");
    assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
    drop((crowd, held));
}

/// A proxy that adds no header makes strangers look like this machine, which may not read how many messages wait.
#[test]
fn readiness_reports_no_details_to_an_unknown_proxy() {
    let public = ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com");
    let from_here = |settings: &[(&str, &str)]| {
        let folder = new_folder();
        Process::start(folder.path(), settings).get("/health/ready")
    };
    for settings in [&[public][..], &[public, ("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1")]] {
        let seen = from_here(settings);
        assert!(seen.contains("{\"status\":\"ok\"}"), "{settings:?}: {seen}");
    }
    let seen = from_here(&[public, ("VESTIBULE_TRUSTED_PROXIES", "127.0.0.2")]);
    assert!(seen.contains("messages_waiting"), "a monitor beside the proxy: {seen}");
}

/// The state of the jobs, without a log.
#[test]
fn readiness_reports_the_outbox() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[]);
    service.sign_up(ADA);
    let begun_at = Instant::now();
    loop {
        let seen = service.get("/health/ready");
        let (_, body) = seen.split_once("\r\n\r\n").unwrap();
        let json: Value = rocket::serde::json::from_str(body).unwrap();
        assert_eq!(json["status"], "ok");
        if json["messages_waiting"] == 0
            && json["last_sweep_seconds"].is_u64()
            && json["delivery_moved_seconds"].is_u64()
        {
            break;
        }
        assert!(begun_at.elapsed() < Duration::from_secs(20), "{json}");
    }
    // Not for strangers: they would see whether there was an account to send a link to.
    for (host, header) in [
        ("localhost", "X-Forwarded-For: 203.0.113.7\r\n"),
        ("localhost", "Via: 1.1 proxy\r\n"),
        ("Accounts.example.com.", ""),
    ] {
        let by_proxy = answer(service.send(&format!(
            "GET /health/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n"
        )));
        assert!(by_proxy.contains("{\"status\":\"ok\"}"), "{by_proxy}");
    }
}
