//! Invitations: promises 17, 19, 20, 24, 60 and 63.

use std::time::Duration;

use rocket::http::Method::{Get, Post};
use vestibule::InviteError;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// A service where people sign up by invitation alone.
fn by_invitation() -> TestApp {
    TestApp::with(|figment| figment.merge(("vestibule.signup", "invite")))
}

fn invite(app: &TestApp, email: &str) -> String {
    app.block_on(app.accounts().invite(&email.parse().unwrap())).unwrap();
    app.last_email().link()
}

/// Promise 60: for one address.
#[test]
fn an_invited_person_signs_up_with_the_invited_address() {
    let app = by_invitation();
    let link = invite(&app, "Ada@example.com");
    let email = app.last_email();
    assert_eq!((&*email.to, &*email.subject), ("Ada@example.com", "Your invitation to Vestibule"));
    app.keeps_only_the_digest_of(&email.token());
    let page = app.visit(&link).is(200).says("Welcome to Vestibule").says("Ada@example.com");
    page.and_submit([("password", "password")]).is(422).says_beside("password", "common");
    assert_eq!(app.count("users"), 0);
    // The form cannot choose another address.
    app.post(&link, [("password", PASSWORD), ("name", "Ada"), ("email", "eve@example.com")])
        .redirects_to("/profile");
    app.visit("/profile")
        .is(200)
        .says("Your account is ready.")
        .says("Ada@example.com")
        .says("Confirmed");
    assert_eq!(app.ask(Get, "/api/v1/session").json()["user"]["email_verified"], true);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("events WHERE kind IN ('invited', 'signed-up', 'email-verified')"), 3);
}

/// Promises 20 and 63.
#[test]
fn an_invitation_is_accepted_once_and_succeeds_twice() {
    let app = by_invitation();
    let link = invite(&app, ADA);
    let second = app.copy();
    for browser in [&*app, &second] {
        browser.post(&link, [("password", PASSWORD)]).redirects_to("/profile");
        assert!(browser.is_signed_in());
    }
    app.visit(&link).redirects_to("/profile");
    let other = app.other_browser();
    other.visit(&link).is(404).says("accepted the invitation");
    other.post(&link, [("password", NEW_PASSWORD)]).is(404);
    assert_eq!(app.count("users"), 1);
    assert_eq!(app.count("events WHERE kind = 'signed-up'"), 1);
    app.clock.advance(Duration::from_mins(11));
    other.post(&link, [("password", PASSWORD)]).is(404);
}

/// Promise 21.
#[test]
fn an_invitation_dies_after_a_week() {
    let app = by_invitation();
    let link = invite(&app, ADA);
    app.clock.advance(Duration::from_hours(7 * 24) - Duration::from_secs(1));
    app.visit(&link).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.visit(&link).is(404);
    app.post(&link, [("password", PASSWORD)]).is(404);
    assert!(app.block_on(app.accounts().invitations()).unwrap().is_empty());
}

/// Promise 60: an invitation that is taken back is void, also if its email has not left.
#[test]
fn an_invitation_is_taken_back() {
    let app = by_invitation();
    let email = ADA.parse().unwrap();
    let listed = |app: &TestApp| -> Vec<String> {
        let invitations = app.block_on(app.accounts().invitations()).unwrap();
        invitations.iter().map(|invitation| invitation.email.to_string()).collect()
    };
    app.block_on(app.accounts().invite(&"Ada@example.com".parse().unwrap())).unwrap();
    assert_eq!(listed(&app), ["Ada@example.com"], "before its email has left");
    assert!(app.block_on(app.accounts().revoke_invitation(&email)).unwrap());
    assert!(listed(&app).is_empty() && app.emails().is_empty());
    let link = invite(&app, ADA);
    assert_eq!(listed(&app), [ADA]);
    assert!(app.block_on(app.accounts().revoke_invitation(&email)).unwrap());
    assert!(!app.block_on(app.accounts().revoke_invitation(&email)).unwrap());
    app.visit(&link).is(404);
    app.post(&link, [("password", PASSWORD)]).is(404);
    assert_eq!(app.count("users"), 0);
    app.emails();
}

/// The newer one counts: the email of the older one may be lost, or in wrong hands.
#[test]
fn another_invitation_voids_the_one_before() {
    let app = by_invitation();
    let (first, second) = (invite(&app, ADA), invite(&app, ADA));
    app.visit(&first).is(404);
    app.visit(&second).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    let taken = app.block_on(app.accounts().invite(&ADA.parse().unwrap()));
    assert!(matches!(taken, Err(InviteError::EmailTaken)));
    app.emails();
}

#[test]
fn nobody_is_invited_where_sign_up_is_closed() {
    let app = by_invitation();
    let link = invite(&app, ADA);
    let closed = app.restarted_with(|figment| figment.merge(("vestibule.signup", "closed")));
    let refused = closed.block_on(closed.accounts().invite(&ADA.parse().unwrap()));
    assert!(matches!(refused, Err(InviteError::Closed)));
    closed.visit(&link).is(404);
    closed.post(&link, [("password", PASSWORD)]).is(404);
    assert_eq!(closed.count("users"), 0);
}

/// The address has got an account in the meantime.
#[test]
fn an_invitation_makes_no_second_account() {
    let app = by_invitation();
    let link = invite(&app, ADA);
    let new = vestibule::NewAccount::new(ADA.parse().unwrap());
    app.block_on(app.accounts().create(&new)).unwrap();
    app.post(&link, [("password", PASSWORD)]).is(409).says("There is already an account");
    // One whose email has not left yet is not sent.
    let before = app.emails().len();
    app.sql("UPDATE vestibule_users SET email_key = 'x@example.com' WHERE email_key = 'ada@example.com'");
    app.block_on(app.accounts().invite(&ADA.parse().unwrap())).unwrap();
    app.sql("UPDATE vestibule_users SET email_key = 'ada@example.com' WHERE email_key = 'x@example.com'");
    assert_eq!(app.emails().len(), before);
}

#[test]
fn a_program_accepts_an_invitation() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.signup", "invite"))
            .merge(("vestibule.verification", "required"))
            .merge(("vestibule.signup_domains", "example.org"))
    });
    invite(&app, ADA);
    let token = app.last_email().token();
    let accept = |password: &str| {
        let body = format!(r#"{{"token":"{token}","password":"{password}","name":"Ada"}}"#);
        app.send_json(Post, "/api/v1/invitation_accept", &body)
    };
    accept("password").is(400).says("\"password\"");
    accept(PASSWORD).is(201).is_json(r#"{"email":"ada@example.com","message":"user created"}"#);
    accept(PASSWORD).is(400);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}
