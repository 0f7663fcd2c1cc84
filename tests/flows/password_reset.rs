use std::time::Duration;

use rocket::http::Method;

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const DEAD: &str = "The link has been used or is too old";

fn app_with_link() -> (TestApp, String) {
    let app = TestApp::with_ada();
    app.sign_out();
    let link = app.reset_link();
    (app, link)
}

#[test]
fn a_forgotten_password_is_reset() {
    let (app, link) = app_with_link();
    app.visit(&link)
        .is(200)
        .says("Choose a new password")
        .says("autocomplete=\"username\" value=\"ada@example.com\"")
        .and_submit([("new_password", NEW_PASSWORD)])
        .redirects_to("/login");
    app.visit("/login").says("Your new password is set");
    app.other_browser().log_in(ADA, PASSWORD).is(401);
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 10.
#[test]
fn requesting_a_reset_does_not_reveal_accounts() {
    let app = TestApp::with_ada();
    let emails = app.emails().len();
    let browser = app.other_browser();
    let ask = |email: &str| {
        let seen = browser
            .submit("/password-reset", [("email", email)])
            .redirects_to("/password-reset-sent");
        let sealed = browser.cookies.borrow()["vestibule_email"].clone();
        let mut headers = seen.headers;
        for (_, value) in &mut headers {
            *value = value.replace(&sealed, "…");
        }
        (headers, browser.visit("/password-reset-sent").is(200).body.replace(email, "…"))
    };
    // Of the same length, so that headers can be compared as a whole.
    assert_eq!(ask(ADA), ask("bob@example.com"));
    assert_eq!(app.count("outbox"), 2);
    assert_eq!(app.emails().len(), emails + 1);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 10: a request right after a reset request waits for its writes and for those of the delivery job: as
/// many transactions whether or not there is an account.
#[test]
fn a_reset_writes_as_much_without_an_account() {
    let app = TestApp::new();
    if !app.is_sqlite() {
        return; // On PostgreSQL, writes do not wait for each other.
    }
    app.sign_up(ADA);
    app.run_jobs();
    let writes = [ADA, "bob@example.com"].map(|email| {
        let asked = app.count_writes(|| {
            app.post("/password-reset", [("email", email)]).redirects_to("/password-reset-sent");
        });
        (asked, app.count_writes(|| app.run_jobs()))
    });
    assert_eq!(writes[0], writes[1]);
    assert!(writes[0].0 > 0 && writes[0].1 > 0, "{writes:?}");
    assert_eq!(app.emails().len(), 2);
}

#[test]
fn an_invalid_address_is_refused_with_a_reason() {
    let app = TestApp::new();
    let seen = app.submit("/password-reset", [("email", "ada")]).is(422).shows_in("email", "ada");
    assert!(seen.title().starts_with("Error: "));
}

/// Promise 14.
#[test]
fn emails_go_to_the_address_of_the_account() {
    let app = TestApp::new();
    app.sign_up("Ada@example.com");
    app.submit("/password-reset", [("email", "ADA@EXAMPLE.COM")]);
    assert_eq!(app.last_email().to, "Ada@example.com");
}

/// Promises 17 and 18.
#[test]
fn the_token_is_in_the_email_and_nowhere_else() {
    let app = TestApp::with_ada();
    let asked = app.submit("/password-reset", [("email", ADA)]);
    let email = app.last_email();
    let token = email.token();
    assert_eq!(token.len(), 43);
    let page = app.visit(&email.link());
    for seen in [&asked, &page] {
        assert!(!seen.body.contains(&token) && !format!("{:?}", seen.headers).contains(&token));
    }
    app.keeps_only_the_digest_of(&token);
    assert_eq!(
        app.texts("SELECT purpose FROM vestibule_links ORDER BY purpose"),
        ["password-reset", "verify-email"]
    );
    let done = page.and_submit([("new_password", NEW_PASSWORD)]);
    assert!(!format!("{:?}{}", done.headers, done.body).contains(&token));
}

/// Promise 19.
#[test]
fn looking_at_a_link_does_not_use_it_up() {
    let (app, link) = app_with_link();
    for _ in 0..10 {
        app.visit(&link).is(200);
        app.request(Method::Head, &link, &[], None).is(200);
    }
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
}

/// Promises 20 and 25.
#[test]
fn a_link_works_only_once() {
    let (app, link) = app_with_link();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    app.visit(&link).is(404).says(DEAD).says("Get a new link");
    app.post(&link, [("new_password", PASSWORD)]).is(404).says(DEAD);
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 20.
#[test]
fn of_two_who_use_a_link_at_once_one_wins() {
    let (app, link) = app_with_link();
    let passwords = [NEW_PASSWORD, PASSWORD, "a third way to say it", "and a fourth way of it"];
    let requests = passwords.map(|password| {
        let fields = [("new_password".to_owned(), password.to_owned())];
        (rocket::http::Method::Post, link.clone(), fields)
    });
    let mut statuses = app.send_all(requests.into_iter());
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404, 404, 404]);
}

/// Promise 21.
#[test]
fn a_link_dies_after_an_hour() {
    let (app, link) = app_with_link();
    app.clock.advance(Duration::from_secs(3599));
    app.visit(&link).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.visit(&link).is(404).says(DEAD);
    app.post(&link, [("new_password", NEW_PASSWORD)]).is(404);
}

/// Promise 21.
#[test]
fn a_stranger_who_asks_again_and_again_voids_nothing() {
    let (app, first) = app_with_link();
    for _ in 0..4 {
        app.other_browser()
            .submit("/password-reset", [("email", ADA)])
            .redirects_to("/password-reset-sent");
    }
    let resets = app.emails().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets, 3);
    app.reset_password(&first, NEW_PASSWORD).redirects_to("/login");
    assert_eq!(app.count("links"), 0, "a completed reset voids every link");
}

/// Promise 22.
#[test]
fn a_link_for_one_thing_does_not_do_another() {
    let (app, link) = app_with_link();
    let token = link.rsplit('/').next().unwrap();
    app.visit(&format!("/verify-email/{token}")).is(404);
    let verify = app.emails()[0].token();
    app.visit(&format!("/password-reset/{verify}")).is(404);
    app.post(&format!("/password-reset/{verify}"), [("new_password", NEW_PASSWORD)]).is(404);
    app.visit(&link).is(200);
}

/// Promise 22.
#[test]
fn a_link_that_went_to_an_older_address_is_dead() {
    let (app, link) = app_with_link();
    app.sql(
        "UPDATE vestibule_users SET email = 'new@example.com', email_key = 'new@example.com' \
         WHERE email_key = 'ada@example.com'",
    );
    app.visit(&link).is(404);
    app.post(&link, [("new_password", NEW_PASSWORD)]).is(404);
    app.emails_do_not_matter();
}

/// Promise 23.
#[test]
fn a_reset_ends_all_sessions_and_notifies_the_owner() {
    let (app, link) = app_with_link();
    let thief = app.elsewhere();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    assert!(!thief.is_signed_in() && !app.is_signed_in());
    let email = app.last_email();
    assert!(email.subject.contains("was changed"), "{}", email.subject);
    assert!(email.text.contains("From: Firefox on Linux, IP address 127.0.0.1"));
    assert!(email.text.contains(" UTC"));
}

/// Promise 24.
#[test]
fn a_forged_host_changes_no_link() {
    let app = TestApp::with_ada();
    let headers = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "host=evil.example"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    app.request(Method::Post, "/password-reset", &headers, Some("email=ada@example.com"))
        .redirects_to("/password-reset-sent");
    let email = app.last_email();
    assert!(email.text.contains("http://localhost:8000/password-reset/"));
    assert!(!format!("{email:?}").contains("evil"));
}

/// Promise 25.
#[test]
fn a_link_page_keeps_its_address_to_itself() {
    let (app, link) = app_with_link();
    for path in [&link, "/password-reset/nonsense"] {
        let seen = app.visit(path);
        assert_eq!(seen.header("cache-control"), Some("no-store"));
        assert_eq!(seen.header("referrer-policy"), Some("strict-origin"));
        assert!(!seen.body.contains("://"), "nothing from elsewhere: {}", seen.body);
    }
    for invalid in
        ["/password-reset/x", "/password-reset/a/b", "/password-reset/%00", "/password-reset/link"]
    {
        app.visit(invalid).is(404).says(DEAD);
        app.post(invalid, [("new_password", NEW_PASSWORD)]).is(404).says(DEAD);
    }
}

#[test]
fn a_weak_new_password_is_refused_and_the_link_stays() {
    let (app, link) = app_with_link();
    let seen = app.visit(&link).and_submit([("new_password", ADA)]).is(422);
    seen.says_beside("new_password", "too easy to guess").shows_in("new_password", "");
    app.visit(&link)
        .and_submit([("new_password", "")])
        .is(422)
        .says_beside("new_password", "Enter a new password.");
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
}

/// Promise 15.
#[test]
fn a_reset_proves_the_mailbox_and_clears_what_a_first_comer_set_up() {
    let app = TestApp::new();
    let squatter = app.other_browser();
    squatter
        .submit("/signup", [("email", ADA), ("password", PASSWORD), ("name", "Mallory")])
        .redirects_to("/profile");
    app.submit("/password-reset", [("email", ADA)]);
    let emails = app.emails();
    app.reset_password(&emails[1].link(), NEW_PASSWORD).redirects_to("/login");
    assert!(!squatter.is_signed_in());
    app.visit(&emails[0].link()).is(404);
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    app.visit("/profile").says("Confirmed").does_not_say("Mallory");
    // A user who has verified the address keeps the profile.
    app.submit("/profile", [("name", "Ada")]);
    app.sign_out();
    app.submit("/password-reset", [("email", ADA)]);
    app.visit(&app.last_email().link()).and_submit([("new_password", PASSWORD)]);
    app.log_in(ADA, PASSWORD);
    app.visit("/profile").shows_in("name", "Ada");
}

#[test]
fn a_disabled_account_gets_no_link() {
    let (app, link) = app_with_link();
    app.sql("UPDATE vestibule_users SET disabled_at = 1");
    app.visit(&link).is(404);
    let emails = app.emails().len();
    app.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    assert_eq!(app.emails().len(), emails);
}
