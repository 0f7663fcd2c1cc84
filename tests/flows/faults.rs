//! Faults around the service, and what users see of them.

use std::time::{Duration, Instant};

use rocket::http::Method::{self, Get, Post};

use crate::harness::{ADA, PASSWORD, TestApp};

/// Promise 53.
#[test]
fn a_broken_database_gives_a_plain_page_without_details() {
    let app = TestApp::with_ada();
    app.sql("ALTER TABLE vestibule_sessions RENAME TO gone");
    let seen = app.visit("/profile").is(503).says("cannot do this right now").says("reference");
    assert!(seen.title().starts_with("Service temporarily unavailable"));
    assert_eq!(seen.header("retry-after"), Some("5"));
    for detail in ["sessions", "sql", "SQL", "table", "relation"] {
        assert!(!seen.body.contains(detail), "{}", seen.body);
    }
    let seen = app.ask(Get, "/api/v1/session").is(503);
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    assert_eq!(seen.json()["reference"].as_str().unwrap().len(), 8);
    app.ask(Get, "/profile").is(503).says("message");
    app.call(Method::Delete, "/sessions", []).is(503);
    // Signing in fails closed, and visitors without a session still see the pages.
    let other = app.other_browser();
    other.visit("/login").is(200);
    other.log_in(ADA, PASSWORD).is(503);
    assert!(other.session_cookie().is_none());
    app.sql("ALTER TABLE gone RENAME TO vestibule_sessions");
    assert!(app.is_signed_in());
}

/// Promise 53.
#[test]
fn nothing_is_half_done() {
    let app = TestApp::new();
    app.sql("ALTER TABLE vestibule_outbox RENAME TO gone");
    let form = [("email", ADA), ("password", PASSWORD)];
    app.call(Post, "/users", form).is(503);
    app.call(Post, "/reset_password", [form[0]]).is(503);
    assert_eq!(app.count("users"), 0, "no account without its email");
    app.sql("ALTER TABLE gone RENAME TO vestibule_outbox");
    app.call(Post, "/users", form).is(200);
}

/// Promise 55.
#[test]
fn health_tells_a_live_process_from_a_ready_one() {
    let app = TestApp::new();
    app.visit("/health/live").is(200);
    app.visit("/health/ready").is(200);
    let broken = TestApp::new();
    broken.sql("ALTER TABLE vestibule_health RENAME TO gone");
    broken.visit("/health/live").is(200);
    broken.visit("/health/ready").is(503);
}

/// Promises 53 and 55.
#[test]
fn a_read_only_database_shows_pages_and_accepts_no_changes() {
    let app = TestApp::with_ada();
    let tables =
        ["users", "passwords", "sessions", "links", "outbox", "throttle", "events", "health"]
            .map(|table| format!("vestibule_{table}"));
    if app.is_sqlite() {
        for table in &tables {
            for act in ["INSERT", "UPDATE", "DELETE"] {
                app.sql(&format!(
                    "CREATE TRIGGER no_{act}_{table} BEFORE {act} ON {table} \
                     BEGIN SELECT RAISE(FAIL, 'attempt to write a readonly database'); END"
                ));
            }
        }
    } else {
        app.sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''read-only'' USING ERRCODE = ''25006''; END'",
        );
        for table in tables {
            app.sql(&format!(
                "CREATE TRIGGER no_write BEFORE INSERT OR UPDATE OR DELETE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
            ));
        }
    }
    app.visit("/profile").is(200);
    app.visit("/login").redirects_to("/profile");
    app.visit("/health/live").is(200);
    app.visit("/health/ready").is(503);
    app.submit("/profile", [("name", "Ada")]).is(503);
    let form = [("email", ADA), ("password", PASSWORD)];
    let other = app.other_browser();
    other.submit("/login", form).is(503);
    other.submit("/signup", [("email", "bob@example.com"), ("password", PASSWORD)]).is(503);
    other.submit("/password-reset", [("email", ADA)]).is(503);
    assert!(other.session_cookie().is_none(), "fails closed");
    assert!(app.is_signed_in());
    // Not even the use of the session can be recorded.
    app.clock.advance(Duration::from_secs(61));
    app.visit("/profile").is(200);
}

/// Promise 9: the answer does not reveal which accounts have such imported hashes.
#[test]
fn a_stored_hash_that_nobody_can_read_is_a_wrong_password() {
    let app = TestApp::with_ada();
    let nobody = app.other_browser().log_in("bob@example.com", PASSWORD).is(401);
    for hash in [
        "",
        "!",
        "nonsense",
        "$2x$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC",
        "{CRYPT}$2y$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo",
        // Verifying it would take hours.
        "$2b$30$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC",
    ] {
        app.sql(&format!("UPDATE vestibule_passwords SET hash = '{hash}'"));
        app.sql("DELETE FROM vestibule_throttle");
        let stranger = app.other_browser();
        for password in [PASSWORD, "abcdefghijklmnopqrstuvwxyz", "x", "y", "z"] {
            let seen = stranger.log_in(ADA, password).is(401);
            assert_eq!(seen.body.replace("ada@", "bob@"), nobody.body);
        }
        stranger.log_in(ADA, PASSWORD).is(429);
    }
    // Whitespace that other systems write around a hash is ignored.
    let known = "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC";
    app.sql(&format!("UPDATE vestibule_passwords SET hash = ' {known}\n'"));
    app.sql("DELETE FROM vestibule_throttle");
    app.other_browser().log_in(ADA, "abcdefghijklmnopqrstuvwxyz").redirects_to("/profile");
    assert!(app.texts("SELECT hash FROM vestibule_passwords")[0].starts_with("$bcrypt-sha256$"));
}

/// Promises 12 and 53: SQLite accepts any bytes as text, and an import may have brought Latin-1. Such a row is no
/// error, does not reveal that there is an account, and gets its emails.
#[test]
fn text_that_is_not_utf8_is_no_fault() {
    let app = TestApp::new();
    if !app.is_sqlite() {
        return; // PostgreSQL takes no such text.
    }
    app.sign_up(ADA);
    let stranger = app.other_browser();
    app.sql("UPDATE vestibule_users SET name = CAST(x'4a6f73e9' AS TEXT), email = CAST(x'4a6f73e9' AS TEXT)");
    stranger.log_in(ADA, "wrong").is(401);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    app.visit("/profile").is(200).says(ADA);
    stranger.post("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    assert!(app.emails().iter().all(|email| email.to == ADA));
    app.sql("UPDATE vestibule_passwords SET hash = CAST(x'2432e9' AS TEXT)");
    stranger.log_in(ADA, PASSWORD).is(401);
}

/// Promise 26: a hash that has waited too long is not computed, and the answer says so.
#[test]
fn too_many_hashes_at_once_are_refused_with_a_wait() {
    let app = TestApp::with(|figment| {
        figment
            // Every worker comes too late.
            .merge(("vestibule.hashing.max_wait", "1ns"))
            .merge(("vestibule.password.cost", 20))
    });
    let form = [("email", ADA), ("password", PASSWORD)];
    for _ in 0..10 {
        let seen =
            app.post("/login", form).is(503).says("Very many people are signing in right now.");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
}

/// Promise 53: another process locks the database for longer than we wait.
#[test]
fn a_locked_database_gives_a_plain_answer_and_reading_goes_on() {
    let app = TestApp::with(|figment| figment.merge(("databases.vestibule.connect_timeout", 1)));
    app.sign_up(ADA);
    if !app.is_sqlite() {
        return; // PostgreSQL has no such lock.
    }
    app.while_locked(|| {
        app.visit("/profile").is(200);
        app.post("/profile", [("name", "x")]).is(503);
        app.other_browser().log_in(ADA, PASSWORD).is(503);
        app.visit("/health/ready").is(503);
    });
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 53: while nothing can be written, one page a minute waits in order to note that its session is in use, and
/// all others are shown at once.
#[test]
fn pages_do_not_wait_for_a_locked_database() {
    let app = TestApp::with(|figment| figment.merge(("databases.vestibule.connect_timeout", 1)));
    app.sign_up(ADA);
    if !app.is_sqlite() {
        return; // PostgreSQL has no such lock.
    }
    app.clock.advance(Duration::from_secs(61));
    app.while_locked(|| {
        let begun_at = Instant::now();
        for _ in 0..20 {
            app.clock.advance(Duration::from_secs(1));
            app.visit("/profile").is(200);
        }
        assert!(begun_at.elapsed() < Duration::from_secs(15), "{:?}", begun_at.elapsed());
    });
}

/// Promises 53 and 55: PostgreSQL is down for a while.
#[test]
fn a_database_that_comes_back_is_used_again() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return; // It is in the process.
    }
    app.sign_up(ADA);
    let cookies = app.cookies.borrow().clone();
    let (gate, url) = app.gate();
    let app = app.restarted_with(|figment| {
        figment
            .merge(("databases.vestibule.url", url))
            .merge(("databases.vestibule.connect_timeout", 1))
    });
    *app.cookies.borrow_mut() = cookies;
    assert!(app.is_signed_in());
    gate.shut();
    app.clock.advance(Duration::from_secs(2));
    let seen = app.visit("/profile").is(503).says("reference");
    assert_eq!(seen.header("retry-after"), Some("5"));
    app.other_browser().post("/login", [("email", ADA), ("password", PASSWORD)]).is(503);
    app.other_browser().visit("/login").is(200);
    app.visit("/health/live").is(200);
    app.visit("/health/ready").is(503);
    gate.open();
    app.visit("/profile").is(200);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 53: PostgreSQL closes all connections, as in a restart.
#[test]
fn connections_that_the_database_closed_are_reopened() {
    let app = TestApp::with_ada();
    if app.is_sqlite() {
        return;
    }
    app.end_connections();
    app.visit("/profile").is(200);
    app.submit("/profile", [("name", "Ada")]).redirects_to("/profile");
}

/// Promise 66.
#[test]
fn a_clock_that_was_wrong_locks_nobody_out_and_keeps_nothing_alive() {
    let app = TestApp::new();
    let right = app.clock.now();
    app.sign_up(ADA);
    let before = app.cookies.borrow().clone();
    // The clock is set to next year, and the service is used.
    app.clock.advance(Duration::from_secs(400 * 24 * 3600));
    let (thief, later) = (app.other_browser(), app.other_browser());
    for _ in 0..9 {
        thief.log_in(ADA, "wrong");
    }
    for n in 0..40 {
        thief.log_in(&format!("p{n}@example.com"), "wrong");
    }
    app.clock.advance(Duration::from_secs(60));
    later.sign_up("eve@example.com");
    let of_then = later.cookies.borrow().clone();
    later
        .submit("/password-reset", [("email", "eve@example.com")])
        .redirects_to("/password-reset-sent");
    let link = app.last_email().link();
    later.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    // And back again.
    let app = app.restarted_at(vestibule::Clock::stopped());
    assert!(app.clock.now().since(right) < Duration::from_secs(3600));
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.other_browser().log_in("p50@example.com", "wrong").status, 401);
    *app.cookies.borrow_mut() = of_then;
    assert!(!app.is_signed_in(), "a session from next year");
    app.visit(&link).is(404);
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.log_in("eve@example.com", "wrong");
    }
    app.log_in("eve@example.com", PASSWORD).is(429);
    *app.cookies.borrow_mut() = before;
    app.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    let emails = app.emails().into_iter().filter(|email| email.to == ADA).count();
    assert_eq!(emails, 3, "the one that waited leaves at once, as does the new one");
    app.run_jobs();
    assert_eq!(app.count("sessions"), 1, "the new one; what was of next year is swept");
}
