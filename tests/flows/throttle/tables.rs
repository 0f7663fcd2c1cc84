//! Limits on the table of counts.

use super::SECOND;
use crate::harness::{ADA, PASSWORD, TestApp};

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
    let blob = if app.is_sqlite() { "randomblob(32)" } else { "sha256(CAST(n AS TEXT)::bytea)" };
    let forget_at = app.clock.now().since(vestibule::Timestamp::from(std::time::UNIX_EPOCH));
    app.sql(&format!(
        "INSERT INTO vestibule_throttle (key, attempts, closed_until, forget_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000) \
         SELECT {blob}, 1, 0, {} FROM numbers",
        forget_at.as_millis() + 600_000
    ));
    app.run_jobs();
    assert_eq!(app.count("throttle"), 999, "and the bystander's");
    thief.post("/login", [("email", ADA), ("password", PASSWORD)]).is(429);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    let stranger = app.other_browser();
    stranger.sign_up("bob@example.com");
    stranger.post("/password-reset", [("email", "bob@example.com")]).is(200);
    app.emails_do_not_matter();
}
