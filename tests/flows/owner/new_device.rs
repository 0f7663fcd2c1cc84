//! A browser that the account has not used before.

use crate::harness::{ADA, PASSWORD, TestApp};

/// Ada, whose address is confirmed, at a service that knows client IPs.
fn verified_behind_a_proxy() -> TestApp {
    let app = TestApp::behind_a_proxy(|figment| figment);
    app.sign_up(ADA);
    super::verify(&app);
    app
}

#[test]
fn the_owner_learns_of_a_sign_in_with_another_browser() {
    let app = verified_behind_a_proxy();
    let before = app.emails().len();
    let elsewhere = app.browser_at("203.0.113.9");
    elsewhere.log_in(ADA, PASSWORD).redirects_to("/profile");
    let notice = app.last_email();
    assert_eq!(&*notice.subject, "New sign-in to Vestibule");
    assert!(notice.link().starts_with("/not-me/"));
    // The same browser again, and the one that signed up.
    elsewhere.sign_out();
    elsewhere.log_in(ADA, PASSWORD).redirects_to("/profile");
    app.sign_out();
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.emails().len(), before + 1);
}

/// A program keeps no cookies, and signs in every minute.
#[test]
fn a_program_at_the_same_address_is_told_of_once() {
    let app = verified_behind_a_proxy();
    let before = app.emails().len();
    for _ in 0..3 {
        app.browser_at("203.0.113.9").log_in(ADA, PASSWORD).redirects_to("/profile");
    }
    assert_eq!(app.emails().len(), before + 1);
}

/// Promise 31: a program that changes its address does not fill the mailbox.
#[test]
fn ten_a_day_are_enough() {
    let app = verified_behind_a_proxy();
    let before = app.emails().len();
    for n in 0..15 {
        app.browser_at(&format!("203.0.113.{n}")).log_in(ADA, PASSWORD).redirects_to("/profile");
    }
    assert_eq!(app.emails().len(), before + 10);
}

/// An address that was never confirmed may be a stranger's.
#[test]
fn an_unproven_address_gets_no_notice() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    app.sign_up(ADA);
    let before = app.emails().len();
    app.browser_at("203.0.113.9").log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.emails().len(), before);
}

#[test]
fn the_notice_can_be_switched_off() {
    let app =
        TestApp::behind_a_proxy(|figment| figment.merge(("vestibule.mail.new_device", false)));
    app.sign_up(ADA);
    super::verify(&app);
    let before = app.emails().len();
    app.browser_at("203.0.113.9").log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.emails().len(), before);
}

/// A copy of the session in another browser, which gives the password.
#[test]
fn a_renewed_sign_in_with_another_browser_is_told_too() {
    let app = verified_behind_a_proxy();
    let before = app.emails().len();
    let thief = app.browser_at("203.0.113.9");
    thief.cookies.borrow_mut().insert("session_id".into(), app.session_cookie().unwrap());
    app.clock.advance(std::time::Duration::from_mins(10));
    thief.submit("/recent-login", [("password", PASSWORD)]).redirects_to("/profile");
    let emails = app.emails().split_off(before);
    assert!(emails.iter().any(|email| email.subject.starts_with("New sign-in")), "{emails:?}");
}

/// Promise 51: what it says is true of when it was caused, though the address has changed since; but it has no link.
#[test]
fn a_notice_that_was_held_up_says_the_same_without_a_link() {
    let app = verified_behind_a_proxy();
    let before = app.emails().len();
    app.browser_at("203.0.113.9").log_in(ADA, PASSWORD).redirects_to("/profile");
    app.sql("UPDATE vestibule_outbox SET due_at = due_at + 60000 WHERE message = 'new-device'");
    app.post("/email-change", [("email", "ada@new.example")]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.clock.advance(std::time::Duration::from_mins(2));
    let emails = app.emails().split_off(before);
    app.emails_do_not_matter();
    let notice = emails.iter().find(|email| email.subject.starts_with("New sign-in")).unwrap();
    assert_eq!(notice.to, ADA);
    assert!(
        notice.text.contains("203.0.113.9") && !notice.text.contains("http://localhost:8000/"),
        "{notice:?}"
    );
}
