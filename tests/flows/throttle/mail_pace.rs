//! How fast the messages leave that one client IP or site causes.

use super::SECOND;
use crate::harness::{ADA, Browser, NEW_PASSWORD, PASSWORD, TestApp};

/// Promise 31: a class signs up behind one address. Each gets the letter, nobody is told an untruth.
#[test]
fn a_class_behind_one_address_gets_its_letters() {
    let app = TestApp::new();
    let pupils: Vec<Browser> = (0..30).map(|_| app.other_browser()).collect();
    for (n, pupil) in pupils.iter().enumerate() {
        pupil.sign_up(&format!("pupil{n}@example.com"));
    }
    assert_eq!(app.letters().len(), 30);
    pupils[25].visit("/profile").and_submit([]).redirects_to("/profile");
    pupils[25].visit("/profile").says("We have sent you an email with a link.");
    assert_eq!(app.letters().len(), 31);
    assert_eq!(app.last_letter().to, "pupil25@example.com");
}

/// Promise 31: whoever signs up with strangers' addresses is no mail cannon. So many letters leave at once,
/// the others one by one, and past a backlog nobody signs up from there.
#[test]
fn many_sign_ups_are_no_mail_cannon() {
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
    assert_eq!(app.letters().len(), 42);
    // No burst when the hour is over, and what somebody waits for goes first.
    for _ in 0..10 {
        app.clock.advance(90 * SECOND);
        app.run_jobs();
    }
    assert_eq!(app.letters().len(), 52);
    app.post("/password-reset", [("email", "p0@example.com")]).is(200);
    assert_eq!(app.last_letter().to, "p0@example.com");
    app.clock.advance(3600 * SECOND);
    assert_eq!(app.letters().len(), 82);
    sign_up(200, &app).redirects_to("/profile");
}

/// Promise 31: whoever confirms an address frees the place for a neighbour; nobody is told an untruth.
#[test]
fn a_confirmed_address_lets_the_next_letter_go() {
    let limit = ("vestibule.throttle.signups_by_ip", 2);
    let app = TestApp::with(|figment| figment.merge(limit));
    let pupils: Vec<Browser> = (0..4).map(|_| app.other_browser()).collect();
    for (n, pupil) in pupils.iter().enumerate() {
        pupil.sign_up(&format!("pupil{n}@example.com"));
        app.run_jobs();
    }
    let letters = app.letters();
    assert_eq!(letters.len(), 2);
    pupils[2].visit("/profile").and_submit([]).redirects_to("/profile");
    pupils[2].visit("/profile").says("Your email is about to be sent.");
    pupils[0].visit(&letters[0].link()).and_submit([]).redirects_to("/profile");
    assert_eq!(app.letters().len(), 3);
    assert_eq!(app.last_letter().to, "pupil2@example.com");
    // Once for each address.
    assert_eq!(app.letters().len(), 3);
    app.clock.advance(1800 * SECOND);
    assert_eq!(app.letters().len(), 4);
}

/// Promise 31: a place is given back as it was taken, from wherever the address is confirmed.
#[test]
fn a_confirmed_address_frees_one_place_of_a_named_network_and_no_more() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment
            .merge(("vestibule.throttle.networks", "203.0.113.0/24=10"))
            .merge(("vestibule.throttle.signups_by_ip", 2))
    });
    let sign_up = |n: usize| {
        app.browser_at("203.0.113.7").sign_up(&format!("p{n}@example.com"));
    };
    (0..20).for_each(sign_up);
    let letters = app.letters();
    assert_eq!(letters.len(), 20);
    app.visit(&letters[0].link()).and_submit([("password", PASSWORD)]).redirects_to("/profile");
    (20..24).for_each(sign_up);
    assert_eq!(app.letters().len(), 21);
}

/// Promise 31: the owner of an IPv6 site can pass for many networks, and gets the letters of a few.
#[test]
fn a_site_causes_no_more_letters_than_a_few_networks() {
    let app = TestApp::behind_a_proxy(|figment| figment);
    for n in 0..70 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
        app.run_jobs();
        app.clock.advance(90 * SECOND);
    }
    let before = app.letters().len();
    for n in 0..70 {
        let browser = app.browser_at(&format!("2001:db8:1:{n:x}::1"));
        browser.post("/password-reset", [("email", &*format!("p{n}@example.com"))]).is(200);
    }
    assert_eq!(app.letters().len(), before + 60);
}

/// Promise 31: a class that forgot its passwords gets all its links, if not all at once; and a neighbour who asks for
/// nonsense takes none of them, only time.
#[test]
fn links_that_are_asked_for_at_once_leave_one_after_the_other() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 1000)));
    for n in 0..30 {
        app.other_browser().sign_up(&format!("pupil{n}@example.com"));
    }
    let before = app.letters().len();
    for n in 0..30 {
        app.post("/password-reset", [("email", &*format!("pupil{n}@example.com"))]).is(200);
        app.clock.advance(SECOND);
    }
    assert_eq!(app.letters().len(), before + 20);
    // Ten wait, and thirty more may; whoever comes then is told so.
    app.clock.advance(60 * SECOND);
    for n in 0..30 {
        app.post("/password-reset", [("email", &*format!("nonsense{n}@example.com"))]).is(200);
        app.clock.advance(3 * SECOND);
    }
    let seen = app.post("/password-reset", [("email", "late@example.com")]);
    assert_eq!((seen.status, seen.header("retry-after")), (429, Some("180")));
    for _ in 0..11 {
        app.clock.advance(180 * SECOND);
        app.run_jobs();
    }
    assert_eq!(app.letters().len(), before + 30);
}

/// Promise 10: how soon one's own link leaves tells nobody whether those asked for before had anybody to go to.
#[test]
fn the_pace_of_links_tells_nobody_who_has_an_account() {
    let waits = ["known", "nobody"].map(|kind| {
        let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 2)));
        for n in 0..4 {
            app.other_browser().sign_up(&format!("known{n}@example.com"));
        }
        app.other_browser().sign_up("own@example.com");
        app.letters();
        for n in 0..3 {
            app.post("/password-reset", [("email", &*format!("{kind}{n}@example.com"))]).is(200);
            app.run_jobs();
        }
        app.post("/password-reset", [("email", "own@example.com")]).is(200);
        let is_there =
            || app.letters().iter().any(|l| l.to == "own@example.com" && l.text.contains("reset"));
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

/// Promise 31: letters that wait for their turn are due one after the other, not all with the next place.
#[test]
fn letters_that_wait_for_their_turn_are_due_in_turn() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.signups_by_ip", 6)));
    for n in 0..12 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
        app.run_jobs();
    }
    assert_eq!(app.letters().len(), 6);
    assert_eq!(app.texts("SELECT DISTINCT CAST(due_at AS TEXT) FROM vestibule_outbox").len(), 6);
    for sent in 7..=12 {
        app.clock.advance(600 * SECOND);
        assert_eq!(app.letters().len(), sent);
    }
}

/// Promise 53: whoever has asked for very much waits behind others.
#[test]
fn a_site_that_asks_for_many_letters_waits_behind_others() {
    let app =
        TestApp::behind_a_proxy(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 100)));
    app.sign_up(ADA);
    app.letters();
    let ask = |ip: &str, email: &str| {
        app.browser_at(ip).post("/password-reset", [("email", email)]).is(200);
    };
    for n in 0..60 {
        ask(&format!("2001:db8:1:{n}::1"), &format!("p{n}@example.com"));
    }
    ask("203.0.113.1", ADA);
    assert_eq!(app.count("outbox WHERE priority = 0"), 41);
    assert_eq!(app.count("outbox WHERE priority = 2"), 20);
    assert_eq!(app.letters().len(), 2);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 31: 20 an hour by one client, and one that has had them uses up nobody's three.
#[test]
fn whoever_has_asked_for_too_many_letters_silences_nobody() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment.merge(("vestibule.throttle.attempts_by_ip", 1000))
    });
    app.sign_up(ADA);
    let ask = |ip: &str, email: &str| {
        app.browser_at(ip).post("/password-reset", [("email", email)]).is(200);
    };
    for n in 0..20 {
        ask("203.0.113.7", &format!("p{n}@example.com"));
    }
    for _ in 0..5 {
        ask("203.0.113.7", ADA);
    }
    let resets = || app.letters().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets(), 0);
    ask("198.51.100.1", ADA);
    assert_eq!(resets(), 1);
}

/// Promise 31: notices of what happened leave, however many letters there have been.
#[test]
fn a_notice_is_never_held_back() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 2)));
    app.sign_up(ADA);
    let link = app.reset_link();
    // That was its share.
    app.submit("/password-reset", [("email", ADA)]).is(200);
    app.submit("/password-reset", [("email", ADA)]).is(200);
    assert_eq!(app.letters().len(), 3);
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    assert_eq!(app.last_letter().subject, "Your Vestibule password was changed");
}
