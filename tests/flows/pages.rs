//! What pages look like by the settings, and the ways between their forms.

use std::fs;
use std::time::Duration;

use rocket::http::Method::{Get, Post};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// A path of the service that only takes forms: a visit gets the page for an error, in a host app too.
const NO_PAGE: &str = "/email-cancel";

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_settings_say_where_the_foot_of_a_page_leads() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.links.privacy", "https://example.com/privacy?a=1&b=2"))
            .merge(("vestibule.links.support", "mailto:help@example.com"))
    });
    for path in ["/login", "/signup", "/password-reset", NO_PAGE] {
        app.visit(path)
            .says("<a href=\"https://example.com/privacy?a=1&b=2\">Privacy</a>")
            .says("<a href=\"mailto:help@example.com\">Support</a>")
            .does_not_say("Imprint");
    }
    TestApp::new().visit("/login").does_not_say("<footer>");
}

#[test]
fn the_brand_and_signing_out_lead_to_the_setting_home() {
    let app =
        TestApp::with(|figment| figment.merge(("vestibule.home", "https://example.com/start")));
    app.visit("/login").says("class=\"brand\" href=\"https://example.com/start\"");
    app.visit(NO_PAGE).says("href=\"https://example.com/start\">Go to the front page</a>");
    app.sign_up(ADA);
    app.sign_out().redirects_to("https://example.com/start");
}

#[test]
fn a_logo_and_a_style_sheet_come_from_files() {
    let folder = tempfile::TempDir::new().unwrap();
    let (logo, style) = (folder.path().join("logo.PNG"), folder.path().join("mine.css"));
    fs::write(&logo, b"\x89PNG of ours").unwrap();
    fs::write(&style, "h1 { color: teal }").unwrap();
    let app = TestApp::with(|figment| {
        figment.merge(("vestibule.logo", &logo)).merge(("vestibule.extra_css", &style))
    });
    let page = app.visit("/login").is(200);
    let linked = |name: &str| {
        let (_, rest) =
            page.body.split_once(name).unwrap_or_else(|| panic!("{name}: {}", page.body));
        format!("/static/{name}{}", rest.split('"').next().unwrap())
    };
    let seen = app.visit(&linked("vestibule-logo")).is(200);
    assert_eq!(seen.header("content-type"), Some("image/png"));
    assert!(seen.header("cache-control").unwrap().contains("immutable"));
    assert!(page.body.contains("alt=\"Vestibule\""), "the image is named");
    let seen = app.visit(&linked("vestibule-extra.css")).is(200).says("teal");
    assert!(seen.header("content-type").unwrap().starts_with("text/css"));
    // The sheet of the site wins.
    assert!(page.body.find("vestibule-theme.css") < page.body.find("vestibule-extra.css"));

    let plain = TestApp::new();
    let without = plain.visit("/login");
    assert!(!without.body.contains("vestibule-logo") && !without.body.contains("extra.css"));
    plain.visit("/static/vestibule-logo").is(404);
    plain.visit("/static/vestibule-extra.css").is(404);
}

#[test]
fn buttons_have_the_accent_as_it_is_with_text_that_can_be_read() {
    let theme = |accent: &'static str| {
        let app = TestApp::with(|figment| figment.merge(("vestibule.accent", accent)));
        app.visit("/static/vestibule-theme.css").is(200).body
    };
    let bright = theme("#ffd400");
    assert!(bright.contains("--fill:#ffd400;--on-fill:#000000"), "{bright}");
    assert!(!bright.contains("--accent:light-dark(#ffd400"), "links are darkened: {bright}");
    let dark = theme("#003366");
    assert!(dark.contains("--fill:#003366;--on-fill:#ffffff"), "{dark}");
}

#[test]
fn each_dead_link_says_what_to_do_now() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.links.support", "/help")));
    for (page, advice, then) in [
        ("password-reset", "a new link sent", "href=\"/password-reset\""),
        ("set-password", "a new link sent", "href=\"/password-reset\""),
        ("verify-email", "may already be confirmed", "href=\"/profile\""),
        ("email-change", "ask for the change once more", "href=\"/security\""),
        ("email-undo", "put your email address back already", "href=\"/help\">Contact"),
        ("not-me", "that signs out every device", "href=\"/password-reset\""),
        ("account-restore", "If it was erased", "href=\"/help\">Contact"),
    ] {
        app.visit(&format!("/{page}/{}", "x".repeat(43))).is(404).says(advice).says(then);
    }
}

/// Promise 35: one script, of this site, and none in a page.
#[test]
fn every_page_has_the_one_script_and_needs_it_for_nothing() {
    let app = TestApp::with_ada();
    for path in ["/profile", "/password-change", NO_PAGE] {
        let page = app.visit(path);
        assert_eq!(page.body.matches("<script").count(), 1, "{path}");
        assert!(page.body.contains("defer></script>") && !page.body.contains("onclick"), "{path}");
        let (_, rest) = page.body.split_once("<script src=\"").unwrap();
        let script = app.visit(rest.split('"').next().unwrap()).is(200);
        assert!(script.header("content-type").unwrap().starts_with("text/javascript"));
        assert!(script.header("cache-control").unwrap().contains("immutable"));
    }
    // Without it, nothing is there to be pressed in vain.
    let page = app.visit("/password-change");
    assert_eq!(page.body.matches("class=\"reveal\" type=\"button\" hidden").count(), 2);
}

#[test]
fn the_page_after_asking_for_a_link_can_be_loaded_again_and_sends_nothing() {
    let app = TestApp::with_ada();
    let stranger = app.other_browser();
    let before = app.emails().len();
    stranger.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    for _ in 0..3 {
        stranger.visit("/password-reset-sent").is(200).says(ADA).says("once, within 1 hour");
    }
    assert_eq!(app.emails().len(), before + 1);
    // Again, and again; then it is said when.
    let sent = stranger.visit("/password-reset-sent").says("sent again 2 times within the hour");
    sent.and_submit([]).redirects_to("/password-reset-sent");
    let sent = stranger.visit("/password-reset-sent").says("sent again once within the hour");
    sent.and_submit([]).redirects_to("/password-reset-sent");
    assert_eq!(app.emails().len(), before + 3);
    app.clock.advance(20 * MINUTE);
    let sent = stranger.visit("/password-reset-sent").says("another one sent in 40 minutes");
    assert!(!sent.body.contains("Send the link again"), "{}", sent.body);
    app.clock.advance(41 * MINUTE);
    stranger.visit("/password-reset-sent").is(200).does_not_say(ADA);
    stranger.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    assert_eq!(app.emails().len(), before + 4);
}

/// Promise 10: what the page says of further links depends on this browser alone.
#[test]
fn the_page_after_asking_for_a_link_tells_nothing_of_the_account() {
    let app = TestApp::with_ada();
    let seen = |email: &str| {
        let browser = app.other_browser();
        let pages: Vec<String> = (0..4)
            .map(|_| {
                browser.post("/password-reset", [("email", email)]);
                browser.visit("/password-reset-sent").is(200).body.replace(email, "…")
            })
            .collect();
        pages
    };
    assert_eq!(seen(ADA), seen("bob@example.com"));
    app.emails_do_not_matter();
}

#[test]
fn a_browser_that_keeps_no_cookies_is_told_the_same() {
    let app = TestApp::new();
    app.visit("/password-reset-sent").is(200).says("the email address that you entered");
}

/// The address is in no URL: logs, histories and other sites keep those.
#[test]
fn nobody_types_the_address_twice() {
    let app = TestApp::with_ada();
    let browser = app.other_browser();
    let refused = browser.log_in(ADA, "was it this one?").is(401).shows_in("email", ADA);
    assert!(refused.header("set-cookie").is_none(), "promise 9: alike for every address");
    let go_on = |to| browser.post("/login/go-on", [("email", ADA), ("to", to), ("next", "/a")]);
    go_on("password-reset").redirects_to("/password-reset");
    browser.visit("/password-reset").shows_in("email", ADA);
    browser.visit("/signup").shows_in("email", ADA);
    browser.visit("/login").shows_in("email", ADA);
    go_on("signup").redirects_to("/signup?next=/a");
    // Neither a password typed into the wrong field nor another target is kept.
    let other = app.other_browser();
    other
        .post("/login/go-on", [("email", "my secret"), ("to", "https://evil.example")])
        .redirects_to("/password-reset");
    other.visit("/password-reset").shows_in("email", "");

    // The next person at this screen is not told who was here.
    browser.log_in(ADA, PASSWORD).redirects_to("/profile");
    browser.sign_out();
    browser.visit("/login").shows_in("email", "");
}

#[test]
fn after_a_reset_the_address_is_filled_in() {
    let app = TestApp::with_ada();
    let link = app.reset_link();
    let browser = app.other_browser();
    browser.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    browser.visit("/login").shows_in("email", ADA);
}

#[test]
fn a_taken_address_gets_help_beside_the_field() {
    let app = TestApp::with_ada();
    let browser = app.other_browser();
    let form = [("email", ADA), ("password", NEW_PASSWORD), ("next", "/a")];
    let seen = browser.post("/signup", form).is(422);
    let seen = seen.says_beside("email", "There is already an account with this email address.");
    let (_, field) = seen.body.split_once("id=\"email-error\"").unwrap();
    let field = field.split("<input").next().unwrap();
    assert!(field.contains("<a href=\"/login?next=/a\""), "{field}");
    assert!(field.contains("<a href=\"/password-reset\""), "{field}");
    browser.visit("/login").shows_in("email", ADA);
}

#[test]
fn a_new_account_is_said_to_be_ready() {
    let app = TestApp::with_ada();
    app.visit("/profile").says("class=\"notice good\"").says("Your account is ready.");
    app.visit("/profile").does_not_say("Your account is ready.");
    // Not an old one.
    let browser = app.other_browser();
    browser.post("/signup", [("email", ADA), ("password", PASSWORD)]).redirects_to("/profile");
    browser.visit("/profile").does_not_say("Your account is ready.");
}

#[test]
fn a_refusal_never_looks_like_success() {
    let app = TestApp::with_ada();
    app.visit("/profile");
    for _ in 0..3 {
        app.post("/verify-email", []);
        app.emails();
    }
    let seen = app.visit("/profile").says("No email was sent");
    assert!(!seen.body.contains("notice good"), "{}", seen.body);
    assert!(seen.body.contains("class=\"notice\""), "{}", seen.body);
}

#[test]
fn nobody_is_greeted_by_an_address() {
    let app = TestApp::with_ada();
    app.visit("/").says("<h1>Good to see you</h1>").says("You are signed in as ada@example.com.");
    app.submit("/profile", [("name", "Ada")]);
    app.visit("/").says("<h1>Good to see you, Ada</h1>");
}

#[test]
fn the_menu_says_where_one_is() {
    let app = TestApp::new();
    let current = |path: &str| {
        let body = app.visit(path).body;
        let marked = body.split("<a ").filter(|link| link.contains("aria-current=\"page\""));
        marked.map(|link| link.split('"').nth(1).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(current("/login"), ["/login"]);
    assert_eq!(current("/login?next=/a"), ["/login?next=/a"]);
    assert_eq!(current("/signup"), ["/signup"]);
    assert!(current("/password-reset").is_empty());
}

#[test]
fn an_error_page_leads_back_to_where_one_came_from() {
    let app = TestApp::new();
    let page = |referer: &str| {
        let headers = [("Accept", "text/html"), ("Referer", referer)];
        app.request(Get, NO_PAGE, &headers, None).is(405)
    };
    let base = crate::harness::mount::base().unwrap_or_default();
    page(&format!("http://localhost:8000{base}/login?next=/a"))
        .says("href=\"/login?next=/a\" data-back>Back</a>");
    let secret = format!("http://localhost:8000{base}/password-reset/secret");
    for referer in ["https://evil.example/login", &secret, "x"] {
        page(referer).does_not_say("data-back");
    }
    page("x").says("There is a page at this address").does_not_say("Try again");
    // A page that could not be made now is worth another try, without its path in the markup.
    app.sql("DROP TABLE vestibule_links");
    let secret = "A".repeat(43);
    let seen = app.visit(&format!("/password-reset/{secret}"));
    assert!(seen.status >= 500, "{}", seen.status);
    assert!(seen.body.contains("href=\"\">Try again</a>"), "{}", seen.body);
    assert!(!seen.body.contains(&secret));
    seen.says("Service temporarily unavailable").says("If you contact support, quote reference ");
    let headers = [("Accept", "text/html"), ("Origin", "http://localhost:8000")];
    app.request(Post, "/activity", &headers, None).is(405).does_not_say("Try again");
}

#[test]
fn emails_and_dates_are_in_the_time_zone_of_the_site() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.time_zone", "Asia/Kolkata")));
    app.sign_up(ADA);
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let email = app.last_email();
    assert!(
        email.text.lines().any(|line| line.starts_with("When: ") && line.ends_with(" IST")),
        "{}",
        email.text
    );
}
