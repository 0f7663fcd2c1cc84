//! What clients of the older servers rely on.

use rocket::http::Method::{self, Delete, Get, Post, Put};

use crate::harness::{ADA, Browser, NEW_PASSWORD, PASSWORD, TestApp, in_ci};

fn course() -> TestApp {
    TestApp::with(|figment| {
        figment
            .merge(("vestibule.reveal_reset_token", true))
            .merge(("vestibule.password.min_length", 1))
            .merge(("vestibule.password.min_strength", 0))
    })
}

/// The profile in `Rocket.toml`.
fn course_as_shipped() -> TestApp {
    use rocket::figment::providers::{Format, Toml};
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Rocket.toml");
    TestApp::with(|figment| figment.merge(Toml::file(file).nested()).select("course"))
}

#[test]
fn a_program_of_the_course_project_walks_the_whole_way() {
    let app = course();
    let (email, password) = (("email", "Guillaume@holberton.io"), ("password", "b4l0u"));
    app.ask(Get, "/").is(200).is_json(r#"{"message":"Bienvenue"}"#);
    app.call(Post, "/users", [email, password])
        .is(200)
        .is_json(r#"{"email":"Guillaume@holberton.io","message":"user created"}"#);
    app.call(Post, "/users", [email, password])
        .is(400)
        .is_json(r#"{"message":"email already registered"}"#);
    app.call(Post, "/sessions", [email, ("password", "wrong")]).is(401);
    app.call(Post, "/sessions", [("email", "nobody@holberton.io"), password]).is(401);
    app.ask(Get, "/profile").is(403).says("message");
    app.call(Post, "/sessions", [email, password])
        .is(200)
        .is_json(r#"{"email":"Guillaume@holberton.io","message":"logged in"}"#);
    app.ask(Get, "/profile").is(200).is_json(r#"{"email":"Guillaume@holberton.io"}"#);
    let seen = app.ask(Delete, "/sessions").is(302);
    assert_eq!(seen.header("location"), Some("/"));
    app.ask(Get, "/profile").is(403);
    let token = reset_token(&app, "Guillaume@holberton.io");
    let fields = [email, ("reset_token", &token), ("new_password", "t4rt1fl3tt3")];
    app.call(Put, "/reset_password", fields)
        .is(200)
        .is_json(r#"{"email":"Guillaume@holberton.io","message":"Password updated"}"#);
    app.call(Post, "/sessions", [email, ("password", "t4rt1fl3tt3")]).is(200);
}

fn reset_token(app: &Browser, email: &str) -> String {
    let seen = app.call(Post, "/reset_password", [("email", email)]).is(200);
    let json = seen.json();
    assert_eq!(json["email"], email);
    json["reset_token"].as_str().expect("a token").to_owned()
}

#[test]
fn missing_or_wrong_fields_are_named_in_a_message() {
    let app = course();
    for (method, path) in
        [(Post, "/users"), (Post, "/sessions"), (Post, "/reset_password"), (Put, "/reset_password")]
    {
        // As in most of the older servers.
        let missing = match (method, path) {
            (Post, "/users") => 400,
            (Post, "/sessions") => 401,
            _ => 403,
        };
        let seen = app.call(method, path, []).is(missing);
        let message = seen.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("email"), "{message}");
        app.ask(method, path).is(missing).says("message");
        app.send_json(method, path, "{}").is(missing).says("message");
        app.call(method, path, [("email", ""), ("password", "x")]).is(missing).says("email");
    }
    app.call(Post, "/users", [("email", ""), ("password", "x")]).is(400).says("email");
    app.call(Post, "/users", [("email", "a@example.com"), ("password", "")])
        .is(400)
        .says("password");
    app.call(Post, "/users", [("email", "no address"), ("password", "x")]).is(400).says("email");
}

/// Promise 5.
#[test]
fn a_weak_password_is_not_hidden_by_another_mistake_here_either() {
    let app = TestApp::new();
    let name = "x".repeat(101);
    let form = [("email", "ada"), ("password", "password1"), ("name", &*name)];
    app.call(Post, "/users", form).is(400).says("email: ").says("password: ");
}

#[test]
fn no_cookie_is_needed_before_signing_in() {
    let app = TestApp::with_ada();
    let form = [("email", ADA), ("password", PASSWORD)];
    app.other_browser().call(Post, "/sessions", form).is(200);
}

#[test]
fn an_unknown_or_empty_session_is_forbidden() {
    let app = course();
    for cookie in
        ["session_id=", "session_id=nonsense", "session_id=3a1c6d0e-1111-2222-3333-444455556666"]
    {
        let headers = [("Accept", "*/*"), ("Cookie", cookie)];
        app.request(Get, "/profile", &headers, None).is(403).says("message");
        app.request(Delete, "/sessions", &headers, None).is(403).says("message");
    }
    app.ask(Delete, "/sessions").is(403);
}

#[test]
fn a_reset_token_works_once_for_its_owner_and_voids_the_older_ones() {
    let app = course();
    for email in [ADA, "bob@example.com"] {
        app.call(Post, "/users", [("email", email), ("password", "x")]).is(200);
    }
    app.call(Post, "/reset_password", [("email", "nobody@example.com")]).is(403);
    let tokens: Vec<String> = (0..5).map(|_| reset_token(&app, ADA)).collect();
    let reset = |email: &str, token: &str| {
        let fields = [("email", email), ("reset_token", token), ("new_password", "y")];
        app.call(Put, "/reset_password", fields).status
    };
    assert_eq!(reset("bob@example.com", &tokens[4]), 403);
    assert_eq!(reset(ADA, "nonsense"), 403);
    assert_eq!(reset("Ada@example.com", &tokens[4]), 200);
    for token in &tokens {
        assert_eq!(reset(ADA, token), 403);
    }
}

#[test]
fn a_trailing_slash_and_json_are_taken_too() {
    let app = course();
    let body = r#"{"email":"ada@example.com","password":"x"}"#;
    app.send_json(Post, "/users/", body).is(200);
    app.send_json(Post, "/sessions/", body).is(200);
    app.ask(Get, "/profile/").is(200);
    app.ask(Delete, "/sessions/").is(302);
}

#[test]
fn signing_up_here_sets_no_cookie_and_mails_the_verification() {
    let app = TestApp::new();
    let form = [("email", ADA), ("password", PASSWORD)];
    let seen = app.call(Post, "/users", form).is(200);
    assert_eq!(seen.header("set-cookie"), None);
    assert!(app.last_email().link().starts_with("/verify-email/"));
}

/// Promises 10 and 18.
#[test]
fn by_default_the_token_is_only_mailed_and_every_address_gets_the_same_answer() {
    let app = TestApp::with_ada();
    for path in ["/reset_password", "/api/v1/reset_password"] {
        for email in [ADA, "nobody@example.com"] {
            let wanted = format!(r#"{{"email":"{email}","message":"reset link sent"}}"#);
            app.call(Post, path, [("email", email)]).is(200).is_json(&wanted);
        }
    }
    let emails = app.emails();
    assert_eq!(emails.len(), 3, "one that confirms the address, and one for each time");
    let token = emails[2].token();
    let fields = [("email", ADA), ("reset_token", &token), ("new_password", NEW_PASSWORD)];
    app.call(Put, "/reset_password", fields).is(200);
    app.call(Post, "/users", [("email", "bob@example.com"), ("password", "b4l0u")])
        .is(400)
        .says("password");
}

#[test]
fn dialect_b_walks_the_whole_way() {
    let app = course();
    let form = [("email", ADA), ("password", "b4l0u")];
    app.call(Post, "/api/v1/register", form).is(201);
    let seen = app.call(Post, "/api/v1/register", form).is(400);
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    assert!(seen.json()["errors"]["email"][0].as_str().unwrap().contains("already an account"));
    app.call(Post, "/api/v1/register", []).is(400).says("\"password\"");
    app.call(Post, "/api/v1/session", []).is(400);
    app.call(Post, "/api/v1/session", [form[0], ("password", "wrong")]).is(401);
    app.ask(Get, "/api/v1/session").is(401);
    app.ask(Post, "/api/v1/logout").is(401);
    app.call(Post, "/api/v1/session", form).is(200);
    let session = app.ask(Get, "/api/v1/session").is(200).json();
    for key in ["id", "email", "name", "email_verified", "created_at"] {
        assert!(session["user"].get(key).is_some(), "{session}");
    }
    for key in ["id", "created_at", "last_seen_at", "expires_at"] {
        assert!(session["session"].get(key).is_some(), "{session}");
    }
    app.ask(Post, "/api/v1/logout").is(200);
    assert!(app.session_cookie().is_none());
    app.call(Post, "/api/v1/reset_password", [("email", "nobody@example.com")]).is(404);
    let seen = app.call(Post, "/api/v1/reset_password", [("email", ADA)]).is(200);
    let token = seen.json()["reset_token"].as_str().unwrap().to_owned();
    let fields = |token| [("reset_token", token), ("new_password", "t4rt1fl3tt3")];
    app.call(Post, "/api/v1/update_password", fields("nonsense")).is(400);
    app.call(Post, "/api/v1/update_password", fields(&token)).is(200);
    app.call(Post, "/api/v1/update_password", fields(&token)).is(400);
}

#[test]
fn errors_are_json_for_programs_and_pages_for_people() {
    let app = TestApp::new();
    let kind = |method: Method, path: &str, accept: &str| {
        let seen = app.request(method, path, &[("Accept", accept)], None);
        (seen.status, seen.header("content-type").unwrap_or_default().to_owned())
    };
    let (page, problem) = ("text/html; charset=utf-8", "application/problem+json");
    assert_eq!(kind(Get, "/nowhere", "text/html"), (404, page.into()));
    assert_eq!(kind(Get, "/nowhere", "*/*"), (404, problem.into()));
    assert_eq!(kind(Get, "/api/v1/nowhere", "text/html"), (404, problem.into()));
    app.ask(Get, "/api/v1/nowhere").refuses(404, "not-found");
    assert_eq!(kind(Get, "/users", "text/html"), (405, "application/json".into()));
    assert_eq!(kind(Put, "/login", "text/html"), (405, page.into()));
}

/// Promise 70.
#[test]
fn reset_tokens_are_only_revealed_to_loopback_clients() {
    use rocket::local::blocking::Client;
    let starts = |settings: &[(&str, &str)]| {
        let folder = tempfile::TempDir::new().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.sqlite3").display());
        let figment = crate::harness::settings(folder.path(), &database)
            .merge(("vestibule.reveal_reset_token", true));
        let figment = settings.iter().fold(figment, |figment, setting| figment.merge(*setting));
        let started = Client::untracked(vestibule::service(figment));
        started.map(drop).map_err(|error| drop(error.kind().to_string())).is_ok()
    };
    let (address, url) = ("address", "vestibule.public_url");
    for settings in [
        &[(address, "127.0.0.1")][..],
        &[(address, "127.0.0.9")],
        &[(address, "::1")],
        &[(url, "http://localhost:5000")],
        &[(url, "http://127.0.0.1:5000")],
        &[(url, "http://[::1]:5000")],
    ] {
        assert!(starts(settings), "{settings:?}");
    }
    for settings in [
        &[(address, "0.0.0.0"), (url, "http://localhost:5000")][..],
        &[(address, "::"), (url, "http://localhost:5000")],
        &[(address, "192.0.2.1"), (url, "http://localhost:5000")],
        &[(url, "https://accounts.example.com")],
        &[(url, "http://localhost.example.com")],
        &[(url, "http://127.0.0.1.example.com")],
        &[("vestibule.trusted_proxies", "127.0.0.1")],
        &[("vestibule.trusted_proxies", "10.0.0.0/8"), (url, "http://localhost:5000")],
    ] {
        assert!(!starts(settings), "{settings:?}");
    }
}

/// Older clients read the first cookie of a response, whatever it is.
#[test]
fn the_session_is_the_only_cookie_of_the_older_routes_and_the_first_of_all() {
    let app = course();
    let form = [("email", ADA), ("password", "t4rt1fl3tt3")];
    let cookies = |seen: &crate::harness::Seen| -> Vec<String> {
        let set = seen.headers.iter().filter(|(name, _)| name == "set-cookie");
        set.map(|(_, cookie)| cookie.split('=').next().unwrap().to_owned()).collect()
    };
    assert!(cookies(&app.call(Post, "/users", form)).is_empty());
    for _ in 0..20 {
        let seen = app.call(Post, "/sessions", form).is(200);
        assert_eq!(cookies(&seen), ["session_id"]);
        assert_eq!(cookies(&app.call(Delete, "/sessions", [])), ["session_id"]);
        let browser = app.other_browser();
        assert_eq!(cookies(&browser.post("/login", form)), ["session_id", "vestibule_device"]);
        assert_eq!(cookies(&browser.post("/logout", []))[0], "session_id");
    }
}

/// Promise 70: another host name that resolves to this machine gets no token.
#[test]
fn a_reset_token_is_revealed_to_this_machine_only() {
    let app = course();
    app.call(Post, "/users", [("email", ADA), ("password", "x")]).is(200);
    let ask = |path: &str, host: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Host", host)];
        app.request(Post, path, &headers, Some("email=ada@example.com")).is(200).body
    };
    for path in ["/reset_password", "/api/v1/reset_password"] {
        for host in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST", "127.0.0.1"] {
            assert!(ask(path, host).contains("reset_token"), "{host}");
        }
        for host in
            ["evil.example:5000", "localhost.evil.example", "192.168.1.7:5000", "[::2]:5000"]
        {
            assert!(!ask(path, host).contains("reset_token"), "{host}");
        }
    }
}

/// The course profile is enough for a class of graders whose clients share this machine.
#[test]
fn a_class_of_graders_is_not_delayed() {
    let app = course_as_shipped();
    for n in 0..if in_ci() { 100 } else { 30 } {
        let email = format!("pupil{n}@example.com");
        let form = [("email", &*email), ("password", "b4l0u")];
        app.call(Post, "/users", form).is(200);
        app.call(Post, "/users", form).is(400);
        for _ in 0..7 {
            app.call(Post, "/sessions", [form[0], ("password", "wrong")]).is(401);
        }
        app.call(Post, "/sessions", form).is(200);
    }
}
