//! Deleting one's account: promises 51 and 59.

use std::time::Duration;

use rocket::http::Method;

use super::{verify, with_verified_ada};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Promise 59.
#[test]
fn everything_ends_at_once_and_can_be_restored() {
    let app = with_verified_ada();
    let phone = app.elsewhere();
    let reset = app.reset_link();
    app.submit("/account-deletion", [("password", PASSWORD)])
        .is(200)
        .says("Your account is deleted")
        .says("Go to the front page")
        .does_not_say("Sign out");
    assert!(!app.is_signed_in() && !phone.is_signed_in());
    assert_eq!(app.log_in(ADA, PASSWORD).status, 401);
    app.other_browser().visit(&reset).is(404);
    let farewell = app.last_email();
    assert_eq!(&*farewell.subject, "Your Vestibule account was deleted");
    assert!(farewell.link().starts_with("/account-restore/"));
    app.keeps_only_the_digest_of(&farewell.token());
    app.clock.advance(Duration::from_secs(7 * 24 * 3600 - 1));
    app.run_jobs();
    let browser = app.other_browser();
    browser.visit(&farewell.link()).is(200).and_submit([]).redirects_to("/login");
    browser.visit("/login").says("Your account is restored.");
    browser.log_in(ADA, PASSWORD).redirects_to("/profile");
    // Twice succeeds.
    app.other_browser().post(&farewell.link(), []).redirects_to("/login");
    app.clock.advance(8 * DAY);
    app.run_jobs();
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    app.emails();
}

/// Promise 59: nothing names the person afterwards, and the address gets nothing of the old account.
#[test]
fn after_a_week_nothing_is_left() {
    let app = with_verified_ada();
    app.post("/profile", [("name", "Ada Lovelace")]).redirects_to("/profile");
    app.post("/email-change", [("email", "ada@new.example")]).redirects_to("/security");
    app.emails();
    app.post("/account-deletion", [("password", PASSWORD)]).is(200);
    let restore = app.last_email().link();
    app.clock.advance(7 * DAY);
    app.run_jobs();
    app.other_browser().visit(&restore).is(404);
    app.other_browser().post(&restore, []).is(404);
    let left = app.dump().to_lowercase();
    for personal in ["ada@", "lovelace", "127.0.0.1"] {
        assert!(!left.contains(personal), "{personal}: {left}");
    }
    let before = app.emails().len();
    let again = app.other_browser();
    again.sign_up(ADA);
    again.visit("/profile").is(200).does_not_say("Lovelace");
    assert!(again.visit("/activity").body.matches("<li>").count() <= 2);
    assert_eq!(app.emails().len(), before + 1);
    app.emails_do_not_matter();
}

#[test]
fn without_a_time_to_restore_it_is_erased_at_once() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.account.deletion_grace", "0s")));
    app.sign_up(ADA);
    verify(&app);
    app.visit("/account-deletion").says("erased at once");
    app.post("/account-deletion", [("password", PASSWORD)]).is(200);
    assert_eq!(app.count(&format!("users WHERE email_key = '{ADA}'")), 0);
    let farewell = app.last_email();
    assert_eq!((&*farewell.to, &*farewell.subject), (ADA, "Your Vestibule account was erased"));
    app.other_browser().sign_up(ADA);
    app.emails_do_not_matter();
}

/// Promise 63: a form that is sent twice, by a browser that has ignored the first answer.
#[test]
fn deleting_twice_succeeds_twice() {
    for (grace, says) in [("7days", "restores the account until"), ("0s", "is erased")] {
        let app = TestApp::with(|f| f.merge(("vestibule.account.deletion_grace", grace)));
        app.sign_up(ADA);
        verify(&app);
        let second = app.copy();
        for browser in [&*app, &second] {
            browser
                .post("/account-deletion", [("password", PASSWORD)])
                .is(200)
                .says("Your account is deleted")
                .says(says);
        }
        // A browser that has nothing to do with it signs in first.
        app.other_browser()
            .post("/account-deletion", [("password", PASSWORD)])
            .redirects_to("/login?next=/account-deletion");
        app.emails_do_not_matter();
    }
}

#[test]
fn it_needs_the_password() {
    let app = with_verified_ada();
    let page = app.visit("/account-deletion");
    page.and_submit([("password", "")]).is(422).says_beside("password", "Enter your password");
    page.and_submit([("password", NEW_PASSWORD)]).is(422);
    app.other_browser().visit("/account-deletion").redirects_to("/login?next=/account-deletion");
    app.other_browser()
        .post("/account-deletion", [("password", PASSWORD)])
        .redirects_to("/login?next=/account-deletion");
    assert!(app.is_signed_in());
}

/// Promise 29: guessing there counts like guessing at the sign-in page.
#[test]
fn wrong_passwords_count() {
    let app = with_verified_ada();
    let elsewhere = app.elsewhere();
    for _ in 0..5 {
        elsewhere.post("/account-deletion", [("password", NEW_PASSWORD)]).is(422);
    }
    for _ in 0..5 {
        app.other_browser().guess(ADA);
    }
    assert_eq!(elsewhere.post("/account-deletion", [("password", PASSWORD)]).status, 429);
    app.emails();
}

/// The operator enables the account that its owner has deleted.
#[test]
fn the_operator_can_bring_it_back() {
    let app = with_verified_ada();
    app.post("/account-deletion", [("password", PASSWORD)]).is(200);
    let found = app.block_on(app.accounts().user_by_email(&ADA.parse().unwrap())).unwrap().unwrap();
    assert!(found.delete_at.is_some());
    assert!(app.block_on(app.accounts().enable(found.id)).unwrap());
    app.clock.advance(8 * DAY);
    app.run_jobs();
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    app.emails();
}

/// The operator has the last word: whoever is shut out does not come back by deleting the account first.
#[test]
fn an_account_that_the_operator_disables_is_not_restored() {
    let app = with_verified_ada();
    app.post("/account-deletion", [("password", PASSWORD)]).is(200);
    let restore = app.last_email().link();
    let id = app.block_on(app.accounts().user_by_email(&ADA.parse().unwrap())).unwrap().unwrap().id;
    assert!(app.block_on(app.accounts().disable(id)).unwrap());
    assert!(!app.block_on(app.accounts().disable(id)).unwrap());
    app.other_browser().visit(&restore).is(404);
    app.other_browser().post(&restore, []).is(404);
    assert_eq!(app.other_browser().log_in(ADA, PASSWORD).status, 401);
    app.clock.advance(8 * DAY);
    app.run_jobs();
    let kept = app.block_on(app.accounts().user(id)).unwrap().expect("the operator decides");
    assert!(kept.disabled_at.is_some() && kept.delete_at.is_none());
    app.emails();
}

#[test]
fn a_program_deletes_and_restores() {
    let app = with_verified_ada();
    app.call(Method::Post, "/api/v1/account_deletion", [("password", "wrong")]).is(400);
    let done = app.call(Method::Post, "/api/v1/account_deletion", [("password", PASSWORD)]).is(200);
    assert!(done.json()["restorable_until"].is_string());
    let token = app.last_email().token();
    app.call(Method::Post, "/api/v1/account_restore", [("token", &token)]).is(200);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// What the page says beforehand is what happens.
#[test]
fn the_page_says_how_long_it_can_be_restored() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.account.deletion_grace", "0s")));
    app.sign_up(ADA);
    verify(&app);
    app.visit("/account-deletion").says("erased at once");
    app.post("/email-change", [("email", "ada@new.example")]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.visit("/account-deletion").does_not_say("erased at once").says("7 days");
    app.emails();
}

/// Promise 31: an address that was never verified gets no email beyond the limits, and nobody is told of one.
#[test]
fn an_email_that_is_not_sent_is_not_promised() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 1)));
    app.sign_up(ADA);
    app.other_browser().sign_up("bob@example.com");
    app.emails();
    app.post("/verify-email", []).redirects_to("/profile");
    app.post("/account-deletion", [("password", PASSWORD)])
        .is(200)
        .says("No email was sent")
        .does_not_say("that we have sent you");
    app.emails();
}
