//! Concurrent requests.

use std::io::Write;

use rocket::http::Method::{Post, Put};

use crate::harness::process::{
    Process, answer, form_post, new_folder, session_cookie, sign_up_form,
};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

fn calm(figment: rocket::figment::Figment) -> rocket::figment::Figment {
    figment
        .merge(("vestibule.throttle.free_attempts", 1000))
        .merge(("vestibule.throttle.attempts_by_ip", 1000))
        .merge(("vestibule.throttle.emails_to_address", 1000))
        .merge(("vestibule.throttle.emails_by_ip", 1000))
}

/// Promises 15, 23 and 44: signing in with the old password during a reset.
#[test]
fn a_login_in_flight_during_a_reset_leaves_no_session() {
    let app = TestApp::with(|figment| calm(figment).merge(("vestibule.password.cost", 7)));
    app.sign_up(ADA);
    for round in 0..5 {
        let (old, new) =
            if round % 2 == 0 { (PASSWORD, NEW_PASSWORD) } else { (NEW_PASSWORD, PASSWORD) };
        app.submit("/password-reset", [("email", ADA)]);
        let link = app.last_email().link();
        let login = [("email", ADA), ("password", old)];
        let answers = app.post_beside(8, "/login", login, &link, [("new_password", new)]);
        assert_eq!(answers[8].status, 303, "the reset");
        assert_eq!(app.count("sessions"), 0);
    }
}

/// Promise 20.
#[test]
fn of_several_links_used_at_once_one_wins_without_a_deadlock() {
    let app = TestApp::with(|figment| calm(figment).merge(("vestibule.reveal_reset_token", true)));
    for n in 0..5 {
        let email = format!("p{n}@example.com");
        app.call(Post, "/users", [("email", &*email), ("password", PASSWORD)]).is(200);
        let tokens: Vec<String> = (0..4)
            .map(|_| {
                let seen = app.call(Post, "/reset_password", [("email", &*email)]).is(200);
                seen.json()["reset_token"].as_str().unwrap().to_owned()
            })
            .collect();
        let mut statuses = app.send_all(tokens.iter().map(|token| {
            let fields =
                [("email", &*email), ("reset_token", token), ("new_password", NEW_PASSWORD)];
            (Put, "/reset_password".to_owned(), fields.map(|(k, v)| (k.to_owned(), v.to_owned())))
        }));
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403, 403, 403]);
    }
}

/// Promise 21.
#[test]
fn never_are_more_than_three_links_open() {
    let app = TestApp::with(calm);
    for n in 0..5 {
        let email = format!("p{n}@example.com");
        app.other_browser().sign_up(&email);
        app.sql("DELETE FROM vestibule_outbox");
        for _ in 0..8 {
            app.post("/password-reset", [("email", &*email)]).redirects_to("/password-reset-sent");
        }
        app.run_jobs();
    }
    assert_eq!(app.count("links"), 15);
    assert_eq!(app.emails().len(), 15);
}

/// Promise 53: a process dies after it made a link, so that it is unknown whether its email was sent.
#[test]
fn an_attempt_that_broke_off_uses_up_no_link() {
    let app = TestApp::with_ada();
    for n in 1..=3 {
        let digest = if app.is_sqlite() {
            format!("X'{}'", format!("0{n}").repeat(32))
        } else {
            format!("'\\x{}'", format!("0{n}").repeat(32))
        };
        app.sql(&format!(
            "INSERT INTO vestibule_links (digest, purpose, user_id, recipient, created_at, expires_at, message_id) \
             SELECT {digest}, 'verify-email', user_id, 'ada@example.com', 0, 99999999999999, id FROM vestibule_outbox"
        ));
    }
    let link = app.last_email().link();
    app.visit(&link).is(200);
    assert_eq!(app.count("links"), 4, "all copies of the email are good");
    app.visit("/profile").and_submit([]).redirects_to("/profile");
    app.visit("/profile").says("We have sent you an email with a link.");
    assert_eq!(app.emails().len(), 2);
}

/// A password that makes the strength estimate of a debug build overflow.
#[test]
fn no_password_stops_a_hash_worker() {
    let app = TestApp::with(|figment| calm(figment).merge(("vestibule.hashing.workers", 1)));
    for password in ["mn".repeat(52), "4a@s$5e3".repeat(16), "qwerty12".repeat(30)] {
        let status =
            app.post("/signup", [("email", "a@example.com"), ("password", &*password)]).status;
        assert!(matches!(status, 303 | 422), "{status}");
    }
    app.other_browser().sign_up(ADA);
}

/// Promise 6: a sign-in that renews an imported hash a moment later still succeeds.
#[test]
fn concurrent_sign_ins_renew_an_imported_hash() {
    let app = TestApp::with(calm);
    app.sign_up(ADA);
    let imported = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK";
    for _ in 0..5 {
        app.sql(&format!("UPDATE vestibule_passwords SET hash = '{imported}'"));
        let login = [("email", ADA), ("password", "U*U*")];
        assert_eq!(app.post_at_once(4, "/login", login), [303; 4]);
        assert!(
            app.texts("SELECT hash FROM vestibule_passwords")[0].starts_with("$bcrypt-sha256$")
        );
    }
}

/// Promise 28: a browser that signs in with the old password during a reset becomes a stranger.
#[test]
fn no_device_cookie_of_the_old_password_outlives_a_reset() {
    let app = TestApp::with_ada();
    app.sign_out();
    let link = app.reset_link();
    let login = [("email", ADA), ("password", PASSWORD)];
    // One that is done in the same millisecond, and some in progress.
    let first = app.other_browser().post("/login", login).redirects_to("/profile");
    let mut answers = app.post_beside(4, "/login", login, &link, [("new_password", NEW_PASSWORD)]);
    answers.pop().unwrap().redirects_to("/login");
    answers.push(first);
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.post("/login", [login[0], ("password", "wrong")]);
    }
    for answer in answers {
        let device = answer.headers.iter().find_map(|(_, v)| v.strip_prefix("vestibule_device="));
        let Some(device) = device.and_then(|rest| rest.split(';').next()) else { continue };
        let old = app.other_browser();
        old.cookies.borrow_mut().insert("vestibule_device".into(), device.into());
        old.post("/login", [login[0], ("password", NEW_PASSWORD)]).is(429);
    }
}

/// Promises 15 and 44: a client delays its body until its session has ended. The server reads the whole request
/// before the session is looked up.
#[test]
fn a_body_that_was_held_back_does_nothing_for_a_dead_session() {
    let folder = new_folder();
    let mut service = Process::start(folder.path(), &[]);
    let cookie = session_cookie(&service.sign_up(ADA)).unwrap().to_owned();
    let shown = service.line("/verify-email/");
    let link = &shown[shown.find("/verify-email/").unwrap()..];
    let held: Vec<_> = [
        ("POST", "/profile", "name=Eve".to_owned()),
        ("PATCH", "/api/v1/profile", "name=Eve".to_owned()),
        ("POST", link, "password=".to_owned()),
        (
            "POST",
            "/password-change",
            format!("password={PASSWORD}&new_password={NEW_PASSWORD}").replace(' ', "+"),
        ),
    ]
    .into_iter()
    .map(|(method, path, body)| {
        let body = format!("pad={}&{body}", "x".repeat(40));
        let (head, rest) = body.split_at(30);
        let stream = service.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{head}",
            body.len()
        ));
        (stream, rest.to_owned())
    })
    .collect();
    let sign_out = format!(
        "POST /logout HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\nContent-Length: 0\r\n\r\n"
    );
    assert!(answer(service.send(&sign_out)).contains("303 See Other"));
    for (mut stream, rest) in held {
        stream.write_all(rest.as_bytes()).unwrap();
        let seen = answer(stream);
        let is_refused = seen.contains("401 Unauthorized")
            || seen.contains("location: /login?next=")
            || seen.contains("Enter your password.");
        assert!(is_refused, "{seen}");
    }
    let form = form_post("/login", &sign_up_form(ADA));
    let cookie =
        session_cookie(&answer(service.send(&form))).expect("the password is the same").to_owned();
    let session = answer(service.send(&format!(
        "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
    )));
    assert!(session.contains("\"name\":null"), "{session}");
    assert!(session.contains("\"email_verified\":false"), "{session}");
}
