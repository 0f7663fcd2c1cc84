//! The pages in a host's layout, and a host's own pages with the menu.

use rocket::response::content::RawHtml;
use rocket::{get, routes};
use vestibule::{Layout, Menu};

use crate::harness::{ADA, PASSWORD, TestApp};

fn in_notes(page: &Layout<'_>) -> String {
    let Layout { title, main, styles, menu, .. } = page;
    let whose = page.user.map_or("nobody", |user| user.email.as_str());
    format!(
        "<title>{title} - Notes</title>{styles}<nav>{menu}</nav><p>of {whose}</p><div>{main}</div>"
    )
}

#[get("/about")]
fn about(menu: Menu<'_>) -> RawHtml<String> {
    RawHtml(format!("{}{menu}<h1>About</h1>", menu.notice()))
}

fn app() -> TestApp {
    TestApp::start(
        |figment| figment,
        |figment| {
            let stage = vestibule::stage().layout(in_notes);
            rocket::custom(figment).attach(stage).mount("/", routes![about])
        },
    )
}

#[test]
fn every_page_is_in_the_layout_of_the_host() {
    let app = app();
    for (path, title) in [
        ("/login", "Sign in - Notes"),
        ("/signup", "Sign up - Notes"),
        ("/password-reset", "Reset your password - Notes"),
    ] {
        let seen = app.visit(path).is(200).says("of nobody").says("vestibule.css");
        assert_eq!(seen.title(), title);
        assert!(!seen.body.contains("<!doctype"), "{}", seen.body);
        assert!(seen.header("content-security-policy").is_some());
    }
    app.submit("/signup", [("email", "no address"), ("password", PASSWORD)])
        .is(422)
        .says_beside("email", "Enter an email address");
    app.sign_up(ADA);
    app.visit("/profile").says("of ada@example.com").says("Sign out");
    app.visit("/password-change").says("- Notes");
    // What was just done is said once.
    app.submit("/profile", [("name", "Ada <b>")]).redirects_to("/profile");
    app.visit("/profile").says("Your name is saved.").shows_in("name", "Ada <b>");
    app.visit("/profile").does_not_say("Your name is saved.");
    // Errors too.
    app.visit("/password-reset/nonsense").is(404).says("- Notes");
    let cross_site = [("Sec-Fetch-Site", "cross-site"), ("Accept", "text/html")];
    app.request(rocket::http::Method::Post, "/logout", &cross_site, None).is(403).says("- Notes");
}

#[test]
fn a_host_s_own_page_has_the_menu() {
    let app = app();
    app.visit("/about").says("<a href=\"/login\">Sign in</a>").does_not_say("Sign out");
    app.sign_up(ADA);
    app.submit("/profile", [("name", "Ada")]);
    let seen = app.visit("/about").says("Your name is saved.").says("Sign out");
    app.visit("/about").does_not_say("Your name is saved.");
    assert!(seen.body.contains("<form method=\"post\" action=\"/logout\">"), "{}", seen.body);
}
