//! The devices of an account: promises 28, 43, 46 and 48.

use std::time::Duration;

use rocket::http::Method;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// The ID of the session of a browser.
fn id_of(browser: &crate::harness::Browser) -> String {
    let me = browser.ask(Method::Get, "/api/v1/session").json();
    me["session"]["id"].as_str().unwrap().to_owned()
}

/// Promise 46.
#[test]
fn the_owner_sees_and_ends_a_session() {
    let app = TestApp::with_ada();
    let phone = app.elsewhere();
    app.visit("/profile").says("Devices");
    let page = app.visit("/sessions").is(200).says("This device").says("Firefox on Linux");
    assert_eq!(page.body.matches("/end\"").count(), 1, "{}", page.body);
    app.post(&format!("/sessions/{}/end", id_of(&phone)), []).redirects_to("/sessions");
    app.visit("/sessions").says("The device is signed out.").says("not signed in anywhere else");
    assert!(!phone.is_signed_in());
    assert!(app.is_signed_in());
}

/// Promise 46: the session of somebody else is none.
#[test]
fn another_users_session_is_not_found() {
    let app = TestApp::with_ada();
    let grace = app.other_browser();
    grace.sign_up("grace@example.com");
    let nobodys = "00000000-0000-0000-0000-000000000000";
    app.ask(Method::Delete, &format!("/api/v1/sessions/{nobodys}")).is(404);
    for id in [id_of(&grace), "x".into()] {
        app.post(&format!("/sessions/{id}/end"), []).is(404);
        app.ask(Method::Delete, &format!("/api/v1/sessions/{id}")).is(404);
    }
    assert!(grace.is_signed_in());
    app.other_browser()
        .post(&format!("/sessions/{}/end", id_of(&grace)), [])
        .redirects_to("/login?next=/sessions");
    assert!(grace.is_signed_in());
    app.emails();
}

/// Promise 63: the form is sent twice, or from a page of some minutes ago.
#[test]
fn ending_twice_leads_to_the_list_twice() {
    let app = TestApp::with_ada();
    let phone = id_of(&app.elsewhere());
    app.post(&format!("/sessions/{phone}/end"), []).redirects_to("/sessions");
    app.visit("/sessions").says("The device is signed out.");
    app.post(&format!("/sessions/{phone}/end"), []).redirects_to("/sessions");
    app.visit("/sessions").says("was signed out already");
    app.ask(Method::Delete, &format!("/api/v1/sessions/{phone}")).is(404);
    assert_eq!(app.count("events WHERE kind = 'session-ended'"), 1);
}

/// Nothing is said to have ended that goes on: a session that was renewed has another ID.
#[test]
fn a_session_that_was_renewed_is_not_said_to_have_ended() {
    let app = TestApp::with_ada();
    let thief = app.elsewhere();
    let listed = id_of(&thief);
    thief.call(Method::Post, "/api/v1/recent_login", [("password", PASSWORD)]).is(200);
    app.post(&format!("/sessions/{listed}/end"), []).redirects_to("/sessions");
    app.visit("/sessions")
        .says("has signed in again since")
        .does_not_say("The device is signed out.");
    app.post(&format!("/sessions/{}/end", id_of(&thief)), []).redirects_to("/sessions");
    assert!(!thief.is_signed_in());
}

/// Promise 48: whoever has an old session must not sign the owner out.
#[test]
fn one_is_ended_after_a_recent_sign_in() {
    let app = TestApp::with_ada();
    app.clock.advance(Duration::from_mins(10));
    let owner = app.elsewhere();
    let end = format!("/sessions/{}/end", id_of(&owner));
    app.post(&end, []).redirects_to("/recent-login?next=/sessions");
    app.ask(Method::Delete, &format!("/api/v1/sessions/{}", id_of(&owner))).is(401);
    assert!(owner.is_signed_in());
    app.submit("/recent-login?next=/sessions", [("password", PASSWORD)]).redirects_to("/sessions");
    app.post(&end, []).redirects_to("/sessions");
    assert!(!owner.is_signed_in());
}

/// Promises 27 to 29: a session without the password brings no attempts to guess it.
#[test]
fn a_stolen_session_brings_no_further_guesses() {
    let app = TestApp::with_ada();
    let thief = app.other_browser();
    thief.cookies.borrow_mut().insert("session_id".into(), app.session_cookie().unwrap());
    let mut wrong = 0;
    for _ in 0..4 {
        thief.post("/sessions/end-others", []).redirects_to("/sessions");
        let guesser = thief.copy();
        guesser.cookies.borrow_mut().remove("session_id");
        wrong += (0..5).filter(|_| guesser.guess(ADA) == 401).count();
    }
    assert!(wrong <= 6, "{wrong}");
}

/// The same with cookies of devices that a changed password has made void.
#[test]
fn a_stolen_session_brings_no_void_device_back() {
    let app = TestApp::with_ada();
    let thief = app.elsewhere();
    let device = thief.cookies.borrow()["vestibule_device"].clone();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    for _ in 0..5 {
        app.other_browser().guess(ADA);
    }
    let thief = app.other_browser();
    thief.cookies.borrow_mut().insert("session_id".into(), app.session_cookie().unwrap());
    thief.cookies.borrow_mut().insert("vestibule_device".into(), device);
    thief.post("/sessions/end-others", []).redirects_to("/sessions");
    thief.cookies.borrow_mut().remove("session_id");
    assert_eq!(thief.guess(ADA), 429);
    app.emails();
}

/// What one session does is not counted against another: a thief must not keep the owner from ending it.
#[test]
fn a_busy_session_does_not_keep_another_from_ending_it() {
    let app = TestApp::with_ada();
    let thief = app.elsewhere();
    let busy = (0..40).map(|_| thief.post("/email-cancel", []).status);
    assert!(busy.into_iter().any(|status| status == 429));
    app.post("/sessions/end-others", []).redirects_to("/sessions");
    assert!(!thief.is_signed_in());
}

/// Promises 46 and 48.
#[test]
fn all_others_are_ended_after_a_recent_sign_in() {
    let app = TestApp::with_ada();
    let others = [app.elsewhere(), app.elsewhere()];
    app.clock.advance(Duration::from_secs(600));
    app.post("/sessions/end-others", []).redirects_to("/recent-login?next=/sessions");
    assert!(others[0].is_signed_in());
    app.submit("/recent-login?next=/sessions", [("password", PASSWORD)]).redirects_to("/sessions");
    app.post("/sessions/end-others", []).redirects_to("/sessions");
    assert!(others.iter().all(|other| !other.is_signed_in()));
    assert!(app.is_signed_in());
    app.visit("/sessions").says("Every other device is signed out.");
    app.post("/sessions/end-others", []).redirects_to("/sessions");
}

/// Promise 28: what was ended may have been a thief's, whose browser is known.
#[test]
fn a_browser_whose_session_was_ended_becomes_a_stranger() {
    let app = TestApp::with_ada();
    let thief = app.elsewhere();
    app.post(&format!("/sessions/{}/end", id_of(&thief)), []).redirects_to("/sessions");
    for _ in 0..5 {
        app.other_browser().guess(ADA);
    }
    assert_eq!(thief.log_in(ADA, PASSWORD).status, 429);
    // The owner's browser is known still.
    app.sign_out();
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

#[test]
fn ones_own_session_is_ended_like_signing_out() {
    let app = TestApp::with_ada();
    app.post(&format!("/sessions/{}/end", id_of(&app)), []).redirects_to("/login");
    assert!(!app.is_signed_in());
}

#[test]
fn a_program_lists_and_ends_sessions() {
    let app = TestApp::with_ada();
    let phone = app.elsewhere();
    let all = app.ask(Method::Get, "/api/v1/sessions").is(200).json();
    let all = all["sessions"].as_array().unwrap().clone();
    assert_eq!(all.len(), 2);
    let current: Vec<_> = all.iter().filter(|one| one["is_current"] == true).collect();
    assert_eq!(current[0]["id"], id_of(&app));
    assert!(!app.ask(Method::Get, "/api/v1/sessions").body.contains("digest"));
    app.ask(Method::Delete, &format!("/api/v1/sessions/{}", id_of(&phone))).is(200);
    assert!(!phone.is_signed_in());
    let phone = app.elsewhere();
    app.ask(Method::Delete, "/api/v1/sessions").is(200);
    assert!(!phone.is_signed_in() && app.is_signed_in());
    app.clock.advance(Duration::from_secs(600));
    app.ask(Method::Delete, "/api/v1/sessions").is(401);
    app.other_browser().ask(Method::Get, "/api/v1/sessions").is(401);
}
