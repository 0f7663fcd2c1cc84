//! With `public_url`, as behind a TLS proxy: links, accepted forms, and headers.

use rocket::http::Method::{Get, Post};

use crate::harness::{NEW_PASSWORD, PASSWORD, Seen, TestApp};

const OURS: &str = "https://accounts.example.com";

fn app() -> TestApp {
    TestApp::with(|figment| figment.merge(("vestibule.public_url", OURS)))
}

fn post_from(app: &TestApp, origin: &str, path: &str, form: &str) -> Seen {
    let headers = [
        ("Accept", "text/html"),
        ("Origin", origin),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    app.request(Post, path, &headers, Some(form))
}

fn sign_up(app: &TestApp) {
    let form = format!("email=ada@example.com&password={}", PASSWORD.replace(' ', "+"));
    post_from(app, OURS, "/signup", &form).redirects_to("/profile");
}

/// Promise 32.
#[test]
fn only_forms_of_this_very_origin_count() {
    let app = app();
    sign_up(&app);
    for origin in [
        "https://accounts.example.com.evil.example",
        "https://evil.example/https://accounts.example.com",
        "https://accounts.example.com@evil.example",
        "https://evilaccounts.example.com",
        "https://example.com",
        "https://www.accounts.example.com",
        "https://accounts.example.com:8443",
        "https://accounts.example.com:80",
        "http://accounts.example.com",
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "https://accounts.example.co",
        "null",
        "",
        "*",
    ] {
        post_from(&app, origin, "/logout", "").is(403);
        post_from(&app, origin, "/profile", "name=Mallory").is(403);
    }
    app.visit("/profile").is(200).does_not_say("Mallory");
    post_from(&app, OURS, "/profile", "name=Ada").redirects_to("/profile");
    post_from(&app, OURS, "/logout", "").redirects_to("/");
}

/// Promise 17: not to the address of the request, which strangers choose.
#[test]
fn every_link_in_every_mail_leads_here() {
    let app = app();
    sign_up(&app);
    let host = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example;proto=http"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    app.request(Post, "/password-reset", &host, Some("email=ada@example.com"))
        .redirects_to("/password-reset-sent");
    let form = format!("password={PASSWORD}&new_password={NEW_PASSWORD}").replace(' ', "+");
    post_from(&app, OURS, "/password-change", &form).redirects_to("/profile");
    let emails = app.emails();
    assert_eq!(emails.len(), 3, "{emails:?}");
    for email in &emails {
        for body in [&email.text, &email.html] {
            let links: Vec<&str> = body.match_indices("http").map(|(at, _)| &body[at..]).collect();
            assert!(!links.is_empty());
            for link in links {
                let rest = link.strip_prefix(OURS).unwrap_or_else(|| panic!("{link}"));
                assert!(rest.starts_with(['/', ')', '"', '<']), "{link}");
            }
        }
    }
    for email in &emails[..2] {
        let link = email.text.split(OURS).nth(1).unwrap().split_whitespace().next().unwrap();
        app.visit(link).is(200);
    }
}

/// Promises 35 and 41: no page, redirect or cookie leads elsewhere, signed in or not.
#[test]
fn no_page_leads_elsewhere() {
    let app = app();
    for is_signed_in in [false, true] {
        if is_signed_in {
            sign_up(&app);
        }
        for path in app.paths() {
            let seen = app.request(Get, &path, &[("Accept", "text/html")], None);
            assert!(seen.status < 500, "{path}: {}", seen.status);
            if let Some(to) = seen.header("location") {
                assert!(to.starts_with('/') && !to.starts_with("//"), "{path} leads to {to}");
            }
            let body = seen.body.replace("http://www.w3.org/2000/svg", "").replace(OURS, "");
            assert!(!body.contains("http:") && !body.contains("https:"), "{path}: {body}");
            assert!(seen.header("strict-transport-security").is_some(), "{path}");
            for (_, cookie) in seen.headers.iter().filter(|(name, _)| name == "set-cookie") {
                assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
            }
        }
    }
}
