//! Clocks of nodes and of the database.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use vestibule::Clock;

use crate::harness::process::{Process, answer, command, session_cookie, sign_up_form};
use crate::harness::{ADA, SECRET_KEY, TestApp, in_ci};

const YEAR: Duration = Duration::from_hours(365 * 24);

/// Promise 66: a node that is a year ahead would delete everybody's sessions and the events.
#[test]
fn a_node_with_a_wrong_clock_does_not_start() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return; // It has no other clock.
    }
    let clock = Clock::default();
    assert!(app.can_start(clock.clone(), |figment| figment));
    clock.advance(Duration::from_secs(60));
    assert!(!app.can_start(clock, |figment| figment));
}

/// Promise 66: a node whose clock goes wrong later follows the database's.
#[test]
fn all_nodes_follow_the_clock_of_the_database() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let app = app.restarted_at(Clock::default());
    app.sign_up(ADA);
    app.emails();
    let before = app.dump();
    app.clock.advance(YEAR);
    app.run_jobs();
    assert!(app.is_signed_in());
    assert_eq!(app.dump(), before);
}

/// The library of Debian that fakes the time of a process; `None`, with a message, without it.
fn another_time() -> Option<PathBuf> {
    let mut folders = std::fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = folders.find_map(|folder| {
        Some(folder.join("faketime/libfaketimeMT.so.1")).filter(|library| library.exists())
    });
    if found.is_none() {
        assert!(!in_ci(), "libfaketime must be there in CI");
        eprintln!("SKIPPED: no step of a clock was tested. Install libfaketime to do so.");
    }
    found
}

/// Promise 66: the clock of a machine is set to another year and back, while people use the node there.
#[test]
fn a_step_of_a_nodes_clock_changes_nothing() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return; // It has no other clock.
    }
    let Some(library) = another_time() else { return };
    let folder = TempDir::new().unwrap();
    let clock = folder.path().join("clock");
    let set = |text: &str| std::fs::write(&clock, text).unwrap();
    set("+0");
    let settings = [("VESTIBULE_DATABASE_URL", app.database()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let mut command = command(folder.path(), &settings);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut node = Process::run(command);
    app.sign_up(ADA);
    let kept = app.elsewhere().session_cookie().unwrap();
    let session = |node: &Process, cookie: &str| {
        answer(node.send(&format!(
            "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
        )))
    };
    let (now, day) =
        (app.clock.now().since(SystemTime::UNIX_EPOCH.into()).as_millis(), 24 * 3600 * 1000);
    let from_another_time = format!("at NOT BETWEEN {now} - {day} AND {now} + {day}");
    for step in ["+400d", "-400d", "+0"] {
        set(step);
        if step == "+400d" {
            // It says so once a minute.
            let line = node.line("THE CLOCK OF THIS MACHINE IS");
            assert!(line.contains("IS 1year"), "{line}");
        }
        assert!(session(&node, &kept).contains(ADA), "{step}");
        let signed_in = answer(node.post("/login", &sign_up_form(ADA)));
        let cookie = session_cookie(&signed_in).expect("a session");
        assert!(session(&node, cookie).contains(ADA), "{step}");
        let other = app.other_browser();
        other.cookies.borrow_mut().insert("session_id".into(), cookie.to_owned());
        assert!(other.is_signed_in(), "{step}");
        assert_eq!(app.count(&format!("events WHERE {from_another_time}")), 0, "{step}");
    }
    assert_eq!(app.count("events"), 6, "and none is gone");
}

/// Promise 66: without another clock, a wrong one does not delete years of events at once.
#[test]
fn events_are_not_deleted_before_their_time() {
    let app = TestApp::new();
    for day in 0..5 {
        app.log_in(&format!("p{day}@example.com"), "wrong");
        app.clock.advance(Duration::from_hours(24));
    }
    app.clock.advance(YEAR);
    for left in [4, 3] {
        app.run_jobs();
        assert_eq!(app.count("events"), left);
    }
}
