//! The owner takes the address back: promise 56.

use std::time::Duration;

use super::{events_of_ada, with_verified_ada};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

const THIEF: &str = "thief@example.net";
const THIEFS_PASSWORD: &str = "nine green umbrellas";

/// Somebody at Ada's unlocked screen, who knows the password, changes the address; returns the undo link.
fn stolen() -> (TestApp, String) {
    let app = with_verified_ada();
    let undo = change(&app, THIEF);
    (app, undo)
}

/// Changes the address from the first browser, and returns the link that puts the one before back.
fn change(app: &TestApp, to: &str) -> String {
    app.post("/email-change", [("email", to)]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    let emails = app.emails();
    let undo = emails.iter().rev().find(|email| email.text.contains("/email-undo/")).unwrap();
    assert!(undo.text.contains(to), "{undo:?}");
    undo.link()
}

/// Presses the button, and chooses a new password on the page that it leads to.
fn put_back(app: &TestApp, undo: &str) {
    let owner = app.other_browser();
    owner.visit(undo).is(200).says(ADA);
    let answer = owner.post(undo, []);
    let reset = answer.header("location").unwrap().to_owned();
    let reset =
        crate::harness::mount::base().map_or(reset.clone(), |base| reset.replacen(&base, "", 1));
    assert!(reset.starts_with("/password-reset/"), "{reset}");
    owner.visit(&reset).is(200).says(ADA);
    owner.reset_password(&reset, NEW_PASSWORD).redirects_to("/login");
    owner.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    owner.visit("/security").says(ADA);
}

#[test]
fn the_owner_puts_the_address_back_and_chooses_a_new_password() {
    let (app, undo) = stolen();
    let secret = undo.rsplit('/').next().unwrap().to_owned();
    app.keeps_only_the_digest_of(&secret);
    put_back(&app, &undo);
    app.visit("/profile").redirects_to("/login?next=/profile");
    assert_eq!(app.other_browser().log_in(THIEF, PASSWORD).status, 401);
    assert_eq!(app.other_browser().log_in(ADA, PASSWORD).status, 401);
    app.other_browser().visit(&undo).is(404);
    assert!(events_of_ada(&app).contains(&"email-undone".to_owned()));
    // Whoever reads the other mailbox learns of it.
    let emails = app.emails();
    let told = emails.iter().rfind(|e| e.to == THIEF && e.subject.contains("was changed")).unwrap();
    // Without a link: it may be the thief.
    assert!(!told.text.contains("/not-me/"), "{told:?}");
}

#[test]
fn looking_at_the_link_does_nothing() {
    let (app, undo) = stolen();
    for _ in 0..5 {
        app.other_browser().visit(&undo).is(200);
    }
    app.visit("/security").says(THIEF);
}

/// Whatever the thief does in between.
#[test]
fn it_works_after_another_password_another_address_and_a_deletion() {
    let (app, undo) = stolen();
    app.change_password(PASSWORD, THIEFS_PASSWORD).redirects_to("/profile");
    app.emails_do_not_matter();
    let later = change(&app, "thief@example.org");
    app.post("/account-deletion", [("password", THIEFS_PASSWORD)]).is(200);
    let emails = app.emails();
    let restore = emails.iter().find(|email| email.text.contains("/account-restore/")).unwrap();
    put_back(&app, &undo);
    for dead in [later, restore.link()] {
        app.other_browser().visit(&dead).is(404);
        app.other_browser().post(&dead, []).is(404);
    }
    for email in [THIEF, "thief@example.org"] {
        assert_eq!(app.other_browser().log_in(email, THIEFS_PASSWORD).status, 401);
    }
    assert_eq!(app.other_browser().log_in(ADA, THIEFS_PASSWORD).status, 401);
    // It is not erased later either.
    app.clock.advance(Duration::from_secs(8 * 24 * 3600));
    app.run_jobs();
    app.other_browser().log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    app.emails();
}

/// The oldest link wins: that of the owner, and not one that the thief gets by changing the address again.
#[test]
fn an_older_link_wins_over_a_later_one() {
    let (app, undo) = stolen();
    let later = change(&app, "thief@example.org");
    let thief = app.other_browser();
    assert_eq!(thief.post(&later, []).status, 303);
    // The address of the thief is back; the owner's link still wins.
    put_back(&app, &undo);
    thief.visit(&later).is(404);
    app.emails();
}

/// Nobody takes the address while it can be put back.
#[test]
fn the_old_address_is_kept_for_its_owner() {
    let (app, undo) = stolen();
    app.other_browser()
        .post("/signup", [("email", ADA), ("password", THIEFS_PASSWORD)])
        .is(422)
        .says_beside("email", "already an account");
    let other = app.other_browser();
    other.sign_up("grace@example.com");
    other.post("/email-change", [("email", ADA)]).redirects_to("/security");
    let emails = app.emails();
    if let Some(link) =
        emails.iter().rev().find(|email| email.to == ADA && email.text.contains("/email-change/"))
    {
        other.visit(&link.link()).and_submit([]).is(409);
    }
    put_back(&app, &undo);
    app.emails();
}

/// Then nobody has a link to the address in between: that of a thief would be good for longer than the owner's.
#[test]
fn the_owner_may_change_back_as_well() {
    let (app, undo) = stolen();
    let later = change(&app, "thief@example.org");
    app.clock.advance(Duration::from_secs(5 * 60));
    app.post("/email-change", [("email", ADA)]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.visit("/security").says(ADA);
    let emails = app.emails();
    let told: Vec<_> = emails[emails.len() - 2..].iter().map(|email| &*email.to).collect();
    assert!(told.contains(&"thief@example.org") && told.contains(&ADA), "{told:?}");
    assert_eq!(emails.iter().filter(|email| email.text.contains("/email-undo/")).count(), 2);
    app.other_browser().visit(&later).is(404);
    app.other_browser().post(&later, []).is(404);
    // The owner's own link goes on to end everything that a thief may hold.
    put_back(&app, &undo);
    app.emails();
}

/// Promise 21, and the address is free afterwards.
#[test]
fn the_link_is_good_for_three_days() {
    let (app, undo) = stolen();
    app.clock.advance(Duration::from_secs(72 * 3600 - 1));
    app.other_browser().visit(&undo).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.other_browser().visit(&undo).is(404);
    app.other_browser().post(&undo, []).is(404);
    app.run_jobs();
    app.other_browser().sign_up(ADA);
    app.emails();
}

/// Promise 63.
#[test]
fn pressing_twice_does_not_fail() {
    let (app, undo) = stolen();
    let owner = app.other_browser();
    assert_eq!(owner.post(&undo, []).status, 303);
    owner.post(&undo, []).redirects_to("/password-reset");
    app.emails();
}

/// An account that the operator has disabled stays disabled.
#[test]
fn a_disabled_account_is_not_opened_by_it() {
    let (app, undo) = stolen();
    let id =
        app.block_on(app.accounts().user_by_email(&THIEF.parse().unwrap())).unwrap().unwrap().id;
    assert!(app.block_on(app.accounts().disable(id)).unwrap());
    app.other_browser().visit(&undo).is(404);
    app.other_browser().post(&undo, []).is(404);
    assert_eq!(app.other_browser().log_in(THIEF, PASSWORD).status, 401);
}

/// Promise 56: a thief cannot have the account erased at once.
#[test]
fn deleting_does_not_erase_what_can_be_put_back() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.account.deletion_grace", "0s")));
    app.sign_up(ADA);
    super::verify(&app);
    let undo = change(&app, THIEF);
    app.post("/account-deletion", [("password", PASSWORD)]).is(200);
    app.clock.advance(Duration::from_secs(72 * 3600 - 1));
    app.run_jobs();
    put_back(&app, &undo);
    app.emails();
}

/// Promises 56 and 63: pressed twice at once.
#[test]
fn pressing_twice_at_once_does_not_fail() {
    let (app, undo) = stolen();
    let mut statuses = app.post_at_once(3, &undo, []);
    statuses.sort_unstable();
    assert_eq!(statuses, [303; 3]);
    assert_eq!(app.count("events WHERE kind = 'email-undone'"), 1);
    app.emails();
}

/// Promise 56: a notice that has not left yet brings the thief no link.
#[test]
fn a_notice_that_leaves_later_has_no_link_for_the_thief() {
    let app = with_verified_ada();
    app.post("/email-change", [("email", THIEF)]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    // Its notice waits at a mail server.
    app.sql("UPDATE vestibule_outbox SET due_at = due_at + 60000 WHERE message = 'email-changed'");
    let undo = app.last_email().link();
    app.other_browser().visit(&undo).and_submit([]).is(303);
    app.clock.advance(Duration::from_mins(2));
    let emails = app.emails();
    let to_thief: Vec<_> = emails.iter().filter(|email| email.to == THIEF).collect();
    assert!(to_thief.len() >= 2, "{to_thief:?}");
    assert!(to_thief.iter().all(|email| !email.text.contains("/not-me/")), "{to_thief:?}");
}

/// Promise 21: links that were mailed to the thief are dead once the owner has the address again, however that came.
#[test]
fn links_at_the_thiefs_address_are_dead_afterwards() {
    let app = with_verified_ada();
    change(&app, THIEF);
    let at_thief = app.emails();
    let at_thief = at_thief.iter().rfind(|e| e.to == THIEF && e.text.contains("/not-me/")).unwrap();
    let link = at_thief.link();
    app.other_browser().visit(&link).is(200);
    app.post("/email-change", [("email", ADA)]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.other_browser().visit(&link).is(404);
    app.other_browser().post(&link, []).is(404);
    assert!(app.is_signed_in());
    app.emails();
}
