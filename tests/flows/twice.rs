//! Promise 63: a button pressed twice, or a page loaded again. The action is done once, and both requests succeed.

use std::time::Duration;

use rocket::http::Method::{Post, Put};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn signing_up_twice_signs_in_twice() {
    let app = TestApp::new();
    let form = [("email", ADA), ("password", PASSWORD), ("next", "/")];
    assert_eq!(app.post_at_once(2, "/signup", form), [303; 2]);
    assert!(app.is_signed_in());
    // Some time later.
    let again = app.other_browser();
    again.post("/signup", form).redirects_to("/");
    assert!(again.is_signed_in());
    assert_eq!(app.count("users"), 1);
    assert_eq!(app.emails().len(), 1);
    // A client with a wrong password is told that the address is taken, and has no more attempts than at sign-in.
    let thief = app.other_browser();
    for _ in 0..5 {
        thief
            .post("/signup", [form[0], ("password", NEW_PASSWORD)])
            .is(422)
            .says_beside("email", "already an account");
    }
    thief.post("/signup", [form[0], ("password", NEW_PASSWORD)]).is(429);
    thief.post("/login", [form[0], ("password", PASSWORD)]).is(429);
    // Programs are told, as before.
    app.call(Post, "/users", form).is(400).says("email already registered");
    app.call(Post, "/api/v1/register", form).is(400).says("already an account");
}

/// Promise 8: signing out with the session that a change has just ended ends the new session.
#[test]
fn signing_out_during_a_change_leaves_no_session() {
    let app = TestApp::with_ada();
    let beside = app.copy();
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", change).redirects_to("/profile");
    assert!(app.is_signed_in());
    beside.post("/logout", []).redirects_to("/");
    assert!(!app.is_signed_in());
    assert_eq!(app.count("sessions"), 0);
}

#[test]
fn changing_the_password_twice_changes_it_once() {
    let app = TestApp::with_ada();
    let again = app.copy();
    let page = again.visit("/password-change");
    let ended = app.session_cookie().unwrap();
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", change).redirects_to("/profile");
    // The second one comes with the session that the first one has ended.
    assert!(!again.is_signed_in());
    page.and_submit(change).redirects_to("/profile");
    again.visit("/profile").is(200).says("Your new password is set");
    assert_eq!(app.count("events WHERE kind = 'password-changed'"), 1);
    assert_eq!(app.count("sessions"), 1);
    // With the new session it is one more change, and the current password is another.
    again
        .submit("/password-change", change)
        .is(422)
        .says_beside("password", "This is not your current password.");
    // With another new password it is not a repetition.
    let late = app.copy();
    late.cookies.borrow_mut().insert("session_id".into(), ended.clone());
    let other = [("password", PASSWORD), ("new_password", "something else again")];
    late.post("/password-change", other).redirects_to("/login?next=/password-change");
    // Nor is it one without the ended session, or after the new one has ended.
    let stranger = app.other_browser();
    stranger.post("/password-change", change).redirects_to("/login?next=/password-change");
    again.sign_out();
    late.cookies.borrow_mut().insert("session_id".into(), ended);
    late.post("/password-change", change).redirects_to("/login?next=/password-change");
    assert!(!late.is_signed_in() && !stranger.is_signed_in());
}

/// Promise 44: a sign-out may overtake the responses of one or several changes, sent once or twice: it ends the
/// latest session that followed from the one it names.
#[test]
fn signing_out_during_changes_ends_the_latest_session() {
    let app = TestApp::with_ada();
    let first = app.session_cookie().unwrap();
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    let back = [("password", NEW_PASSWORD), ("new_password", PASSWORD)];
    let with_first = || {
        let browser = app.other_browser();
        browser.cookies.borrow_mut().insert("session_id".into(), first.clone());
        browser
    };
    app.post("/password-change", change).redirects_to("/profile");
    with_first().post("/password-change", change).redirects_to("/profile");
    let last = with_first();
    last.post("/password-change", change).redirects_to("/profile");
    last.post("/password-change", back).redirects_to("/profile");
    assert!(last.is_signed_in() && app.count("sessions") == 1);
    with_first().sign_out();
    assert!(!last.is_signed_in());
    assert_eq!(app.count("sessions"), 0);
}

/// Promise 44: but such a cookie ends nothing when used much later.
#[test]
fn an_old_cookie_ends_no_newer_session() {
    let app = TestApp::with_ada();
    let old = app.session_cookie().unwrap();
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.post("/password-change", change).redirects_to("/profile");
    app.clock.advance(Duration::from_mins(11));
    let finder = app.other_browser();
    finder.cookies.borrow_mut().insert("session_id".into(), old);
    finder.sign_out();
    assert!(app.is_signed_in());
}

/// Promise 44: after signing out, a form that the browser sends again does not sign in.
#[test]
fn nothing_sent_again_signs_in_after_signing_out() {
    let app = TestApp::with_ada();
    let wrong = [("password", "mistyped"), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", wrong).is(422);
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", change).redirects_to("/profile");
    app.sign_out();
    for form in [wrong, change] {
        app.post("/password-change", form).redirects_to("/login?next=/password-change");
        assert!(!app.is_signed_in());
    }
    assert_eq!(app.count("sessions"), 0);
}

/// Promise 26: after signing out, a cookie from before a change waits for no write to the database.
#[test]
fn a_dead_cookie_writes_nothing() {
    let app = TestApp::with(|figment| figment.merge(("databases.vestibule.connect_timeout", 1)));
    app.sign_up(ADA);
    let before = app.copy();
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", change).redirects_to("/profile");
    app.sign_out();
    if !app.is_sqlite() {
        return; // There, a write locks nothing but its rows.
    }
    app.while_locked(|| {
        before.sign_out().redirects_to("/");
    });
}

/// Promise 50: what a form needs that is sent twice.
#[test]
fn repetitions_are_forgotten_after_ten_minutes() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    app.visit(&link).and_submit([]).redirects_to("/profile");
    let change = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", change).redirects_to("/profile");
    for (minutes, left) in [(9, 1), (2, 0)] {
        app.clock.advance(Duration::from_mins(minutes));
        app.run_jobs();
        assert_eq!((app.count("renewed_sessions"), app.count("used_links")), (left, left));
    }
}

#[test]
fn resetting_twice_resets_once() {
    let app = TestApp::with_ada();
    let owner = app.other_browser();
    owner.submit("/password-reset", [("email", ADA)]);
    let link = app.last_email().link();
    let form = [("new_password", NEW_PASSWORD)];
    assert_eq!(owner.post_at_once(3, &link, form), [303; 3]);
    owner.post(&link, form).redirects_to("/login");
    owner.visit("/login").says("Your new password is set");
    assert_eq!(app.count("events WHERE kind = 'password-reset'"), 1);
    assert_eq!(app.count("sessions"), 0, "it logs nobody in");
    // Once more, after signing in with the new password: that session stays.
    owner.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    owner.post(&link, form).redirects_to("/login");
    assert!(owner.is_signed_in());
    // For anybody else, the used link is dead.
    owner.visit(&link).is(404);
    owner.post(&link, [("new_password", "something else again")]).is(404);
    let token = link.rsplit('/').next().unwrap();
    let fields = [("email", ADA), ("reset_token", token), form[0]];
    app.call(Put, "/reset_password", fields).is(403);
    app.clock.advance(std::time::Duration::from_secs(601));
    owner.post(&link, form).is(404);
}

#[test]
fn verifying_twice_verifies_once() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    assert_eq!(app.post_at_once(2, &link, []), [303; 2]);
    app.post(&link, []).redirects_to("/profile");
    app.visit("/profile").says("Your email address is confirmed.");
    assert_eq!(app.count("events WHERE kind = 'email-verified'"), 1);
    let stranger = app.other_browser();
    stranger.post(&link, []).is(404);
    stranger.post(&link, [("password", "wrong")]).is(404);
    assert!(!stranger.is_signed_in());
    // With the password, in a browser that is not signed in.
    stranger.post(&link, [("password", PASSWORD)]).redirects_to("/profile");
    assert!(stranger.is_signed_in());
}

#[test]
fn other_requests_take_memory_in_proportion_too() {
    let app = TestApp::with_ada();
    assert_eq!(app.post_at_once(2, "/profile", [("name", "Ada")]), [303; 2]);
    let login = [("email", ADA), ("password", PASSWORD)];
    assert_eq!(app.post_at_once(2, "/login", login), [303; 2]);
    assert_eq!(app.post_at_once(2, "/logout", []), [303; 2]);
    assert!(!app.is_signed_in());
}
