//! Rate limits on emails, by client IP and by site.

use super::SECOND;
use crate::harness::{ADA, Browser, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 31: a class signs up behind one address. Each pupil gets the email they were promised.
#[test]
fn a_class_behind_one_address_gets_its_emails() {
    let app = TestApp::new();
    let pupils: Vec<Browser> = (0..30).map(|_| app.other_browser()).collect();
    for (n, pupil) in pupils.iter().enumerate() {
        pupil.sign_up(&format!("pupil{n}@example.com"));
    }
    assert_eq!(app.emails().len(), 30);
    pupils[25].visit("/profile").and_submit([]).redirects_to("/profile");
    pupils[25].visit("/profile").says("We have sent you an email with a link.");
    assert_eq!(app.emails().len(), 31);
    assert_eq!(app.last_email().to, "pupil25@example.com");
}

/// Promise 31: signing up with strangers' addresses floods nobody. A burst of emails is sent at once, the others
/// one by one; when too many wait, further sign-ups from there are refused.
#[test]
fn many_sign_ups_cannot_flood_strangers() {
    let app = TestApp::new();
    let sign_up = |n: usize, browser: &Browser| {
        browser.post("/signup", [("email", &*format!("p{n}@example.com")), ("password", PASSWORD)])
    };
    let (mut taken, mut last) = (0, None);
    for minute in 0..4 {
        for n in 0..30 {
            let seen = sign_up(30 * minute + n, &app.other_browser());
            taken += usize::from(seen.status == 303);
            last = Some(seen);
        }
        app.run_jobs();
        app.clock.advance(60 * SECOND);
    }
    assert_eq!(taken, 81, "forty left, one more since, forty wait");
    let refused = last.unwrap().is(429).says("Many people have just signed up from your network.");
    assert_eq!(refused.header("retry-after"), Some("90"));
    assert_eq!(app.emails().len(), 42);
    // No burst when the hour is over, and awaited emails go first.
    for _ in 0..10 {
        app.clock.advance(90 * SECOND);
        app.run_jobs();
    }
    assert_eq!(app.emails().len(), 52);
    app.post("/password-reset", [("email", "p0@example.com")]).redirects_to("/password-reset-sent");
    assert_eq!(app.last_email().to, "p0@example.com");
    app.clock.advance(3600 * SECOND);
    assert_eq!(app.emails().len(), 82);
    sign_up(200, &app).redirects_to("/profile");
}

/// Promise 31: verifying an address refunds a charge to a neighbour.
#[test]
fn a_verified_address_lets_the_next_email_leave() {
    let limit = ("vestibule.throttle.signups_by_ip", 2);
    let app = TestApp::with(|figment| figment.merge(limit));
    let pupils: Vec<Browser> = (0..4).map(|_| app.other_browser()).collect();
    for (n, pupil) in pupils.iter().enumerate() {
        pupil.sign_up(&format!("pupil{n}@example.com"));
        app.run_jobs();
    }
    let emails = app.emails();
    assert_eq!(emails.len(), 2);
    pupils[2].visit("/profile").and_submit([]).redirects_to("/profile");
    pupils[2].visit("/profile").says("Your email is about to be sent.");
    pupils[0].visit(&emails[0].link()).and_submit([]).redirects_to("/profile");
    assert_eq!(app.emails().len(), 3);
    assert_eq!(app.last_email().to, "pupil2@example.com");
    // Once for each address.
    assert_eq!(app.emails().len(), 3);
    app.clock.advance(1800 * SECOND);
    assert_eq!(app.emails().len(), 4);
}

/// Promise 31: the same charge is refunded that was taken, wherever the address is verified.
#[test]
fn a_verified_address_refunds_one_charge_of_a_configured_network() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment
            .merge(("vestibule.throttle.networks", "203.0.113.0/24=10"))
            .merge(("vestibule.throttle.signups_by_ip", 2))
    });
    let sign_up = |n: usize| {
        app.browser_at("203.0.113.7").sign_up(&format!("p{n}@example.com"));
    };
    (0..20).for_each(sign_up);
    let emails = app.emails();
    assert_eq!(emails.len(), 20);
    app.visit(&emails[0].link()).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    (20..24).for_each(sign_up);
    assert_eq!(app.emails().len(), 21);
}

/// Promise 31: the owner of an IPv6 site has many prefixes, and gets the emails of a few.
#[test]
fn a_site_causes_no_more_emails_than_a_few_customers() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    for n in 0..70 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
        app.run_jobs();
        app.clock.advance(90 * SECOND);
    }
    let before = app.emails().len();
    for n in 0..70 {
        let browser = app.browser_at(&format!("2001:db8:1:{n:x}::1"));
        browser
            .post("/password-reset", [("email", &*format!("p{n}@example.com"))])
            .redirects_to("/password-reset-sent");
    }
    assert_eq!(app.emails().len(), before + 60);
}

/// Promise 31: a class that forgot its passwords gets all its links, if not all at once; requests for unknown
/// addresses from there take none of them, only time.
#[test]
fn links_requested_at_once_leave_one_after_the_other() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 1000)));
    for n in 0..30 {
        app.other_browser().sign_up(&format!("pupil{n}@example.com"));
    }
    let before = app.emails().len();
    for n in 0..30 {
        app.post("/password-reset", [("email", &*format!("pupil{n}@example.com"))])
            .redirects_to("/password-reset-sent");
        app.clock.advance(SECOND);
    }
    assert_eq!(app.emails().len(), before + 20);
    // Ten wait, and thirty more may; further requests are refused.
    app.clock.advance(60 * SECOND);
    for n in 0..30 {
        app.post("/password-reset", [("email", &*format!("nonsense{n}@example.com"))])
            .redirects_to("/password-reset-sent");
        app.clock.advance(3 * SECOND);
    }
    let seen = app.post("/password-reset", [("email", "late@example.com")]);
    assert_eq!((seen.status, seen.header("retry-after")), (429, Some("180")));
    for _ in 0..11 {
        app.clock.advance(180 * SECOND);
        app.run_jobs();
    }
    assert_eq!(app.emails().len(), before + 30);
}

/// Promise 10: the time of one's own link does not reveal whether earlier requests were for existing accounts.
#[test]
fn the_rate_of_links_does_not_reveal_accounts() {
    let waits = ["known", "nobody"].map(|kind| {
        let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 2)));
        for n in 0..4 {
            app.other_browser().sign_up(&format!("known{n}@example.com"));
        }
        app.other_browser().sign_up("own@example.com");
        app.emails();
        for n in 0..3 {
            app.post("/password-reset", [("email", &*format!("{kind}{n}@example.com"))])
                .redirects_to("/password-reset-sent");
            app.run_jobs();
        }
        app.post("/password-reset", [("email", "own@example.com")])
            .redirects_to("/password-reset-sent");
        let is_there =
            || app.emails().iter().any(|l| l.to == "own@example.com" && l.text.contains("reset"));
        let mut minutes = 0;
        while !is_there() {
            app.clock.advance(60 * SECOND);
            minutes += 1;
        }
        minutes
    });
    assert_eq!(waits[0], waits[1]);
    assert!(waits[0] > 30, "{waits:?}");
}

/// Promise 31: waiting emails become due one after the other, not all with the next charge.
#[test]
fn waiting_emails_are_due_one_after_the_other() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.signups_by_ip", 6)));
    for n in 0..12 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
        app.run_jobs();
    }
    assert_eq!(app.emails().len(), 6);
    assert_eq!(app.texts("SELECT DISTINCT CAST(due_at AS TEXT) FROM vestibule_outbox").len(), 6);
    for sent in 7..=12 {
        app.clock.advance(600 * SECOND);
        assert_eq!(app.emails().len(), sent);
    }
}

/// Promise 53: emails of a site that has requested very many wait behind others.
#[test]
fn a_site_that_requests_many_emails_waits_behind_others() {
    let app =
        TestApp::behind_a_proxy(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 100)));
    app.sign_up(ADA);
    app.emails();
    let ask = |ip: &str, email: &str| {
        app.browser_at(ip)
            .post("/password-reset", [("email", email)])
            .redirects_to("/password-reset-sent");
    };
    for n in 0..60 {
        ask(&format!("2001:db8:1:{n}::1"), &format!("p{n}@example.com"));
    }
    ask("203.0.113.1", ADA);
    assert_eq!(app.count("outbox WHERE priority = 0"), 41);
    assert_eq!(app.count("outbox WHERE priority = 2"), 20);
    assert_eq!(app.emails().len(), 2);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 31: 20 an hour for one client. Beyond that it does not use up an address's three.
#[test]
fn a_client_over_its_email_limit_affects_nobody_else() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment.merge(("vestibule.throttle.attempts_by_ip", 1000))
    });
    app.sign_up(ADA);
    let ask = |ip: &str, email: &str| {
        app.browser_at(ip)
            .post("/password-reset", [("email", email)])
            .redirects_to("/password-reset-sent");
    };
    for n in 0..20 {
        ask("203.0.113.7", &format!("p{n}@example.com"));
    }
    for _ in 0..5 {
        ask("203.0.113.7", ADA);
    }
    let resets = || app.emails().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets(), 0);
    ask("198.51.100.1", ADA);
    assert_eq!(resets(), 1);
}

/// Promise 31: notices are sent, however many emails there have been.
#[test]
fn notices_are_always_sent() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 2)));
    app.sign_up(ADA);
    let link = app.reset_link();
    // That was its quota.
    app.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    app.submit("/password-reset", [("email", ADA)]).redirects_to("/password-reset-sent");
    assert_eq!(app.emails().len(), 3);
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    assert_eq!(app.last_email().subject, "Your Vestibule password was changed");
}
