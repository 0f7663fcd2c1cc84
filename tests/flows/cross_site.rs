//! What other sites can make a browser do here, and the security headers of every response.

use rocket::http::Method::{self, Delete, Get, Head, Post, Put};

use crate::harness::{ADA, PASSWORD, TestApp};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Promise 32.
#[test]
fn no_other_site_can_make_a_browser_act() {
    let app = TestApp::with_ada();
    let foreign: [&[(&str, &str)]; 6] = [
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost:8000")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", "http://localhost:8001")],
        &[("Origin", "https://localhost:8000")],
    ];
    let mut unsafe_requests = app.routes();
    unsafe_requests.retain(|(method, _)| *method != Get);
    assert!(unsafe_requests.len() > 15, "{unsafe_requests:?}");
    unsafe_requests.extend(
        [(Post, "/password-reset/abc"), (Put, "/login"), (Post, "/no/such/route")]
            .map(|(method, path)| (method, path.to_owned())),
    );
    for headers in foreign {
        for (method, path) in &unsafe_requests {
            let seen = app.request(*method, path, headers, None);
            assert_eq!(seen.status, 403, "{method} {path} {headers:?}");
        }
    }
    app.request(Post, "/logout", &[("Accept", "text/html"), foreign[0][0]], None)
        .is(403)
        .says("came from another website");
    assert!(app.is_signed_in());
}

/// Promise 32.
#[test]
fn our_own_pages_and_programs_pass() {
    let app = TestApp::new();
    let own: [&[(&str, &str)]; 7] = [
        &[],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://behind.a.proxy")],
        &[("Origin", "http://localhost:8000")],
        &[("Origin", "http://127.0.0.1:8000")],
        &[("Origin", "http://[::1]:8000")],
    ];
    for headers in own {
        app.request(Post, "/logout", headers, None).redirects_to("/");
    }
}

/// Promise 32: the form field `_method` makes Rocket run another method.
#[test]
fn a_form_cannot_smuggle_another_method_past_the_check() {
    let app = TestApp::with_ada();
    let headers = [FORM, ("Sec-Fetch-Site", "cross-site")];
    for method in ["delete", "put", "patch"] {
        let body = format!("_method={method}");
        app.request(Post, "/sessions", &headers, Some(&body)).is(403);
    }
    // It is answered as a GET, which changes nothing.
    app.request(Post, "/profile", &headers, Some("_method=get&name=x")).is(200);
    app.request(Post, "/logout", &headers, Some("_method=get")).is(200);
    assert!(app.is_signed_in());
    app.visit("/profile").shows_in("name", "");
}

/// Promise 33.
#[test]
fn checking_changes_nothing() {
    let app = TestApp::with_ada();
    app.submit("/password-reset", [("email", ADA)]);
    let links: Vec<String> = app.emails().iter().map(super::harness::Email::link).collect();
    // The readiness check writes there.
    let before = app.dump_without(&["vestibule_health"]);
    let mut paths = app.paths();
    paths.extend(links);
    for path in paths {
        for method in [Get, Head] {
            let query = format!("{path}?email=b@example.com&password={}&name=x", "x".repeat(9));
            app.request(method, &query, &[("Accept", "*/*")], None);
        }
    }
    assert_eq!(app.dump_without(&["vestibule_health"]), before);
    assert!(app.is_signed_in());
}

/// Promises 34 and 43.
#[test]
fn next_leads_nowhere_else() {
    let app = TestApp::with_ada();
    app.sign_out();
    for next in [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
    ] {
        let form = [("email", ADA), ("password", PASSWORD), ("next", next)];
        app.post("/login", form).redirects_to(if next.starts_with("/%") {
            next
        } else {
            "/profile"
        });
        app.sign_out();
    }
    app.visit("/login?next=//evil.example").is(200).does_not_say("evil");
    // Nor so long that proxies refuse the response.
    let far = format!("/{}", "a".repeat(3_000));
    let form = [("email", ADA), ("password", PASSWORD), ("next", &*far)];
    app.post("/login", form).redirects_to("/profile");
    app.visit(&format!("/login?next={far}")).redirects_to("/profile");
    app.sign_out();
    // Only GETs are resumed: a form posted without a session is not posted again.
    app.post("/profile", [("name", "x")]).redirects_to("/login?next=/profile");
}

/// Promises 35, 36 and 37.
#[test]
fn every_answer_tells_the_browser_to_be_careful() {
    let app = TestApp::with_ada();
    let wanted = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    let none = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let of_pages = none.replace("'self'; img-src", "'self'; script-src 'self'; img-src");
    let asked = [
        (Get, "/"),
        (Get, "/login"),
        (Get, "/profile"),
        (Get, "/nowhere"),
        (Get, "/health/live"),
        (Post, "/login"),
        (Get, "/api/v1/session"),
        (Get, "/api/v1/nowhere"),
        (Get, "/static/vestibule.css"),
        (Method::Trace, "/"),
        (Method::Options, "/login"),
        (Head, "/login"),
        (Delete, "/profile"),
        (Post, "/logout"),
    ];
    for (method, path) in asked {
        let seen = app.request(method, path, &[("Origin", "http://localhost:8000")], None);
        for (name, value) in wanted {
            assert_eq!(seen.header(name), Some(value), "{method} {path}");
        }
        // The script runs on pages alone.
        let is_page = seen.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        let csp = if is_page { &of_pages } else { none };
        assert_eq!(seen.header("content-security-policy"), Some(csp), "{method} {path}");
        let cached = path.starts_with("/static/");
        assert_eq!(seen.header("cache-control") == Some("no-store"), !cached, "{method} {path}");
        assert_eq!(seen.header("strict-transport-security"), None);
        assert_eq!(seen.header("server"), None);
        assert_eq!(seen.header("x-frame-options"), None, "it would say less than the CSP");
        assert!(!seen.headers.iter().any(|(name, _)| name.starts_with("access-control-")));
    }
    for (method, path) in [(Method::Trace, "/"), (Delete, "/profile"), (Put, "/login")] {
        app.request(method, path, &[], None).is(405);
    }
}

/// Promise 32: a program may name the port that a scheme has anyway; another port is another origin.
#[test]
fn the_usual_port_of_a_scheme_may_be_named() {
    for (public_url, same, other) in [
        (
            "https://accounts.example.com",
            "https://accounts.example.com:443",
            "https://accounts.example.com:80",
        ),
        (
            "https://accounts.example.com:443",
            "https://Accounts.example.com",
            "http://accounts.example.com:443",
        ),
        ("http://accounts.lan", "http://accounts.lan:80", "http://accounts.lan:443"),
        ("http://[fd00::80]", "http://[fd00::80]:80", "http://[fd00:"),
    ] {
        let app = TestApp::with(|f| f.merge(("vestibule.public_url", public_url)));
        for own in [same, public_url] {
            app.request(Post, "/logout", &[("Origin", own)], None).redirects_to("/");
        }
        app.request(Post, "/logout", &[("Origin", other)], None).is(403);
    }
    let app = TestApp::with(|f| f.merge(("port", 80)));
    app.request(Post, "/logout", &[("Origin", "http://localhost")], None).redirects_to("/");
}

/// A proxy that sends `Referrer-Policy: no-referrer` makes browsers send `null`; a wrong `public_url` makes them
/// send another origin. The page says which.
#[test]
fn a_refusal_says_which_origins_differ() {
    let app = TestApp::with(|f| f.merge(("vestibule.public_url", "http://accounts.lan:8795")));
    for origin in ["null", "http://192.168.1.7:8795", "http://accounts.lan"] {
        let headers = [("Accept", "text/html"), ("Origin", origin)];
        app.request(Method::Post, "/login", &headers, None)
            .is(403)
            .says(&format!("it came from {origin}; this site is http://accounts.lan:8795"));
    }
    let evil = format!("http://<script>{}", "x".repeat(500));
    let headers = [("Accept", "text/html"), ("Origin", evil.as_str())];
    let seen = app.request(Method::Post, "/login", &headers, None).is(403);
    assert!(!seen.body.contains("<script>") && !seen.body.contains(&"x".repeat(101)));
    let site =
        [("Accept", "text/html"), ("Sec-Fetch-Site", "same-site"), ("Origin", "http://www.lan")];
    app.request(Method::Post, "/login", &site, None).is(403).says("it came from http://www.lan;");
    let site = [("Accept", "text/html"), ("Sec-Fetch-Site", "cross-site")];
    app.request(Method::Post, "/login", &site, None).is(403).does_not_say("Your browser says");
}
