//! Whose clock counts.

use std::time::Duration;

use vestibule::Clock;

use crate::harness::{ADA, TestApp};

const YEAR: Duration = Duration::from_hours(365 * 24);

/// Promise 66: a node that is a year ahead would take everybody's sessions and the log of events with it.
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

/// Promise 66: and one whose clock goes wrong later goes by the database's.
#[test]
fn all_nodes_go_by_the_clock_of_the_database() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    let app = app.restarted_at(Clock::default());
    app.sign_up(ADA);
    app.letters();
    let before = app.dump();
    app.clock.advance(YEAR);
    app.run_jobs();
    assert!(app.is_signed_in());
    assert_eq!(app.dump(), before);
}

/// Promise 66: where there is no other clock, a wrong one does not take years of events at once.
#[test]
fn events_go_no_faster_than_they_age() {
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
