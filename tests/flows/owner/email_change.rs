//! Another email address: promises 31, 48, 51, 56, 57 and 63.

use std::time::Duration;

use rocket::http::Method;

use super::{verify, with_verified_ada};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const NEW: &str = "ada@new.example";

/// Promises 51 and 56.
#[test]
fn an_address_is_changed_by_the_link_mailed_to_it() {
    let app = with_verified_ada();
    app.visit("/security").is(200).says(ADA).says("Confirmed");
    app.submit("/email-change", [("email", "Ada@new.example")]).redirects_to("/security");
    app.visit("/security").says("We have sent a link to the new address").says("Ada@new.example");
    let link = app.last_email();
    assert_eq!(
        (&*link.to, &*link.subject),
        ("Ada@new.example", "Confirm your new email address for Vestibule")
    );
    app.keeps_only_the_digest_of(&link.token());
    // Nothing has changed, whoever looks at the link.
    app.visit(&link.link()).is(200).does_not_say("type=\"password\"");
    assert!(app.other_browser().log_in(NEW, PASSWORD).status == 401);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    app.visit(&link.link()).and_submit([]).redirects_to("/security");
    app.visit("/security").says("Your email address is changed.").says("Ada@new.example");
    assert_eq!(app.other_browser().log_in(ADA, PASSWORD).status, 401);
    app.other_browser().log_in(NEW, PASSWORD).redirects_to("/profile");
    let emails = app.emails();
    let notices: Vec<(&str, &str)> =
        emails[emails.len() - 2..].iter().map(|email| (&*email.to, &*email.subject)).collect();
    let subject = "Your Vestibule email address was changed";
    assert!(notices.contains(&(ADA, subject)), "{notices:?}");
    assert!(notices.contains(&("Ada@new.example", subject)), "{notices:?}");
}

/// Promise 63.
#[test]
fn what_is_sent_twice_is_done_once_and_succeeds_twice() {
    let app = with_verified_ada();
    let before = app.emails().len();
    for _ in 0..2 {
        app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    }
    assert_eq!(app.emails().len(), before + 1);
    let link = app.last_email().link();
    for _ in 0..2 {
        app.post(&link, []).redirects_to("/security");
        app.visit("/security").says("Your email address is changed.");
    }
    app.visit(&link).redirects_to("/security");
    app.other_browser().visit(&link).is(404);
    app.other_browser().post(&link, [("password", NEW_PASSWORD)]).is(404);
    app.emails();
}

/// Promise 63: also in a browser that is not signed in, whose second click does not carry the new session yet.
#[test]
fn the_password_sent_twice_succeeds_twice() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let link = app.last_email().link();
    for browser in [app.other_browser(), app.other_browser()] {
        browser.post(&link, [("password", PASSWORD)]).redirects_to("/security");
        browser.visit("/security").is(200).says(NEW);
    }
    assert_eq!(app.count("events WHERE kind = 'email-changed'"), 1);
    app.clock.advance(Duration::from_secs(11 * 60));
    app.other_browser().post(&link, [("password", PASSWORD)]).is(404);
    app.emails();
}

#[test]
fn the_link_is_sent_again_or_the_wish_is_taken_back() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let first = app.last_email().link();
    app.visit("/security").and_submit([("email", NEW)]).redirects_to("/security");
    let second = app.last_email().link();
    assert_ne!(first, second);
    app.visit(&first).is(200);
    app.post("/email-cancel", []).redirects_to("/security");
    app.visit("/security").says("Your email address stays as it is.").does_not_say(NEW);
    for link in [first, second] {
        app.visit(&link).is(404);
        app.post(&link, []).is(404);
    }
    assert_eq!(app.other_browser().log_in(NEW, PASSWORD).status, 401);
    // Twice is not a failure, and neither is nothing to take back.
    app.post("/email-cancel", []).redirects_to("/security");
}

#[test]
fn another_wish_voids_the_link_of_the_one_before() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let first = app.last_email().link();
    app.post("/email-change", [("email", "ada@newer.example")]).redirects_to("/security");
    app.visit(&first).is(404);
    app.post(&first, []).is(404);
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.visit("/security").says("ada@newer.example");
    app.emails();
}

/// The link is not on its way any more when the owner takes the wish back.
#[test]
fn an_email_that_waits_is_taken_back_too() {
    let app = with_verified_ada();
    let before = app.emails().len();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    app.post("/email-cancel", []).redirects_to("/security");
    assert_eq!(app.emails().len(), before);
}

#[test]
fn wrong_addresses_are_refused_beside_the_field() {
    let app = with_verified_ada();
    let page = app.visit("/email-change");
    page.and_submit([("email", "")]).is(422).says_beside("email", "Enter your email address");
    page.and_submit([("email", "ada@")]).is(422).shows_in("email", "ada@");
    page.and_submit([("email", "ADA@example.com")])
        .is(422)
        .says_beside("email", "That is your email address already");
}

/// Promise 57: the same answer, and only the owner of the address learns of it.
#[test]
fn an_address_that_somebody_has_gets_the_same_answer() {
    let app = TestApp::new();
    app.other_browser().sign_up("grace@example.com");
    app.emails();
    app.sign_up(ADA);
    verify(&app);
    app.submit("/email-change", [("email", "grace@example.com")]).redirects_to("/security");
    app.visit("/security").says("We have sent a link to the new address").says("grace@example.com");
    let told = app.last_email();
    assert_eq!(&*told.to, "grace@example.com");
    assert_eq!(&*told.subject, "You already have an account at Vestibule");
    assert!(!told.text.contains("/email-change/"));
}

/// Promise 57: neither does the list of links tell, nor how many of them are open.
#[test]
fn nothing_that_the_asker_sees_depends_on_who_has_the_address() {
    let app = TestApp::new();
    app.other_browser().sign_up("grace@example.com");
    app.sign_up(ADA);
    verify(&app);
    let seen = |email| {
        let (mut answers, mut links) = (Vec::new(), Vec::new());
        for hour in [false, false, false, true] {
            if hour {
                app.clock.advance(Duration::from_secs(3600));
                app.sign_out();
                app.log_in(ADA, PASSWORD).redirects_to("/profile");
            }
            answers.push(app.post("/email-change", [("email", email)]).status);
            app.emails();
            links.push(app.visit("/export").json()["links"].as_array().unwrap().len());
        }
        (answers, links)
    };
    assert_eq!(seen("grace@example.com"), seen("nobody@example.com"));
    app.emails();
}

/// Promise 57: it is taken in between.
#[test]
fn an_address_that_was_taken_in_between_stays_with_whoever_has_it() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let link = app.last_email().link();
    app.other_browser().sign_up(NEW);
    app.emails();
    app.visit(&link).and_submit([]).is(409).says("This email address is taken");
    app.visit("/security").says(ADA);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    app.emails();
}

/// Promise 56: a stranger who is sent a link by mistake cannot be made to confirm it for somebody else.
#[test]
fn elsewhere_the_link_needs_the_password() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let link = app.last_email().link();
    let other = app.other_browser();
    other.sign_up("grace@example.com");
    for browser in [other, app.other_browser()] {
        let page = browser.visit(&link).is(200).says("type=\"password\"");
        page.and_submit([("password", "")]).is(422).says_beside("password", "Enter your password");
        page.and_submit([("password", NEW_PASSWORD)]).is(422);
    }
    app.visit("/security").says(ADA);
    let elsewhere = app.other_browser();
    elsewhere.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/security");
    elsewhere.visit("/security").is(200).says(NEW);
    app.emails();
}

/// Promise 21.
#[test]
fn the_link_dies_after_an_hour() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let link = app.last_email().link();
    app.clock.advance(Duration::from_secs(3600 - 1));
    app.other_browser().visit(&link).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.other_browser().visit(&link).is(404);
}

/// Promise 48.
#[test]
fn an_old_sign_in_asks_for_the_password_and_keeps_what_was_typed() {
    let app = with_verified_ada();
    app.visit("/email-change").is(200);
    app.clock.advance(Duration::from_secs(10 * 60));
    let ask = app.post("/email-change", [("email", NEW)]);
    ask.redirects_to("/recent-login?next=/email-change");
    let before = app.emails().len();
    app.submit("/recent-login?next=/email-change", [("password", PASSWORD)])
        .redirects_to("/email-change");
    app.visit("/email-change").shows_in("email", NEW).and_submit([]).redirects_to("/security");
    assert_eq!(app.emails().len(), before + 1);
    app.other_browser().visit("/email-change").redirects_to("/login?next=/email-change");
}

/// An old link to reset the password does not survive the change, and neither does one to confirm the old address.
#[test]
fn links_to_the_old_address_are_void_afterwards() {
    let app = TestApp::with_ada();
    let verify = app.last_email().link();
    let reset = app.reset_link();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.other_browser().visit(&verify).is(404);
    app.other_browser().visit(&reset).is(404);
    // The old address was never confirmed: it may be a stranger's, and gets no link to take the account.
    let notices = app.emails();
    assert!(notices.iter().all(|email| !email.text.contains("/email-undo/")), "{notices:?}");
    let told =
        notices.iter().find(|email| email.to == ADA && email.subject.contains("was changed"));
    let told = told.unwrap();
    assert!(!told.text.contains("/not-me/"), "{told:?}");
}

/// Promise 31: nobody floods a stranger's mailbox from an account.
#[test]
fn an_address_gets_three_links_an_hour() {
    let app = with_verified_ada();
    for _ in 0..3 {
        app.post("/email-change", [("email", NEW)]).redirects_to("/security");
        app.emails();
        app.post("/email-cancel", []).redirects_to("/security");
    }
    let before = app.emails().len();
    app.post("/email-change", [("email", NEW)]).is(429).shows_in("email", NEW);
    assert_eq!(app.emails().len(), before);
}

#[test]
fn a_program_changes_an_address() {
    let app = with_verified_ada();
    let ask = app.call(Method::Post, "/api/v1/email_change", [("email", NEW)]).is(200);
    ask.is_json(r#"{"email": "ada@new.example", "message": "link sent"}"#);
    let token = app.last_email().token();
    app.call(Method::Post, "/api/v1/email_confirm", [("token", "x")]).is(400);
    app.call(Method::Post, "/api/v1/email_confirm", [("token", &token)]).is(200);
    assert_eq!(app.ask(Method::Get, "/api/v1/session").json()["user"]["email"], NEW);
    app.call(Method::Post, "/api/v1/email_change", [("email", ADA)]).is(200);
    app.ask(Method::Delete, "/api/v1/email_change").is(200);
    app.clock.advance(Duration::from_secs(600));
    app.call(Method::Post, "/api/v1/email_change", [("email", ADA)]).is(401);
    app.other_browser().call(Method::Post, "/api/v1/email_change", [("email", ADA)]).is(401);
    app.emails();
}

/// Promise 56: a reset takes the wish back, also one whose link has not left yet.
#[test]
fn a_reset_forgets_the_wish_of_whoever_knew_the_old_password() {
    let app = with_verified_ada();
    let reset = app.reset_link();
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let owner = app.other_browser();
    owner.reset_password(&reset, NEW_PASSWORD).redirects_to("/login");
    assert!(app.emails().iter().all(|email| email.to != NEW));
    owner.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    owner.visit("/security").is(200).does_not_say(NEW);
}

/// Promise 14: a sign-in that comes with the change is reported to the new address.
#[test]
fn nothing_about_later_sign_ins_goes_to_the_old_address() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    app.sign_up(ADA);
    verify(&app);
    app.post("/email-change", [("email", NEW)]).redirects_to("/security");
    let link = app.last_email().link();
    let before = app.emails().len();
    let elsewhere = app.browser_at("203.0.113.9");
    elsewhere.post(&link, [("password", PASSWORD)]).redirects_to("/security");
    let emails = app.emails().split_off(before);
    let notice = emails.iter().find(|email| email.subject.starts_with("New sign-in")).unwrap();
    assert_eq!(notice.to, NEW);
    assert!(emails.iter().all(|email| email.to == NEW || !email.text.contains("/not-me/")));
}

/// Whoever was in the account may have asked for another address.
#[test]
fn ending_other_sessions_and_a_new_password_forget_the_wish() {
    let app = with_verified_ada();
    for secure in ["/sessions/end-others", "/not-me", "/password-change"] {
        app.elsewhere().post("/email-change", [("email", NEW)]).redirects_to("/security");
        let link = app.last_email().link();
        let form = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
        app.post(secure, form).is(303);
        app.visit("/security").does_not_say(NEW);
        app.visit(&link).is(404);
    }
    app.emails();
}
