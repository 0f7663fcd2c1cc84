//! The types of problems: what programs compare.

use std::time::Duration;

use rocket::http::Method::{Delete, Get, Post, Put};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, Seen, TestApp};

trait IsOfType {
    /// Asserts the status and the type.
    fn is_problem(self, status: u16, name: &str) -> Self;
}

impl IsOfType for Seen {
    #[track_caller]
    fn is_problem(self, status: u16, name: &str) -> Self {
        let seen = self.is(status);
        assert_eq!(seen.header("content-type"), Some("application/problem+json"));
        let problem = seen.json();
        assert_eq!(problem["type"], format!("urn:vestibule:problem:{name}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        seen
    }
}

#[test]
fn a_program_tells_problems_apart_without_reading_sentences() {
    let app = TestApp::with_ada();
    let (email, password) = (("email", ADA), ("password", PASSWORD));
    let program = app.other_browser();
    let sign_up = |form: [(&str, &str); 2]| program.call(Post, "/api/v1/register", form);
    sign_up([("email", "no address"), password]).is_problem(400, "invalid-fields");
    sign_up([("email", "bob@example.com"), ("password", "password1")])
        .is_problem(400, "weak-password");
    sign_up([email, password]).is_problem(400, "email-taken");
    // Two mistakes are no single kind.
    sign_up([("email", ""), ("password", "password1")]).is_problem(400, "invalid-fields");
    program.send_json(Post, "/api/v1/register", "[1]").is_problem(400, "bad-request");
    let text = [("Accept", "*/*"), ("Content-Type", "text/plain")];
    program
        .request(Post, "/api/v1/register", &text, Some("a"))
        .is_problem(415, "unsupported-media-type");
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(40_000));
    program.send_json(Post, "/api/v1/register", &long).is_problem(413, "too-large");

    let sign_in = |form: [(&str, &str); 2]| program.call(Post, "/api/v1/session", form);
    sign_in([email, ("password", "wrong")]).is_problem(401, "wrong-credentials");
    program.ask(Get, "/api/v1/session").is_problem(401, "not-signed-in");
    let elsewhere = [("Sec-Fetch-Site", "cross-site")];
    app.request(Post, "/api/v1/logout", &elsewhere, None).is_problem(403, "cross-site");
    program.ask(Put, "/api/v1/session").is_problem(405, "method-not-allowed");
    program.ask(Get, "/api/v1/nothing").is_problem(404, "not-found");

    let change = |current: &str, new: &str| {
        app.call(Post, "/api/v1/password_change", [("password", current), ("new_password", new)])
    };
    change("wrong", NEW_PASSWORD).is_problem(400, "wrong-password");
    change(PASSWORD, "password1").is_problem(400, "weak-password");
    change("wrong", "password1").is_problem(400, "invalid-fields");
    app.call(Post, "/api/v1/email_change", [email]).is_problem(400, "same-email");
    app.call(Post, "/api/v1/not_me", [("token", "nonsense")]).is_problem(400, "dead-link");
    app.ask(Delete, "/api/v1/sessions/nonsense").is_problem(404, "no-such-session");
    app.ask(Get, "/api/v1/activity?before=nonsense").is_problem(400, "invalid-fields");
    app.clock.advance(Duration::from_secs(11 * 60));
    app.ask(Delete, "/api/v1/sessions").is_problem(401, "login-too-old");
    let seen = (0..)
        .map(|_| app.call(Post, "/api/v1/recent_login", [("password", "wrong")]))
        .find(|seen| seen.status != 400)
        .unwrap()
        .is_problem(429, "too-many-attempts");
    assert!(seen.header("retry-after").is_some());
}
