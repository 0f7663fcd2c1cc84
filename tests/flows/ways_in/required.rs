//! Addresses that have to be verified: promises 11, 15, 20, 21, 31 and 62.

use std::time::Duration;

use rocket::http::Method::{Get, Post};

use super::with_proof;
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const SENT: &str = "/signup-sent";

/// Ada's account, whose address is proven.
pub(super) fn with_ada() -> TestApp {
    let app = with_proof();
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    app.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    app
}

/// Promises 15 and 62.
#[test]
fn the_account_begins_with_the_link_and_the_password() {
    let app = with_proof();
    let form = [("email", "Ada@example.com"), ("password", PASSWORD), ("name", "Ada")];
    app.submit("/signup?next=/security", form).redirects_to(SENT);
    app.visit(SENT).is(200).says("Check your email").says("Ada@example.com");
    assert_eq!(app.count("users"), 0);
    assert!(!app.is_signed_in());
    assert_eq!(app.log_in(ADA, PASSWORD).status, 401);
    let email = app.last_email();
    assert_eq!(
        (&*email.to, &*email.subject),
        ("Ada@example.com", "Confirm your email address for Vestibule")
    );
    app.keeps_only_the_digest_of(&email.token());
    // Looking does nothing, and another password neither: whoever typed the address may be a stranger.
    let link = email.link();
    app.visit(&link).is(200).says("Ada@example.com");
    app.visit(&link).and_submit([]).is(422).says_beside("password", "Enter your password");
    app.visit(&link)
        .and_submit([("password", NEW_PASSWORD)])
        .says_beside("password", "This is not the password that you chose");
    assert_eq!(app.count("users"), 0);
    app.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/security");
    app.visit("/profile").is(200).says("Your account is ready.").says("Confirmed");
    app.visit("/profile").shows_in("name", "Ada");
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("events WHERE kind IN ('signed-up', 'email-verified')"), 2);
}

/// Promise 63: the form is sent twice, by a browser that has ignored the first answer.
#[test]
fn confirming_twice_succeeds_twice() {
    let app = with_proof();
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    let second = app.copy();
    for browser in [&*app, &second] {
        browser.post(&link, [("password", PASSWORD)]).redirects_to("/profile");
        assert!(browser.is_signed_in());
    }
    assert_eq!(app.count("events WHERE kind = 'signed-up'"), 1);
    app.visit(&link).redirects_to("/profile");
    // To others the link is dead: with another password at once, and with the right one soon.
    let other = app.other_browser();
    other.visit(&link).is(404).says("you can sign in");
    other.post(&link, [("password", NEW_PASSWORD)]).is(404);
    app.clock.advance(Duration::from_mins(11));
    other.post(&link, [("password", PASSWORD)]).is(404);
}

/// Promises 20 and 21.
#[test]
fn the_link_is_used_once_and_dies_after_a_day() {
    let app = with_proof();
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    app.clock.advance(Duration::from_hours(24));
    app.visit(&link).is(404);
    app.post(&link, [("password", PASSWORD)]).is(404);
    assert_eq!(app.count("users"), 0);
    app.run_jobs();
    assert_eq!(app.count("links WHERE user_id IS NULL"), 0);
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    let answers = app.post_at_once(4, &link, [("password", PASSWORD)]);
    assert!(answers.iter().all(|status| [303, 404].contains(status)), "{answers:?}");
    assert_eq!(app.count("users"), 1);
    assert_eq!(app.count("events WHERE kind = 'signed-up'"), 1);
}

/// Of two who sign up with one address, whoever reads the mailbox decides; of two links used at once, one counts.
#[test]
fn two_who_sign_up_with_one_address_make_one_account() {
    let app = with_proof();
    let (ada, stranger) = (app.other_browser(), app.other_browser());
    stranger.post("/signup", [("email", ADA), ("password", NEW_PASSWORD)]).redirects_to(SENT);
    let strangers_link = app.last_email().link();
    ada.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    // Ada opens the stranger's email: her password does not fit, and the stranger's is refused after some guesses.
    ada.post(&strangers_link, [("password", PASSWORD)])
        .says_beside("password", "This is not the password that you chose");
    let guesses = (0..9).map(|_| stranger.post(&strangers_link, [("password", "wrong")]).status);
    assert!(guesses.into_iter().any(|status| status == 429));
    ada.post(&link, [("password", PASSWORD)]).redirects_to("/profile");
    stranger.post(&strangers_link, [("password", NEW_PASSWORD)]).is(404);
    stranger.post(&strangers_link, []).is(404);
    assert_eq!(stranger.log_in(ADA, NEW_PASSWORD).status, 401);
    assert_eq!(app.count("links WHERE user_id IS NULL"), 0);
    for n in 0..3 {
        let email = format!("p{n}@example.com");
        let links = [PASSWORD, NEW_PASSWORD].map(|password| {
            app.other_browser().post("/signup", [("email", &*email), ("password", password)]);
            app.last_email().link()
        });
        let forms = links
            .into_iter()
            .zip([PASSWORD, NEW_PASSWORD])
            .map(|(link, password)| (Post, link, [("password".to_owned(), password.to_owned())]));
        let mut statuses = app.send_all(forms);
        statuses.sort_unstable();
        assert!(matches!(statuses[..], [303, 404 | 409]), "{statuses:?}");
        assert_eq!(app.count(&format!("users WHERE email_key = '{email}'")), 1);
    }
}

/// Promise 62: in words, headers, and what is written.
#[test]
fn every_address_gets_the_same_answer() {
    let app = with_ada();
    app.other_browser().post("/signup", [("email", "waits@example.com"), ("password", PASSWORD)]);
    app.emails();
    app.sql(
        "INSERT INTO vestibule_users (id, email, email_key, email_verified_at, disabled_at, created_at) \
         SELECT reserved.id, 'gone@example.com', 'gone@example.com', 1, 1, 1 FROM vestibule_events AS reserved LIMIT 1",
    );
    let addresses = [ADA, "waits@example.com", "gone@example.com", "nobody@example.com"];
    for (path, password) in [
        ("/signup", NEW_PASSWORD),
        (SENT, NEW_PASSWORD),
        ("/login", NEW_PASSWORD),
        ("/password-reset", NEW_PASSWORD),
    ] {
        let mut seen = Vec::new();
        for email in addresses {
            let browser = app.other_browser();
            let mut answer = String::new();
            let mut act = || {
                let seen = browser.post(path, [("email", email), ("password", password)]);
                let to = seen.header("location").map(str::to_owned);
                answer = format!("{} {to:?} {}", seen.status, seen.body.replace(email, "…"));
            };
            // Only SQLite's log can be counted.
            let mut writes = 0;
            if app.is_sqlite() {
                writes = app.count_writes(act);
            } else {
                act();
            }
            let next = browser.visit(SENT).body.replace(email, "…");
            seen.push((answer, writes, next));
        }
        for other in &seen[1..] {
            assert_eq!(*other, seen[0], "{path}");
        }
    }
    app.emails();
}

/// The owner of a known address learns of it, and nobody else.
#[test]
fn whoever_has_an_account_already_is_told_by_email() {
    let app = with_ada();
    let stranger = app.other_browser();
    stranger
        .post("/signup", [("email", "ADA@example.com"), ("password", NEW_PASSWORD)])
        .redirects_to(SENT);
    let email = app.last_email();
    assert_eq!((&*email.to, &*email.subject), (ADA, "You already have an account at Vestibule"));
    assert!(email.text.contains("Forgot your password?") && !email.text.contains("/signup/"));
    assert_eq!(stranger.log_in(ADA, NEW_PASSWORD).status, 401);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promises 15 and 21: strangers who have used up the emails of an address do not keep its owner out.
#[test]
fn whoever_reads_the_mailbox_can_choose_another_password() {
    let app = with_proof();
    let stranger = app.other_browser();
    for _ in 0..3 {
        let form = [("email", ADA), ("password", NEW_PASSWORD), ("name", "Somebody else")];
        stranger.submit("/signup?next=/sessions", form).redirects_to(SENT);
    }
    let link = app.last_email().link();
    let before = app.emails().len();
    app.submit("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    assert_eq!(app.emails().len(), before);
    app.visit(&link).says("Choose another password");
    let page = app.visit(&format!("{link}?choose=yes")).is(200).says(ADA);
    page.and_submit([("new_password", "")]).is(422).says_beside("new_password", "Enter a new");
    page.and_submit([("new_password", "password")])
        .is(422)
        .says_beside("new_password", "common")
        .and_submit([("new_password", PASSWORD)])
        .redirects_to("/profile");
    app.visit("/profile").does_not_say("Somebody else");
    assert_eq!(stranger.log_in(ADA, NEW_PASSWORD).status, 401);
    stranger.post(&link, [("password", NEW_PASSWORD)]).is(404);
}

/// Promise 31 for the `+` addresses of one mailbox; and its owner still gets a link.
#[test]
fn a_mailbox_is_not_flooded_by_its_many_addresses() {
    let app = TestApp::behind_a_proxy(|f| f.merge(("vestibule.verification", "required")));
    for n in 0..25 {
        let email = format!("ada+{n}@example.com");
        let stranger = app.browser_at("203.0.113.7");
        stranger.post("/signup", [("email", &*email), ("password", PASSWORD)]);
    }
    assert_eq!(app.emails().len(), 18);
    let owner = app.browser_at("198.51.100.1");
    owner.post("/signup", [("email", "ada+own@example.com"), ("password", PASSWORD)]);
    assert_eq!(app.last_email().to, "ada+own@example.com");
}

/// Promises 12, 27 and 62: the right password of an account that is not proven counts like a wrong one.
#[test]
fn the_password_of_an_account_of_before_is_throttled_like_any_other() {
    let app = TestApp::with_ada();
    app.emails();
    let app = app.restarted_with(|figment| figment.merge(("vestibule.verification", "required")));
    let statuses = |password: &str| -> Vec<u16> {
        app.clock.advance(Duration::from_hours(25));
        let browser = app.other_browser();
        (0..8).map(|_| browser.log_in(ADA, password).status).collect()
    };
    assert_eq!(statuses(PASSWORD), statuses("wrong"));
    assert_eq!(app.count("events WHERE kind = 'sign-in-failed'"), 10);
}

/// Promise 31.
#[test]
fn an_address_gets_three_emails_an_hour() {
    let app = with_ada();
    for email in [ADA, "nobody@example.com"] {
        let before = app.emails().len();
        for _ in 0..5 {
            app.other_browser()
                .post("/signup", [("email", email), ("password", PASSWORD)])
                .redirects_to(SENT);
        }
        let sent = app.emails().len() - before;
        // Ada has had one when she signed up herself.
        assert_eq!(sent, if email == ADA { 2 } else { 3 }, "{email}");
    }
}

#[test]
fn the_link_is_sent_again_to_who_asks() {
    let app = with_proof();
    app.submit("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to(SENT);
    let first = app.last_email().link();
    app.visit(SENT).says("sent again 2 times").and_submit([]).redirects_to(SENT);
    let second = app.last_email().link();
    assert_ne!(first, second);
    // From another browser, by the page that the sign-in page leads to.
    let other = app.other_browser();
    other.visit("/login").says("No confirmation email?");
    other
        .submit(SENT, [("email", "no address")])
        .is(422)
        .says_beside("email", "Enter an email address");
    other.submit(SENT, [("email", ADA)]).redirects_to(SENT);
    let third = app.last_email().link();
    other.visit(&third).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    app.other_browser().visit(&first).is(404);
    // Whoever is signed in needs none.
    other.visit(SENT).redirects_to("/profile");
    let before = app.emails().len();
    app.other_browser().post(SENT, [("email", "nobody@example.com")]).redirects_to(SENT);
    assert_eq!(app.emails().len(), before);
}

/// Promise 62: accounts of before, whose address was never proven.
#[test]
fn an_account_of_before_needs_its_link_too() {
    let app = TestApp::with_ada();
    app.emails();
    assert!(app.is_signed_in());
    let app = app.restarted_with(|figment| figment.merge(("vestibule.verification", "required")));
    assert!(!app.is_signed_in());
    app.ask(Get, "/api/v1/session").is(401);
    let browser = app.other_browser();
    assert_eq!(browser.log_in(ADA, PASSWORD).status, 401);
    let body = r#"{"email":"ada@example.com","password":"seven purple lanterns"}"#;
    browser.send_json(Post, "/api/v1/session", body).is(401);
    assert!(browser.cookies.borrow().keys().all(|name| !name.contains("device")));
    browser.submit(SENT, [("email", ADA)]).redirects_to(SENT);
    let link = app.last_email().link();
    assert!(link.starts_with("/verify-email/"), "{link}");
    // Signing up anew tells of the account.
    browser.post("/signup", [("email", ADA), ("password", NEW_PASSWORD)]).redirects_to(SENT);
    assert!(app.last_email().subject.starts_with("You already have an account"));
    browser.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    assert!(browser.is_signed_in());
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// A reset proves the mailbox too.
#[test]
fn a_reset_opens_an_account_of_before() {
    let app = TestApp::with_ada();
    app.emails();
    let app = app.restarted_with(|figment| figment.merge(("vestibule.verification", "required")));
    let browser = app.other_browser();
    let link = app.reset_link();
    browser.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    browser.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    app.emails();
}

#[test]
fn a_program_signs_up_in_two_steps() {
    let app = with_proof();
    let json = r#"{"email":"ada@example.com","password":"seven purple lanterns","name":"Ada"}"#;
    let seen = app.send_json(Post, "/api/v1/register", json).is(202);
    assert!(seen.json()["message"].as_str().unwrap().starts_with("link sent"));
    app.send_json(Post, "/api/v1/signup_link", r#"{"email":"ada@example.com"}"#).is(200);
    let token = app.last_email().token();
    let confirm = |password: &str| {
        let body = format!(r#"{{"token":"{token}","password":"{password}"}}"#);
        app.send_json(Post, "/api/v1/signup_confirm", &body)
    };
    confirm(NEW_PASSWORD).is(400).says("not the password that you chose");
    confirm("").is(400);
    confirm(PASSWORD).is(201).is_json(r#"{"email":"ada@example.com","message":"user created"}"#);
    confirm(PASSWORD).is(400);
    assert!(!app.is_signed_in());
    app.send_json(Post, "/api/v1/session", json).is(200);
    assert_eq!(app.ask(Get, "/api/v1/session").json()["user"]["email_verified"], true);
    app.post("/signup", [("email", "bob@example.com"), ("password", PASSWORD)]);
    let token = app.last_email().token();
    let body = format!(r#"{{"token":"{token}","new_password":"{NEW_PASSWORD}"}}"#);
    app.send_json(Post, "/api/v1/signup_confirm", &body).is(201);
    app.other_browser().log_in("bob@example.com", NEW_PASSWORD).redirects_to("/profile");
    app.send_json(Post, "/api/v1/signup_confirm", "{}").is(400);
    app.send_json(Post, "/api/v1/signup_confirm", r#"{"token":"x","password":"y"}"#).is(400);
    app.emails();
}

/// An account that was made for somebody begins with its own link.
#[test]
fn an_account_that_was_made_for_somebody_is_not_taken_by_signing_up() {
    let app = with_proof();
    let new = vestibule::NewAccount::new(ADA.parse().unwrap());
    app.block_on(app.accounts().create(&new)).unwrap();
    app.emails();
    app.post("/signup", [("email", ADA), ("password", NEW_PASSWORD)]).redirects_to(SENT);
    let link = app.last_email().link();
    assert!(link.starts_with("/set-password/"), "{link}");
    app.reset_password(&link, PASSWORD).redirects_to("/login");
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}
