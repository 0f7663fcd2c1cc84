//! What browsers and search engines look for at the root of a site and in the head of a page.

use crate::harness::{ADA, TestApp};

#[test]
fn a_browser_finds_the_icons_wherever_it_looks() {
    let app = TestApp::start(|figment| figment, vestibule::service);
    for (path, kind, start) in [
        ("/favicon.ico", "image/x-icon", "\0\0\u{1}\0"),
        ("/apple-touch-icon.png", "image/png", "\u{fffd}PNG"),
        ("/static/vestibule-touch.png", "image/png", "\u{fffd}PNG"),
        ("/static/vestibule.svg", "image/svg+xml", "<svg"),
    ] {
        let seen = app.visit(path).is(200);
        assert_eq!(seen.header("content-type"), Some(kind), "{path}");
        assert!(seen.body.starts_with(start), "{path}");
        assert_ne!(seen.header("cache-control"), Some("no-store"), "{path}");
    }
    let page = app.visit("/login").says("rel=\"apple-touch-icon\"");
    let link = page.body.split("apple-touch-icon\" href=\"").nth(1).unwrap();
    app.visit(link.split('"').next().unwrap()).is(200);
}

#[test]
fn a_page_says_what_it_is_and_in_which_colours() {
    let app = TestApp::with(|f| f.merge(("vestibule.site_name", "The \"Hall\"")));
    app.visit("/login")
        .says("<meta name=\"theme-color\" content=\"#fbf8f3\"")
        .says("<meta name=\"theme-color\" content=\"#1b1816\"")
        .says("<meta name=\"description\" content=\"Your account at The \"Hall\":");
}

/// Promise 25: no search engine lists the page of a mailed link, whether or not the link is valid.
#[test]
fn no_page_with_a_secret_is_listed() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    app.post("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    let reset = app.last_email().link();
    let dead = format!("/set-password/{}", "A".repeat(43));
    for path in [&link, &reset, &dead, &format!("{dead}/x")] {
        let seen = app.visit(path);
        assert_eq!(seen.header("x-robots-tag"), Some("noindex"), "{path}");
    }
    for path in ["/login", "/password-reset", "/nowhere"] {
        assert_eq!(app.visit(path).header("x-robots-tag"), None, "{path}");
    }
    let site = TestApp::start(|figment| figment, vestibule::service);
    site.visit("/robots.txt").is(200).says("User-agent: *\nDisallow: /api/");
}

/// Promise 33: an address that is typed or linked to signs nobody out; its page has the button.
#[test]
fn the_sign_out_page_has_the_button() {
    let app = TestApp::with_ada();
    for _ in 0..2 {
        app.visit("/logout").is(200).says("You are signed in as ada@example.com.");
        app.visit("/logout?a=b").is(200);
    }
    assert!(app.is_signed_in());
    app.visit("/logout").and_submit([]).redirects_to("/");
    assert!(!app.is_signed_in());
    app.visit("/logout").is(200).says("You are not signed in here.").says("href=\"/login\"");
}
