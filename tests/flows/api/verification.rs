//! Verifying an address by a program.

use rocket::http::Method::{Delete, Get, Post};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

fn message(text: &str) -> String {
    format!(r#"{{"email":"{ADA}","message":"{text}"}}"#)
}

#[test]
fn a_program_asks_for_another_link_and_verifies_the_address() {
    let app = TestApp::with_ada();
    let ask = || app.ask(Post, "/api/v1/verification_link");
    ask().is(200).is_json(&message("link sent"));
    ask().is(200).is_json(&message("link sent"));
    let emails = app.emails();
    assert_eq!(emails.len(), 3);
    ask().is(200).is_json(&message("several links still work"));
    let verify = |form: [(&str, &str); 1]| app.call(Post, "/api/v1/verify_email", form);
    verify([("token", "nonsense")]).is(400);
    verify([("token", "")]).is(400).says("\"token\"");
    assert_eq!(app.ask(Get, "/api/v1/session").json()["user"]["email_verified"], false);
    let token = emails[0].token();
    verify([("token", &*token)]).is(200).is_json(r#"{"message":"email verified"}"#);
    assert_eq!(app.ask(Get, "/api/v1/session").json()["user"]["email_verified"], true);
    // A request that was repeated.
    verify([("token", &*token)]).is(200);
    ask().is(200).is_json(&message("email verified"));
    verify([("token", &*emails[1].token())]).refuses(400, "dead-link");
    app.other_browser().ask(Post, "/api/v1/verification_link").is(401);
}

/// Promise 15.
#[test]
fn verifying_without_a_session_needs_the_password_and_begins_one() {
    let app = TestApp::with_ada();
    let token = app.last_email().token();
    let program = app.other_browser();
    program.call(Post, "/api/v1/verify_email", [("token", &*token)]).is(400);
    let with = |password| [("token", &*token), ("password", password)];
    program.call(Post, "/api/v1/verify_email", with(NEW_PASSWORD)).refuses(400, "wrong-password");
    assert!(!program.is_signed_in());
    program.call(Post, "/api/v1/verify_email", with(PASSWORD)).is(200);
    assert!(program.is_signed_in());
}

#[test]
fn whoever_asks_too_often_is_told_when_to_ask_again() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 1)));
    app.sign_up(ADA);
    app.ask(Post, "/api/v1/verification_link").is(200);
    assert_eq!(app.emails().len(), 2);
    let seen = app.ask(Post, "/api/v1/verification_link").refuses(429, "too-many-attempts");
    assert_eq!(seen.header("retry-after"), Some("3600"));
}

#[test]
fn the_user_says_which_address_is_waited_for() {
    let app = TestApp::with_ada();
    let user = || app.ask(Get, "/api/v1/session").is(200).json()["user"].clone();
    assert!(user()["new_email"].is_null());
    app.call(Post, "/api/v1/email_change", [("email", "ada@new.example")]).is(200);
    assert_eq!(user()["new_email"], "ada@new.example");
    app.ask(Delete, "/api/v1/email_change").is(200);
    assert!(user()["new_email"].is_null());
}
