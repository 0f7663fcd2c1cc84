//! Addresses that a mail server refuses.

use std::time::Duration;

use rocket::http::Method::Get;
use time::OffsetDateTime;
use vestibule::Clock;

use crate::harness::mail_server::{MailServer, Manner};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const NOTICE: &str = "We could not reach ada@example.com";

fn app_with(server: &MailServer) -> TestApp {
    let url = format!("smtp://127.0.0.1:{}", server.port);
    TestApp::with(move |figment| figment.merge(("vestibule.mail.smtp_url", url)))
}

/// Promise 53: the email is given up after a few attempts, and whoever has mistyped the address is told.
#[test]
fn an_address_that_does_not_exist_is_shown_on_the_profile() {
    for (at, answer) in [
        ("RCPT", "550 5.1.1 no such user"),
        ("RCPT", "550 5.1.2 no such domain"),
        ("RCPT", "556 5.1.10 takes no email"),
        ("RCPT", "550-5.1.1 The account\r\n550 5.1.1 does not exist"),
        ("RCPT", "553 no such mailbox"),
        ("DATA", "550 5.2.1 mailbox disabled"),
    ] {
        let server = MailServer::start(vec![Manner::Says { at, answer }; 2]);
        let app = app_with(&server);
        app.sign_up(ADA);
        app.visit("/profile").does_not_say(NOTICE);
        let refused_at =
            || app.ask(Get, "/api/v1/session").json()["user"]["email_refused_at"].clone();
        assert!(refused_at().is_null());
        for waiting in [1, 0] {
            app.run_jobs();
            assert_eq!(app.count("outbox"), waiting, "{answer}");
            assert!(refused_at().is_string());
            app.visit("/profile").says(NOTICE).says("If the address is misspelt, change it.");
            app.clock.advance(Duration::from_mins(61));
        }
        // Another email arrives: the mailbox exists by now.
        app.post("/verify-email", []);
        app.run_jobs();
        assert!(server.has_email());
        app.visit("/profile").does_not_say(NOTICE);
        assert!(refused_at().is_null());
    }
}

/// A refusal that is not about the address tells nobody that it is wrong.
#[test]
fn a_refusal_of_the_sender_is_not_blamed_on_the_address() {
    for (at, answer) in [
        ("RCPT", "451 4.1.1 later"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "550 5.1.8 bad sender"),
        ("MAIL", "550 5.1.1 not from you"),
    ] {
        let server = MailServer::start(vec![Manner::Says { at, answer }]);
        let app = app_with(&server);
        app.sign_up(ADA);
        app.run_jobs();
        assert_eq!(app.count("outbox"), 1);
        app.visit("/profile").does_not_say(NOTICE);
    }
}

/// Whoever loses a mailbox learns it while still signed in; and an address that is proven is reachable.
#[test]
fn a_lost_mailbox_is_shown_until_a_link_from_it_is_used() {
    let refuses = Manner::Says { at: "RCPT", answer: "550 5.1.1 no such user" };
    let server = MailServer::start(vec![Manner::Takes, refuses]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    let email = server.email().replace("=\r\n", "").replace("=3D", "=");
    let (_, link) = email.split_once("http://localhost:8000").expect("a link");
    let link = link.split_whitespace().next().unwrap().to_owned();
    app.other_browser().submit("/password-reset", [("email", ADA)]);
    app.run_jobs();
    app.visit("/profile").says(NOTICE);
    app.visit(&link).and_submit([]).redirects_to("/profile");
    app.visit("/profile").does_not_say(NOTICE);
}

/// Promise 66: the date of an email is that of the service, which follows the database's clock.
#[test]
fn emails_have_the_date_of_the_service() {
    let server = MailServer::start(vec![]);
    let app = app_with(&server);
    app.clock.advance(Duration::from_hours(100));
    app.sign_up(ADA);
    app.run_jobs();
    let date = httpdate::fmt_http_date(app.clock.now().into()).replace("GMT", "+0000");
    let email = server.email();
    assert!(email.contains(&format!("Date: {date}")), "{date}: {email}");
}

/// Promise 66: an email that was caused while the clock was ahead is not about a time that is still to come.
#[test]
fn no_email_is_about_the_future() {
    let app = TestApp::with_ada();
    app.emails();
    app.clock.advance(Duration::from_mins(100));
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let app = app.restarted_at(Clock::stopped());
    let now = OffsetDateTime::from(app.clock.now());
    let email = app.last_email();
    assert!(email.subject.starts_with("Your "), "{email:?}");
    let when = format!("{} at {:02}:{:02} UTC", now.year(), now.hour(), now.minute());
    assert!(email.text.contains(&when), "{when}: {email:?}");
}
