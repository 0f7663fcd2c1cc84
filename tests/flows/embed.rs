//! Vestibule within somebody else's Rocket.

use rocket::http::Method::{Get, Post};
use rocket::{get, post, routes};

use crate::harness::TestApp;

#[expect(dead_code, reason = "its `main` is for the command line")]
#[path = "../../examples/embed.rs"]
mod example;

#[test]
fn the_example_greets_whoever_is_signed_in() {
    let app = TestApp::start(|figment| figment, example::app);
    app.visit("/hello").redirects_to("/login?next=/hello");
    app.sign_up("ada@example.com");
    app.visit("/hello").is(200).says("Hello, ada@example.com!");
    app.submit("/profile", [("name", "Ada")]);
    app.visit("/hello").says("Hello, Ada!");
}

#[test]
fn a_host_keeps_its_own_paths_to_itself() {
    #[get("/")]
    fn home() -> &'static str {
        "the host's home"
    }
    #[post("/hook")]
    fn hook() -> &'static str {
        "taken"
    }
    #[get("/files/<_..>")]
    fn files() -> &'static str {
        "with a slash"
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            let mine = routes![home, hook, files];
            rocket::custom(figment).attach(vestibule::stage()).mount("/", mine)
        },
    );
    let seen = app.visit("/").is(200).says("the host's home");
    assert_eq!(seen.header("content-security-policy"), None);
    app.visit("/files/a/").is(200);
    let cross_site = [("Sec-Fetch-Site", "cross-site")];
    app.request(Post, "/hook", &cross_site, None).is(200);
    app.request(Post, "/logout", &cross_site, None).is(403);
    app.request(Post, "/api/v1/logout", &cross_site, None).is(403);
    // In disguise they are ours too.
    for path in ["/%6Cogout", "//logout", "/api//v1/logout", "/%73ignup"] {
        let seen = app.request(Post, path, &cross_site, None).is(403);
        assert!(seen.header("content-security-policy").is_some(), "{path}");
    }
    let seen = app.ask(Get, "/api/v1/nope").is(404);
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    app.send_json(Post, "/api/v1/register", "{").is(400).says("\"title\"");
    assert!(app.visit("/login").header("content-security-policy").is_some());
    app.request(Get, "/users", &[], None).is(404);
    app.sign_up("ada@example.com");
    app.visit("/profile").is(200);
}

/// Promise 15.
#[test]
fn a_host_authorises_on_a_proven_address_only() {
    #[get("/mail")]
    fn mail(user: vestibule::User) -> String {
        user.verified_email().map_or("unproven".into(), ToString::to_string)
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![mail]),
    );
    app.sign_up("ada@example.com");
    app.visit("/mail").says("unproven");
    app.visit(&app.last_letter().link()).and_submit([]).redirects_to("/profile");
    app.visit("/mail").says("ada@example.com");
}
