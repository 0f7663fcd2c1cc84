//! Which client IP counts, with and without proxies.

use rocket::http::Method::Post;

use super::SECOND;
use crate::harness::TestApp;

/// Promise 30.
#[test]
fn a_forged_header_does_not_change_the_client_ip() {
    let app = TestApp::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for n in 0..31 {
        let forged = format!("203.0.113.{n}");
        let headers = [
            form,
            ("X-Forwarded-For", forged.as_str()),
            ("X-Real-IP", &forged),
            ("Forwarded", &forged),
            ("True-Client-IP", &forged),
        ];
        let body = format!("email=p{n}@example.com&password=wrong");
        let seen = app.request(Post, "/login", &headers, Some(&body));
        assert_eq!(seen.status, if n < 30 { 401 } else { 429 }, "{n}");
    }
    assert_eq!(app.texts("SELECT DISTINCT ip FROM vestibule_events"), ["127.0.0.1"]);
}

/// Promise 30.
#[test]
fn a_trusted_proxy_reports_the_client_ip() {
    let proxies = ["127.0.0.0/8", "10.0.0.1"];
    let app = TestApp::with(|f| f.merge(("vestibule.trusted_proxies", proxies)));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for n in 0..31 {
        // The left part was made up by the client.
        let hops = format!("6.6.6.6, 203.0.113.{n}, 10.0.0.1");
        let body = format!("email=p{n}@example.com&password=wrong");
        app.request(Post, "/login", &[form, ("X-Forwarded-For", &hops)], Some(&body)).is(401);
    }
    for n in 0..31 {
        let hops = format!("2001:db8:1:2:{n:x}::1");
        let body = format!("email=q{n}@example.com&password=wrong");
        let seen = app.request(Post, "/login", &[form, ("X-Forwarded-For", &hops)], Some(&body));
        assert_eq!(seen.status, if n < 30 { 401 } else { 429 }, "one /64 is one client");
    }
    assert_eq!(app.count("events WHERE ip = '203.0.113.7'"), 1);
}

/// Promises 30 and 67: all clients behind it share one generous limit.
#[test]
fn behind_an_unknown_proxy_all_clients_share_one_limit() {
    let app = TestApp::with(|f| {
        f.merge(("vestibule.public_url", "https://accounts.example.com"))
            .merge(("vestibule.throttle.attempts_by_ip", 3))
            .merge(("vestibule.throttle.emails_by_ip", 2))
    });
    let attempts = (0..70).map(|n| {
        let form = [("email", &*format!("p{n}@example.com")), ("password", "x")];
        app.call(Post, "/sessions", form).status
    });
    assert_eq!(attempts.filter(|status| *status == 401).count(), 60);
    app.clock.advance(60 * SECOND);
    app.sql("DELETE FROM vestibule_throttle");
    for n in 0..50 {
        let form = [("email", &*format!("p{n}@example.com"))];
        app.call(Post, "/reset_password", form).is(200);
    }
    app.run_jobs();
    assert_eq!(app.count("outbox"), 10, "twenty times the two of one address are dealt with");
}

/// Promise 30.
#[test]
fn the_header_that_counts_is_a_setting() {
    let app = TestApp::behind_a_proxy(|figment| {
        figment.merge(("vestibule.client_ip_header", "X-Client"))
    });
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Client", "203.0.113.7"),
    ];
    app.request(Post, "/login", &headers, Some("email=a@example.com&password=x")).is(401);
    assert_eq!(app.texts("SELECT ip FROM vestibule_events"), ["203.0.113.7"]);
}

/// Promise 30: a trusted proxy that forgets the header, or sends nothing readable. Wherever it is, its address stands
/// for all who come by it.
#[test]
fn clients_of_a_proxy_that_reports_nobody_share_one_limit() {
    for headers in [&[][..], &[("X-Forwarded-For", "203.0.113.7, unknown")]] {
        let app = TestApp::behind_a_proxy(|figment| {
            figment.merge(("vestibule.throttle.attempts_by_ip", 3))
        });
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [headers, &[form]].concat();
        let attempts = (0..61).map(|n| {
            let body = format!("email=p{n}@example.com&password=x");
            app.request(Post, "/login", &headers, Some(&body)).status
        });
        assert_eq!(attempts.filter(|status| *status == 401).count(), 60);
    }
}
