//! The log: as a pipe, and what it says of people.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::process::{
    Process, answer, ask, command, form_post, session_cookie, sign_up_form,
};
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

/// Promise 59: nothing that is written once an account is erased names the person.
#[test]
fn the_log_says_of_an_erased_account_only_that_it_is() {
    let folder = TempDir::new().unwrap();
    let mut service = Process::start(folder.path(), &[("VESTIBULE_ACCOUNT__DELETION_GRACE", "0s")]);
    let signed_up = service.sign_up("ada@example.com");
    let cookie = format!("\r\nCookie: session_id={}\r\n", session_cookie(&signed_up).unwrap());
    assert!(service.line("event=signed-up").contains("address=127.0.0.1 "));
    let form = sign_up_form("ada@example.com");
    let request = form_post("/account-deletion", &form).replacen("\r\n", &cookie, 1);
    assert!(answer(service.send(&request)).starts_with("HTTP/1.1 200"));
    let line = service.line("event=deleted");
    assert!(line.contains("address=:: ") && line.ends_with("agent=\"\""), "{line}");
}
