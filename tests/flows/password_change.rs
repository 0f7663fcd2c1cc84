use std::time::Duration;

use rocket::http::Method::{Delete, Get, Post};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const WRONG: &str = "This is not your current password.";

/// Promises 7, 43, 47.
#[test]
fn a_changed_password_ends_all_other_sessions() {
    let app = TestApp::with_ada();
    let elsewhere = app.elsewhere();
    let stolen = app.copy();
    app.visit("/security").says("href=\"/password-change\"");
    app.visit("/password-change")
        .is(200)
        .says("autocomplete=\"username\" value=\"ada@example.com\"")
        .says("autocomplete=\"current-password\"")
        .says("autocomplete=\"new-password\"")
        .and_submit([("password", PASSWORD), ("new_password", NEW_PASSWORD)])
        .redirects_to("/profile");
    app.visit("/profile").says("Your new password is set, and every other device is signed out.");
    assert!(!elsewhere.is_signed_in());
    assert!(!stolen.is_signed_in(), "the session has a new token");
    assert_eq!(app.count("sessions"), 1);
    app.other_browser().log_in(ADA, PASSWORD).is(401);
    app.other_browser().log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 7.
#[test]
fn without_the_current_password_nothing_changes() {
    let app = TestApp::with_ada();
    let change = |password, new| app.change_password(password, new).is(422);
    let seen = change(NEW_PASSWORD, NEW_PASSWORD).says_beside("password", WRONG);
    assert!(seen.title().starts_with("Error: "));
    change("", NEW_PASSWORD).says_beside("password", "Enter your password.");
    change(PASSWORD, "").says_beside("new_password", "Enter a new password.");
    change(PASSWORD, "short")
        .says_beside("new_password", "Make it longer: use at least 9 characters.")
        .says("At least 9");
    let seen = change(PASSWORD, ADA);
    assert_eq!(seen.field("password").error, None);
    assert!(seen.field("new_password").error.is_some());
    assert!(app.is_signed_in());
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promises 5 and 7: both fields are judged, whatever is wrong with the other one, and in the order of the form.
#[test]
fn all_that_is_wrong_is_said_at_once() {
    let app = TestApp::with_ada();
    let (missing, weak) = ("Enter your password.", "Make it longer: use at least 9 characters.");
    for (password, new, says, says_of_new) in [
        ("wrong", "short", WRONG, weak),
        ("wrong", "", WRONG, "Enter a new password."),
        ("", "short", missing, weak),
        ("", "password1", missing, "too easy to guess"),
        (&"x".repeat(300), &"x".repeat(300), WRONG, "Use at most 256 characters."),
    ] {
        let page = app.change_password(password, new).is(422);
        let (first, second) =
            (page.body.find("href=\"#password\""), page.body.find("href=\"#new_password\""));
        assert!(first.is_some() && first < second, "{password} {new}: {}", page.body);
        page.says_beside("password", says).says_beside("new_password", says_of_new);
        let form = [("password", password), ("new_password", new)];
        let errors = app.call(Post, "/api/v1/password_change", form).json()["errors"].clone();
        if errors.is_object() {
            assert_eq!(errors["password"][0], says, "{errors}");
            assert!(errors["new_password"][0].as_str().unwrap().contains(says_of_new), "{errors}");
        }
        app.clock.advance(Duration::from_secs(61));
    }
    // They were guesses.
    let failed = app.count("events WHERE kind = 'sign-in-failed'");
    assert!(failed >= 5, "{failed}");
    app.clock.advance(Duration::from_mins(16));
    app.change_password(PASSWORD, "short").is(422).says_beside("new_password", weak);
    assert!(app.is_signed_in());
}

/// Promises 7 and 28: somebody at an unlocked screen has no more guesses than anybody else.
#[test]
fn wrong_attempts_count_for_the_throttle() {
    let app = TestApp::with_ada();
    let guess = || {
        let form = [("password", "wrong"), ("new_password", NEW_PASSWORD)];
        app.submit("/password-change", form)
    };
    // Five as a known browser, five as a stranger.
    for _ in 0..10 {
        guess().is(422).says_beside("password", WRONG);
    }
    let seen = guess().is(429).says("Too many attempts. Wait 1 second and try again.");
    assert_eq!(seen.header("retry-after"), Some("1"));
    let json = format!(r#"{{"password":"{PASSWORD}","new_password":"{NEW_PASSWORD}"}}"#);
    app.send_json(Post, "/api/v1/password_change", &json).is(429);
    app.other_browser().log_in(ADA, PASSWORD).is(429);
    app.clock.advance(Duration::from_secs(1));
    app.send_json(Post, "/api/v1/password_change", &json).is(200);
    assert_eq!(app.count("events WHERE kind = 'sign-in-failed'"), 10);
    assert_eq!(app.count("events WHERE kind = 'password-changed'"), 1);
}

/// Promise 28.
#[test]
fn browsers_that_were_known_are_strangers_afterwards() {
    let app = TestApp::with_ada();
    let old = app.copy();
    app.clock.advance(Duration::from_secs(1));
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    app.sign_out();
    let thief = app.other_browser();
    for _ in 0..6 {
        thief.post("/login", [("email", ADA), ("password", "wrong")]);
    }
    let form = [("email", ADA), ("password", NEW_PASSWORD)];
    old.post("/login", form).is(429);
    app.post("/login", form).redirects_to("/profile");
}

/// Promise 51; and a thief who knows the password does not void the owner's reset links.
#[test]
fn the_owner_is_notified_and_reset_links_stay_valid() {
    let app = TestApp::with_ada();
    let link = app.reset_link();
    app.visit(&link).is(200);
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let email = app.last_email();
    assert_eq!(email.to, ADA);
    assert_eq!(email.subject, "Your Vestibule password was changed");
    assert!(email.text.contains("Firefox on Linux, IP address 127.0.0.1"));
    let owner = app.other_browser();
    owner
        .visit(&link)
        .and_submit([("new_password", "another quiet evening")])
        .redirects_to("/login");
    assert!(!app.is_signed_in());
}

#[test]
fn keep_me_signed_in_is_kept() {
    let app = TestApp::with_ada();
    app.sign_out();
    app.log_in_and_stay(ADA, PASSWORD).redirects_to("/profile");
    let seen = app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let cookie = seen.set_cookie("session_id");
    assert!(cookie.contains("Max-Age=2592000"), "{cookie}");
}

#[test]
fn of_two_changes_at_once_one_wins() {
    let app = TestApp::with_ada();
    let form = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    // Promise 63: all three succeed.
    assert_eq!(app.post_at_once(3, "/password-change", form), [303; 3]);
    assert_eq!(app.count("events WHERE kind = 'password-changed'"), 1);
    assert_eq!(app.count("sessions"), 1);
    assert_eq!(app.emails().len(), 2, "one about the address, one about the change");
}

#[test]
fn a_visitor_has_to_sign_in_first() {
    let app = TestApp::new();
    app.visit("/password-change").redirects_to("/login?next=/password-change");
    let form = [("password", PASSWORD), ("new_password", NEW_PASSWORD)];
    app.post("/password-change", form).redirects_to("/login?next=/password-change");
    app.call(Post, "/api/v1/password_change", form).is(401);
    // The path that password managers use.
    app.visit("/.well-known/change-password").redirects_to("/password-change");
}

#[test]
fn a_program_changes_the_password_of_its_user() {
    let app = TestApp::with_ada();
    let change = |form: [(&str, &str); 2]| app.call(Post, "/api/v1/password_change", form);
    let errors = |form| change(form).is(400).json()["errors"].clone();
    let wrong = errors([("password", "wrong"), ("new_password", NEW_PASSWORD)]);
    assert_eq!(wrong["password"][0], WRONG);
    assert!(errors([("password", PASSWORD), ("new_password", "x")])["new_password"].is_array());
    change([("password", PASSWORD), ("new_password", NEW_PASSWORD)])
        .is(200)
        .is_json(r#"{"email":"ada@example.com","message":"Password updated"}"#);
    app.ask(Get, "/api/v1/session").is(200);
    app.other_browser().log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 45: signing out with the cookie that a change has just replaced ends the new session.
#[test]
fn signing_out_right_after_a_change_ends_the_new_session() {
    for (method, path) in [(Delete, "/sessions"), (Post, "/api/v1/logout"), (Post, "/logout")] {
        let app = TestApp::with_ada();
        let before = app.copy();
        app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
        assert!(app.is_signed_in());
        let seen = before.call(method, path, []);
        assert!(matches!(seen.status, 200 | 302 | 303), "{path} {}", seen.status);
        app.clock.advance(std::time::Duration::from_secs(2));
        assert!(!app.is_signed_in(), "{path}");
    }
}
