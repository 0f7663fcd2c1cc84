//! Security events: what is recorded, and for how long.

use std::time::Duration;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Promise 52.
#[test]
fn events_of_accounts_are_recorded() {
    let app = TestApp::with_ada();
    app.submit("/profile", [("name", "Ada")]);
    app.sign_out();
    app.guess(ADA);
    app.other_browser().log_in("a stranger's password", "x").is(401);
    app.submit("/password-reset", [("email", ADA)]);
    let emails = app.emails();
    app.reset_password(&emails[1].link(), NEW_PASSWORD);
    app.log_in(ADA, NEW_PASSWORD);
    let kinds = app.texts("SELECT kind FROM vestibule_events ORDER BY id");
    assert_eq!(
        kinds,
        [
            "signed-up",
            "signed-in",
            "renamed",
            "signed-out",
            "sign-in-failed",
            "sign-in-failed",
            "password-reset-asked",
            "password-reset",
            "signed-in"
        ]
    );
    assert_eq!(app.count("events WHERE user_id IS NULL"), 2, "the stranger, and who asked");
    assert_eq!(app.count("events WHERE user_agent LIKE 'Mozilla/5.0%' AND ip = '127.0.0.1'"), 9);
    let all = app.texts("SELECT kind || ip || user_agent FROM vestibule_events").concat();
    assert!(!all.contains("stranger") && !all.contains("ada@"));
    app.clock.advance(181 * DAY);
    app.run_jobs();
    assert_eq!(app.count("events"), 0);
    app.emails_do_not_matter();
}

/// Promise 67: a client that signs in all day leaves a limited number of events.
#[test]
fn an_account_has_a_maximum_of_events() {
    let app = TestApp::with_ada();
    let (id, now) = if app.is_sqlite() {
        ("randomblob(16)", "(SELECT MAX(at) FROM vestibule_events)")
    } else {
        ("gen_random_uuid()", "(SELECT MAX(at) FROM vestibule_events)")
    };
    app.sql(&format!(
        "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 6000) \
         SELECT {id}, {now} - n, 'signed-in', (SELECT id FROM vestibule_users), '', '' FROM numbers"
    ));
    app.run_jobs();
    assert_eq!(app.count("events"), 5_001);
}

/// Promise 67: endless sign-ins and sign-outs, or requests with an ended session, leave a limited number of rows.
#[test]
fn successful_sign_ins_fill_no_table() {
    let app = TestApp::with_ada();
    for _ in 0..70 {
        app.post("/login", [("email", ADA), ("password", PASSWORD)]).is(303);
        app.sign_out();
    }
    assert_eq!(app.count("events"), 101, "and signing up");
    app.clock.advance(DAY);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("events"), 102);
    let ended = app.copy();
    app.post("/password-change", [("password", PASSWORD), ("new_password", NEW_PASSWORD)]).is(303);
    let dead = ended.copy();
    ended.sign_out();
    let before = app.count("events");
    for _ in 0..5 {
        dead.copy().sign_out();
    }
    assert_eq!(app.count("events"), before);
}
