//! The guards of a host's routes, and what a host answers where they refuse.

use std::time::Duration;

use rocket::http::Method::{Get, Post};
use rocket::http::Status;
use rocket::{Build, Rocket, catch, catchers, get, post, routes};
use vestibule::{Admin, Menu, RecentLogin, SameOrigin, SignInFirst, User, Visitor};

use crate::harness::{ADA, PASSWORD, TestApp};

#[get("/notes?<q>&<page>")]
fn notes(user: User, q: Option<&str>, page: Option<u8>) -> String {
    format!("{} reads {q:?} {page:?}", user.email)
}

#[post("/notes")]
fn write(user: User) -> String {
    user.email.to_string()
}

#[get("/not-even-with-an-account")]
fn never() -> Status {
    Status::Unauthorized
}

#[get("/danger")]
fn danger(recent: RecentLogin) -> String {
    recent.user.email.to_string()
}

#[post("/danger")]
fn do_it(recent: RecentLogin) -> String {
    recent.user.email.to_string()
}

#[get("/admin")]
fn admin(admin: Admin) -> String {
    format!("welcome, {}", admin.user.email)
}

#[post("/hook")]
fn hook(_own: SameOrigin) -> &'static str {
    "taken"
}

#[get("/hello")]
fn hello(visitor: Visitor) -> String {
    visitor.0.map_or("hello, stranger".into(), |user| format!("hello, {}", user.email))
}

#[get("/about")]
fn about(menu: Menu<'_>) -> String {
    menu.to_string()
}

#[catch(401)]
async fn unauthorized(request: &rocket::Request<'_>) -> SignInFirst {
    vestibule::sign_in_first(request).await
}

fn host(figment: rocket::figment::Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(vestibule::stage())
        .mount("/", routes![notes, write, never, danger, do_it, admin, hook, hello])
        .register("/", catchers![unauthorized])
}

fn app() -> TestApp {
    TestApp::start(|figment| figment, host)
}

#[test]
fn signing_in_leads_back_with_the_whole_query() {
    let app = app();
    let asked = app.visit("/notes?q=rust%26go&page=2").is(303);
    let to = asked.header("location").unwrap();
    assert_eq!(to, "/login?next=/notes%3Fq%3Drust%2526go%26page%3D2");
    app.other_browser().sign_up(ADA);
    app.visit(to)
        .and_submit([("email", ADA), ("password", PASSWORD)])
        .redirects_to("/notes?q=rust%26go&page=2");
    let page = app.visit("/notes?q=rust%26go&page=2").says("reads Some(\"rust&go\") Some(2)");
    // Promise 37: after signing out, Back must not show it.
    assert_eq!(page.header("cache-control"), Some("no-store"));
}

#[test]
fn who_is_signed_in_is_not_sent_round_in_a_circle() {
    let app = app();
    app.visit("/not-even-with-an-account").is(303);
    app.sign_up(ADA);
    app.visit("/not-even-with-an-account").is(403).says("You do not have access");
    // Only a recent sign-in is asked for again.
    app.visit("/danger").is(200);
    app.clock.advance(Duration::from_mins(11));
    app.visit("/danger").redirects_to("/recent-login?next=/danger");
    app.post("/danger", [])
        .is(401)
        .says("Enter your password again")
        .says("href=\"/recent-login\"")
        .does_not_say("not signed in");
}

#[test]
fn a_program_is_told_in_json() {
    let app = app();
    let seen = app.ask(Get, "/notes").is(401);
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    assert_eq!(seen.json()["status"], 401);
}

/// Promise 34: only to a page of this site.
#[test]
fn a_form_that_was_sent_too_late_is_not_lost_without_a_word() {
    let app = app();
    let html = ("Accept", "text/html");
    for (referer, next) in [
        ("http://localhost:8000/notes?page=2", "/login?next=/notes%3Fpage%3D2"),
        ("https://evil.example/notes", "/login"),
        ("nonsense", "/login"),
    ] {
        let seen = app.request(Post, "/notes", &[html, ("Referer", referer)], Some(""));
        let seen = seen.is(401).says("You were not signed in when you sent the form");
        assert!(seen.body.contains(&format!("href=\"{next}\"")), "{}", seen.body);
    }
}

#[test]
fn administrators_get_in_and_others_do_not() {
    let app = app();
    app.visit("/admin").redirects_to("/login?next=/admin");
    app.sign_up(ADA);
    app.visit("/admin").is(403);
    let id = app.block_on(app.accounts().user_by_email(&ADA.parse().unwrap())).unwrap().unwrap().id;
    app.block_on(app.accounts().set_admin(id, true)).unwrap();
    app.visit("/admin").is(200).says("welcome, ada@example.com");
    app.block_on(app.accounts().set_admin(id, false)).unwrap();
    app.visit("/admin").is(403);
}

/// Promise 32.
#[test]
fn a_route_without_a_user_may_ask_for_the_same_origin() {
    let app = app();
    app.request(Post, "/hook", &[("Sec-Fetch-Site", "cross-site")], None).is(403);
    app.request(Post, "/hook", &[("Origin", "https://evil.example")], None).is(403);
    app.request(Post, "/hook", &[("Sec-Fetch-Site", "same-origin")], None).is(200);
    app.request(Post, "/hook", &[], None).is(200);
}

#[test]
fn a_visitor_is_anybody() {
    let app = app();
    let page = app.visit("/hello").says("hello, stranger");
    assert_eq!(page.header("cache-control"), None, "a page for everybody");
    app.sign_up(ADA);
    app.visit("/hello").says("hello, ada@example.com");
    app.sql("ALTER TABLE vestibule_sessions RENAME TO elsewhere");
    // Signed in or not is unknown: a page for strangers would be a lie.
    app.visit("/hello").is(503);
    app.sql("ALTER TABLE elsewhere RENAME TO vestibule_sessions");
    app.visit("/hello").says("hello, ada@example.com");
}

/// A guard without the service would never let anybody in.
#[test]
fn a_forgotten_stage_stops_the_launch() {
    let app = TestApp::new();
    for routes in [
        routes![notes],
        routes![hello],
        routes![admin],
        routes![hook],
        routes![danger],
        routes![about],
    ] {
        let rocket = rocket::custom(vestibule::figment()).mount("/", routes);
        let refused = app.block_on(rocket.ignite()).expect_err("it cannot work");
        assert!(matches!(refused.kind(), rocket::error::ErrorKind::SentinelAborts(_)));
    }
}

#[test]
fn a_host_without_catchers_takes_ours() {
    let app = TestApp::start(
        |figment| figment,
        |figment| {
            rocket::custom(figment)
                .attach(vestibule::stage())
                .mount("/", routes![notes, admin])
                .register("/", vestibule::catchers())
        },
    );
    app.visit("/nowhere").is(404).says("Page not found");
    app.visit("/notes?page=x").redirects_to("/login?next=/notes%3Fpage%3Dx");
    app.sign_up(ADA);
    app.visit("/admin").is(403).says("You do not have access");
    // Programs get JSON.
    for (path, status) in [("/nowhere", 404), ("/admin", 403)] {
        assert_eq!(app.ask(Get, path).is(status).json()["status"], status);
    }
}
