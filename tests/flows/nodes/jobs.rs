//! The background jobs of several nodes.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::process::Process;
use crate::harness::{SECRET_KEY, TestApp};

/// Promise 50: a running service sweeps without being asked to.
#[test]
fn a_running_node_removes_expired_data() {
    let app = TestApp::with_ada();
    app.sql("UPDATE vestibule_sessions SET expires_at = 1 WHERE user_id IN (SELECT id FROM vestibule_users)");
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", app.database()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let _node = Process::start(folder.path(), &settings);
    let begun_at = Instant::now();
    while app.count("sessions") > 0 {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "it does not sweep");
    }
}

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
