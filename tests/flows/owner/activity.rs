//! The history of an account.

use rocket::http::Method;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn the_owner_reads_what_happened() {
    let app = TestApp::with_ada();
    app.other_browser().guess(ADA);
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let page = app.visit("/activity").is(200);
    let at = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("{text}: {}", page.body));
    assert!(at("The password was changed") < at("Somebody entered a wrong password"));
    assert!(at("Somebody entered a wrong password") < at("You signed up"));
    app.visit("/activity").says("127.0.0.1").says("/not-me\"");
    app.other_browser().visit("/activity").redirects_to("/login?next=/activity");
    app.emails();
}

#[test]
fn nobody_reads_the_history_of_another() {
    let app = TestApp::with_ada();
    let grace = app.other_browser();
    grace.sign_up("grace@example.com");
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    grace.visit("/activity").is(200).does_not_say("The password was changed");
    let seen = grace.ask(Method::Get, "/api/v1/activity").json();
    assert_eq!(seen["events"].as_array().unwrap().len(), 2, "{seen}");
    app.emails();
}

#[test]
fn older_events_are_on_further_pages_each_once() {
    let app = TestApp::with_ada();
    for n in 0..60 {
        app.sql(&format!(
            "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) SELECT {}, created_at - {}, \
             'renamed', id, '192.0.2.{n}', '' FROM vestibule_users WHERE email_key = '{ADA}'",
            if app.is_sqlite() { "randomblob(16)".into() } else { "gen_random_uuid()".to_string() },
            n / 4,
        ));
    }
    let first = app.visit("/activity").is(200);
    let older = first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let older =
        crate::harness::mount::base().map_or(older.to_owned(), |base| older.replacen(&base, "", 1));
    let second = app.visit(&older).is(200).says("Newest");
    for n in 0..60 {
        let ip = format!("192.0.2.{n}<");
        let times = first.body.matches(&ip).count() + second.body.matches(&ip).count();
        assert_eq!(times, 1, "{ip}");
    }
    second.does_not_say("rel=\"next\"");
    app.visit("/activity?before=nonsense").is(200);
}

#[test]
fn a_program_pages_through_the_history() {
    let app = TestApp::with_ada();
    let seen = app.ask(Method::Get, "/api/v1/activity").is(200).json();
    assert_eq!(seen["events"][0]["event"], "signed-in");
    assert_eq!(seen["events"][1]["event"], "signed-up");
    assert!(seen["next"].is_null());
    app.other_browser().ask(Method::Get, "/api/v1/activity").is(401);
}
