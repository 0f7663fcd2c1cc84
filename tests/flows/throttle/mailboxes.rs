//! Quotas of messages to one mailbox.

use super::SECOND;
use crate::harness::{ADA, Browser, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 31.
#[test]
fn nobody_can_flood_a_mailbox() {
    let app = TestApp::with_ada();
    let mut bodies: Vec<String> = Vec::new();
    for email in [ADA, "bob@example.com"] {
        for _ in 0..5 {
            let seen = app
                .submit("/password-reset", [("email", email)])
                .redirects_to("/password-reset-sent");
            bodies.push(seen.body.replace(email, "…"));
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the answer stays the same");
    let resets = || app.emails().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets(), 3);
    // Not because three links are open: the hourly quota counts.
    app.sql("DELETE FROM vestibule_links");
    app.submit("/password-reset", [("email", ADA)]);
    assert_eq!(resets(), 3);
    app.clock.advance(3600 * SECOND);
    app.submit("/password-reset", [("email", ADA)]);
    assert_eq!(resets(), 4);
}

/// Promises 29 and 31: a stranger who requests links for an account does not use up its owner's: as soon as the
/// last one is void, another one can be requested.
#[test]
fn requesting_many_links_does_not_keep_the_owner_from_one() {
    let app = TestApp::with_ada();
    let links =
        || app.emails().iter().filter(|email| email.text.contains("/password-reset/")).count();
    let ask = || {
        app.other_browser()
            .post("/password-reset", [("email", ADA)])
            .redirects_to("/password-reset-sent")
    };
    (0..3).for_each(|_| drop(ask()));
    assert_eq!(links(), 3);
    // The links are valid for another second.
    app.clock.advance(3599 * SECOND);
    (0..3).for_each(|_| drop(ask()));
    assert_eq!(links(), 3);
    app.clock.advance(2 * SECOND);
    ask();
    assert_eq!(links(), 4);
}

/// Promise 31: a change sends a notice, possibly to a stranger whose address was used to sign up.
#[test]
fn changing_the_password_again_and_again_floods_no_mailbox() {
    let app = TestApp::with_ada();
    let change = |n: usize| {
        let (old, new) =
            if n.is_multiple_of(2) { (PASSWORD, NEW_PASSWORD) } else { (NEW_PASSWORD, PASSWORD) };
        app.change_password(old, new)
    };
    for n in 0..3 {
        change(n).redirects_to("/profile");
    }
    change(3).is(429).says("Too many attempts. Wait 60 minutes");
    let notices = || app.emails().iter().filter(|l| l.subject.contains("was changed")).count();
    assert_eq!(notices(), 3);
    app.clock.advance(3600 * SECOND);
    change(3).redirects_to("/profile");
    assert_eq!(notices(), 4);
}

/// Promises 31 and 51: a notice to an unverified address counts against the client that causes it.
#[test]
fn notices_flood_no_mailbox_of_a_stranger() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
            .merge(("vestibule.throttle.emails_by_ip", 5))
    });
    let notices = || app.emails().iter().filter(|l| l.subject.contains("was changed")).count();
    let change = |browser: &Browser, n: usize| {
        let passwords = [PASSWORD, NEW_PASSWORD, "a third way to say it", "and a fourth way of it"];
        let form = [("password", passwords[n]), ("new_password", passwords[n + 1])];
        browser.submit("/password-change", form).redirects_to("/profile");
    };
    for n in 0..4 {
        let thief = app.other_browser();
        thief.sign_up(&format!("stranger{n}@example.com"));
        for n in 0..3 {
            change(&thief, n);
        }
    }
    assert_eq!(notices(), 5);
    // The owner of a verified address is always notified.
    app.sign_up(ADA);
    let link = app.emails().into_iter().rfind(|l| l.to == ADA).unwrap().link();
    app.visit(&link).and_submit([]).redirects_to("/profile");
    for n in 0..3 {
        change(&app, n);
    }
    assert_eq!(notices(), 8);
}

/// Promise 31: a mailbox with many addresses is still one.
#[test]
fn plus_addresses_flood_no_mailbox() {
    let app = TestApp::new();
    let sign_up = |email: &str| {
        app.other_browser().post("/signup", [("email", email), ("password", PASSWORD)])
    };
    for n in 0..9 {
        sign_up(&format!("boss+{n}@example.com")).redirects_to("/profile");
    }
    // The account is created, and its email waits.
    sign_up("boss+9@example.com").redirects_to("/profile");
    assert_eq!(app.emails().len(), 9);
    // Neither neighbours nor verified accounts wait for it.
    sign_up(ADA).redirects_to("/profile");
    let email = app.emails().into_iter().find(|email| email.to == "boss+1@example.com");
    let confirmed = app.other_browser().visit(&email.unwrap().link());
    confirmed.and_submit([("password", PASSWORD)]).redirects_to("/profile");
    for n in 0..3 {
        app.post("/password-reset", [("email", &*format!("boss+z{n}@example.com"))])
            .redirects_to("/password-reset-sent");
    }
    app.post("/password-reset", [("email", "boss+1@example.com")])
        .redirects_to("/password-reset-sent");
    assert_eq!(app.emails().len(), 11);
    app.clock.advance(400 * SECOND);
    assert!(app.emails().iter().any(|email| email.to == "boss+9@example.com"));
}

/// Promise 31: emails to all unverified addresses of a mailbox count together, whatever they are.
#[test]
fn a_mailbox_with_many_addresses_gets_no_more_emails_of_any_kind() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 1000)));
    for n in 0..9 {
        app.other_browser().sign_up(&format!("ada+{n}@example.com"));
    }
    assert_eq!(app.emails().len(), 9);
    // But the owner still gets a link to each of these accounts, one at a time.
    for n in [0; 3].into_iter().chain(0..9).chain(0..9).chain(0..9) {
        app.post("/password-reset", [("email", &*format!("ada+{n}@example.com"))])
            .redirects_to("/password-reset-sent");
    }
    let emails = app.emails();
    for n in 0..9 {
        let to = format!("ada+{n}@example.com");
        assert_eq!(emails.iter().filter(|email| email.to == to).count(), 2, "{to}");
    }
    // Three more accounts were created for it: no link for these within the hour, and no notice.
    for n in 9..12 {
        app.clock.advance(400 * SECOND);
        let thief = app.other_browser();
        thief.sign_up(&format!("ada+{n}@example.com"));
        app.post("/password-reset", [("email", &*format!("ada+{n}@example.com"))])
            .redirects_to("/password-reset-sent");
        thief.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    }
    assert_eq!(app.emails().len(), 21);
    // Nor do other spellings help where they mean the same mailbox.
    let dots = (0..12).map(|n| {
        let local = ["ada", "a.da", "ad.a", "a.d.a"][n % 4];
        let domain = ["gmail.com", "googlemail.com"][n % 2];
        let email = format!("{local}+{n}@{domain}");
        app.other_browser().post("/signup", [("email", &*email), ("password", PASSWORD)]).status
    });
    assert_eq!(dots.filter(|status| *status == 303).count(), 12);
    assert_eq!(app.emails().len(), 30);
}

/// Promises 29 and 31: filling a mailbox through its many addresses keeps its owner, who is elsewhere, neither from
/// a link nor from an account.
#[test]
fn strangers_who_fill_a_mailbox_do_not_lock_its_owner_out() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    let (eve, ada) = ("203.0.113.66", "198.51.100.7");
    let sign_up = |from: &str, email: &str| {
        app.browser_at(from).post("/signup", [("email", email), ("password", PASSWORD)]).status
    };
    let ask = |from: &str, email: &str| {
        app.browser_at(from).post("/password-reset", [("email", email)]).status
    };
    let own = "ada.love-lace@proton.me";
    assert_eq!(sign_up(ada, own), 303);
    for n in 0..12 {
        sign_up(eve, &format!("adalovelace+{n}@pm.me"));
    }
    assert_eq!(app.emails().len(), 9);
    for n in 0..12 {
        assert_eq!(ask(eve, &format!("adalovelace+{n}@pm.me")), 303);
    }
    assert_eq!(app.emails().len(), 18);
    assert_eq!(ask(ada, own), 303);
    assert_eq!(app.last_email().to, own);
    assert_eq!(sign_up(ada, "ada_lovelace@protonmail.com"), 303);
    // Nor can many strangers flood it: three of them get as many.
    let before = app.emails().len();
    for site in 1..6 {
        for n in 0..12 {
            ask(&format!("192.0.2.{site}"), &format!("adalovelace+{n}@pm.me"));
        }
    }
    assert!(app.emails().len() <= before + 27);
    // Elsewhere a dot makes another mailbox, which is not affected.
    for n in 0..12 {
        sign_up(eve, &format!("gracehopper+{n}@corp.example"));
    }
    assert_eq!(sign_up(ada, "grace.hopper@corp.example"), 303);
    assert!(app.emails().iter().any(|email| email.to == "grace.hopper@corp.example"));
}
