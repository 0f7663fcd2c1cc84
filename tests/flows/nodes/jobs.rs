//! The background jobs of several nodes.

use std::time::Duration;

use crate::harness::TestApp;

/// Two nodes that sweep and deliver at once disturb neither users nor each other.
#[test]
fn two_nodes_sweep_and_deliver_side_by_side() {
    let app =
        TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 100_000)));
    if app.is_sqlite() {
        return;
    }
    let twin = app.twin();
    for round in 0..6 {
        for n in 0..40 {
            app.log_in(&format!("p{round}-{n}@example.com"), "wrong");
        }
        // Fewer than the number that may leave at once: the clocks of two nodes always differ a little.
        for n in 0..15 {
            app.post("/password-reset", [("email", &*format!("p{round}-{n}@example.com"))]);
        }
        assert!(app.count("outbox") > 0 && app.count("throttle") > 40);
        app.clock.advance(Duration::from_hours(48));
        twin.clock.advance(Duration::from_hours(48));
        app.run_jobs_with(&twin);
        assert_eq!(app.count("outbox"), 0);
        assert!(app.count("throttle") <= 2, "but for what has just been counted");
    }
}
