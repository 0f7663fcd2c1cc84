//! Guessing the password of one account: growing waits.

use std::time::Duration;

use rocket::http::Method::Post;

use super::{SECOND, retry_after};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, SECRET_KEY, TestApp};

/// Promise 27.
#[test]
fn guessing_waits_longer_and_longer() {
    let app = TestApp::with_ada();
    let thief = app.other_browser();
    for _ in 0..5 {
        assert_eq!(thief.guess(ADA), 401);
    }
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        // Even the right password; and further requests do not make the wait longer.
        for _ in 0..2 {
            assert_eq!(retry_after(&thief, "ADA@example.com"), wait);
        }
        app.clock.advance(Duration::from_secs(wait));
        assert_eq!(thief.guess(ADA), 401);
    }
    // Nobody is locked out.
    app.clock.advance(900 * SECOND);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(thief.guess(ADA), 401, "a success empties the bucket");
}

/// Promise 26: requests during a wait do not use the database.
#[test]
fn requests_during_a_wait_write_nothing() {
    let app = TestApp::new();
    if !app.is_sqlite() {
        return; // There, writes do not wait for each other.
    }
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.guess(ADA);
    }
    let writes = app.count_writes(|| {
        for _ in 0..50 {
            assert_eq!(app.other_browser().guess(ADA), 429);
        }
    });
    assert_eq!(writes, 0);
}

/// Promises 12 and 26: a repeated refusal does not even ask the database, whose answer would take longer for some
/// accounts than for others.
#[test]
fn requests_during_a_wait_need_no_database() {
    let app = TestApp::new();
    let thief = app.other_browser();
    let accounts = [ADA, "bob@example.com"];
    for email in accounts {
        for _ in 0..6 {
            thief.guess(email);
        }
    }
    app.without_table("vestibule_users", || {
        assert_eq!(accounts.map(|email| thief.guess(email)), [429; 2]);
    });
    app.without_table("vestibule_throttle", || {
        assert_eq!(accounts.map(|email| thief.guess(email)), [429; 2]);
        app.clock.advance(SECOND);
        assert_eq!(thief.guess(ADA), 503, "the next attempt is counted");
    });
    assert_eq!(thief.guess(ADA), 401);
    // The same for a client IP that is over its limit, whatever the account.
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 3)));
    for n in 0..4 {
        app.guess(&format!("p{n}@example.com"));
    }
    app.without_table("vestibule_throttle", || assert_eq!(app.guess(ADA), 429));
}

/// Promise 27.
#[test]
fn failures_are_forgotten_after_a_day() {
    let app = TestApp::new();
    for _ in 0..7 {
        app.guess(ADA);
        app.clock.advance(2 * SECOND);
    }
    app.clock.advance(Duration::from_secs(24 * 3600));
    for _ in 0..5 {
        assert_eq!(app.guess(ADA), 401);
    }
    assert_eq!(app.guess(ADA), 429);
    app.clock.advance(Duration::from_secs(24 * 3600));
    app.run_jobs();
    assert_eq!(app.count("throttle"), 0, "and swept");
}

/// Promise 27.
#[test]
fn concurrent_attempts_are_all_counted() {
    let app = TestApp::new();
    let form = [("email", ADA), ("password", "wrong")];
    let statuses = app.post_at_once(20, "/login", form);
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(tried, 5, "{statuses:?}");
}

/// Promise 27.
#[test]
fn every_route_counts_in_the_same_bucket_and_the_page_keeps_the_input() {
    let app = TestApp::with_ada();
    let thief = app.other_browser();
    let form = [("email", ADA), ("password", "wrong")];
    for path in ["/login", "/sessions", "/api/v1/session", "/login", "/sessions"] {
        thief.call(Post, path, form).is(401);
    }
    let seen = thief
        .submit("/login?next=/x", form)
        .is(429)
        .says("Too many attempts. Wait 1 second and try again.")
        .shows_in("email", ADA)
        .shows_in("next", "/x");
    assert!(seen.title().starts_with("Error: "));
    for path in ["/sessions", "/api/v1/session"] {
        let seen = thief.call(Post, path, form).is(429).says("Too many attempts.");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    let json = r#"{"email":"ada@example.com","password":"wrong"}"#;
    thief.send_json(Post, "/api/v1/session", json).is(429);
    // The link that verifies an address asks for the password too.
    let link = app.last_email().link();
    thief.visit(&link).and_submit([("password", PASSWORD)]).is(429).says("Wait 1 second");
}

/// Promise 12.
#[test]
fn waiting_does_not_reveal_accounts() {
    let app = TestApp::with_ada();
    let answers = [ADA, "bob@example.com"].map(|email| {
        let thief = app.other_browser();
        let mut seen: Vec<_> = Vec::new();
        for _ in 0..7 {
            let answer = thief.post("/login", [("email", email), ("password", "wrong")]);
            seen.push((answer.status, answer.headers, answer.body.replace(email, "…")));
        }
        seen
    });
    assert_eq!(answers[0], answers[1]);
}

/// Promise 27.
#[test]
fn a_reset_is_never_subject_to_the_wait_and_ends_it() {
    let app = TestApp::with_ada();
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.guess(ADA);
    }
    let owner = app.other_browser();
    owner.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    let link = app.last_email().link();
    owner.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    app.other_browser().log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 52: a stolen table of counts does not reveal whose they are, even to somebody who knows the address.
#[test]
fn counts_are_kept_under_the_secret_key() {
    let keys_under = |secret_key: &str| {
        let app = TestApp::with(|figment| figment.merge(("secret_key", secret_key)));
        app.guess(ADA);
        let key = if app.is_sqlite() { "hex(key)" } else { "encode(key, 'hex')" };
        app.texts(&format!("SELECT {key} FROM vestibule_throttle ORDER BY 1"))
    };
    let (one, other) = (SECRET_KEY, "hPRYyVRiMyxpw5sBB1XeCMN1kFsDCqKvBi2QJxCVHQk=");
    assert_eq!(keys_under(one).len(), 3);
    assert_eq!(keys_under(one), keys_under(one));
    assert!(keys_under(one).iter().all(|key| !keys_under(other).contains(key)));
}

/// Promise 67: an attempt with an invalid password leaves no row for each address.
#[test]
fn an_attempt_that_is_not_hashed_leaves_no_row() {
    let app = TestApp::new();
    let long = "x".repeat(4_000);
    for n in 0..20 {
        let form = [("email", &*format!("p{n}@example.com")), ("password", &*long)];
        app.post("/login", form).is(401);
    }
    assert_eq!(app.count("throttle"), 2, "the network's minute and its day");
}
