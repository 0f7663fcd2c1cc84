use std::time::Duration;

use crate::harness::{NEW_PASSWORD, PASSWORD, TestApp};

#[test]
fn a_user_verifies_their_address() {
    let app = TestApp::with_ada();
    app.visit("/profile").says("Not confirmed yet");
    app.visit("/security").says("Not confirmed yet");
    let email = app.last_email();
    let link = email.link();
    app.keeps_only_the_digest_of(&email.token());
    app.visit(&link)
        .is(200)
        .does_not_say("type=\"password\"")
        .and_submit([])
        .redirects_to("/profile");
    app.visit("/profile")
        .says("Your email address is confirmed.")
        .does_not_say("Not confirmed yet");
    app.keeps_only_the_digest_of(&email.token());
    // Somebody who confirmed on the phone and looks again on the computer.
    app.other_browser()
        .visit(&link)
        .is(404)
        .says("The link has been used or is too old")
        .says("Your email address may already be confirmed.")
        .says("href=\"/profile\">Go to your profile");
    app.visit(&link).redirects_to("/profile");
    app.visit("/profile").says("Your email address is confirmed.");
}

/// Promise 19.
#[test]
fn only_the_button_verifies() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    for _ in 0..10 {
        app.visit(&link).is(200);
    }
    app.visit("/profile").says("Not confirmed yet");
}

/// Promise 15.
#[test]
fn verifying_from_another_browser_requires_the_password() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    let owner = app.other_browser();
    owner.sign_up("other@example.com");
    for browser in [owner, app.other_browser()] {
        let page = browser.visit(&link).is(200).says("type=\"password\"");
        page.and_submit([("password", "")]).is(422).says_beside("password", "Enter your password.");
        page.and_submit([("password", NEW_PASSWORD)])
            .is(422)
            .says_beside("password", "not the password of this account");
        browser.post(&link, []).is(422);
    }
    app.visit("/profile").says("Not confirmed yet");
    let elsewhere = app.other_browser();
    elsewhere.visit(&link).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    elsewhere.visit("/profile").is(200).says("Your email address is confirmed.");
    // A used link succeeds again for a client that shows once more that the account is theirs, and for nobody else.
    let other = app.other_browser();
    other.log_in("other@example.com", PASSWORD);
    other.post(&link, []).is(404).says("The link has been used or is too old");
    other.post(&link, [("password", NEW_PASSWORD)]).is(404);
}

#[test]
fn the_email_is_sent_again_on_request() {
    let app = TestApp::with_ada();
    app.visit("/profile").and_submit([]).redirects_to("/profile");
    app.visit("/profile").says("We have sent you an email with a link.");
    let emails = app.emails();
    assert_eq!(emails.len(), 2);
    app.visit(&emails[0].link()).and_submit([]).redirects_to("/profile");
    app.other_browser().visit(&emails[1].link()).is(404);
    app.post("/verify-email", []).redirects_to("/profile");
    assert_eq!(app.emails().len(), 2, "nothing is left to confirm");
    app.other_browser().post("/verify-email", []).redirects_to("/login?next=/profile");
}

/// Promises 17 and 18: a link that was copied with something around it, or with spaces in it, is the same link.
#[test]
fn a_copied_link_works_with_what_was_copied_with_it() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    let at = link.len() - 20;
    for copied in [
        format!("{link}="),
        format!("{link}."),
        format!("{link})"),
        format!("{link}%3E"),
        format!("{link}%E2%80%9D,"),
        format!("{link}/."),
        format!("{link}%20"),
        format!("{link}%0AIf%20you"),
        format!("{}%20{}", &link[..at], &link[at..]),
        format!("{}=%0D%0A{}", &link[..at], &link[at..]),
        format!("{}%E2%80%8B{}", &link[..at], &link[at..]),
    ] {
        app.visit(&copied).is(200).says("Confirm your address");
    }
    app.visit(&link[..link.len() - 1]).is(404);
    app.visit(&format!("{link}).")).and_submit([]).redirects_to("/profile");
    app.visit("/profile").says("Your email address is confirmed.");
    // A reset too, by its page and by a program.
    let reset = app.reset_link();
    app.visit(&format!("{reset}%3E")).is(200).says("Choose a new password");
    let token = reset.rsplit('/').next().unwrap();
    let copied = format!(" {} {}.", &token[..9], &token[9..]);
    let form = [("reset_token", &*copied), ("new_password", NEW_PASSWORD)];
    app.call(rocket::http::Method::Post, "/api/v1/update_password", form).is(200);
}

/// Promise 21.
#[test]
fn a_link_dies_after_a_day() {
    let app = TestApp::with_ada();
    let link = app.last_email().link();
    app.clock.advance(Duration::from_secs(24 * 3600 - 1));
    app.visit(&link).is(200);
    app.clock.advance(Duration::from_secs(1));
    app.visit(&link).is(404).says("sends you a new link");
    app.post(&link, [("password", PASSWORD)]).is(404);
}

/// Promise 21.
#[test]
fn three_links_may_be_open_and_no_more() {
    let app = TestApp::with_ada();
    for _ in 0..4 {
        app.post("/verify-email", []).redirects_to("/profile");
    }
    app.visit("/profile").says("several emails whose links still work");
    assert_eq!(app.emails().len(), 3);
}

/// Promise 33: a link that nobody was sent claims nothing.
#[test]
fn a_made_up_link_says_nothing_of_an_address() {
    let app = TestApp::with_ada();
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/profile");
    app.visit("/profile");
    app.visit(&format!("/verify-email/{}", "A".repeat(43))).redirects_to("/profile");
    app.visit("/profile").is(200).does_not_say("Your email address is confirmed.");
}
