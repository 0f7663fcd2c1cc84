//! Who may sign up: promise 60.

use rocket::http::Method::{Get, Post};

use super::with_proof;
use crate::harness::{ADA, PASSWORD, TestApp};

fn app(signup: &str) -> TestApp {
    TestApp::with(|figment| figment.merge(("vestibule.signup", signup)))
}

/// Promise 60: by no route.
#[test]
fn where_sign_up_is_not_open_no_route_makes_an_account() {
    for (signup, title, verification) in [
        ("invite", "You need an invitation", "optional"),
        ("closed", "Sign-up is closed", "optional"),
        ("closed", "Sign-up is closed", "required"),
    ] {
        let app = TestApp::with(|figment| {
            figment
                .merge(("vestibule.signup", signup))
                .merge(("vestibule.verification", verification))
        });
        app.visit("/signup").is(200).says(title).says("Sign in").does_not_say("name=\"password\"");
        let before = app.dump_without(&["throttle"]);
        let form = [("email", ADA), ("password", PASSWORD)];
        app.post("/signup", form).is(403).says(title);
        app.post("/signup", [("email", ""), ("password", "")]).is(403).says(title);
        let json = r#"{"email":"ada@example.com","password":"seven purple lanterns"}"#;
        app.send_json(Post, "/api/v1/register", json).is(403).says("\"detail\"");
        assert_eq!(app.dump_without(&["throttle"]), before);
        // No page leads there.
        for page in ["/login", "/password-reset", "/logout"] {
            app.visit(page).is(200).does_not_say("/signup\"").does_not_say("Sign up");
        }
        app.post("/login", form).is(401).does_not_say("Sign up");
    }
}

#[test]
fn the_front_page_offers_no_sign_up_where_it_is_closed() {
    app("closed").visit("/").is(200).says("Sign in").does_not_say("Sign up");
    app("open").visit("/").is(200).says("Sign up");
}

/// A sign-up that waits to be confirmed ends with the setting, whatever its link.
#[test]
fn a_link_of_before_makes_no_account_once_sign_up_is_closed() {
    let mut app = with_proof();
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to("/signup-sent");
    let link = app.last_email().link();
    for signup in ["invite", "closed"] {
        app = app.restarted_with(|figment| figment.merge(("vestibule.signup", signup)));
        app.visit(&link).is(404);
        app.post(&link, [("password", PASSWORD)]).is(404);
    }
    let app = app.restarted();
    app.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/profile");
}

/// Promise 60: domains are compared whole, as A-labels.
#[test]
fn addresses_at_other_domains_are_refused_beside_the_field() {
    let domains = ["example.com", "b\u{fc}cher.example"];
    let app = TestApp::with(|figment| figment.merge(("vestibule.signup_domains", domains)));
    for email in [
        "ada@example.org",
        "ada@mail.example.com",
        "ada@example.com.evil.example",
        "ada@bucher.example",
    ] {
        let says =
            "Use an email address at one of these domains: example.com, b\u{fc}cher.example.";
        app.submit("/signup", [("email", email), ("password", PASSWORD)])
            .is(422)
            .says_beside("email", says)
            .shows_in("email", email);
        let json = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        app.send_json(Post, "/api/v1/register", &json).is(400).says("one of these domains");
    }
    app.sign_up("ada@xn--bcher-kva.example");
    app.other_browser().sign_up("Ada@EXAMPLE.com");
    // Nor does anybody move elsewhere later.
    app.submit("/email-change", [("email", "ada@example.org")])
        .says_beside("email", "Use an email address at one of these domains");
    app.post("/email-change", [("email", "ada@b\u{fc}cher.example")]).is(422);
    app.submit("/email-change", [("email", "eve@example.com")]).redirects_to("/security");
    app.emails();
}

/// Promise 60: what waits ends with the setting.
#[test]
fn a_link_of_before_makes_no_account_at_another_domain() {
    let app = with_proof();
    app.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to("/signup-sent");
    let link = app.last_email().link();
    let app = app.restarted_with(|figment| {
        figment
            .merge(("vestibule.verification", "required"))
            .merge(("vestibule.signup_domains", "example.org"))
    });
    app.visit(&link).is(404);
    app.post(&link, [("password", PASSWORD)]).is(404);
    let before = app.emails().len();
    app.post("/signup-sent", [("email", ADA)]).redirects_to("/signup-sent");
    assert_eq!(app.emails().len(), before);
}

/// Where nothing is to be confirmed, nobody is mailed for it.
#[test]
fn links_are_sent_again_only_where_there_are_any() {
    let app = app("open");
    app.post("/signup-sent", [("email", ADA)]).redirects_to("/profile");
    app.visit("/signup-sent").redirects_to("/profile");
    app.send_json(Post, "/api/v1/signup_link", r#"{"email":"ada@example.com"}"#).is(404);
    assert!(app.emails().is_empty());
}

#[test]
fn a_wrong_setting_is_named() {
    let app = app("open");
    for (key, value) in
        [("signup", "nobody"), ("verification", "true"), ("signup_domains", "ada@example.com")]
    {
        let clock = app.clock.clone();
        assert!(!app.can_start(clock, |f| f.merge((format!("vestibule.{key}"), value))), "{key}");
    }
    app.ask(Get, "/api/v1/session").is(401);
}
