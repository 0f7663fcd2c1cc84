//! Two things at once.

use rocket::http::Method::{Post, Put};

use crate::harness::{NEW_PASSWORD, PASSWORD, TestApp};

fn calm(figment: rocket::figment::Figment) -> rocket::figment::Figment {
    figment
        .merge(("vestibule.throttle.free_tries", 1000))
        .merge(("vestibule.throttle.tries_by_client", 1000))
        .merge(("vestibule.throttle.letters_to_address", 1000))
        .merge(("vestibule.throttle.letters_by_client", 1000))
}

/// Promises 15, 23 and 44: whoever logs in with the old password while it is being reset.
#[test]
fn a_login_in_flight_during_a_reset_leaves_no_session() {
    let app = TestApp::with(|figment| calm(figment).merge(("vestibule.password.cost", 7)));
    app.sign_up("ada@example.com");
    for round in 0..5 {
        let (old, new) =
            if round % 2 == 0 { (PASSWORD, NEW_PASSWORD) } else { (NEW_PASSWORD, PASSWORD) };
        app.submit("/password-reset", [("email", "ada@example.com")]);
        let link = app.last_letter().link();
        let login = [("email", "ada@example.com"), ("password", old)];
        let statuses = app.post_beside(8, "/login", login, &link, [("new_password", new)]);
        assert_eq!(statuses[8], 303, "the reset");
        assert_eq!(app.count("sessions"), 0, "{statuses:?}");
    }
}

/// Promise 20.
#[test]
fn of_several_links_used_at_once_one_wins_and_nobody_waits_in_a_circle() {
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
        app.sql("DELETE FROM outbox");
        for _ in 0..8 {
            app.post("/password-reset", [("email", &*email)]).is(200);
        }
        app.run_jobs();
    }
    assert_eq!(app.count("tokens"), 15);
}

/// Promise 53: a process that dies after it made a link and before its letter left.
#[test]
fn a_try_that_broke_off_uses_up_no_link() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    for n in 1..=3 {
        let digest = if app.is_sqlite() {
            format!("X'{}'", format!("0{n}").repeat(32))
        } else {
            format!("'\\x{}'", format!("0{n}").repeat(32))
        };
        app.sql(&format!(
            "INSERT INTO tokens (digest, purpose, user_id, sent_to, created_at, expires_at, letter_id) \
             SELECT {digest}, 'verify-email', user_id, 'ada@example.com', 0, 99999999999999, id FROM outbox"
        ));
    }
    let link = app.last_letter().link();
    app.visit(&link).is(200);
    assert_eq!(app.count("tokens"), 1);
}

/// A password that makes the strength estimate of a debug build overflow.
#[test]
fn no_password_takes_a_hash_worker_away() {
    let app = TestApp::with(|figment| calm(figment).merge(("vestibule.hashing.workers", 1)));
    for password in ["mn".repeat(52), "4a@s$5e3".repeat(16), "qwerty12".repeat(30)] {
        let status =
            app.post("/signup", [("email", "a@example.com"), ("password", &*password)]).status;
        assert!(matches!(status, 303 | 422), "{status}");
    }
    app.other_browser().sign_up("ada@example.com");
}
