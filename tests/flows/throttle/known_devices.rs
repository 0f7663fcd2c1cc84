//! Browsers that have opened an account before: strangers at the same account, or the same client IP, do not lock
//! them out.

use std::time::Duration;

use super::{SECOND, retry_after};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 28.
#[test]
fn strangers_who_guess_do_not_lock_the_owner_out() {
    let app = TestApp::with_ada();
    app.sign_out();
    assert!(app.cookies.borrow().contains_key("vestibule_device"));
    app.other_browser().sign_up("bob@example.com");
    let thief = app.other_browser();
    for n in 0..22 {
        assert_eq!(thief.guess(&format!("p{n}@example.com")), 401);
    }
    for _ in 0..5 {
        assert_eq!(thief.guess(ADA), 401);
    }
    assert_eq!(thief.guess(ADA), 429, "the account is closed to strangers");
    assert_eq!(thief.guess("p30@example.com"), 401);
    assert_eq!(thief.guess("p31@example.com"), 429, "and so is the door to this network");
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    app.sign_out();
    retry_after(&thief, ADA);
    // Known for this account only.
    for _ in 0..6 {
        app.guess("bob@example.com");
    }
    assert_eq!(app.guess("bob@example.com"), 429);
    // After five failures of its own it is a stranger too.
    for _ in 0..5 {
        assert_eq!(app.guess(ADA), 401);
    }
    assert_eq!(app.guess(ADA), 429);
}

/// Promise 28: a known device cannot be forged, by hand or from something sealed for another use.
#[test]
fn a_forged_cookie_makes_no_browser_known() {
    let app = TestApp::with_ada();
    let (device, session) = {
        let cookies = app.cookies.borrow();
        (cookies["vestibule_device"].clone(), cookies["session_id"].clone())
    };
    let plain = app.unsealed("vestibule_device").unwrap();
    let last = if device.ends_with('A') { "B" } else { "A" };
    let bent = format!("{}{last}", &device[..device.len() - 1]);
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.guess(ADA);
    }
    for forged in [plain, bent, session, String::new()] {
        let browser = app.other_browser();
        browser.cookies.borrow_mut().insert("vestibule_device".into(), forged);
        retry_after(&browser, ADA);
    }
    let known = app.other_browser();
    known.cookies.borrow_mut().insert("vestibule_device".into(), device);
    known.log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 28.
#[test]
fn the_device_cookie_is_sealed_and_void_after_a_reset() {
    let app = TestApp::new();
    let seen = app.submit("/signup", [("email", ADA), ("password", PASSWORD)]);
    let cookie = seen.set_cookie("vestibule_device");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let old = app.copy();
    app.sign_out();
    app.submit("/password-reset", [("email", ADA)]);
    app.clock.advance(SECOND);
    let link = app.last_email().link();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.guess(ADA);
    }
    let form = [("email", ADA), ("password", NEW_PASSWORD)];
    old.post("/login", form).is(429);
    // The browser that did the reset got a new one.
    app.post("/login", form).redirects_to("/profile");
}

/// Promises 28 and 29: signed-in clients and known devices are not affected by strangers at the same address.
#[test]
fn a_client_ip_at_its_limit_blocks_no_signed_in_user() {
    let app = TestApp::with_ada();
    let known = app.other_browser();
    known.sign_up("bob@example.com");
    known.sign_out();
    let stranger = app.other_browser();
    while stranger.guess("nobody@example.com") != 429 {
        for n in 0..6 {
            stranger.guess(&format!("p{n}@example.com"));
        }
    }
    app.clock.advance(SECOND);
    app.submit("/profile", [("name", "Ada")]).redirects_to("/profile");
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    known.log_in("bob@example.com", PASSWORD).redirects_to("/profile");
    // But they have a limit, too.
    let acts = (0..40).map(|_| app.post("/profile", [("name", "Ada")]).status);
    assert!(acts.filter(|status| *status == 429).count() >= 10);
}

/// Promise 28: signing in again keeps the device and its attempts.
#[test]
fn a_known_browser_has_one_bucket_however_often_it_signs_in() {
    let app = TestApp::with_ada();
    let mut copies = Vec::new();
    for _ in 0..5 {
        app.sign_out();
        app.log_in(ADA, PASSWORD).redirects_to("/profile");
        let copy = app.other_browser();
        let device = app.cookies.borrow()["vestibule_device"].clone();
        copy.cookies.borrow_mut().insert("vestibule_device".into(), device);
        copies.push(copy);
    }
    let attempts = copies.iter().flat_map(|copy| (0..5).map(|_| copy.log_in(ADA, "wrong")));
    let let_in = attempts.filter(|seen| seen.status == 401).count();
    assert_eq!(let_in, 10, "five as the one browser, five as a stranger");
}

/// Promise 28: the browser may keep the cookie for any time.
#[test]
fn a_browser_is_known_for_half_a_year() {
    let app = TestApp::with_ada();
    app.sign_out();
    let day = Duration::from_secs(24 * 3600);
    let lock = || {
        let thief = app.other_browser();
        for _ in 0..6 {
            thief.log_in(ADA, "wrong");
        }
    };
    app.clock.advance(179 * day);
    lock();
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    app.sign_out();
    app.clock.advance(180 * day);
    lock();
    app.log_in(ADA, PASSWORD).is(429);
}
