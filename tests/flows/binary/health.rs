//! Health checks of the binary, and its clock.

use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use vestibule::Clock;

use crate::harness::process::{Process, ask, command};
use crate::harness::{new_runtime, settings};
use crate::proxies::free_port;

/// A container image needs no curl.
#[test]
fn the_program_checks_its_own_health() {
    let folder = TempDir::new().unwrap();
    let port = free_port().to_string();
    for address in ["127.0.0.1", "0.0.0.0", "::"] {
        let settings = [
            ("ROCKET_PORT", &*port),
            ("ROCKET_ADDRESS", address),
            ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com"),
            ("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1, ::1"),
        ];
        let health = || {
            let mut command = command(folder.path(), &settings);
            let output = command.arg("health").stdout(Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code(), said)
        };
        let (code, said) = health();
        assert!(code == Some(1) && said.contains(&format!(":{port}")), "{said}");
        let service = Process::start(folder.path(), &settings);
        assert_eq!(health(), (Some(0), "ready\n".into()));
        // It is no client whom a proxy does not report.
        service.signal("-TERM");
        let (_, log) = service.end();
        assert!(!log.iter().any(|line| line.contains("trusted proxy")), "{log:?}");
    }
    let mut wrong = command(folder.path(), &[("ROCKET_PORT", "http")]);
    let output = wrong.arg("health").stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("port"));
}

#[test]
fn a_service_that_is_not_ready_is_reported() {
    let folder = TempDir::new().unwrap();
    let port = free_port().to_string();
    let settings = [("ROCKET_PORT", &*port), ("VESTIBULE_DRAIN", "10min")];
    let mut service = Process::start(folder.path(), &settings);
    service.signal("-TERM");
    service.line("not ready any more");
    let mut health = command(folder.path(), &settings);
    let output = health.arg("health").stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("answers 503"));
    service.signal("-TERM");
}

/// Promise 66: the date of answers is that of the service, which follows the database's clock; that of hyper stands
/// still after a clock was set back.
#[test]
fn answers_have_the_date_of_the_service() {
    let folder = TempDir::new().unwrap();
    let (clock, port) = (Clock::stopped(), free_port());
    clock.advance(Duration::from_hours(48));
    let database = format!("sqlite:{}", folder.path().join("x.sqlite3").display());
    let figment = settings(folder.path(), &database).merge(("port", port));
    let service = vestibule::service(figment).manage(clock.clone());
    let date = httpdate::fmt_http_date(SystemTime::from(clock.now()));
    let asked = std::thread::spawn(move || {
        loop {
            let request =
                "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            if let Some(seen) = ask(port, request) {
                return seen;
            }
            std::thread::yield_now();
        }
    });
    let runtime = new_runtime();
    let seen = runtime.block_on(async {
        let asked = rocket::tokio::task::spawn_blocking(move || asked.join().unwrap());
        rocket::tokio::select! {
            _ = vestibule::serve(service) => panic!("it ends"),
            seen = asked => seen.unwrap(),
        }
    });
    assert!(seen.contains(&format!("date: {date}\r\n")), "{date}: {seen}");
}
