//! Overload of the hash workers.

use rocket::http::Method::Post;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 26.
#[test]
fn many_sign_ins_delay_neither_pages_nor_health_checks() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.password.cost", 12))
            .merge(("vestibule.hashing.workers", 1))
            .merge(("vestibule.hashing.queue", 10))
            .merge(("vestibule.throttle.free_attempts", 1000))
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
    });
    app.sign_up(ADA);
    let form = [("email", "bob@example.com"), ("password", "wrong")];
    let (storm, pages) = app.during_storm(200, "/login", form, &["/health/live", "/profile"]);
    assert!(pages.iter().all(|status| *status == 200), "{pages:?}");
    let busy = storm.iter().filter(|status| **status == 503).count();
    assert!(busy >= 20, "four at work, ten in the lane, and the others: {busy}");
    assert!(storm.iter().all(|status| matches!(status, 401 | 503)));
}

/// Promise 26: seventy browsers known to one account, five requests each at once, from one address. Everybody else
/// is served as if they were one.
#[test]
fn one_account_at_one_address_locks_nobody_out() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment
            .merge(("vestibule.password.cost", 8))
            .merge(("vestibule.hashing.workers", 1))
            .merge(("vestibule.hashing.queue", 40))
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
            .merge(("vestibule.throttle.free_attempts", 1000))
    });
    app.sign_up("eve@example.com");
    for n in 0..12 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
    }
    let statuses = app.storm_beside_others(350, "eve@example.com", 12);
    let (storm, others) = statuses.split_at(350);
    assert_eq!(others, [303; 12], "each from an address of their own");
    assert!(storm.contains(&503));
}

/// Promise 26.
#[test]
fn the_answer_under_overload_says_when_to_retry_and_counts_as_no_failure() {
    let app = TestApp::with(|f| f.merge(("vestibule.hashing.max_wait", "1ns")));
    let form = [("email", ADA), ("password", "wrong")];
    for _ in 0..20 {
        let seen = app
            .post("/login", form)
            .is(503)
            .says("Very many people are signing in right now. Wait 1 second and try again.")
            .shows_in("email", ADA);
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    for path in ["/sessions", "/api/v1/session"] {
        let seen = app.call(Post, path, form).is(503).says("Very many people");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    assert_eq!(app.count("throttle WHERE attempts > 0"), 0);
}

/// Promises 3, 25, 26 and 27: with no time for any hash, everything that needs one is 503.
#[test]
fn what_is_refused_before_costs_no_hash() {
    let app = TestApp::with_ada();
    let thief = app.other_browser();
    for _ in 0..5 {
        thief.guess(ADA);
    }
    let app = app.restarted_with(|figment| figment.merge(("vestibule.hashing.max_wait", "1ns")));
    let login =
        |email, password| app.post("/login", [("email", email), ("password", password)]).status;
    assert_eq!(login("bob@example.com", PASSWORD), 503, "a hash would be needed");
    assert_eq!(login(ADA, PASSWORD), 429, "during the wait");
    assert_eq!(login("no address", PASSWORD), 401);
    assert_eq!(login("bob@example.com", &"x".repeat(1025)), 401);
    let form = [("email", "eve@example.com"), ("password", &*"x".repeat(257))];
    app.post("/signup", form).is(422);
    let dead = "/password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q";
    app.post(dead, [("new_password", NEW_PASSWORD)]).is(404);
}
