//! The page that asks for the password again.

use std::time::Duration;

use rocket::http::Method::{Get, Post};
use rocket::{get, routes};
use vestibule::RecentLogin;

use crate::harness::{ADA, Browser, PASSWORD, Seen, TestApp};

#[get("/danger?<all>")]
fn danger(recent: RecentLogin, all: bool) -> String {
    format!("{} deletes {all}", recent.user.email)
}

fn app() -> TestApp {
    TestApp::start(
        |figment| figment,
        |figment| {
            rocket::custom(figment)
                .attach(vestibule::stage())
                .mount("/", routes![danger])
                .register("/", vestibule::catchers())
        },
    )
}

const ASKED: &str = "/recent-login?next=/danger%3Fall%3Dtrue";

/// Ada has signed up, and was then away for a while.
fn app_with_old_sign_in() -> TestApp {
    let app = app();
    app.sign_up(ADA);
    app.emails_do_not_matter();
    app.clock.advance(Duration::from_mins(11));
    app
}

fn enter(browser: &Browser, password: &str) -> Seen {
    browser.visit(ASKED).is(200).and_submit([("password", password)])
}

/// Promise 48: what is critical asks for the password, and for nothing else. Promise 43: the session is another one.
#[test]
fn an_old_sign_in_is_renewed_with_the_password_alone() {
    let app = app_with_old_sign_in();
    app.visit("/danger?all=true").redirects_to(ASKED);
    let page = app.visit(ASKED).is(200).says("You are signed in as ada@example.com.");
    assert_eq!(page.title(), "Enter your password again – Vestibule");
    let page = page.says("<a href=\"/password-reset\">").says("Sign in as somebody else");
    assert!(page.body.contains("<a href=\"/login?next=/danger%3Fall%3Dtrue\">"), "{}", page.body);
    page.and_submit([]).is(422).says_beside("password", "Enter your password.");
    let page = enter(&app, "a wrong one").is(422);
    let page = page.says_beside("password", "This is not your current password.");
    let before = app.copy();
    page.and_submit([("password", PASSWORD)]).redirects_to("/danger?all=true");
    app.visit("/danger?all=true").is(200).says("ada@example.com deletes true");
    assert!(!before.is_signed_in(), "the session before it has ended");
    app.visit(ASKED).redirects_to("/danger?all=true");
    app.visit("/recent-login").redirects_to("/profile");
    app.clock.advance(Duration::from_mins(10));
    app.visit("/danger?all=true").redirects_to(ASKED);
    app.visit("/recent-login")
        .is(200)
        .and_submit([("password", PASSWORD)])
        .redirects_to("/profile");
}

/// Promises 7 and 27: whoever sits at a browser that was left open cannot guess without end.
#[test]
fn passwords_tried_there_are_counted_like_others() {
    let app = app_with_old_sign_in();
    let tried: Vec<u16> = (0..12).map(|_| enter(&app, "a wrong one").status).collect();
    assert_eq!(tried[..5], [422; 5]);
    assert_eq!(tried[11], 429, "{tried:?}");
    assert!(app.count("events WHERE kind = 'sign-in-failed'") >= 5);
    enter(&app, PASSWORD).is(429).says("Too many attempts");
    assert!(app.is_signed_in(), "nobody is signed out by it");
}

#[test]
fn who_is_not_signed_in_signs_in_instead() {
    let app = app();
    app.visit(ASKED).redirects_to("/login?next=/danger%3Fall%3Dtrue");
    let form = [("password", PASSWORD), ("next", "/danger?all=true")];
    app.post("/recent-login", form).redirects_to("/login?next=/danger%3Fall%3Dtrue");
    app.post("/recent-login", []).redirects_to("/login");
    app.ask(Get, "/api/v1/session").is(401);
}

/// Promise 34.
#[test]
fn it_leads_to_no_other_site() {
    let app = app_with_old_sign_in();
    app.visit("/recent-login?next=//evil.example").is(200).shows_in("next", "/profile");
    let form = [("password", PASSWORD), ("next", "https://evil.example")];
    app.post("/recent-login", form).redirects_to("/profile");
}

/// Promise 63.
#[test]
fn sent_twice_it_succeeds_twice() {
    let app = app_with_old_sign_in();
    let (page, second) = (app.visit(ASKED), app.copy());
    page.and_submit([("password", PASSWORD)]).redirects_to("/danger?all=true");
    let form = [("password", PASSWORD), ("next", "/danger?all=true")];
    second.post("/recent-login", form).redirects_to("/danger?all=true");
    second.visit("/danger?all=true").is(200);
    let third = app.copy();
    app.sign_out();
    third.post("/recent-login", form).redirects_to("/login?next=/danger%3Fall%3Dtrue");
}

/// Promise 48, for programs.
#[test]
fn a_program_renews_its_sign_in() {
    let app = app_with_old_sign_in();
    let send = |body| app.send_json(Post, "/api/v1/recent_login", body);
    app.other_browser().send_json(Post, "/api/v1/recent_login", "{\"password\":\"x\"}").is(401);
    send("{}").is(400);
    let wrong = send("{\"password\":\"wrong\"}").is(400).json();
    assert_eq!(wrong["errors"]["password"][0], "This is not your current password.", "{wrong}");
    send(&format!("{{\"password\":\"{PASSWORD}\"}}")).is(200).says("logged in");
    app.visit("/danger?all=true").is(200);
}

/// Somebody else may take over the browser there.
#[test]
fn somebody_else_may_sign_in_there() {
    let app = app_with_old_sign_in();
    app.other_browser().sign_up("eve@example.com");
    app.visit("/login?next=/danger%3Fall%3Dtrue")
        .is(200)
        .and_submit([("email", "eve@example.com"), ("password", PASSWORD)])
        .redirects_to("/danger?all=true");
    app.visit("/danger?all=true").says("eve@example.com deletes true");
}
