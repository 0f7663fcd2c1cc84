//! Sessions: how long they last, and what ends them.

use std::time::Duration;

use rocket::http::Method::Get;

use crate::harness::{ADA, Browser, PASSWORD, TestApp};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Promise 42.
#[test]
fn a_copy_of_the_database_gives_no_session() {
    let app = TestApp::with_ada();
    let cookie = app.session_cookie().unwrap();
    assert!(!app.dump().contains(&cookie));
    app.keeps_only_the_digest_of(&app.unsealed("session_id").unwrap());
    assert_eq!(app.count("sessions"), 1);
}

/// Promise 43.
#[test]
fn signing_in_makes_a_new_session_and_ends_the_previous_one() {
    let app = TestApp::with_ada();
    let planted = app.session_cookie().unwrap();
    let form = [("email", ADA), ("password", PASSWORD)];
    app.post("/login", form).redirects_to("/profile");
    assert_ne!(app.session_cookie().unwrap(), planted);
    assert_eq!(app.count("sessions"), 1);
    let old = app.other_browser();
    old.cookies.borrow_mut().insert("session_id".into(), planted);
    assert!(!old.is_signed_in() && app.is_signed_in());
}

/// Promise 44.
#[test]
fn a_session_ends_at_sign_out_and_when_the_account_is_disabled() {
    let app = TestApp::with_ada();
    let thief = app.copy();
    assert!(thief.is_signed_in());
    app.sign_out();
    assert!(!thief.is_signed_in());

    app.log_in(ADA, PASSWORD);
    app.sql("UPDATE vestibule_users SET disabled_at = 1");
    assert!(!app.is_signed_in());
}

/// Promise 45.
#[test]
fn an_idle_session_ends() {
    let app = TestApp::with_ada();
    app.clock.advance((2 * HOUR).checked_sub(MINUTE).unwrap());
    assert!(app.is_signed_in());
    app.clock.advance((2 * HOUR).checked_sub(MINUTE).unwrap());
    assert!(app.is_signed_in());
    app.clock.advance(2 * HOUR);
    assert!(!app.is_signed_in());
}

/// Promise 45.
#[test]
fn no_activity_moves_the_absolute_limit() {
    let app = TestApp::with_ada();
    for _ in 0..11 {
        app.clock.advance(HOUR);
        assert!(app.is_signed_in());
    }
    // Nor does the cache, which has just found it.
    let moment = Duration::from_millis(500);
    app.clock.advance(HOUR.checked_sub(moment).unwrap());
    assert!(app.is_signed_in());
    app.clock.advance(moment);
    assert!(!app.is_signed_in());
}

/// Promise 45.
#[test]
fn a_remembered_session_lasts_longer_but_not_forever() {
    let app = TestApp::with_ada();
    app.log_in_and_stay(ADA, PASSWORD);
    app.sign_out();
    app.log_in_and_stay(ADA, PASSWORD);
    for _ in 0..2 {
        app.clock.advance(13 * 24 * HOUR);
        assert!(app.is_signed_in());
    }
    app.clock.advance(4 * 24 * HOUR);
    assert!(!app.is_signed_in());

    app.log_in_and_stay(ADA, PASSWORD);
    app.clock.advance(14 * 24 * HOUR);
    assert!(!app.is_signed_in());
}

/// Promise 45.
#[test]
fn reading_pages_writes_at_most_once_a_minute() {
    let app = TestApp::with_ada();
    let seen_at =
        || app.texts("SELECT CAST(last_seen_at AS TEXT) FROM vestibule_sessions").remove(0);
    let at_first = seen_at();
    app.clock.advance(MINUTE / 2);
    app.visit("/profile").is(200);
    assert_eq!(seen_at(), at_first);
    app.clock.advance(MINUTE / 2);
    app.visit("/profile").is(200);
    assert_ne!(seen_at(), at_first);
}

/// Promise 50.
#[test]
fn expired_data_is_removed() {
    let app = TestApp::with_ada();
    app.reset_link();
    app.other_browser().log_in_and_stay(ADA, PASSWORD);
    app.run_jobs();
    assert_eq!((app.count("sessions"), app.count("links")), (2, 2));
    app.clock.advance(HOUR);
    app.run_jobs();
    assert_eq!((app.count("sessions"), app.count("links")), (2, 1));
    app.clock.advance(HOUR);
    app.run_jobs();
    assert_eq!((app.count("sessions"), app.count("links")), (1, 1));
    app.clock.advance(15 * 24 * HOUR);
    app.run_jobs();
    assert_eq!((app.count("sessions"), app.count("links")), (0, 0));
}

/// The maximum number of sessions: the least recently used one ends.
#[test]
fn an_account_has_a_maximum_of_sessions() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.session.max_per_account", 3)));
    app.sign_up(ADA);
    app.other_browser().sign_up("bob@example.com");
    let browsers: Vec<Browser> = (0..3).map(|_| app.other_browser()).collect();
    for (n, browser) in browsers.iter().enumerate() {
        app.clock.advance(Duration::from_secs(120));
        if n < 2 {
            assert!(app.is_signed_in(), "in use");
        }
        browser.log_in(ADA, PASSWORD).redirects_to("/profile");
    }
    // The first one was used after the second one had begun.
    assert!(app.is_signed_in());
    assert!(!browsers[0].is_signed_in());
    assert!(browsers[1].is_signed_in() && browsers[2].is_signed_in());
    assert_eq!(app.count("sessions"), 4, "and bob's");
}

/// Promise 66: sessions from the future are void, and do not count towards the maximum.
#[test]
fn void_sessions_do_not_count_towards_the_maximum() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.session.max_per_account", 1)));
    app.sign_up(ADA);
    app.sql(
        "UPDATE vestibule_sessions SET created_at = created_at + 34560000000, \
         last_seen_at = last_seen_at + 34560000000, expires_at = expires_at + 34560000000",
    );
    let other = app.elsewhere();
    assert!(other.is_signed_in() && !app.is_signed_in());
    assert_eq!(app.count("sessions"), 1);
}

/// Promise 26: many concurrent sign-outs with one cookie write once.
#[test]
fn many_sign_outs_at_once_write_once() {
    let app = TestApp::with_ada();
    let statuses = app.post_at_once(20, "/logout", []);
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(app.count("events WHERE kind = 'signed-out'"), 1);
    assert_eq!(app.count("sessions"), 0);
}

/// A session is looked up once a second at most, however many pages its browser opens.
#[test]
fn a_session_that_was_just_looked_up_needs_no_database() {
    let app = TestApp::with_ada();
    assert!(app.is_signed_in());
    app.without_table("vestibule_sessions", || {
        assert!(app.is_signed_in());
        app.clock.advance(Duration::from_secs(1));
        app.ask(Get, "/api/v1/session").is(503);
    });
    assert!(app.is_signed_in());
}

/// Promise 45: a revocation by another node takes effect within a second, one by this node at once.
#[test]
fn a_revocation_counts_at_once_here_and_within_a_second_elsewhere() {
    let app = TestApp::with_ada();
    let twin = app.twin();
    let there = twin.other_browser();
    there.cookies.borrow_mut().clone_from(&app.cookies.borrow());
    assert!(there.is_signed_in());
    let here = app.copy();
    app.sign_out();
    assert!(!here.is_signed_in());
    twin.clock.advance(Duration::from_secs(1));
    assert!(!there.is_signed_in());
    there.ask(Get, "/profile").is(403);
}
