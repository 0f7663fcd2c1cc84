//! What the code of a host app does with accounts.

use std::time::Duration;

use vestibule::{CreateError, DeleteError, Email, NewAccount, UserId};

use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const EVE: &str = "eve@example.com";

impl TestApp {
    fn id_of(&self, email: &str) -> UserId {
        let email: Email = email.parse().unwrap();
        self.block_on(self.accounts().user_by_email(&email)).unwrap().expect("an account").id
    }
}

#[test]
fn accounts_are_found_by_id_and_by_address() {
    let app = TestApp::with_ada();
    app.submit("/profile", [("name", "Ada")]);
    app.other_browser().sign_up(EVE);
    app.emails_do_not_matter();
    let (ada, eve) = (app.id_of(ADA), app.id_of("EVE@example.com"));
    let accounts = app.accounts();
    let seen = app.block_on(accounts.user(ada)).unwrap().unwrap();
    assert_eq!((seen.email.as_str(), seen.display_name()), (ADA, "Ada"));
    assert_eq!(seen.disabled_at, None);
    let nobody = UserId::from_bytes([7; 16]);
    assert!(app.block_on(accounts.user(nobody)).unwrap().is_none());
    // In the order of the question, whoever is missing.
    let users = app.block_on(accounts.users(&[eve, nobody, ada])).unwrap();
    assert_eq!(users.iter().map(|user| user.id).collect::<Vec<_>>(), [eve, ada]);
    assert!(app.block_on(accounts.users(&[])).unwrap().is_empty());
    // Promise 1: no secret is in it.
    let json = rocket::serde::json::to_value(&users[1]).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let open = [
        "created_at",
        "delete_at",
        "disabled_at",
        "email",
        "email_refused_at",
        "email_verified_at",
        "id",
        "is_admin",
        "name",
        "new_email",
    ];
    assert_eq!(keys, open);
}

/// Promise 44: a disabled account is nobody's: sessions, links, known browsers, and sign-ins.
#[test]
fn a_disabled_account_lets_nobody_in() {
    let app = TestApp::with_ada();
    let link = app.reset_link();
    app.emails_do_not_matter();
    let (accounts, id) = (app.accounts(), app.id_of(ADA));
    let other = app.other_browser();
    other.log_in(ADA, PASSWORD).redirects_to("/profile");
    assert!(app.is_signed_in() && other.is_signed_in());
    assert!(app.block_on(accounts.disable(id)).unwrap());
    assert!(!app.block_on(accounts.disable(id)).unwrap(), "once is enough");
    assert!(!app.is_signed_in() && !other.is_signed_in());
    app.visit(&link).is(404);
    // The same answer as for a wrong password.
    app.log_in(ADA, PASSWORD).is(401);
    app.block_on(accounts.user(id)).unwrap().unwrap().disabled_at.expect("it is disabled");
    assert!(app.block_on(accounts.enable(id)).unwrap());
    assert!(!app.block_on(accounts.enable(id)).unwrap());
    assert!(!app.is_signed_in(), "no session comes back");
    app.visit(&link).is(404);
    app.log_in(ADA, PASSWORD).redirects_to("/profile");
}

#[test]
fn an_account_is_created_and_its_owner_chooses_the_password() {
    let app = TestApp::new();
    let accounts = app.accounts();
    let name = vestibule::Name::parse("Ada").unwrap().unwrap();
    let new = NewAccount::new(ADA.parse().unwrap()).name(name);
    let ada = app.block_on(accounts.create(&new)).unwrap();
    assert_eq!(ada.verified_email(), None);
    let taken = app.block_on(accounts.create(&new));
    assert!(matches!(taken, Err(CreateError::EmailTaken)));
    app.log_in(ADA, PASSWORD).is(401);
    app.run_jobs();
    let email = app.last_email();
    assert_eq!(email.subject, "Your account at Vestibule");
    let link = email.link();
    // Promise 17: only the digest of its token is stored.
    app.keeps_only_the_digest_of(&email.token());
    app.visit(&link).is(200).says("Choose your password");
    app.submit(&link, [("new_password", "short")])
        .is(422)
        .says_beside("new_password", "Make it longer");
    app.visit(&link).and_submit([("new_password", NEW_PASSWORD)]).redirects_to("/login");
    app.visit("/login").says("Your password is set.");
    app.visit(&link).is(404);
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    let ada = app.block_on(accounts.user(ada.id)).unwrap().unwrap();
    assert!(ada.verified_email().is_some(), "the link was mailed to it");
    assert_eq!(ada.display_name(), "Ada");
}

#[test]
fn the_owner_of_a_created_account_may_ask_for_another_link() {
    let app = TestApp::new();
    let name = vestibule::Name::parse("Ada").unwrap().unwrap();
    let new = NewAccount::new(ADA.parse().unwrap()).name(name);
    let ada = app.block_on(app.accounts().create(&new)).unwrap();
    app.emails_do_not_matter();
    let link = app.reset_link();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    let ada = app.block_on(app.accounts().user(ada.id)).unwrap().unwrap();
    assert_eq!(ada.display_name(), "Ada", "nobody else can have set it");
}

#[test]
fn the_link_to_a_new_account_opens_nothing_else_and_ends_after_a_week() {
    let app = TestApp::new();
    app.block_on(app.accounts().create(&NewAccount::new(ADA.parse().unwrap()))).unwrap();
    app.run_jobs();
    let link = app.last_email().link();
    let secret = link.rsplit('/').next().unwrap();
    app.visit(&format!("/password-reset/{secret}")).is(404);
    app.visit(&format!("/verify-email/{secret}")).is(404);
    app.clock.advance(Duration::from_hours(7 * 24 - 1));
    app.visit(&link).is(200);
    app.clock.advance(Duration::from_hours(1));
    app.visit(&link).is(404);
}

/// Promise 44: a message that is just leaving may store its link after the account was disabled.
#[test]
fn no_link_of_before_works_after_an_account_is_enabled() {
    let app = TestApp::with_ada();
    let id = app.block_on(app.accounts().user_by_email(&ADA.parse().unwrap())).unwrap().unwrap().id;
    let link = app.reset_link();
    app.sql("UPDATE vestibule_users SET disabled_at = 1");
    app.visit(&link).is(404);
    assert!(app.block_on(app.accounts().enable(id)).unwrap());
    app.visit(&link).is(404);
    app.emails_do_not_matter();
}

#[test]
fn an_account_with_a_proven_address_gets_no_message() {
    let app = TestApp::new();
    let new = NewAccount::new(ADA.parse().unwrap()).verified();
    let ada = app.block_on(app.accounts().create(&new)).unwrap();
    assert!(ada.verified_email().is_some());
    app.run_jobs();
    assert!(app.emails().is_empty());
    let link = app.reset_link();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    app.emails_do_not_matter();
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
}

#[test]
fn an_administrator_is_one_at_once() {
    let app = TestApp::with_ada();
    let (accounts, id) = (app.accounts(), app.id_of(ADA));
    assert!(app.block_on(accounts.set_admin(id, true)).unwrap());
    assert!(!app.block_on(accounts.set_admin(id, true)).unwrap());
    assert!(app.block_on(accounts.user(id)).unwrap().unwrap().is_admin);
    assert!(app.block_on(accounts.set_admin(id, false)).unwrap());
}

#[test]
fn sessions_are_listed_and_ended() {
    let app = TestApp::with_ada();
    app.clock.advance(Duration::from_mins(5));
    let other = app.other_browser();
    other.log_in(ADA, PASSWORD);
    let (accounts, id) = (app.accounts(), app.id_of(ADA));
    let sessions = app.block_on(accounts.sessions(id)).unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].last_seen_at > sessions[1].last_seen_at, "the last used first");
    assert!(app.block_on(accounts.end_sessions(id)).unwrap());
    assert!(app.block_on(accounts.sessions(id)).unwrap().is_empty());
    assert!(!app.is_signed_in() && !other.is_signed_in());
    let nobody = UserId::from_bytes([7; 16]);
    assert!(!app.block_on(accounts.end_sessions(nobody)).unwrap());
}

/// A host's own tables decide what becomes of their rows.
#[test]
fn a_deleted_account_leaves_what_the_host_wants_to_keep() {
    let app = TestApp::with_ada();
    app.other_browser().sign_up(EVE);
    app.emails_do_not_matter();
    let id = if app.is_sqlite() { "BLOB" } else { "UUID" };
    for (table, choice) in
        [("notes", "ON DELETE CASCADE"), ("likes", "ON DELETE SET NULL"), ("bills", "")]
    {
        app.sql(&format!(
            "CREATE TABLE {table} (author {id} REFERENCES vestibule_users (id) {choice})"
        ));
        let whose = if table == "bills" { EVE } else { ADA };
        app.sql(&format!(
            "INSERT INTO {table} SELECT id FROM vestibule_users WHERE email_key = '{whose}'"
        ));
    }
    let (accounts, ada, eve) = (app.accounts(), app.id_of(ADA), app.id_of(EVE));
    assert!(app.block_on(accounts.delete(ada)).unwrap());
    assert!(!app.block_on(accounts.delete(ada)).unwrap());
    let left = "SELECT CAST(COUNT(*) AS TEXT) FROM";
    assert_eq!(app.texts(&format!("{left} notes")), ["0"]);
    assert_eq!(app.texts(&format!("{left} likes WHERE author IS NULL")), ["1"]);
    assert!(!app.is_signed_in());
    app.log_in(ADA, PASSWORD).is(401);
    // The bills of Eve must stay, and so does her account, whole.
    let refused = app.block_on(accounts.delete(eve));
    assert!(matches!(refused, Err(DeleteError::InUse)));
    app.log_in(EVE, PASSWORD).redirects_to("/profile");
    app.sql("DROP TABLE notes");
    app.sql("DROP TABLE likes");
    app.sql("DROP TABLE bills");
    // The address is free again.
    app.other_browser().sign_up(ADA).redirects_to("/profile");
    assert_ne!(app.id_of(ADA), ada);
}
