//! Limits by client IP, whatever the accounts.

use rocket::http::Method::Post;

use super::SECOND;
use crate::harness::{ADA, PASSWORD, TestApp, in_ci};

/// Promise 29.
#[test]
fn one_client_ip_cannot_try_many_accounts() {
    let app = TestApp::new();
    for n in 0..30 {
        assert_eq!(app.guess(&format!("p{n}@example.com")), 401);
    }
    assert_eq!(app.guess("p30@example.com"), 429);
    let form = [("email", "new@example.com"), ("password", PASSWORD)];
    app.other_browser().post("/signup", form).is(429).says("Too many attempts.");
    app.post("/password-reset", [form[0]]).is(429).says("Too many attempts.");
    app.call(Post, "/users", form).is(429);
    app.call(Post, "/reset_password", [form[0]]).is(429);
    app.clock.advance(60 * SECOND);
    assert_eq!(app.guess("p30@example.com"), 401);
}

/// Promise 29: signing in to one's own account now and then does not reset the limit.
#[test]
fn signing_in_to_ones_own_account_resets_no_failures() {
    let app = TestApp::new();
    app.sign_up("eve@example.com");
    let eve = app.other_browser();
    for n in 0..29 {
        if n % 4 == 0 {
            app.other_browser().log_in("eve@example.com", PASSWORD).redirects_to("/profile");
        }
        assert_eq!(eve.guess(&format!("p{n}@example.com")), 401);
    }
    assert_eq!(eve.guess("p30@example.com"), 429);
    app.clock.advance(60 * SECOND);
    for _ in 0..5 {
        assert_eq!(eve.guess(ADA), 401);
        app.other_browser().log_in("eve@example.com", PASSWORD).redirects_to("/profile");
    }
    assert_eq!(eve.guess(ADA), 429);
}

/// Promise 29.
#[test]
fn a_client_ip_with_successful_sign_ins_is_not_limited() {
    let app = TestApp::with_ada();
    for _ in 0..40 {
        app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    }
}

/// Promise 29.
#[test]
fn sign_ups_and_taken_addresses_count_too() {
    let app = TestApp::with_ada();
    let form = [("email", "bob@example.com"), ("password", "too easy")];
    let statuses: Vec<u16> =
        (0..30).map(|_| app.other_browser().post("/signup", form).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 29);
    assert_eq!(statuses.last(), Some(&429));
}

/// Promise 29: a class that signs in at once is counted before the sign-ins succeed, and only until then.
#[test]
fn a_class_that_signs_in_at_once_does_not_wait_for_a_minute() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 5)));
    app.sign_up(ADA);
    let form = [("email", ADA), ("password", PASSWORD)];
    let statuses = app.other_browser().post_at_once(20, "/login", form);
    assert!(statuses.iter().all(|status| matches!(status, 303 | 429)), "{statuses:?}");
    app.clock.advance(SECOND);
    app.other_browser().post("/login", form).redirects_to("/profile");
}

/// Promise 31: the limits of a network with many people are a setting.
#[test]
fn a_configured_network_has_higher_limits() {
    let networks = "203.0.113.0/24=10, 2001:db8::/32=2";
    let app =
        TestApp::behind_a_proxy(|figment| figment.merge(("vestibule.throttle.networks", networks)));
    let let_in = |from: &str| {
        let browser = app.browser_at(from);
        (0..301).filter(|n| browser.guess(&format!("p{n}@example.com")) == 401).count()
    };
    assert_eq!(let_in("203.0.113.7"), 300);
    assert_eq!(let_in("198.51.100.1"), 30);
    assert_eq!(let_in("2001:db8::1"), 60);
}

/// Promise 29: the owner of an IPv6 site has many prefixes, and counts as sixteen.
#[test]
fn an_ipv6_site_has_a_limit() {
    let app = TestApp::behind_a_proxy(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1)));
    let guess = |from: &str, email: &str| app.browser_at(from).guess(email);
    let of_site = |n: usize| guess(&format!("2001:db8:1:{n:x}::1"), &format!("p{n}@example.com"));
    // Per minute, and per day.
    assert_eq!((0..20).filter(|n| of_site(*n) == 401).count(), 16);
    let mut attempts = 16;
    if in_ci() {
        loop {
            app.clock.advance(60 * SECOND);
            let let_in = (0..16).filter(|n| of_site(attempts + n) == 401).count();
            attempts += let_in;
            if let_in < 16 {
                break;
            }
        }
        assert!((1_600..1_800).contains(&attempts), "{attempts}");
    }
    // Attempts that cost no hash do not count towards the daily limit.
    let nothing = |n: usize| guess(&format!("2001:db8:3:{n:x}::1"), "nobody");
    for minute in 0..13 {
        app.clock.advance(60 * SECOND);
        assert_eq!((0..20).filter(|n| nothing(minute * 20 + n) == 401).count(), 16);
    }
    assert_eq!(app.count("events WHERE ip LIKE '2001:db8:3:%'"), 100, "no more are recorded");
    assert_eq!(guess("2001:db8:2::1", "x@example.com"), 401);
}

/// Promise 67: a daily limit.
#[test]
fn a_client_ip_has_a_daily_limit() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1)));
    // A hundred at once, and then one every 14 minutes: nobody waits until tomorrow.
    for n in 0..107 {
        assert_eq!(app.guess(&format!("p{n}@example.com")), 401, "{n}");
        app.clock.advance(60 * SECOND);
    }
    let seen = app.post("/login", [("email", "p200@example.com"), ("password", "wrong")]).is(429);
    let wait: u32 = seen.header("retry-after").unwrap().parse().unwrap();
    assert!((60..=864).contains(&wait), "{wait}");
    // Signed-in clients and known devices do not count here.
    app.clock.advance(wait * SECOND);
    assert_eq!(app.guess("p200@example.com"), 401);
    assert_eq!(app.guess("p201@example.com"), 429);
}

/// Promise 67: requesting links, or signing up with a weak password, does not use up the daily sign-ins of others
/// at the same address.
#[test]
fn attempts_without_a_hash_do_not_count_towards_the_daily_limit() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1)));
    let weak = [("email", "eve@example.com"), ("password", "password")];
    for n in 0..300 {
        app.clock.advance(60 * SECOND);
        if n % 2 == 0 {
            let seen = app.post("/password-reset", [("email", "eve@example.com")]);
            assert!(matches!(seen.status, 303 | 429), "{}", seen.status);
        } else {
            app.post("/signup", weak).is(422);
        }
    }
    app.clock.advance(60 * SECOND);
    for n in 0..100 {
        assert_eq!(app.guess(&format!("p{n}@example.com")), 401, "{n}");
        app.clock.advance(60 * SECOND);
    }
}

/// Promise 25: a valid link gives no more attempts than usual.
#[test]
fn attempts_at_links_count_for_the_client_ip() {
    let app = TestApp::with(|f| f.merge(("vestibule.reveal_reset_token", true)));
    let links: Vec<String> = (0..3)
        .map(|n| {
            let email = format!("p{n}@example.com");
            app.call(Post, "/users", [("email", &*email), ("password", PASSWORD)]).is(200);
            let seen = app.call(Post, "/reset_password", [("email", &*email)]).is(200);
            format!("/password-reset/{}", seen.json()["reset_token"].as_str().unwrap())
        })
        .collect();
    let attempts = (0..60).map(|n| app.post(&links[n % 3], [("new_password", "password1")]).status);
    assert_eq!(attempts.filter(|status| *status == 422).count(), 27, "thirty, with three sign-ups");
}

/// Promise 29: nor does using one link from many prefixes.
#[test]
fn attempts_at_one_link_count_from_all_client_ips() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    app.sign_up(ADA);
    let link = app.reset_link();
    let attempts = (0..40).map(|n| {
        let browser = app.browser_at(&format!("198.51.{n}.1"));
        browser.post(&link, [("new_password", "password1")]).status
    });
    assert_eq!(attempts.filter(|status| *status == 422).count(), 30);
}
