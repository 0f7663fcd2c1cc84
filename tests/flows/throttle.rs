//! Attackers and crowds.

use std::time::{Duration, Instant};

use rocket::http::Method::{Get, Post};

use crate::harness::{Browser, NEW_PASSWORD, PASSWORD, SECRET_KEY, TestApp, in_ci};
use crate::mail_server::{MailServer, Manner};

const SECOND: Duration = Duration::from_secs(1);

fn fail(browser: &Browser, email: &str) -> u16 {
    browser.post("/login", [("email", email), ("password", "wrong")]).status
}

fn retry_after(browser: &Browser, email: &str) -> u64 {
    let seen = browser.post("/login", [("email", email), ("password", PASSWORD)]).is(429);
    seen.header("retry-after").expect("Retry-After").parse().unwrap()
}

/// Promise 27.
#[test]
fn guessing_has_to_wait_longer_and_longer() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let thief = app.other_browser();
    for _ in 0..5 {
        assert_eq!(fail(&thief, "ada@example.com"), 401);
    }
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        // Even the right password; and asking again does not make it longer.
        for _ in 0..2 {
            assert_eq!(retry_after(&thief, "ADA@example.com"), wait);
        }
        app.clock.advance(Duration::from_secs(wait));
        assert_eq!(fail(&thief, "ada@example.com"), 401);
    }
    // Never for good.
    app.clock.advance(900 * SECOND);
    app.other_browser().log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    assert_eq!(fail(&thief, "ada@example.com"), 401, "a success empties the bucket");
}

/// Promise 26: whoever goes on asking during a wait takes nobody's turn at the database.
#[test]
fn asking_again_during_a_wait_writes_nothing() {
    let app = TestApp::new();
    if !app.is_sqlite() {
        return; // There, nobody waits for another's write.
    }
    let thief = app.other_browser();
    for _ in 0..6 {
        fail(&thief, "ada@example.com");
    }
    let writes = app.count_writes(|| {
        for _ in 0..50 {
            assert_eq!(fail(&app.other_browser(), "ada@example.com"), 429);
        }
    });
    assert_eq!(writes, 0);
}

/// Promise 27.
#[test]
fn failures_are_forgotten_after_a_day() {
    let app = TestApp::new();
    for _ in 0..7 {
        fail(&app, "ada@example.com");
        app.clock.advance(2 * SECOND);
    }
    app.clock.advance(Duration::from_secs(24 * 3600));
    for _ in 0..5 {
        assert_eq!(fail(&app, "ada@example.com"), 401);
    }
    assert_eq!(fail(&app, "ada@example.com"), 429);
    app.clock.advance(Duration::from_secs(24 * 3600));
    app.run_jobs();
    assert_eq!(app.count("throttle"), 0, "and swept");
}

/// Promise 27.
#[test]
fn many_tries_at_once_count_as_many() {
    let app = TestApp::new();
    let form = [("email", "ada@example.com"), ("password", "wrong")];
    let statuses = app.post_at_once(20, "/login", form);
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(tried, 5, "{statuses:?}");
}

/// Promise 27.
#[test]
fn every_door_counts_in_the_same_bucket_and_the_page_keeps_what_was_typed() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let thief = app.other_browser();
    let form = [("email", "ada@example.com"), ("password", "wrong")];
    for path in ["/login", "/sessions", "/api/v1/session", "/login", "/sessions"] {
        thief.call(Post, path, form).is(401);
    }
    let seen = thief
        .submit("/login?next=/x", form)
        .is(429)
        .says("Too many tries. Wait 1 second and try again.")
        .says("value=\"ada@example.com\"")
        .says("name=\"next\" value=\"/x\"");
    assert!(seen.title().starts_with("Error: "));
    for path in ["/sessions", "/api/v1/session"] {
        let seen = thief.call(Post, path, form).is(429).says("Too many tries.");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    let json = r#"{"email":"ada@example.com","password":"wrong"}"#;
    thief.send_json(Post, "/api/v1/session", json).is(429);
    // The link that verifies an address asks for the password too.
    let link = app.last_letter().link();
    thief.visit(&link).and_submit([("password", PASSWORD)]).is(429).says("Wait 1 second");
}

/// Promise 12.
#[test]
fn waiting_tells_nobody_who_has_an_account() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let answers = ["ada@example.com", "bob@example.com"].map(|email| {
        let thief = app.other_browser();
        let mut seen: Vec<_> = Vec::new();
        for _ in 0..7 {
            let answer = thief.post("/login", [("email", email), ("password", "wrong")]);
            seen.push((answer.status, answer.headers, answer.body.replace(email, "…")));
        }
        seen
    });
    assert_eq!(answers[0], answers[1]);
}

/// Promise 27.
#[test]
fn a_reset_is_never_subject_to_the_wait_and_ends_it() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let thief = app.other_browser();
    for _ in 0..6 {
        fail(&thief, "ada@example.com");
    }
    let owner = app.other_browser();
    owner.submit("/password-reset", [("email", "ada@example.com")]).is(200);
    let link = app.last_letter().link();
    owner.visit(&link).and_submit([("new_password", NEW_PASSWORD)]).redirects_to("/login");
    app.other_browser().log_in("ada@example.com", NEW_PASSWORD).redirects_to("/profile");
}

/// Promise 28.
#[test]
fn strangers_who_guess_do_not_keep_the_owner_out() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    app.log_out();
    assert!(app.cookies.borrow().contains_key("vestibule_device"));
    app.other_browser().sign_up("bob@example.com");
    let thief = app.other_browser();
    for n in 0..22 {
        assert_eq!(fail(&thief, &format!("p{n}@example.com")), 401);
    }
    for _ in 0..5 {
        assert_eq!(fail(&thief, "ada@example.com"), 401);
    }
    assert_eq!(fail(&thief, "ada@example.com"), 429, "the account is closed to strangers");
    assert_eq!(fail(&thief, "p30@example.com"), 401);
    assert_eq!(fail(&thief, "p31@example.com"), 429, "and so is the door to this network");
    app.log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    app.log_out();
    retry_after(&thief, "ada@example.com");
    // Known for this account alone.
    for _ in 0..6 {
        fail(&app, "bob@example.com");
    }
    assert_eq!(fail(&app, "bob@example.com"), 429);
    // After five failures of its own it is a stranger too.
    for _ in 0..5 {
        assert_eq!(fail(&app, "ada@example.com"), 401);
    }
    assert_eq!(fail(&app, "ada@example.com"), 429);
}

/// Promise 28: nobody makes a known browser of theirs, by hand or of what is sealed for something else.
#[test]
fn a_forged_cookie_makes_no_browser_known() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let (device, session) = {
        let cookies = app.cookies.borrow();
        (cookies["vestibule_device"].clone(), cookies["session_id"].clone())
    };
    let plain = app.unsealed("vestibule_device").unwrap();
    let last = if device.ends_with('A') { "B" } else { "A" };
    let bent = format!("{}{last}", &device[..device.len() - 1]);
    let thief = app.other_browser();
    for _ in 0..6 {
        fail(&thief, "ada@example.com");
    }
    for forged in [plain, bent, session, String::new()] {
        let browser = app.other_browser();
        browser.cookies.borrow_mut().insert("vestibule_device".into(), forged);
        retry_after(&browser, "ada@example.com");
    }
    let known = app.other_browser();
    known.cookies.borrow_mut().insert("vestibule_device".into(), device);
    known.log_in("ada@example.com", PASSWORD).redirects_to("/profile");
}

/// Promise 29: whoever has an account of their own does not clear the way by logging in to it now and then.
#[test]
fn a_success_of_one_s_own_takes_back_no_failure() {
    let app = TestApp::new();
    app.sign_up("eve@example.com");
    let eve = app.other_browser();
    for n in 0..29 {
        if n % 4 == 0 {
            app.other_browser().log_in("eve@example.com", PASSWORD).redirects_to("/profile");
        }
        assert_eq!(fail(&eve, &format!("p{n}@example.com")), 401);
    }
    assert_eq!(fail(&eve, "p30@example.com"), 429);
    app.clock.advance(60 * SECOND);
    for _ in 0..5 {
        assert_eq!(fail(&eve, "ada@example.com"), 401);
        app.other_browser().log_in("eve@example.com", PASSWORD).redirects_to("/profile");
    }
    assert_eq!(fail(&eve, "ada@example.com"), 429);
}

/// Promise 52: a copy of the counts tells nobody for whom they are, not even somebody who knows the address.
#[test]
fn counts_are_kept_under_the_secret_key() {
    let keys_under = |secret_key: &str| {
        let app = TestApp::with(|figment| figment.merge(("secret_key", secret_key)));
        fail(&app, "ada@example.com");
        let key = if app.is_sqlite() { "hex(key)" } else { "encode(key, 'hex')" };
        app.texts(&format!("SELECT {key} FROM vestibule_throttle ORDER BY 1"))
    };
    let (one, other) = (SECRET_KEY, "hPRYyVRiMyxpw5sBB1XeCMN1kFsDCqKvBi2QJxCVHQk=");
    assert_eq!(keys_under(one).len(), 3);
    assert_eq!(keys_under(one), keys_under(one));
    assert!(keys_under(one).iter().all(|key| !keys_under(other).contains(key)));
}

/// Promise 28.
#[test]
fn the_device_cookie_is_sealed_and_void_after_a_reset() {
    let app = TestApp::new();
    let seen = app.submit("/signup", [("email", "ada@example.com"), ("password", PASSWORD)]);
    let cookie = seen.headers.iter().find(|(_, v)| v.starts_with("vestibule_device=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"] {
        assert!(cookie.1.contains(attribute), "{}", cookie.1);
    }
    let old = app.copy();
    app.log_out();
    app.submit("/password-reset", [("email", "ada@example.com")]);
    app.clock.advance(SECOND);
    let link = app.last_letter().link();
    app.visit(&link).and_submit([("new_password", NEW_PASSWORD)]).redirects_to("/login");
    let thief = app.other_browser();
    for _ in 0..6 {
        fail(&thief, "ada@example.com");
    }
    let form = [("email", "ada@example.com"), ("password", NEW_PASSWORD)];
    old.post("/login", form).is(429);
    // The browser that reset got a new one.
    app.post("/login", form).redirects_to("/profile");
}

/// Promise 29.
#[test]
fn one_network_cannot_try_many_accounts() {
    let app = TestApp::new();
    for n in 0..30 {
        assert_eq!(fail(&app, &format!("p{n}@example.com")), 401);
    }
    assert_eq!(fail(&app, "p30@example.com"), 429);
    let form = [("email", "new@example.com"), ("password", PASSWORD)];
    app.other_browser().post("/signup", form).is(429).says("Too many tries.");
    app.post("/password-reset", [form[0]]).is(429).says("Too many tries.");
    app.call(Post, "/users", form).is(429);
    app.call(Post, "/reset_password", [form[0]]).is(429);
    app.clock.advance(60 * SECOND);
    assert_eq!(fail(&app, "p30@example.com"), 401);
}

/// Promise 29.
#[test]
fn a_network_that_logs_in_rightly_is_not_held_up() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    for _ in 0..40 {
        app.other_browser().log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    }
}

/// Promise 29.
#[test]
fn sign_ups_and_taken_addresses_count_too() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let form = [("email", "bob@example.com"), ("password", "too easy")];
    let statuses: Vec<u16> =
        (0..30).map(|_| app.other_browser().post("/signup", form).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 29);
    assert_eq!(statuses.last(), Some(&429));
}

/// Promise 30.
#[test]
fn a_forged_header_makes_nobody_somebody_else() {
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
fn a_trusted_proxy_says_who_the_client_is() {
    let proxies = ["127.0.0.0/8", "10.0.0.1"];
    let app = TestApp::with(|f| f.merge(("vestibule.trusted_proxies", proxies)));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for n in 0..31 {
        // The left part is what the client made up.
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

/// Promises 30 and 67: all who come by it share one generous limit.
#[test]
fn behind_a_proxy_that_nobody_named_one_limit_holds_for_all() {
    let app = TestApp::with(|f| {
        f.merge(("vestibule.public_url", "https://accounts.example.com"))
            .merge(("vestibule.throttle.attempts_by_ip", 3))
            .merge(("vestibule.throttle.emails_by_ip", 2))
    });
    let tries = (0..70).map(|n| {
        let form = [("email", &*format!("p{n}@example.com")), ("password", "x")];
        app.call(Post, "/sessions", form).status
    });
    assert_eq!(tries.filter(|status| *status == 401).count(), 60);
    app.clock.advance(60 * SECOND);
    app.sql("DELETE FROM vestibule_throttle");
    for n in 0..50 {
        let form = [("email", &*format!("p{n}@example.com"))];
        app.call(Post, "/reset_password", form).is(200);
    }
    app.run_jobs();
    assert_eq!(app.count("outbox"), 10, "twenty times the two of one address are dealt with");
}

/// Promise 67: whatever strangers fill, nobody is refused for it, and whoever has to wait still has to.
#[test]
fn a_table_that_strangers_have_filled_keeps_nobody_out() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.max_rows", 1_000)));
    app.sign_up("ada@example.com");
    app.log_out();
    let thief = app.other_browser();
    for wait in [0, 0, 0, 0, 0, 1, 2, 4] {
        app.clock.advance(wait * SECOND);
        fail(&thief, "ada@example.com");
    }
    let blob = if app.is_sqlite() { "randomblob(32)" } else { "sha256(CAST(n AS TEXT)::bytea)" };
    let forget_at = app.clock.now().since(vestibule::Timestamp::from(std::time::UNIX_EPOCH));
    app.sql(&format!(
        "INSERT INTO vestibule_throttle (key, attempts, closed_until, forget_at) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000) \
         SELECT {blob}, 1, 0, {} FROM numbers",
        forget_at.as_millis() + 600_000
    ));
    app.run_jobs();
    assert_eq!(app.count("throttle"), 999, "and the bystander's");
    thief.post("/login", [("email", "ada@example.com"), ("password", PASSWORD)]).is(429);
    app.log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    let stranger = app.other_browser();
    stranger.sign_up("bob@example.com");
    stranger.post("/password-reset", [("email", "bob@example.com")]).is(200);
}

/// Promise 67: what is no password leaves no row for each address that it is tried at.
#[test]
fn a_try_that_is_not_hashed_leaves_no_row() {
    let app = TestApp::new();
    let long = "x".repeat(4_000);
    for n in 0..20 {
        let form = [("email", &*format!("p{n}@example.com")), ("password", &*long)];
        app.post("/login", form).is(401);
    }
    assert_eq!(app.count("throttle"), 2, "the network's minute and its day");
}

/// Promise 67: whoever logs in all day long leaves so many events.
#[test]
fn an_account_keeps_so_many_events() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let (id, now) = if app.is_sqlite() {
        ("randomblob(16)", "(SELECT MAX(at) FROM vestibule_events)")
    } else {
        ("gen_random_uuid()", "(SELECT MAX(at) FROM vestibule_events)")
    };
    app.sql(&format!(
        "INSERT INTO vestibule_events (id, at, kind, user_id, ip, user_agent) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 6000) \
         SELECT {id}, {now} - n, 'logged-in', (SELECT id FROM vestibule_users), '', '' FROM numbers"
    ));
    app.run_jobs();
    assert_eq!(app.count("events"), 5_001);
}

/// Promise 29: the owner of an IPv6 site can pass for many networks, and counts for sixteen.
#[test]
fn an_ipv6_site_has_a_budget() {
    let app = TestApp::with(|f| {
        f.merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.throttle.attempts_by_ip", 1))
    });
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let log_in = |from: &str, body: &str| {
        app.request(Post, "/login", &[form, ("X-Forwarded-For", from)], Some(body)).status
    };
    let of_site = |n: usize| {
        log_in(&format!("2001:db8:1:{n:x}::1"), &format!("email=p{n}@example.com&password=wrong"))
    };
    // In a minute, and in a day.
    assert_eq!((0..20).filter(|n| of_site(*n) == 401).count(), 16);
    let mut tries = 16;
    if in_ci() {
        loop {
            app.clock.advance(60 * SECOND);
            let let_in = (0..16).filter(|n| of_site(tries + n) == 401).count();
            tries += let_in;
            if let_in < 16 {
                break;
            }
        }
        assert!((1_600..1_800).contains(&tries), "{tries}");
    }
    // What costs no hash uses up nobody's day.
    let nothing =
        |n: usize| log_in(&format!("2001:db8:3:{n:x}::1"), "email=nobody&password=nothing");
    for minute in 0..13 {
        app.clock.advance(60 * SECOND);
        assert_eq!((0..20).filter(|n| nothing(minute * 20 + n) == 401).count(), 16);
    }
    assert_eq!(app.count("events WHERE ip LIKE '2001:db8:3:%'"), 100, "no more are noted");
    assert_eq!(log_in("2001:db8:2::1", "email=x@example.com&password=y"), 401);
}

/// Promise 67: whoever asks for links, or signs up with a weak password, takes no log-ins of the day from others at
/// the same address.
#[test]
fn what_is_no_try_at_an_account_is_no_part_of_the_day() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1)));
    let weak = [("email", "eve@example.com"), ("password", "password")];
    for n in 0..300 {
        app.clock.advance(60 * SECOND);
        if n % 2 == 0 {
            let seen = app.post("/password-reset", [("email", "eve@example.com")]);
            assert!(matches!(seen.status, 200 | 429), "{}", seen.status);
        } else {
            app.post("/signup", weak).is(422);
        }
    }
    app.clock.advance(60 * SECOND);
    for n in 0..100 {
        assert_eq!(fail(&app, &format!("p{n}@example.com")), 401, "{n}");
        app.clock.advance(60 * SECOND);
    }
}

/// Promise 67: so many tries in a day.
#[test]
fn a_network_has_a_budget_for_a_day() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1)));
    // A hundred at once, and then one each 14 minutes: nobody waits for tomorrow.
    for n in 0..107 {
        assert_eq!(fail(&app, &format!("p{n}@example.com")), 401, "{n}");
        app.clock.advance(60 * SECOND);
    }
    let seen = app.post("/login", [("email", "p200@example.com"), ("password", "wrong")]).is(429);
    let wait: u32 = seen.header("retry-after").unwrap().parse().unwrap();
    assert!((60..=864).contains(&wait), "{wait}");
    // Whoever is signed in or known is no matter of the network.
    app.clock.advance(wait * SECOND);
    assert_eq!(fail(&app, "p200@example.com"), 401);
    assert_eq!(fail(&app, "p201@example.com"), 429);
}

/// Promises 28 and 29: whoever is signed in, or known, does not pay for what strangers do at the same address.
#[test]
fn a_network_that_is_closed_keeps_nobody_from_what_is_theirs() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let known = app.other_browser();
    known.sign_up("bob@example.com");
    known.log_out();
    let stranger = app.other_browser();
    while fail(&stranger, "nobody@example.com") != 429 {
        for n in 0..6 {
            fail(&stranger, &format!("p{n}@example.com"));
        }
    }
    app.clock.advance(SECOND);
    app.submit("/profile", [("name", "Ada")]).redirects_to("/profile");
    app.submit("/password-change", [("password", PASSWORD), ("new_password", NEW_PASSWORD)])
        .redirects_to("/profile");
    known.log_in("bob@example.com", PASSWORD).redirects_to("/profile");
    // Nobody acts without a limit either.
    let acts = (0..40).map(|_| app.post("/profile", [("name", "Ada")]).status);
    assert!(acts.filter(|status| *status == 429).count() >= 10);
}

/// Promise 67: logging in and out without end, or coming with a cookie that has ended, leaves so many rows.
#[test]
fn right_log_ins_fill_no_table() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    for _ in 0..70 {
        app.post("/login", [("email", "ada@example.com"), ("password", PASSWORD)]).is(303);
        app.log_out();
    }
    assert_eq!(app.count("events"), 101, "and signing up");
    app.clock.advance(24 * 3600 * SECOND);
    app.log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    assert_eq!(app.count("events"), 102);
    let ended = app.copy();
    app.post("/password-change", [("password", PASSWORD), ("new_password", NEW_PASSWORD)]).is(303);
    let dead = ended.copy();
    ended.log_out();
    let before = app.count("events");
    for _ in 0..5 {
        dead.copy().log_out();
    }
    assert_eq!(app.count("events"), before);
}

/// Promise 31.
#[test]
fn nobody_can_flood_a_mailbox() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let mut bodies: Vec<String> = Vec::new();
    for email in ["ada@example.com", "bob@example.com"] {
        for _ in 0..5 {
            let seen = app.submit("/password-reset", [("email", email)]).is(200);
            bodies.push(seen.body.replace(email, "…"));
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the answer stays the same");
    let resets = || app.letters().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets(), 3);
    // Not because three links are open: the hour counts.
    app.sql("DELETE FROM vestibule_links");
    app.submit("/password-reset", [("email", "ada@example.com")]);
    assert_eq!(resets(), 3);
    app.clock.advance(3600 * SECOND);
    app.submit("/password-reset", [("email", "ada@example.com")]);
    assert_eq!(resets(), 4);
}

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
    pupils[25].visit("/profile").says("An e-mail with a link is on its way to you.");
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
    pupils[2].visit("/profile").says("Your e-mail is about to leave.");
    pupils[0].visit(&letters[0].link()).and_submit([]).redirects_to("/profile");
    assert_eq!(app.letters().len(), 3);
    assert_eq!(app.last_letter().to, "pupil2@example.com");
    // Once for each address.
    assert_eq!(app.letters().len(), 3);
    app.clock.advance(1800 * SECOND);
    assert_eq!(app.letters().len(), 4);
}

/// Promise 31: the limits of a network with many people are a setting.
#[test]
fn a_named_network_may_do_more() {
    let networks = "203.0.113.0/24=10, 2001:db8::/32=2";
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.throttle.networks", networks))
    });
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let let_in = |from: &str| {
        let tried = (0..301).map(|n| {
            let body = format!("email=p{n}@example.com&password=wrong");
            app.request(Post, "/login", &[form, ("X-Forwarded-For", from)], Some(&body)).status
        });
        tried.filter(|status| *status == 401).count()
    };
    assert_eq!(let_in("203.0.113.7"), 300);
    assert_eq!(let_in("198.51.100.1"), 30);
    assert_eq!(let_in("2001:db8::1"), 60);
}

/// Promise 31: a place is given back as it was taken, from wherever the address is confirmed.
#[test]
fn a_confirmed_address_frees_one_place_of_a_named_network_and_no_more() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.throttle.networks", "203.0.113.0/24=10"))
            .merge(("vestibule.throttle.signups_by_ip", 2))
    });
    let headers =
        [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", "203.0.113.7")];
    let sign_up = |n: usize| {
        let body = format!("email=p{n}@example.com&password={}", PASSWORD.replace(' ', "+"));
        app.other_browser().request(Post, "/signup", &headers, Some(&body)).is(303);
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
    let app = TestApp::with(|figment| figment.merge(("vestibule.trusted_proxies", "127.0.0.1")));
    for n in 0..70 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
        app.run_jobs();
        app.clock.advance(90 * SECOND);
    }
    let before = app.letters().len();
    let ask = |n: usize| {
        let from = format!("2001:db8:1:{n:x}::1");
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", &*from)];
        let body = format!("email=p{n}@example.com");
        app.other_browser().request(Post, "/password-reset", &headers, Some(&body)).is(200);
    };
    (0..70).for_each(ask);
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

/// Promise 31: letters to the many addresses of a mailbox that nobody has proven count together, whatever they are.
#[test]
fn a_mailbox_with_many_addresses_gets_no_more_letters_of_any_kind() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.attempts_by_ip", 1000)));
    for n in 0..9 {
        app.other_browser().sign_up(&format!("ada+{n}@example.com"));
    }
    assert_eq!(app.letters().len(), 9);
    // Not so that its owner is kept from a link to any of these accounts: one at a time each has.
    for n in (0..9).chain(0..9).chain(0..9) {
        app.post("/password-reset", [("email", &*format!("ada+{n}@example.com"))]).is(200);
    }
    assert_eq!(app.letters().len(), 18);
    // Three more accounts have come to it: no link for these within the hour, and no notice.
    for n in 9..12 {
        app.clock.advance(400 * SECOND);
        let thief = app.other_browser();
        thief.sign_up(&format!("ada+{n}@example.com"));
        app.post("/password-reset", [("email", &*format!("ada+{n}@example.com"))]).is(200);
        thief
            .submit("/password-change", [("password", PASSWORD), ("new_password", NEW_PASSWORD)])
            .redirects_to("/profile");
    }
    assert_eq!(app.letters().len(), 21);
    // Nor does it matter how they are spelt where that changes nothing.
    let dots = (0..12).map(|n| {
        let local = ["ada", "a.da", "ad.a", "a.d.a"][n % 4];
        let domain = ["gmail.com", "googlemail.com"][n % 2];
        let email = format!("{local}+{n}@{domain}");
        app.other_browser().post("/signup", [("email", &*email), ("password", PASSWORD)]).status
    });
    assert_eq!(dots.filter(|status| *status == 303).count(), 12);
    assert_eq!(app.letters().len(), 30);
}

/// Promises 29 and 31: whoever fills a mailbox by its many addresses keeps its owner, who is elsewhere, neither from a
/// link nor from an account.
#[test]
fn strangers_who_fill_a_mailbox_do_not_shut_its_owner_out() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.trusted_proxies", "127.0.0.1")));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let post = |from: &str, path: &str, body: &str| {
        let headers = [form, ("X-Forwarded-For", from)];
        app.other_browser().request(Post, path, &headers, Some(body)).status
    };
    let password = PASSWORD.replace(' ', "+");
    let (eve, ada) = ("203.0.113.66", "198.51.100.7");
    let sign_up =
        |from, email: &str| post(from, "/signup", &format!("email={email}&password={password}"));
    let own = "ada.love-lace%40proton.me";
    assert_eq!(sign_up(ada, own), 303);
    for n in 0..12 {
        sign_up(eve, &format!("adalovelace%2B{n}%40pm.me"));
    }
    assert_eq!(app.letters().len(), 9);
    for n in 0..12 {
        let body = format!("email=adalovelace%2B{n}%40pm.me");
        assert_eq!(post(eve, "/password-reset", &body), 200);
    }
    assert_eq!(app.letters().len(), 18);
    assert_eq!(post(ada, "/password-reset", &format!("email={own}")), 200);
    assert_eq!(app.last_letter().to, "ada.love-lace@proton.me");
    assert_eq!(sign_up(ada, "ada_lovelace%40protonmail.com"), 303);
    // Nor do many strangers bomb it: three of them get as many.
    let before = app.letters().len();
    for site in 1..6 {
        for n in 0..12 {
            let body = format!("email=adalovelace%2B{n}%40pm.me");
            post(&format!("192.0.2.{site}"), "/password-reset", &body);
        }
    }
    assert!(app.letters().len() <= before + 27);
    // Elsewhere a dot makes another mailbox, which waits for none of this.
    for n in 0..12 {
        sign_up(eve, &format!("gracehopper%2B{n}%40corp.example"));
    }
    assert_eq!(sign_up(ada, "grace.hopper%40corp.example"), 303);
    assert!(app.letters().iter().any(|letter| letter.to == "grace.hopper@corp.example"));
}

/// Promise 26: a crowd of log-outs with one cookie is one.
#[test]
fn many_log_outs_at_once_are_one() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let statuses = app.post_at_once(20, "/logout", []);
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(app.count("events WHERE kind = 'logged-out'"), 1);
    assert_eq!(app.count("sessions"), 0);
}

/// Promises 29 and 31: a stranger who asks for links to somebody's account uses up nothing that its owner needs: as
/// soon as the last one is void there is another to be had.
#[test]
fn nobody_keeps_the_owner_from_a_link_by_asking_for_many() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let links =
        || app.letters().iter().filter(|letter| letter.text.contains("/password-reset/")).count();
    let ask =
        || app.other_browser().post("/password-reset", [("email", "ada@example.com")]).is(200);
    (0..3).for_each(|_| drop(ask()));
    assert_eq!(links(), 3);
    // The links are good for another second.
    app.clock.advance(3599 * SECOND);
    (0..3).for_each(|_| drop(ask()));
    assert_eq!(links(), 3);
    app.clock.advance(2 * SECOND);
    ask();
    assert_eq!(links(), 4);
}

/// Promise 26.
#[test]
fn a_login_storm_holds_up_neither_pages_nor_health() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.password.cost", 12))
            .merge(("vestibule.hashing.workers", 1))
            .merge(("vestibule.hashing.queue", 10))
            .merge(("vestibule.throttle.free_attempts", 1000))
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
    });
    app.sign_up("ada@example.com");
    let form = [("email", "bob@example.com"), ("password", "wrong")];
    let (storm, pages) = app.during_storm(200, "/login", form, &["/health/live", "/profile"]);
    assert!(pages.iter().all(|status| *status == 200), "{pages:?}");
    let busy = storm.iter().filter(|status| **status == 503).count();
    assert!(busy >= 20, "four at work, ten in the lane, and the others: {busy}");
    assert!(storm.iter().all(|status| matches!(status, 401 | 503)));
}

/// Promise 26.
#[test]
fn the_answer_to_a_crowd_says_when_to_come_back_and_counts_as_no_failure() {
    let app = TestApp::with(|f| f.merge(("vestibule.hashing.max_wait", "1ns")));
    let form = [("email", "ada@example.com"), ("password", "wrong")];
    for _ in 0..20 {
        let seen = app
            .post("/login", form)
            .is(503)
            .says("Very many people are logging in just now. Wait 1 second and try again.")
            .says("value=\"ada@example.com\"");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    for path in ["/sessions", "/api/v1/session"] {
        let seen = app.call(Post, path, form).is(503).says("Very many people");
        assert_eq!(seen.header("retry-after"), Some("1"));
    }
    assert_eq!(app.count("throttle WHERE attempts > 0"), 0);
}

/// Promises 3, 25, 26 and 27: with no time for any hash, whatever wants one is 503.
#[test]
fn what_is_refused_before_costs_no_hash() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let thief = app.other_browser();
    for _ in 0..5 {
        fail(&thief, "ada@example.com");
    }
    let app = app.restarted_with(|figment| figment.merge(("vestibule.hashing.max_wait", "1ns")));
    let login =
        |email, password| app.post("/login", [("email", email), ("password", password)]).status;
    assert_eq!(login("bob@example.com", PASSWORD), 503, "a hash would be needed");
    assert_eq!(login("ada@example.com", PASSWORD), 429, "during the wait");
    assert_eq!(login("no address", PASSWORD), 401);
    assert_eq!(login("bob@example.com", &"x".repeat(1025)), 401);
    let form = [("email", "eve@example.com"), ("password", &*"x".repeat(257))];
    app.post("/signup", form).is(422);
    let dead = "/password-reset/Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q";
    app.post(dead, [("new_password", NEW_PASSWORD)]).is(404);
}

/// Promise 31: a change sends a notice, and the address may be somebody's who never signed up.
#[test]
fn changing_the_password_again_and_again_floods_no_mailbox() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let change = |n: usize| {
        let (old, new) =
            if n.is_multiple_of(2) { (PASSWORD, NEW_PASSWORD) } else { (NEW_PASSWORD, PASSWORD) };
        app.submit("/password-change", [("password", old), ("new_password", new)])
    };
    for n in 0..3 {
        change(n).redirects_to("/profile");
    }
    change(3).is(429).says("Too many tries. Wait 60 minutes");
    let notices = || app.letters().iter().filter(|l| l.subject.contains("was changed")).count();
    assert_eq!(notices(), 3);
    app.clock.advance(3600 * SECOND);
    change(3).redirects_to("/profile");
    assert_eq!(notices(), 4);
}

/// Promise 31: notices of what happened leave, however many letters there have been.
#[test]
fn a_notice_is_never_held_back() {
    let app = TestApp::with(|figment| figment.merge(("vestibule.throttle.emails_by_ip", 2)));
    app.sign_up("ada@example.com");
    app.submit("/password-reset", [("email", "ada@example.com")]).is(200);
    let link = app.last_letter().link();
    // That was its share.
    app.submit("/password-reset", [("email", "ada@example.com")]).is(200);
    app.submit("/password-reset", [("email", "ada@example.com")]).is(200);
    assert_eq!(app.letters().len(), 3);
    app.visit(&link).and_submit([("new_password", NEW_PASSWORD)]).redirects_to("/login");
    assert_eq!(app.last_letter().subject, "Your Vestibule password was changed");
}

/// Promise 31: 20 an hour by one client, and one that has had them uses up nobody's three.
#[test]
fn whoever_has_asked_for_too_many_letters_silences_nobody() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 1000)));
    let ask = |browser: &Browser, email: &str, from: &str| {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", from)];
        browser.request(Post, "/password-reset", &headers, Some(&format!("email={email}"))).is(200);
    };
    let app = app.restarted_with(|f| {
        f.merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
    });
    app.sign_up("ada@example.com");
    for n in 0..20 {
        ask(&app, &format!("p{n}@example.com"), "203.0.113.7");
    }
    for _ in 0..5 {
        ask(&app, "ada@example.com", "203.0.113.7");
    }
    let resets = || app.letters().iter().filter(|l| l.subject.starts_with("Reset")).count();
    assert_eq!(resets(), 0);
    ask(&app, "ada@example.com", "198.51.100.1");
    assert_eq!(resets(), 1);
}

/// Promise 30.
#[test]
fn the_header_that_counts_is_a_setting() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.client_ip_header", "X-Client"))
    });
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Client", "203.0.113.7"),
    ];
    app.request(Post, "/login", &headers, Some("email=a@example.com&password=x")).is(401);
    assert_eq!(app.texts("SELECT ip FROM vestibule_events"), ["203.0.113.7"]);
}

/// Promise 52.
#[test]
fn what_happens_to_accounts_is_noted() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    app.submit("/profile", [("name", "Ada")]);
    app.log_out();
    fail(&app, "ada@example.com");
    app.other_browser().log_in("a stranger's password", "x").is(401);
    app.submit("/password-reset", [("email", "ada@example.com")]);
    let letters = app.letters();
    app.visit(&letters[1].link()).and_submit([("new_password", NEW_PASSWORD)]);
    app.log_in("ada@example.com", NEW_PASSWORD);
    let kinds = app.texts("SELECT kind FROM vestibule_events ORDER BY id");
    assert_eq!(
        kinds,
        [
            "signed-up",
            "logged-in",
            "renamed",
            "logged-out",
            "log-in-failed",
            "log-in-failed",
            "password-reset-asked",
            "password-reset",
            "logged-in"
        ]
    );
    assert_eq!(app.count("events WHERE user_id IS NULL"), 2, "the stranger, and who asked");
    assert_eq!(app.count("events WHERE user_agent LIKE 'Mozilla/5.0%' AND ip = '127.0.0.1'"), 9);
    let all = app.texts("SELECT kind || ip || user_agent FROM vestibule_events").concat();
    assert!(!all.contains("stranger") && !all.contains("ada@"));
    app.clock.advance(Duration::from_secs(181 * 24 * 3600));
    app.run_jobs();
    assert_eq!(app.count("events"), 0);
}

/// Promise 45: what another node revokes counts here within a second, what this one does at once.
#[test]
fn a_revocation_counts_at_once_here_and_within_a_second_elsewhere() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let twin = app.twin();
    let there = twin.other_browser();
    there.cookies.borrow_mut().clone_from(&app.cookies.borrow());
    assert!(there.is_signed_in());
    let here = app.copy();
    app.log_out();
    assert!(!here.is_signed_in());
    twin.clock.advance(SECOND);
    assert!(!there.is_signed_in());
    there.ask(Get, "/profile").is(403);
}

/// Promises 31 and 51: a notice to an address that nobody has proven counts for whoever causes it.
#[test]
fn notices_bomb_no_stranger_s_mailbox() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
            .merge(("vestibule.throttle.emails_by_ip", 5))
    });
    let notices = || app.letters().iter().filter(|l| l.subject.contains("was changed")).count();
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
    // Whoever has shown that the address is theirs is told, always.
    app.sign_up("ada@example.com");
    let link = app.letters().into_iter().rfind(|l| l.to == "ada@example.com").unwrap().link();
    app.visit(&link).and_submit([]).redirects_to("/profile");
    for n in 0..3 {
        change(&app, n);
    }
    assert_eq!(notices(), 8);
}

/// Promise 25: whoever has a good link tries no oftener than others.
#[test]
fn tries_at_links_count_for_the_network() {
    let app = TestApp::with(|f| f.merge(("vestibule.reveal_reset_token", true)));
    let links: Vec<String> = (0..3)
        .map(|n| {
            let email = format!("p{n}@example.com");
            app.call(Post, "/users", [("email", &*email), ("password", PASSWORD)]).is(200);
            let seen = app.call(Post, "/reset_password", [("email", &*email)]).is(200);
            format!("/password-reset/{}", seen.json()["reset_token"].as_str().unwrap())
        })
        .collect();
    let tries = (0..60).map(|n| app.post(&links[n % 3], [("new_password", "password1")]).status);
    assert_eq!(tries.filter(|status| *status == 422).count(), 27, "thirty, with three sign-ups");
}

/// Promise 29: nor does it help to come to one link from many networks.
#[test]
fn tries_at_one_link_count_wherever_they_come_from() {
    let app = TestApp::with(|f| f.merge(("vestibule.trusted_proxies", "127.0.0.1")));
    app.sign_up("ada@example.com");
    app.post("/password-reset", [("email", "ada@example.com")]).is(200);
    let link = app.last_letter().link();
    let tries = (0..40).map(|n| {
        let from = format!("198.51.{n}.1");
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [form, ("X-Forwarded-For", &*from)];
        app.request(Post, &link, &headers, Some("new_password=password1")).status
    });
    assert_eq!(tries.filter(|status| *status == 422).count(), 30);
}

/// Promise 26: seventy browsers that are known to one account, five times each at once, from one address.
/// Everybody else is served as if they were one.
#[test]
fn one_account_at_one_address_shuts_nobody_out() {
    let app = TestApp::with(|figment| {
        figment
            .merge(("vestibule.trusted_proxies", "127.0.0.1"))
            .merge(("vestibule.password.cost", 8))
            .merge(("vestibule.hashing.workers", 1))
            .merge(("vestibule.hashing.queue", 40))
            .merge(("vestibule.throttle.attempts_by_ip", 1000))
            .merge(("vestibule.throttle.free_attempts", 1000))
    });
    app.sign_up("eve@example.com");
    for n in 0..12 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
    }
    let statuses = app.storm_beside_others(350, "eve@example.com", 12);
    let (storm, others) = statuses.split_at(350);
    assert_eq!(others, [303; 12], "each from an address of their own");
    assert!(storm.contains(&503));
}

/// Promise 31: a mailbox that has many addresses is still one.
#[test]
fn plus_addresses_bomb_no_mailbox() {
    let app = TestApp::new();
    let sign_up = |email: &str| {
        app.other_browser().post("/signup", [("email", email), ("password", PASSWORD)])
    };
    for n in 0..9 {
        sign_up(&format!("boss+{n}@example.com")).redirects_to("/profile");
    }
    // The account is made, and its letter waits.
    sign_up("boss+9@example.com").redirects_to("/profile");
    assert_eq!(app.letters().len(), 9);
    // Neither neighbours wait for it, nor an account whose address is proven.
    sign_up("ada@example.com").redirects_to("/profile");
    let letter = app.letters().into_iter().find(|letter| letter.to == "boss+1@example.com");
    let confirmed = app.other_browser().visit(&letter.unwrap().link());
    confirmed.and_submit([("password", PASSWORD)]).redirects_to("/profile");
    for n in 0..3 {
        app.post("/password-reset", [("email", &*format!("boss+z{n}@example.com"))]).is(200);
    }
    app.post("/password-reset", [("email", "boss+1@example.com")]).is(200);
    assert_eq!(app.letters().len(), 11);
    app.clock.advance(400 * SECOND);
    assert!(app.letters().iter().any(|letter| letter.to == "boss+9@example.com"));
}

/// Promise 29: a class that logs in at once is counted before it is known to be right, and not for longer.
#[test]
fn a_class_that_logs_in_at_once_waits_for_no_minute() {
    let app = TestApp::with(|f| f.merge(("vestibule.throttle.attempts_by_ip", 5)));
    app.sign_up("ada@example.com");
    let form = [("email", "ada@example.com"), ("password", PASSWORD)];
    let statuses = app.other_browser().post_at_once(20, "/login", form);
    assert!(statuses.iter().all(|status| matches!(status, 303 | 429)), "{statuses:?}");
    app.clock.advance(SECOND);
    app.other_browser().post("/login", form).redirects_to("/profile");
}

/// Promise 67: a mail server that is gone for days lets no stranger fill the disk.
#[test]
fn the_outbox_has_a_bound_and_keeps_half_for_who_waits() {
    let app =
        TestApp::with(|figment| figment.merge(("vestibule.mail.smtp_url", "smtp://127.0.0.1:1")));
    app.sign_up("ada@example.com");
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
    app.other_browser().post("/signup", form).is(503).says("value=\"bob@example.com\"");
    app.other_browser().post("/password-reset", [("email", "ada@example.com")]).is(200);
    fill(20_000);
    app.other_browser()
        .post("/password-reset", [("email", "ada@example.com")])
        .is(503)
        .says("Too many e-mails are waiting to be sent just now.");
    app.other_browser().log_in("ada@example.com", PASSWORD).redirects_to("/profile");
    // Not a second longer than it is full; and never more than full, however many ask before anybody looks.
    app.sql("DELETE FROM vestibule_outbox");
    fill(39_990);
    let ask =
        |n| app.other_browser().post("/password-reset", [("email", &*format!("p{n}@example.com"))]);
    let statuses: Vec<u16> = (0..15).map(|n| ask(n).status).collect();
    assert_eq!(statuses, [[200; 10].as_slice(), &[503; 5]].concat());
    assert_eq!(app.count("outbox"), 40_000);
}

/// Promise 67: however long a letter is under way, the bound on the others holds, and ends when there is room.
#[test]
fn the_bound_on_letters_follows_the_outbox_while_one_is_under_way() {
    // The outbox is looked at every five seconds.
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
    app.sign_up("ada@example.com");
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
    asked_until(200);
    assert_eq!(app.count("outbox WHERE user_id IS NOT NULL"), 1, "it is still under way");
}

/// Promise 67: a site that has filled its part of the outbox waits, and nobody else.
#[test]
fn one_site_has_a_part_of_the_outbox() {
    let app = TestApp::with(|figment| {
        let figment = figment.merge(("vestibule.trusted_proxies", ["127.0.0.1"]));
        figment.merge(("vestibule.mail.smtp_url", "smtp://127.0.0.1:1"))
    });
    let ask_from = |address: &str| {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", address)];
        app.other_browser().request(Post, "/password-reset", &headers, Some("email=a@example.com"))
    };
    ask_from("2001:db8:1:2::3").is(200);
    let id = if app.is_sqlite() { "randomblob(16)" } else { "gen_random_uuid()" };
    app.sql(&format!(
        "INSERT INTO vestibule_outbox (id, message, recipient, device, ip, attempts, created_at, due_at, site_key) \
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3999) \
         SELECT {id}, message, recipient, '', '', 1, created_at, due_at + 1800000, site_key \
         FROM numbers, vestibule_outbox"
    ));
    // Another network of the same customer.
    let words = "Too many e-mails that your network asked for are waiting to be sent.";
    ask_from("2001:db8:1:ffff::1").is(429).says(words);
    ask_from("2001:db8:2::1").is(200);
    ask_from("203.0.113.1").is(200);
    assert_eq!(app.count("outbox"), 4_002);
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
    let app = TestApp::with(|figment| {
        let figment = figment.merge(("vestibule.trusted_proxies", ["127.0.0.1"]));
        figment.merge(("vestibule.throttle.emails_by_ip", 100))
    });
    app.sign_up("ada@example.com");
    app.letters();
    let ask = |address: &str, email: &str| {
        let headers =
            [("Content-Type", "application/x-www-form-urlencoded"), ("X-Forwarded-For", address)];
        let form = format!("email={email}");
        app.other_browser().request(Post, "/password-reset", &headers, Some(&form)).is(200);
    };
    for n in 0..60 {
        ask(&format!("2001:db8:1:{n}::1"), &format!("p{n}@example.com"));
    }
    ask("203.0.113.1", "ada@example.com");
    assert_eq!(app.count("outbox WHERE priority = 0"), 41);
    assert_eq!(app.count("outbox WHERE priority = 2"), 20);
    assert_eq!(app.letters().len(), 2);
    assert_eq!(app.count("outbox"), 0);
}
