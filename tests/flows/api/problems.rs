//! The types of problems: what programs compare.

use std::time::Duration;

use rocket::http::Method::{Delete, Get, Post, Put};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn a_program_tells_problems_apart_without_reading_sentences() {
    let app = TestApp::with_ada();
    let (email, password) = (("email", ADA), ("password", PASSWORD));
    let program = app.other_browser();
    let sign_up = |form: [(&str, &str); 2]| program.call(Post, "/api/v1/register", form);
    sign_up([("email", "no address"), password]).refuses(400, "invalid-fields");
    sign_up([("email", "bob@example.com"), ("password", "password1")])
        .refuses(400, "weak-password");
    sign_up([email, password]).refuses(400, "email-taken");
    // Two mistakes are no single kind.
    sign_up([("email", ""), ("password", "password1")]).refuses(400, "invalid-fields");
    program.send_json(Post, "/api/v1/register", "[1]").refuses(400, "bad-request");
    let text = [("Accept", "*/*"), ("Content-Type", "text/plain")];
    program
        .request(Post, "/api/v1/register", &text, Some("a"))
        .refuses(415, "unsupported-media-type");
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(40_000));
    program.send_json(Post, "/api/v1/register", &long).refuses(413, "too-large");

    let sign_in = |form: [(&str, &str); 2]| program.call(Post, "/api/v1/session", form);
    sign_in([email, ("password", "wrong")]).refuses(401, "wrong-credentials");
    program.ask(Get, "/api/v1/session").refuses(401, "not-signed-in");
    let elsewhere = [("Sec-Fetch-Site", "cross-site")];
    app.request(Post, "/api/v1/logout", &elsewhere, None).refuses(403, "cross-site");
    program.ask(Put, "/api/v1/session").refuses(405, "method-not-allowed");

    let change = |current: &str, new: &str| {
        app.call(Post, "/api/v1/password_change", [("password", current), ("new_password", new)])
    };
    change("wrong", NEW_PASSWORD).refuses(400, "wrong-password");
    change(PASSWORD, "password1").refuses(400, "weak-password");
    change("wrong", "password1").refuses(400, "invalid-fields");
    app.call(Post, "/api/v1/email_change", [email]).refuses(400, "same-email");
    app.call(Post, "/api/v1/not_me", [("token", "nonsense")]).refuses(400, "dead-link");
    app.ask(Delete, "/api/v1/sessions/nonsense").refuses(404, "no-such-session");
    for query in ["before=nonsense", "before=", "before=null&before=null"] {
        app.ask(Get, &format!("/api/v1/activity?{query}")).refuses(400, "invalid-fields");
    }
    app.clock.advance(Duration::from_secs(11 * 60));
    app.ask(Delete, "/api/v1/sessions").refuses(401, "login-too-old");
    let seen = (0..100)
        .map(|_| app.call(Post, "/api/v1/recent_login", [("password", "wrong")]))
        .find(|seen| seen.status != 400)
        .unwrap()
        .refuses(429, "too-many-attempts");
    assert!(seen.header("retry-after").is_some());
}
