//! The pages in a host's layout, and a host's own pages with the menu.

use rocket::response::content::RawHtml;
use rocket::{get, routes};
use vestibule::{Layout, Menu};

use crate::harness::{ADA, PASSWORD, TestApp};

fn in_notes(page: &Layout<'_>) -> String {
    let Layout { title, main, styles, menu, urls, footer, .. } = page;
    let sign_in = urls.sign_in();
    let whose = page.user.map_or("nobody", |user| user.email.as_str());
    format!(
        "<title>{title} - Notes</title>{styles}<nav>{menu}</nav><p>of {whose}</p>{main}\
         <footer>{sign_in}</footer>{footer}"
    )
}

#[get("/about")]
fn about(menu: Menu<'_>) -> RawHtml<String> {
    RawHtml(format!("{}{menu}<h1>About</h1>", menu.notice()))
}

#[get("/own-links?<page>")]
fn own_links(menu: Menu<'_>, page: Option<u8>) -> String {
    let urls = menu.urls();
    let links = [urls.sign_in(), urls.sign_up(), urls.profile(), urls.sign_out()];
    format!("{page:?} {} {}", links.join(" "), urls.password_change())
}

fn app() -> TestApp {
    TestApp::start(
        |figment| figment.merge(("vestibule.links.terms", "/terms")),
        |figment| {
            let stage = vestibule::stage().layout(in_notes);
            rocket::custom(figment)
                .attach(stage)
                .mount("/", routes![about, own_links])
                .register("/", vestibule::catchers())
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
        assert_eq!(seen.body.matches("vestibule.js").count(), 1, "{path}");
        let seen = seen.says("<a href=\"/terms\">Terms</a>");
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
fn a_page_for_an_error_has_the_menu_as_far_as_it_is_known() {
    let app = app();
    let stranger = app.visit("/nowhere").is(404).says("of nobody").says("Sign up");
    assert_eq!(stranger.header("cache-control"), None);
    app.sign_up(ADA);
    let seen = app.visit("/nowhere").is(404).says("of ada@example.com").says("Sign out");
    // Promise 36: after signing out, Back must not show it.
    assert_eq!(seen.header("cache-control"), Some("no-store"));
    // Promise 53: without the database it is the same page, and says nothing of who is signed in.
    app.sql("ALTER TABLE vestibule_sessions RENAME TO elsewhere");
    app.visit("/nowhere").is(404).says("of nobody").does_not_say("Sign").does_not_say("reference");
    app.sql("ALTER TABLE elsewhere RENAME TO vestibule_sessions");
    app.visit("/nowhere").is(404).says("Sign out");
}

#[test]
fn a_host_s_own_links_lead_to_our_pages_and_back() {
    let app = app();
    app.visit("/own-links?page=2").says(
        "Some(2) /login?next=/own-links%3Fpage%3D2 /signup?next=/own-links%3Fpage%3D2 /profile /logout \
         /password-change",
    );
    app.visit("/login").says("<footer>/login</footer>");
}

/// The host's header and names stay its own: our rules are within one class.
#[test]
fn our_style_sheets_leave_the_page_of_the_host_alone() {
    let app = app();
    app.visit("/login").says("<div class=\"vestibule\">");
    for path in ["/static/vestibule.css", "/static/vestibule-theme.css"] {
        let style = app.visit(path).is(200).body;
        let mut depth = 0;
        let mut selector = String::new();
        for c in style
            .split("*/")
            .map(|part| part.split("/*").next().unwrap())
            .collect::<String>()
            .chars()
        {
            match c {
                '{' => {
                    if depth == 0 {
                        assert!(selector.contains(".vestibule"), "{path}: {selector}");
                        selector.clear();
                    }
                    depth += 1;
                }
                '}' => depth -= 1,
                c if depth == 0 => selector.push(c),
                _ => {}
            }
        }
    }
}

#[test]
fn a_host_s_own_page_has_the_menu() {
    let app = app();
    app.visit("/about").says("<a href=\"/login?next=/about\">Sign in</a>").does_not_say("Sign out");
    app.sign_up(ADA);
    app.submit("/profile", [("name", "Ada")]);
    let seen = app.visit("/about").says("Your name is saved.").says("Sign out");
    app.visit("/about").does_not_say("Your name is saved.");
    assert!(seen.body.contains("<form method=\"post\" action=\"/logout\">"), "{}", seen.body);
}
