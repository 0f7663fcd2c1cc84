//! The log as a pipe.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::process::{ask, command, form_post, sign_up_form};
use crate::proxies::free_port;

/// Promise 53: a log collector that stalls stops neither requests nor the end of the service.
#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let settings = [("ROCKET_PORT", &*port.to_string()), ("ROCKET_LOG_LEVEL", "debug")];
    let mut child = command(folder.path(), &settings).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it starts");
    }
    // From here on, nobody reads. A pipe holds 64 KiB.
    let path = format!("/{}", "x".repeat(2_000));
    for n in 0..400 {
        let get = format!("GET {path}{n} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(ask(port, &get).expect("it answers").starts_with("HTTP/1.1 404"));
    }
    let seen = ask(port, &form_post("/signup", &sign_up_form("ada@example.com")));
    assert!(seen.is_some_and(|seen| seen.starts_with("HTTP/1.1 303")));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let begun_at = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "it waits for its reader");
        std::thread::yield_now();
    }
    // What the pipe held is whole.
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().count() > 10);
}

/// The last lines of a process are not lost with its thread.
#[test]
fn the_last_line_of_a_start_that_fails_is_written() {
    let folder = TempDir::new().unwrap();
    for _ in 0..20 {
        let output = command(folder.path(), &[("VESTIBULE_ACCENT", "red")]).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(
            log.trim_end().lines().last().is_some_and(|line| line.contains("did not start")),
            "{log}"
        );
    }
}
