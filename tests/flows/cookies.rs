//! The cookies: sealed, and bound to this host.

use rocket::http::Method::{self};

use crate::harness::{ADA, PASSWORD, Seen, TestApp};

fn behind_https() -> TestApp {
    TestApp::with(|figment| figment.merge(("vestibule.public_url", "https://accounts.example.com")))
}

fn post_by_https(app: &TestApp, path: &str, body: &str) -> Seen {
    let headers = [
        ("Origin", "https://accounts.example.com"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    app.request(Method::Post, path, &headers, Some(body))
}

/// Promise 41: Rocket's own server decodes the names of cookies. One that becomes ours in this way counts as an
/// attempt to plant a session: the request is not signed in.
#[test]
fn a_forged_cookie_signs_nobody_in() {
    let app = TestApp::with_ada();
    let own = app.cookies.borrow()["session_id"].clone();
    for (name, status) in [("session_id", 200), ("session%5Fid", 401)] {
        let cookies = format!("a=b; {name}={own}");
        app.request(Method::Get, "/api/v1/session", &[("Cookie", &cookies)], None).is(status);
    }
}

/// Promise 41.
#[test]
fn the_session_cookie_is_sealed_and_kept_from_scripts_and_other_sites() {
    let app = TestApp::with_ada();
    let seen = app.other_browser().log_in(ADA, PASSWORD);
    let cookie = seen.set_cookie("session_id");
    assert!(cookie.starts_with("session_id="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    for attribute in ["Max-Age", "Expires", "Secure", "Domain"] {
        assert!(!cookie.contains(attribute), "{cookie}");
    }
    let seen = app.other_browser().log_in_and_stay(ADA, PASSWORD);
    let cookie = seen.set_cookie("session_id");
    assert!(cookie.contains(&format!("Max-Age={}", 30 * 24 * 3600)), "{cookie}");
    // Sealed: changing a byte makes it invalid.
    let sealed = app.session_cookie().unwrap();
    let (first, rest) = sealed.split_at(1);
    let forged = format!("session_id={}{rest}", if first == "A" { "B" } else { "A" });
    let accept = ("Accept", "*/*");
    app.request(Method::Get, "/profile", &[accept, ("Cookie", &forged)], None).is(403);
}

/// Promise 41.
#[test]
fn behind_https_the_cookie_is_bound_to_the_host_and_removed_whole() {
    let app = behind_https();
    let form = format!("email=ada@example.com&password={}", PASSWORD.replace(' ', "+"));
    let seen = post_by_https(&app, "/signup", &form).redirects_to("/profile");
    let is_session = |value: &&str| value.starts_with("__Host-session_id=");
    let mut headers = seen.headers.iter().map(|(_, value)| value.as_str());
    let cookie = headers.find(is_session).unwrap();
    assert!(cookie.starts_with("__Host-session_id=") && cookie.contains("Secure"), "{cookie}");
    let seen = post_by_https(&app, "/logout", "").redirects_to("/");
    let removals: Vec<_> =
        seen.headers.iter().filter(|(_, v)| v.starts_with("__Host-session_id")).collect();
    let [(_, removal)] = removals[..] else { panic!("{:?}", seen.headers) };
    for attribute in ["Secure", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=0"] {
        assert!(removal.contains(attribute), "{removal}");
    }
}

/// Promises 28 and 41: over https, every cookie is bound to this host.
#[test]
fn behind_https_no_other_subdomain_can_plant_a_cookie() {
    let app = behind_https();
    let form = format!("email=ada@example.com&password={}", PASSWORD.replace(' ', "+"));
    let mut headers = post_by_https(&app, "/signup", &form).headers;
    headers.extend(post_by_https(&app, "/profile", "name=Ada").headers);
    headers.extend(app.visit("/profile").headers);
    let set: Vec<_> = headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert!(set.len() >= 4, "{set:?}");
    for (_, cookie) in set {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        assert!(cookie.contains("Secure") && cookie.contains("Path=/"), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}
