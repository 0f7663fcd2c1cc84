//! Vestibule in a host app.

mod drafts;
mod events;
mod example;
mod guards;
mod layout;
mod recent_login;
mod testing;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rocket::http::Method::{Get, Post};
use rocket::{catch, catchers, get, post, routes};

use crate::harness::process::{answer, ask, form_post, sign_up_form};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp, postgres, settings};

/// Promise 48: critical actions require a recent sign-in (ASVS 7.5.1).
#[test]
fn a_host_requires_a_recent_sign_in() {
    #[get("/delete-everything")]
    fn dangerous(recent: vestibule::RecentLogin) -> String {
        format!("ready, {}", recent.user.email)
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![dangerous]),
    );
    app.visit("/delete-everything").is(401);
    app.sign_up(ADA);
    app.clock.advance(Duration::from_mins(9));
    app.visit("/delete-everything").is(200).says("ready, ada@example.com");
    app.clock.advance(Duration::from_mins(2));
    app.visit("/delete-everything").is(401);
    assert!(app.is_signed_in());
    // As the README has it, a host's page for 401 leads here: the form, and not back in a circle.
    app.visit("/login?next=/delete-everything")
        .is(200)
        .and_submit([("email", ADA), ("password", PASSWORD)])
        .redirects_to("/delete-everything");
    app.visit("/delete-everything").is(200);
    app.visit("/login?next=/delete-everything").redirects_to("/delete-everything");
    app.clock.advance(Duration::from_mins(16));
    let form = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.submit("/password-change", form).redirects_to("/profile");
    app.visit("/delete-everything").is(200);
}

#[test]
fn a_host_mounts_everything_under_a_path() {
    #[get("/login")]
    fn login() -> &'static str {
        "the host's own"
    }
    #[get("/notes")]
    fn notes(user: vestibule::User) -> String {
        user.email.to_string()
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            let stage = vestibule::stage().at("/my/accounts");
            rocket::custom(figment).attach(stage).mount("/", routes![login, notes])
        },
    );
    let seen = app.visit("/login").is(200).says("the host's own");
    assert_eq!(seen.header("content-security-policy"), None);
    app.visit("/profile").is(404);
    let page = app.visit("/my/accounts/profile");
    let page = page.redirects_to("/my/accounts/login?next=/my/accounts/profile");
    assert!(page.header("content-security-policy").is_some());
    let form = [("email", ADA), ("password", PASSWORD)];
    let seen = app.submit("/my/accounts/signup", form).redirects_to("/my/accounts/profile");
    let cookie = seen.set_cookie("vestibule_session");
    assert!(cookie.ends_with("Path=/") || cookie.contains("Path=/;"), "for all pages: {cookie}");
    app.visit("/notes").is(200).says(ADA);
    let text = app.last_email().text.clone();
    let link = text.split("http://localhost:8000").nth(1).unwrap().split('\n').next().unwrap();
    assert!(link.starts_with("/my/accounts/verify-email/"), "{link}");
    app.visit(link).and_submit([]).redirects_to("/my/accounts/profile");
    app.visit("/my/accounts/profile").says("Confirmed");
    app.visit("/.well-known/change-password").redirects_to("/my/accounts/password-change");
    app.visit("/my/accounts/health/ready").is(200);
    app.visit("/my/accounts/api/v1/session").is(200);
    let cross_site = [("Sec-Fetch-Site", "cross-site")];
    app.request(Post, "/my/accounts/logout", &cross_site, None).is(403);
    app.request(Post, "/my//accounts/%6Cogout", &cross_site, None).is(403);
}

/// Promise 70: a start that cannot be meant is refused.
#[test]
fn a_host_that_attaches_it_wrongly_does_not_start() {
    let app = TestApp::new();
    let starts = |stages: &[vestibule::Stage]| {
        let folder = tempfile::TempDir::new().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
        let figment = crate::harness::settings(folder.path(), &database);
        let attach = |rocket: rocket::Rocket<rocket::Build>, stage: &vestibule::Stage| {
            rocket.attach(stage.clone())
        };
        let rocket = stages.iter().fold(rocket::custom(figment), attach);
        match app.block_on(rocket.ignite()) {
            Ok(rocket) => {
                app.block_on(async move { drop(rocket) });
                true
            }
            Err(error) => {
                // Rocket panics if the error is not looked at.
                let _ = error.kind();
                false
            }
        }
    };
    let stage = vestibule::stage;
    assert!(starts(&[stage()]));
    assert!(starts(&[stage().at("/a/b_c")]));
    assert!(!starts(&[stage(), stage()]));
    assert!(!starts(&[stage(), stage().at("/accounts")]));
    for path in ["accounts", "/", "/accounts/", "/a//b", "/<id>", "/a b"] {
        assert!(!starts(&[stage().at(path)]), "{path}");
    }
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
    #[catch(default)]
    fn error() -> &'static str {
        "the host's page for errors"
    }
    #[get("/files/<_..>")]
    fn files() -> &'static str {
        "with a slash"
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            let mine = routes![home, hook, files];
            let rocket = rocket::custom(figment).attach(vestibule::stage()).mount("/", mine);
            rocket.register("/", catchers![error])
        },
    );
    let seen = app.visit("/").is(200).says("the host's home");
    assert_eq!(seen.header("content-security-policy"), None);
    app.visit("/files/a/").is(200);
    let cross_site = [("Sec-Fetch-Site", "cross-site")];
    app.request(Post, "/hook", &cross_site, None).is(200);
    app.request(Post, "/logout", &cross_site, None).is(403);
    app.request(Post, "/api/v1/logout", &cross_site, None).is(403);
    // Other spellings are still our paths.
    for path in ["/%6Cogout", "//logout", "/api//v1/logout", "/%73ignup"] {
        let seen = app.request(Post, path, &cross_site, None).is(403);
        assert!(seen.header("content-security-policy").is_some(), "{path}");
    }
    // What has no route of ours is the host's, and so are its errors.
    for path in ["/api/v1/nope", "/profile/settings", "/health/db", "/static/style.css", "/login/x"]
    {
        let seen = app.visit(path).is(404).says("the host's page for errors");
        assert_eq!(seen.header("content-security-policy"), None, "{path}");
    }
    app.send_json(Post, "/api/v1/register", "{").is(400).says("\"title\"");
    assert!(app.visit("/login").header("content-security-policy").is_some());
    app.request(Get, "/users", &[], None).is(404);
    app.sign_up(ADA);
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
    app.sign_up(ADA);
    app.visit("/mail").says("unproven");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/profile");
    app.visit("/mail").says(ADA);
}

/// Promise 32: the host's own routes are protected too.
#[test]
fn another_website_changes_nothing_on_a_host_s_own_routes() {
    #[post("/notes")]
    fn note(user: vestibule::User) -> String {
        user.email.to_string()
    }
    #[get("/notes")]
    fn notes(user: vestibule::User) -> String {
        user.email.to_string()
    }
    fn host(figment: rocket::figment::Figment) -> rocket::Rocket<rocket::Build> {
        rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![note, notes])
    }
    let app = TestApp::start(|figment| figment, host);
    app.sign_up(ADA);
    for foreign in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        app.request(Post, "/notes", &[foreign], None).is(403);
        app.request(Get, "/notes", &[foreign], None).is(200);
    }
    for own in [("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost:8000"), ("X", "y")]
    {
        app.request(Post, "/notes", &[own], None).is(200);
    }
    let app = TestApp::start(|figment| figment.merge(("vestibule.allow_cross_site", true)), host);
    app.sign_up(ADA);
    app.request(Post, "/notes", &[("Sec-Fetch-Site", "cross-site")], None).is(200);
    app.request(Post, "/logout", &[("Sec-Fetch-Site", "cross-site")], None).is(403);
}

/// A host's own page instead of ours has the lower rank; without a rank the launch names both.
#[test]
fn a_host_replaces_a_page_on_purpose() {
    #[get("/login")]
    fn login() -> &'static str {
        "the host's own form"
    }
    #[get("/login")]
    fn unclear() -> &'static str {
        "never seen"
    }
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            let mut mine = routes![login];
            mine[0].rank = -10;
            rocket::custom(figment).attach(vestibule::stage()).mount("/", mine)
        },
    );
    app.visit("/login").is(200).says("the host's own form");
    app.sign_up(ADA);
    let folder = tempfile::TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
    let figment = crate::harness::settings(folder.path(), &database);
    let rocket = rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![unclear]);
    let refused = app.block_on(rocket.ignite()).expect_err("two routes for one path");
    assert!(matches!(refused.kind(), rocket::error::ErrorKind::Collisions(_)));
}

/// Promise 35: our headers are on our pages, and a host's own choice stays.
#[test]
fn a_host_s_header_is_not_overridden() {
    let own = rocket::fairing::AdHoc::on_response("the host's", |_, response| {
        Box::pin(async move {
            response.set_raw_header("Content-Security-Policy", "default-src 'self'");
        })
    });
    let app = TestApp::start(
        |figment| figment,
        |figment| rocket::custom(figment).attach(own).attach(vestibule::stage()),
    );
    let seen = app.visit("/login").is(200);
    assert_eq!(seen.header("content-security-policy"), Some("default-src 'self'"));
    assert_eq!(seen.header("x-content-type-options"), Some("nosniff"));
}

/// A host that runs behind our server has its limits, and its own limit on bodies.
#[test]
fn a_host_may_use_our_server() {
    #[post("/length", data = "<text>")]
    fn length(text: String) -> String {
        text.len().to_string()
    }
    let folder = tempfile::TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
    let port = crate::proxies::free_port();
    let figment = settings(folder.path(), &database).merge(("port", port)).merge((
        "limits",
        rocket::data::Limits::new().limit("string", rocket::data::ToByteUnit::kibibytes(100)),
    ));
    let runtime = rocket::tokio::runtime::Runtime::new().unwrap();
    let rocket = rocket::custom(figment).attach(vestibule::stage()).mount("/", routes![length]);
    let server = runtime.spawn(vestibule::serve(rocket));
    let answer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut stream = loop {
            if let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
                break stream;
            }
        };
        let body = "x".repeat(100_000);
        let head = format!(
            "POST /length HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.join().unwrap();
    assert!(answer.ends_with("100000"), "{answer}");
    server.abort();
}

/// Promise 53: Rocket closes a pool as soon as it is told to stop. A host with Rocket's own server still answers what
/// is in flight.
#[test]
fn a_host_that_stops_answers_what_is_in_flight() {
    let folder = tempfile::TempDir::new().unwrap();
    let database = postgres::new_postgres_database()
        .unwrap_or_else(|| format!("sqlite:{}", folder.path().join("test.sqlite3").display()));
    let port = crate::proxies::free_port();
    let figment = settings(folder.path(), &database)
        .merge(("port", port))
        .merge(("vestibule.password.cost", 11))
        .merge(("vestibule.hashing.workers", 1))
        .merge(("vestibule.hashing.batch", 1))
        .merge(("vestibule.hashing.max_wait", "1min"));
    let runtime = rocket::tokio::runtime::Runtime::new().unwrap();
    let host = rocket::custom(figment).attach(vestibule::stage());
    let host = runtime.block_on(host.ignite()).expect("the host starts");
    let shutdown = host.shutdown();
    let server = runtime.spawn(host.launch());
    while ask(port, "GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").is_none()
    {
        std::thread::yield_now();
    }
    let (sender, answers) = channel();
    for n in 0..4 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let form = sign_up_form(&format!("p{n}@example.com"));
        stream.write_all(form_post("/signup", &form).as_bytes()).unwrap();
        let sender = sender.clone();
        std::thread::spawn(move || sender.send(answer(stream)).unwrap());
    }
    drop(sender);
    // One was handled, and the others wait for their hashes.
    let first = answers.recv().unwrap();
    shutdown.notify();
    for seen in std::iter::once(first).chain(answers) {
        assert!(seen.starts_with("HTTP/1.1 303"), "{seen}");
    }
    let answered_at = Instant::now();
    assert!(runtime.block_on(server).unwrap().is_ok());
    assert!(answered_at.elapsed() < Duration::from_secs(10), "an idle host does not linger");
}
