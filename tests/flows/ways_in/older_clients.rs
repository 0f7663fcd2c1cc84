//! The routes of older clients in each mode.

use rocket::http::Method::Post;

use super::required::with_ada;
use crate::harness::{ADA, PASSWORD, TestApp};

const FORM: [(&str, &str); 2] = [("email", ADA), ("password", PASSWORD)];

/// Promise 62: the body that they know, for every address.
#[test]
fn an_older_client_gets_the_same_answer_for_every_address() {
    let app = with_ada();
    for email in [ADA, "nobody@example.com"] {
        let seen = app.call(Post, "/users", [("email", email), ("password", PASSWORD)]).is(200);
        assert_eq!(seen.json()["message"], "user created");
    }
    app.emails();
}

/// Promise 60.
#[test]
fn an_older_client_makes_no_account_where_sign_up_is_not_open() {
    for (setting, value, status) in [
        ("signup", "invite", 403),
        ("signup", "closed", 403),
        ("signup_domains", "example.org", 400),
    ] {
        let app = TestApp::with(|figment| figment.merge((format!("vestibule.{setting}"), value)));
        let seen = app.call(Post, "/users", FORM).is(status);
        assert!(seen.json()["message"].is_string());
        assert_eq!(app.count("users"), 0);
    }
}

/// Promise 62.
#[test]
fn an_older_client_does_not_sign_in_to_an_account_of_before() {
    let app = TestApp::with_ada();
    app.emails();
    let app = app.restarted_with(|figment| figment.merge(("vestibule.verification", "required")));
    let browser = app.other_browser();
    browser.call(Post, "/sessions", FORM).is(401);
    assert!(browser.cookies.borrow().is_empty());
}
