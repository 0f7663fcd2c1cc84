//! The example, part by part.

use std::time::Duration;

use crate::harness::{ADA, PASSWORD, TestApp};

#[expect(dead_code, reason = "its `main` is for the command line")]
#[path = "../../../examples/embed/main.rs"]
mod app;

const EVE: &str = "eve@example.com";

/// `None` on PostgreSQL: the notes are in the SQLite file of the accounts.
fn notes() -> Option<TestApp> {
    if std::env::var_os("FLOWS_ON_POSTGRES_URL").is_some() {
        return None;
    }
    let app = TestApp::start(|figment| figment, app::app);
    app.emails_do_not_matter();
    Some(app)
}

#[test]
fn notes_belong_to_who_is_signed_in() {
    let Some(app) = notes() else { return };
    app.visit("/").is(200).says("to keep notes.");
    let asked = app.visit("/notes").redirects_to("/accounts/login?next=/notes");
    let sign_in = app.visit(asked.header("location").unwrap()).is(200).says("- Notes");
    assert_eq!(sign_in.title(), "Sign in - Notes");
    let form = [("email", ADA), ("password", PASSWORD)];
    app.submit("/accounts/signup?next=/notes", form).redirects_to("/notes");
    app.visit("/notes").and_submit([("text", "buy <milk>")]).redirects_to("/notes");
    app.visit("/notes").says("buy <milk>");
    app.visit("/").says("Welcome back, ada@example.com.").says("Sign out");
    let other = app.other_browser();
    other.submit("/accounts/signup", [("email", EVE), ("password", PASSWORD)]);
    other.visit("/notes").is(200).does_not_say("milk");
    app.visit("/accounts/profile").is(200).says("- Notes");
    app.visit("/nowhere").is(404).says("- Notes").says("Sign out");
}

/// Promise 48.
#[test]
fn a_note_survives_the_end_of_a_session_and_deleting_all_asks_for_the_password() {
    let Some(app) = notes() else { return };
    app.visit("/").says("<a href=\"/accounts/signup?next=/\">");
    app.submit("/accounts/signup", [("email", ADA), ("password", PASSWORD)]);
    let page = app.visit("/notes").is(200);
    app.clock.advance(Duration::from_hours(3));
    page.and_submit([("text", "a long thought")]).redirects_to("/accounts/login?next=/notes");
    let form = [("email", ADA), ("password", PASSWORD)];
    app.submit("/accounts/login?next=/notes", form).redirects_to("/notes");
    let page = app.visit("/notes").shows_in("text", "a long thought");
    page.and_submit([("text", "a long thought")]).redirects_to("/notes");
    app.clock.advance(Duration::from_mins(11));
    let ask = "/accounts/recent-login?next=/notes/delete";
    app.visit("/notes/delete").redirects_to(ask);
    app.submit(ask, [("password", PASSWORD)]).redirects_to("/notes/delete");
    app.visit("/notes").says("a long thought");
    app.visit("/notes/delete").and_submit([]).redirects_to("/notes");
    app.visit("/notes").does_not_say("a long thought");
}

#[test]
fn the_admin_is_who_has_the_address_and_notes_go_with_their_author() {
    let Some(app) = notes() else { return };
    let other = app.other_browser();
    app.submit("/accounts/signup", [("email", ADA), ("password", PASSWORD)]);
    app.run_jobs();
    app.visit("/admin").is(403);
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/accounts/profile");
    app.run_jobs();
    other.submit("/accounts/signup", [("email", EVE), ("password", PASSWORD)]);
    app.run_jobs();
    other.visit("/notes").and_submit([("text", "a secret")]).redirects_to("/notes");
    app.visit("/admin").is(200).says("there are 1 notes");
    other.visit("/admin").is(403).says("You do not have access");
    app.other_browser().visit("/admin").redirects_to("/accounts/login?next=/admin");
    let accounts = app.accounts();
    let eve = app.block_on(accounts.user_by_email(&EVE.parse().unwrap())).unwrap().unwrap();
    app.block_on(accounts.delete(eve.id)).unwrap();
    app.visit("/admin").says("there are 0 notes");
    other.visit("/notes").is(303);
}
