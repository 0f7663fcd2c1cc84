//! "This wasn't me": promises 51 and 61.

use std::time::Duration;

use super::{events_of_ada, with_verified_ada};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 61.
#[test]
fn the_link_in_a_notice_ends_every_session_and_starts_a_reset() {
    let app = with_verified_ada();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let notice = app.last_email();
    assert!(notice.link().starts_with("/not-me/"), "{notice:?}");
    app.keeps_only_the_digest_of(&notice.token());
    let owner = app.other_browser();
    for _ in 0..3 {
        owner.visit(&notice.link()).is(200);
    }
    assert!(app.is_signed_in());
    owner.visit(&notice.link()).and_submit([]).is(200).says("Every device is signed out");
    assert!(!app.is_signed_in());
    let reset = app.last_email();
    assert!(reset.link().starts_with("/password-reset/"), "{reset:?}");
    owner.reset_password(&reset.link(), "three silver bicycles").redirects_to("/login");
    owner.log_in(ADA, "three silver bicycles").redirects_to("/profile");
    assert!(events_of_ada(&app).contains(&"not-me".to_owned()));
    app.emails();
}

/// Promise 63.
#[test]
fn pressing_twice_succeeds_twice_and_mails_once() {
    let app = with_verified_ada();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let link = app.last_email().link();
    let before = app.emails().len();
    for _ in 0..2 {
        app.other_browser().post(&link, []).is(200).says("Every device is signed out");
    }
    app.other_browser().visit(&link).is(200).says("Every device is signed out");
    assert_eq!(app.emails().len(), before + 1);
    app.clock.advance(Duration::from_secs(11 * 60));
    app.other_browser().visit(&link).is(404);
}

/// Promise 61: nothing more. The password stays, and the link signs nobody in.
#[test]
fn whoever_else_opens_the_link_gets_nothing() {
    let app = with_verified_ada();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let stranger = app.other_browser();
    stranger.post(&app.last_email().link(), []).is(200);
    assert!(!stranger.is_signed_in());
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    app.emails();
}

/// Promise 28: it voids the known browsers too.
#[test]
fn known_browsers_become_strangers() {
    let app = with_verified_ada();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    app.other_browser().post(&app.last_email().link(), []).is(200);
    for _ in 0..5 {
        app.other_browser().guess(ADA);
    }
    assert_eq!(app.log_in(ADA, NEW_PASSWORD).status, 429);
    app.emails();
}

#[test]
fn the_link_is_good_for_three_days() {
    let app = with_verified_ada();
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    let link = app.last_email().link();
    app.clock.advance(Duration::from_secs(72 * 3600 - 1));
    app.other_browser().visit(&link).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.other_browser().visit(&link).is(404);
    app.other_browser().post(&link, []).is(404);
}

#[test]
fn a_signed_in_owner_ends_the_other_sessions_and_changes_the_password() {
    let app = with_verified_ada();
    let thief = app.elsewhere();
    app.visit("/not-me").and_submit([]).redirects_to("/password-change");
    app.visit("/password-change").is(200).says("Every other device is signed out.");
    assert!(!thief.is_signed_in());
    assert!(app.is_signed_in());
    app.clock.advance(Duration::from_secs(600));
    app.post("/not-me", []).redirects_to("/recent-login?next=/not-me");
    thief.visit("/not-me").redirects_to("/login?next=/not-me");
    app.emails();
}

/// Promise 63: pressed twice at once.
#[test]
fn pressing_twice_at_once_succeeds_twice_and_mails_once() {
    let app = with_verified_ada();
    app.elsewhere();
    app.change_password(PASSWORD, "three silver bicycles").redirects_to("/profile");
    let link = app.last_email().link();
    let before = app.emails().len();
    assert_eq!(app.other_browser().post_at_once(3, &link, []), [200; 3]);
    assert_eq!(app.emails().len(), before + 1);
}

/// What was known before the owner took the account back is not known any more.
#[test]
fn a_browser_that_was_reported_is_new_afterwards() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    app.sign_up(ADA);
    super::verify(&app);
    let thief = app.browser_at("203.0.113.9");
    thief.log_in(ADA, PASSWORD).redirects_to("/profile");
    let owner = app.other_browser();
    app.clock.advance(std::time::Duration::from_secs(1));
    owner.visit(&app.last_email().link()).and_submit([]).is(200);
    let reset = app.last_email().link();
    owner.reset_password(&reset, "three silver bicycles").redirects_to("/login");
    owner.log_in(ADA, "three silver bicycles").redirects_to("/profile");
    let before = app.emails().len();
    // Somebody has told the thief the new password.
    app.clock.advance(std::time::Duration::from_secs(1));
    thief.log_in(ADA, "three silver bicycles").redirects_to("/profile");
    let emails = app.emails().split_off(before);
    assert!(emails.iter().any(|email| email.subject.starts_with("New sign-in")), "{emails:?}");
}
