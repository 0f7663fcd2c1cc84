//! Methods that a path does not have (RFC 9110).

use rocket::http::Method::{self, Delete, Get, Head, Options, Patch, Post, Put, Trace};
use rocket::{get, post, routes};

use crate::harness::process::{Process, answer, new_folder};
use crate::harness::{TestApp, mount};

fn service() -> TestApp {
    TestApp::start(|figment| figment, vestibule::service)
}

/// Promise 37.
#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let app = service();
    let secret = "A".repeat(43);
    for (path, allow) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/profile", "GET, HEAD, OPTIONS, POST"),
        ("/login", "GET, HEAD, OPTIONS, POST"),
        ("/logout", "GET, HEAD, OPTIONS, POST"),
        ("/verify-email", "OPTIONS, POST"),
        (&format!("/password-reset/{secret}"), "GET, HEAD, OPTIONS, POST"),
        ("/health/live", "GET, HEAD, OPTIONS"),
        ("/static/vestibule.css", "GET, HEAD, OPTIONS"),
        ("/api/v1/session", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/profile", "OPTIONS, PATCH"),
        ("/sessions", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("/sessions/some-id/end", "OPTIONS, POST"),
        ("/api/v1/sessions/some-id", "DELETE, OPTIONS"),
        ("/reset_password", "OPTIONS, POST, PUT"),
    ] {
        for path in [path.to_owned(), format!("{}/?a=b", path.trim_end_matches('/'))] {
            for method in [Get, Head, Post, Put, Patch, Delete, Trace] {
                if allow.split(", ").any(|allowed| allowed == method.as_str()) {
                    continue;
                }
                let seen = app.request(method, &path, &[("Accept", "text/html")], None).is(405);
                assert_eq!(seen.header("allow"), Some(allow), "{method} {path}");
                assert!(seen.header("content-security-policy").is_some(), "{method} {path}");
            }
            let seen = app.request(Options, &path, &[], None).is(204);
            assert_eq!(seen.header("allow"), Some(allow), "{path}");
            assert_eq!(seen.body, "");
            assert!(!seen.headers.iter().any(|(name, _)| name.starts_with("access-control-")));
        }
    }
    let kind = |method, path| {
        let seen = app.request(method, path, &[("Accept", "*/*")], None).is(405);
        seen.header("content-type").unwrap().to_owned()
    };
    assert_eq!(kind(Put, "/login"), "application/problem+json");
    assert_eq!(kind(Get, "/users"), "application/json");
    assert_eq!(kind(Get, "/api/v1/register"), "application/problem+json");
    for path in ["/nowhere", "/api/v1/nowhere", "/set-password", "/login/x"] {
        for method in [Post, Options, Trace] {
            let seen = app.request(method, path, &[], None).is(404);
            assert_eq!(seen.header("allow"), None, "{path}");
        }
    }
}

/// Promise 37: methods that Rocket has no name for, and a question about the server as a whole.
#[test]
fn a_method_that_nobody_knows_is_told_the_right_ones() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[]);
    for (line, status, allow) in [
        ("PROPFIND /login", 405, Some("GET, HEAD, OPTIONS, POST")),
        ("get /login", 405, Some("GET, HEAD, OPTIONS, POST")),
        ("FOO /nowhere", 404, None),
        ("OPTIONS *", 204, Some("GET, HEAD, OPTIONS")),
        ("OPTIONS /login", 204, Some("GET, HEAD, OPTIONS, POST")),
    ] {
        let seen = answer(
            service
                .send(&format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")),
        );
        assert!(seen.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {seen}");
        let said = seen.lines().find_map(|line| line.strip_prefix("allow: "));
        assert_eq!(said, allow, "{line}: {seen}");
    }
}

/// A host's routes and errors are its own; on a path with routes of both, all methods are named.
#[test]
fn a_host_answers_for_its_own_paths() {
    #[get("/notes")]
    fn notes() {}
    #[post("/health/live")]
    fn mine() -> &'static str {
        "the host's own"
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![notes, mine])
        },
    );
    if mount::base().is_some() {
        return;
    }
    app.request(Method::Post, "/health/live", &[], None).is(200).says("the host's own");
    let seen = app.request(Method::Put, "/health/live", &[], None).is(405);
    assert_eq!(seen.header("allow"), Some("GET, HEAD, OPTIONS, POST"));
    for path in ["/notes", "/", "/users"] {
        let seen = app.request(Method::Put, path, &[], None).is(404);
        assert_eq!(seen.header("allow"), None, "{path}");
    }
}
