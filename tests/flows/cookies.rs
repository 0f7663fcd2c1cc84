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

const LOST: &str = "Your browser did not keep the cookie";

/// A browser without cookies would see the sign-in page again and again. Nothing is done, and nothing typed is lost.
#[test]
fn a_browser_that_keeps_no_cookie_is_told_so() {
    let app = TestApp::with_ada();
    for (path, email) in [("/login?next=/profile", ADA), ("/signup", "bob@example.com")] {
        let blocked = app.other_browser();
        let form = [("email", email), ("password", PASSWORD)];
        let page = blocked.visit(path).does_not_say(LOST);
        blocked.cookies.borrow_mut().clear();
        let seen = page.and_submit(form).is(400).says(LOST).shows_in("email", email);
        assert!(seen.title().starts_with("Error: "), "{}", seen.title());
        assert!(!blocked.cookies.borrow().contains_key("session_id"));
        // Once they are allowed, it works.
        seen.and_submit(form).redirects_to("/profile");
        assert!(blocked.is_signed_in());
        // A wrong password from a page that was shown again, too.
        let blocked = app.other_browser();
        let wrong = [("email", email), ("password", "wrong password")];
        let page = blocked.post("/login", wrong).is(401).does_not_say(LOST);
        blocked.cookies.borrow_mut().clear();
        page.and_submit(wrong).is(400).says(LOST);
    }
    assert_eq!(app.count("users WHERE email = 'bob@example.com'"), 1);
}

/// The same after a redirect: the browser comes from a form of ours, and without any cookie.
#[test]
fn a_browser_that_comes_back_without_a_cookie_is_told_so() {
    let app = TestApp::with_ada();
    for page in ["/login", "/signup", "/login?next=/profile"] {
        let base = crate::harness::mount::base().unwrap_or_default();
        let referer = format!("http://localhost:8000{base}{page}");
        let headers = [("Accept", "text/html"), ("Referer", referer.as_str())];
        let blocked = app.other_browser();
        for path in ["/login?next=/profile", "/signup"] {
            blocked.request(Method::Get, path, &headers, None).is(200).says(LOST);
            blocked.cookies.borrow_mut().clear();
        }
        // A visitor with cookies goes from one page to the other.
        let visitor = app.other_browser();
        visitor.visit(page);
        visitor.request(Method::Get, "/signup", &headers, None).is(200).does_not_say(LOST);
        visitor.sign_up(&format!("p{}@example.com", app.count("users")));
        visitor.sign_out();
        visitor.request(Method::Get, "/login", &headers, None).is(200).does_not_say(LOST);
    }
    for referer in ["http://localhost:8000/", "https://evil.example/login", "nonsense"] {
        let headers = [("Accept", "text/html"), ("Referer", referer)];
        app.other_browser().request(Method::Get, "/login", &headers, None).does_not_say(LOST);
    }
}

/// A program that posts without opening the page has no cookie to send back.
#[test]
fn a_program_needs_no_cookie_before_it_signs_in() {
    let app = TestApp::with_ada();
    let form = [("email", ADA), ("password", PASSWORD)];
    app.other_browser().post("/login", form).redirects_to("/profile");
    app.other_browser().call(Method::Post, "/api/v1/session", form).is(200);
    let seen =
        app.other_browser().post("/signup", [("email", "b@example.com"), ("password", PASSWORD)]);
    seen.redirects_to("/profile");
}

/// Over http a browser sends a cookie to every port of the host.
#[test]
fn services_on_two_ports_of_a_host_do_not_share_a_cookie() {
    let names = |public_url: &str, name: Option<&str>| {
        let app = TestApp::start(
            |mut figment| {
                figment = figment.merge(("vestibule.public_url", public_url));
                match name {
                    Some(name) => figment.merge(("vestibule.session.cookie_name", name)),
                    None => figment,
                }
            },
            vestibule::service,
        );
        let form = format!("email=ada@example.com&password={}", PASSWORD.replace(' ', "+"));
        let headers =
            [("Origin", public_url), ("Content-Type", "application/x-www-form-urlencoded")];
        app.visit("/login");
        app.request(Method::Post, "/signup", &headers, Some(&form)).redirects_to("/profile");
        app.request(Method::Post, "/profile", &headers, Some("name=Ada")).redirects_to("/profile");
        let names: Vec<String> = app.cookies.borrow().keys().cloned().collect();
        names.join(" ")
    };
    let of_port = |port: &str| {
        format!(
            "session_id{port} vestibule_device{port} vestibule_notice{port} vestibule_trial{port}"
        )
    };
    assert_eq!(names("http://accounts.lan:8795", None), of_port("_8795"));
    assert_eq!(names("http://accounts.lan:8796", None), of_port("_8796"));
    assert_eq!(names("http://accounts.lan", None), of_port(""));
    assert_eq!(names("http://accounts.lan:80", None), of_port(""));
    let own = names("http://accounts.lan:5000", Some("session_id"));
    assert!(own.starts_with("session_id vestibule_device_5000 "), "{own}");
    let https = names("https://accounts.example.com:8443", None);
    assert!(https.starts_with("__Host-session_id __Host-vestibule_device "), "{https}");
}
