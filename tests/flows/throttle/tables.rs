//! Limits on the table of counts.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::SECOND;
use crate::harness::process::{Process, answer};
use crate::harness::{ADA, PASSWORD, SECRET_KEY, TestApp};

/// Promise 67: a flood fills the table for a moment only, and not until the next sweep in an hour.
#[test]
fn a_flood_brings_the_next_sweep_forward() {
    let app = TestApp::new();
    let settings = [
        ("VESTIBULE_DATABASE_URL", app.database()),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("VESTIBULE_THROTTLE__MAX_ROWS", "1000"),
        ("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "1000"),
    ];
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &settings);
    let attempt = |n: usize| {
        let form = format!("email=p{n}@example.com&password=wrong");
        assert!(answer(service.post("/login", &form)).starts_with("HTTP/1.1 401"));
    };
    (0..30).for_each(attempt);
    fill(&app);
    // As if the last sweep, at the start, had been a while ago.
    app.sql("UPDATE vestibule_health SET swept_at = 0");
    (30..60).for_each(attempt);
    let begun_at = Instant::now();
    while app.count("throttle") > 1_100 {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "{}", app.count("throttle"));
    }
}

/// Promise 67: when strangers fill the table, nobody is refused because of it, and existing waits continue.
#[test]
fn a_full_table_locks_nobody_out() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.max_rows", 1_000)));
    app.sign_up(ADA);
    app.sign_out();
    let thief = app.other_browser();
    for wait in [0, 0, 0, 0, 0, 1, 2, 4] {
        app.clock.advance(wait * SECOND);
        thief.guess(ADA);
    }
    fill(&app);
    app.run_jobs();
    assert_eq!(app.count("throttle"), 999, "and the bystander's");
    thief.post("/login", [("email", ADA), ("password", PASSWORD)]).is(429);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    let stranger = app.other_browser();
    stranger.sign_up("bob@example.com");
    stranger
        .post("/password-reset", [("email", "bob@example.com")])
        .redirects_to("/password-reset-sent");
    app.emails_do_not_matter();
}

/// Adds the counts of three thousand strangers.
fn fill(app: &TestApp) {
    let blob = if app.is_sqlite() { "randomblob(32)" } else { "sha256(CAST(n AS TEXT)::bytea)" };
    let forget_at = app.clock.now().since(vestibule::Timestamp::from(std::time::UNIX_EPOCH));
    app.sql(&format!(
        "INSERT INTO vestibule_throttle (key, attempts, closed_until, forget_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000) \
         SELECT {blob}, 1, 0, {} FROM numbers",
        forget_at.as_millis() + 600_000
    ));
}
