//! How many messages may wait.

use std::time::Instant;

use super::SECOND;
use crate::harness::mail_server::{MailServer, Manner};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp, in_ci};

/// Promise 67: while a mail server is down for days, strangers cannot fill the disk.
#[test]
fn the_outbox_has_a_limit_and_reserves_half_for_awaited_messages() {
    let app =
        TestApp::with(|figment| figment.merge(("vestibule.mail.smtp_url", "smtp://127.0.0.1:1")));
    app.sign_up(ADA);
    let id = if app.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    let fill = |n: usize| {
        app.sql(&format!(
            "INSERT INTO vestibule_outbox (id, message, recipient, device, ip, attempts, created_at, due_at) \
             WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n}) \
             SELECT {id}, 'password-reset', 'x@example.com', '', '', 1, 0, \
             (SELECT MAX(created_at) FROM vestibule_users) + 1800000 FROM numbers"
        ));
        app.run_jobs();
    };
    fill(20_000);
    let form = [("email", "bob@example.com"), ("password", PASSWORD)];
    app.other_browser().post("/signup", form).is(503).shows_in("email", "bob@example.com");
    app.other_browser()
        .post("/password-reset", [("email", ADA)])
        .redirects_to("/password-reset-sent");
    fill(20_000);
    app.other_browser()
        .post("/password-reset", [("email", ADA)])
        .is(503)
        .says("Too many emails are waiting to be sent.");
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
    // Only while it is full; and never beyond that, however many requests arrive between two counts.
    app.sql("DELETE FROM vestibule_outbox");
    fill(39_990);
    let ask =
        |n| app.other_browser().post("/password-reset", [("email", &*format!("p{n}@example.com"))]);
    let statuses: Vec<u16> = (0..15).map(|n| ask(n).status).collect();
    assert_eq!(statuses, [[303; 10].as_slice(), &[503; 5]].concat());
    assert_eq!(app.count("outbox"), 40_000);
    // Nor is there room for a notice to an address that may be a stranger's.
    app.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("outbox"), 40_000);
}

/// Promise 67: while one email takes long, the limit on the others holds, and ends when there is room.
#[test]
fn the_limit_on_emails_follows_the_outbox_during_a_delivery() {
    // The outbox is counted every five seconds.
    if !in_ci() {
        return;
    }
    let server = MailServer::start(vec![Manner::IsSilent]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::with(move |figment| {
        let figment =
            figment.merge(("vestibule.jobs", true)).merge(("vestibule.mail.smtp_url", url));
        figment
            .merge(("vestibule.mail.timeout", "60s"))
            .merge(("vestibule.throttle.emails_by_ip", 1_000_000))
            .merge(("vestibule.throttle.attempts_by_ip", 1_000_000))
    });
    app.sign_up(ADA);
    let ask = || app.post("/password-reset", [("email", "nobody@example.com")]).status;
    let asked_until = |status| {
        let begun_at = Instant::now();
        while ask() != status {
            assert!(begun_at.elapsed() < 30 * SECOND, "never {status}");
        }
    };
    while !server.has_silence() {
        ask();
    }
    let id = if app.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    app.sql(&format!(
        "INSERT INTO vestibule_outbox (id, message, recipient, device, ip, attempts, created_at, due_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 40000) \
         SELECT {id}, 'password-reset', 'x@example.com', '', '', 1, 0, \
         (SELECT MAX(created_at) FROM vestibule_users) + 1800000 FROM numbers"
    ));
    asked_until(503);
    app.sql("DELETE FROM vestibule_outbox WHERE recipient = 'x@example.com'");
    asked_until(303);
    assert_eq!(app.count("outbox WHERE user_id IS NOT NULL"), 1, "it is still under way");
}

/// Promise 67: a site that has filled its share of the outbox waits, and nobody else.
#[test]
fn one_site_has_a_share_of_the_outbox() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment.merge(("vestibule.mail.smtp_url", "smtp://127.0.0.1:1"))
    });
    let eve = app.browser_at("203.0.113.2");
    eve.sign_up("eve@example.com");
    app.sql("DELETE FROM vestibule_outbox");
    let ask_from =
        |ip: &str| app.browser_at(ip).post("/password-reset", [("email", "a@example.com")]);
    ask_from("2001:db8:1:2::3").redirects_to("/password-reset-sent");
    let id = if app.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    app.sql(&format!(
        "INSERT INTO vestibule_outbox (id, message, recipient, device, ip, attempts, created_at, due_at, site_key) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3999) \
         SELECT {id}, message, recipient, '', '', 1, created_at, due_at + 1800000, site_key \
         FROM numbers, vestibule_outbox"
    ));
    // Another prefix of the same customer.
    let words = "Too many emails that were asked for from your network are waiting to be sent.";
    ask_from("2001:db8:1:ffff::1").is(429).says(words);
    ask_from("2001:db8:2::1").redirects_to("/password-reset-sent");
    ask_from("203.0.113.1").redirects_to("/password-reset-sent");
    assert_eq!(app.count("outbox"), 4_002);
    // Nor does a notice to an unverified address find room there.
    let of_that_site = app.browser_at("2001:db8:1::1");
    of_that_site.cookies.borrow_mut().clone_from(&eve.cookies.borrow());
    of_that_site.change_password(PASSWORD, NEW_PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("outbox"), 4_002);
}
