//! What was typed into a form is kept over a sign-in.

use std::time::Duration;

use rocket::form::Form;
use rocket::http::Method::Post;
use rocket::response::Redirect;
use rocket::{FromForm, get, post, routes};
use vestibule::{Draft, RecentLogin, SignInFirst, User};

use crate::harness::{ADA, PASSWORD, TestApp};

const EVE: &str = "eve@example.com";

#[derive(FromForm)]
struct Note {
    text: String,
}

#[get("/notes?<_page>")]
fn notes(user: User, draft: Draft, _page: Option<u8>) -> String {
    format!("{}: {:?}", user.email, draft.0)
}

#[post("/notes", data = "<note>")]
fn write(user: Result<User, SignInFirst>, note: Form<Note>) -> Result<Redirect, SignInFirst> {
    user.map_err(|first| first.keep_draft("/notes?_page=2", &note.text))?;
    Ok(Redirect::to("/saved"))
}

#[get("/danger")]
fn danger(recent: RecentLogin, draft: Draft) -> String {
    format!("{}: {:?}", recent.user.email, draft.0)
}

#[post("/danger", data = "<note>")]
fn do_it(
    recent: Result<RecentLogin, SignInFirst>,
    note: Form<Note>,
) -> Result<String, SignInFirst> {
    let recent = recent.map_err(|first| first.keep_draft("/danger", &note.text))?;
    Ok(format!("{} did {}", recent.user.email, note.text))
}

fn app() -> TestApp {
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            rocket::custom(figment)
                .attach(vestibule::stage())
                .mount("/", routes![notes, write, danger, do_it])
                .register("/", vestibule::catchers())
        },
    );
    app.emails_do_not_matter();
    app
}

/// Ada has an account, and her session has ended while she was typing.
fn app_with_ended_session() -> TestApp {
    let app = app();
    app.sign_up(ADA);
    app.other_browser().sign_up(EVE);
    app.clock.advance(Duration::from_hours(3));
    app
}

const BACK: &str = "/notes?_page=2";
const SIGN_IN: &str = "/login?next=/notes%3F_page%3D2";
const TYPED: [(&str, &str); 1] = [("text", "buy \"milk\" & <honey>\nand ü")];

#[test]
fn a_note_that_was_typed_before_the_sign_in_comes_back_once() {
    let app = app_with_ended_session();
    let seen = app.post("/notes", TYPED).redirects_to(SIGN_IN);
    let cookie = seen.set_cookie("vestibule_draft");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("milk"), "it is sealed: {cookie}");
    app.visit("/notes").redirects_to("/login?next=/notes");
    app.visit(SIGN_IN)
        .says("What you typed is kept.")
        .and_submit([("email", ADA), ("password", PASSWORD)])
        .redirects_to(BACK);
    app.visit("/danger").says("ada@example.com: None");
    app.visit(BACK).is(200).says("ada@example.com: Some(\"buy \\\"milk\\\" & <honey>\\nand ü\")");
    app.visit(BACK).says("ada@example.com: None");
}

#[test]
fn nobody_else_gets_what_was_typed() {
    let app = app_with_ended_session();
    app.post("/notes", TYPED).redirects_to(SIGN_IN);
    app.log_in(EVE, PASSWORD).redirects_to("/profile");
    app.visit(BACK).says("eve@example.com: None");
    assert!(!app.cookies.borrow().contains_key("vestibule_draft"));
    // Signing out takes it along, also in a browser that did not know who typed.
    let other = app.other_browser();
    other.post("/notes", TYPED).redirects_to(SIGN_IN);
    other.log_in(ADA, PASSWORD).redirects_to("/profile");
    other.sign_out();
    other.log_in(ADA, PASSWORD).redirects_to("/profile");
    other.visit(BACK).says("ada@example.com: None");
}

#[test]
fn what_was_typed_is_kept_for_ten_minutes() {
    let app = app_with_ended_session();
    for (minutes, seen) in [(9, "Some(\"tea\")"), (10, "None")] {
        let browser = app.other_browser();
        browser.post("/notes", [("text", "tea")]).redirects_to(SIGN_IN);
        app.clock.advance(Duration::from_mins(minutes));
        browser.log_in(ADA, PASSWORD).redirects_to("/profile");
        browser.visit(BACK).says(&format!("ada@example.com: {seen}"));
    }
}

#[test]
fn what_is_too_long_is_lost_with_a_word() {
    let app = app();
    app.post("/notes", [("text", &*"x".repeat(1800))]).redirects_to(SIGN_IN);
    let seen = app.post("/notes", [("text", &*"x".repeat(2100))]).is(401);
    seen.says("You were not signed in when you sent the form");
}

/// Promise 48: nothing typed is lost where the password is asked for again.
#[test]
fn a_form_without_a_recent_sign_in_comes_back_after_the_password() {
    let app = app();
    app.sign_up(ADA);
    app.clock.advance(Duration::from_mins(11));
    app.post("/danger", TYPED).redirects_to("/recent-login?next=/danger");
    let page = app.visit("/recent-login?next=/danger").says("What you typed is kept.");
    page.and_submit([("password", PASSWORD)]).redirects_to("/danger");
    app.visit("/danger").says("ada@example.com: Some(");
    app.post("/danger", [("text", "it")]).is(200).says("ada@example.com did it");
}

/// Promise 32, and what a program gets.
#[test]
fn only_people_of_this_site_have_drafts() {
    let app = app();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let html = ("Accept", "text/html");
    let foreign = [form, html, ("Sec-Fetch-Site", "cross-site")];
    let seen = app.request(Post, "/notes", &foreign, Some("text=x")).is(403);
    assert_eq!(seen.header("set-cookie"), None);
    let seen = app.call(Post, "/notes", [("text", "x")]).is(401);
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    assert_eq!(seen.header("set-cookie"), None);
}

/// Our own form is kept in the same way.
#[test]
fn a_name_that_was_typed_before_the_sign_in_comes_back() {
    let app = app_with_ended_session();
    app.post("/profile", [("name", "Ada Lovelace")]).redirects_to("/login?next=/profile");
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
    app.visit("/profile").shows_in("name", "Ada Lovelace");
    app.submit("/profile", [("name", "Ada Lovelace")]).redirects_to("/profile");
    app.visit("/profile").says("Your name is saved.").shows_in("name", "Ada Lovelace");
}
