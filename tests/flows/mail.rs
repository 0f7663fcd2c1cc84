//! Emails: their content, and that none is lost.

use std::time::{Duration, Instant};

use rocket::http::Method::Post;

use vestibule::Clock;

use crate::harness::mail_server::{MailServer, Manner};
use crate::harness::{ADA, NEW_PASSWORD, PASSWORD, TestApp};

/// The text of the emails, without what changes from run to run. To accept a change: `UPDATE_SNAPSHOTS=1 cargo
/// test`.
#[test]
fn emails_read_as_agreed() {
    let app = TestApp::with_ada();
    let link = app.reset_link();
    app.reset_password(&link, NEW_PASSWORD).redirects_to("/login");
    let new = vestibule::NewAccount::new("eve@example.com".parse().unwrap());
    app.block_on(app.accounts().create(&new)).unwrap();
    app.log_in(ADA, NEW_PASSWORD).redirects_to("/profile");
    let form = format!("email={ADA}&password={}", NEW_PASSWORD.replace(' ', "+"));
    let phone =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1";
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("User-Agent", phone)];
    app.other_browser().request(Post, "/login", &headers, Some(&form)).redirects_to("/profile");
    app.post("/email-change", [("email", "eve@example.com")]).redirects_to("/security");
    app.emails();
    app.post("/email-change", [("email", "ada@new.example")]).redirects_to("/security");
    app.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.post("/account-deletion", [("password", NEW_PASSWORD)]).is(200);
    let known = vestibule::NewAccount::new("zoe@example.com".parse().unwrap()).verified();
    let zoe = app.block_on(app.accounts().create(&known)).unwrap();
    assert!(app.block_on(app.accounts().delete(zoe.id)).unwrap());
    app.emails_do_not_matter();
    let emails = app.emails();
    let names = [
        "verify_email",
        "password_reset",
        "password_changed",
        "account_created",
        "new_device",
        "email_in_use",
        "email_change",
        "email_undo",
        "email_changed",
        "account_deletion",
        "account_erased",
    ];
    for (email, name) in emails.iter().zip(names) {
        for (form, text) in [("txt", &email.text), ("html", &email.html)] {
            let seen = format!("To: {}\nSubject: {}\n\n{text}", email.to, email.subject);
            compare(&format!("{name}.{form}"), &redacted(&seen));
        }
    }
    assert_eq!(emails.len(), names.len());
    let bob = app.other_browser();
    bob.sign_up("bob@example.com");
    bob.post("/email-change", [("email", "bob@new.example")]).redirects_to("/security");
    bob.visit(&app.last_email().link()).and_submit([]).redirects_to("/security");
    app.block_on(app.accounts().invite(&"fay@example.com".parse().unwrap())).unwrap();
    app.emails();
    let app = app.restarted_with(|figment| figment.merge(("vestibule.verification", "required")));
    let form = [("email", "cyd@example.com"), ("password", PASSWORD)];
    app.other_browser().post("/signup", form).redirects_to("/signup-sent");
    app.emails_do_not_matter();
    let emails = app.emails();
    for (to, name) in [
        ("bob@example.com", "email_replaced"),
        ("fay@example.com", "invitation"),
        ("cyd@example.com", "sign_up"),
    ] {
        let email = emails.iter().rfind(|email| email.to == to).unwrap();
        for (form, text) in [("txt", &email.text), ("html", &email.html)] {
            let seen = format!("To: {}\nSubject: {}\n\n{text}", email.to, email.subject);
            compare(&format!("{name}.{form}"), &redacted(&seen));
        }
    }
    // Every template has a snapshot, and every snapshot a template.
    let files = |folder: &str| -> Vec<String> {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with("layout.")).collect();
        names.sort();
        names
    };
    assert_eq!(files("tests/flows/snapshots"), files("templates/mail"));
}

fn redacted(text: &str) -> String {
    let is_token = |word: &str| {
        word.len() == 43
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let dated = text.split_once("restore it until ").and_then(|(before, after)| {
        let (_, rest) = after.split_once(" UTC")?;
        Some(format!("{before}restore it until DATE UTC{rest}"))
    });
    let mut lines: Vec<String> = dated
        .as_deref()
        .unwrap_or(text)
        .split('\n')
        .map(|line| {
            let words = line.split_inclusive(['/', '"', '<', '>', ' ']).map(|word| {
                let bare = word.trim_end_matches(['/', '"', '<', '>', ' ']);
                if is_token(bare) { word.replace(bare, "TOKEN") } else { word.to_owned() }
            });
            let line: String = words.collect();
            match line.split_once("When: ") {
                Some((before, after)) => {
                    let rest = after.split_once(" UTC").map_or("", |(_, rest)| rest);
                    format!("{before}When: DATE UTC{rest}")
                }
                None => line,
            }
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}

fn compare(name: &str, seen: &str) {
    let path = format!("{}/tests/flows/snapshots/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, seen).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(seen, agreed, "{name} is not as agreed");
}

fn app_with(server: &MailServer) -> TestApp {
    let url = format!("smtp://127.0.0.1:{}", server.port);
    TestApp::with(move |figment| figment.merge(("vestibule.mail.smtp_url", url)))
}

/// The text part, decoded from quoted-printable (RFC 2045).
fn unwrapped(email: &str) -> String {
    email.replace("=\r\n", "").replace("=3D", "=")
}

fn link_in(email: &str) -> String {
    let email = unwrapped(email);
    let (_, rest) = email.split_once("http://localhost:8000").expect("a link");
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn an_email_leaves_by_the_mail_server() {
    let server = MailServer::start(vec![]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    let email = server.email();
    for line in [
        "From: Vestibule <no-reply@localhost>",
        "To: ada@example.com",
        "Subject: Confirm your email address for Vestibule",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
        "Date: ",
        "multipart/alternative",
        "text/plain",
        "text/html",
    ] {
        assert!(email.contains(line), "{line} is not in\n{email}");
    }
    app.visit(&link_in(&email)).and_submit([]).redirects_to("/profile");
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53.
#[test]
fn an_email_that_no_server_accepts_is_retried() {
    let says = |at, answer| Manner::Says { at, answer };
    let failures = vec![
        says("", "421 closing"),
        says("RCPT", "451 later"),
        says("MAIL", "550 who are you"),
        says("DATA", "451 later"),
        Manner::DropsInData,
    ];
    let attempts = failures.len();
    let server = MailServer::start(failures);
    let app = app_with(&server);
    app.sign_up(ADA);
    for n in 0..attempts {
        app.run_jobs();
        assert_eq!(app.count("outbox"), 1, "after attempt {n}");
        // Only an email that was sent completely may arrive, and then its link must be valid.
        let sent_whole = i64::from(n + 1 == attempts);
        assert_eq!(app.count("links"), sent_whole, "no usable secret rests anywhere");
        // Not at once, and later each time.
        app.run_jobs();
        app.clock
            .advance(Duration::from_secs(10 << n).checked_sub(Duration::from_secs(1)).unwrap());
        app.run_jobs();
        assert!(!server.has_email());
        app.clock.advance(Duration::from_secs(2));
    }
    app.run_jobs();
    app.visit(&link_in(&server.email())).is(200);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53.
#[test]
fn an_email_that_may_have_arrived_is_sent_again_with_the_same_id() {
    let server = MailServer::start(vec![Manner::DropsAfterData]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    let (first, second) = (server.email(), server.email());
    let id =
        |email: &str| email.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned();
    assert_eq!(id(&first), id(&second));
    assert_ne!(link_in(&first), link_in(&second), "a new attempt, a new token");
    app.visit(&link_in(&second)).is(200);
    // Whichever copy is opened.
    app.visit(&link_in(&first)).and_submit([]).redirects_to("/profile");
}

/// Promise 53: a server that never confirms what it receives does not get a copy for days.
#[test]
fn an_email_that_may_have_arrived_is_sent_four_times_at_most() {
    let says = |at, answer| Manner::Says { at, answer };
    let drops = Manner::DropsAfterData;
    let server = MailServer::start(vec![
        drops,
        drops,
        // These are no copies.
        says("RCPT", "451 later"),
        says("RCPT", "451 später"),
        drops,
        drops,
    ]);
    let app = app_with(&server);
    app.sign_up(ADA);
    for n in 0..6 {
        assert_eq!(app.count("outbox"), 1, "before attempt {n}");
        app.run_jobs();
        app.clock.advance(Duration::from_secs(11 << n));
    }
    assert_eq!(app.count("outbox"), 0);
    let copies = [(); 4].map(|()| server.email());
    assert!(!server.has_email());
    app.visit(&link_in(&copies[3])).is(200);
}

/// Promise 53: an answer that is not UTF-8 counts like any other.
#[test]
fn an_answer_in_another_encoding_is_understood() {
    let server = MailServer::start(vec![Manner::Answers("250 2.0.0 angenommen für Zustellung")]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    assert_eq!(app.count("outbox"), 0);
    app.visit(&link_in(&server.email())).is(200);

    let refuses = Manner::Says { at: "RCPT", answer: "550 Empfänger unbekannt" };
    let server = MailServer::start(vec![refuses; 2]);
    let app = app_with(&server);
    app.sign_up(ADA);
    for _ in 0..2 {
        app.run_jobs();
        app.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(app.count("outbox"), 0, "refused twice");
    assert!(!server.has_email());
}

/// Promise 53: a server that accepts the connection and says nothing.
#[test]
fn a_silent_server_costs_one_attempt() {
    let server = MailServer::start(vec![Manner::IsSilent]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::with(move |figment| {
        figment.merge(("vestibule.mail.smtp_url", url)).merge(("vestibule.mail.timeout", "1s"))
    });
    app.sign_up(ADA);
    app.run_jobs();
    assert_eq!((app.count("outbox"), app.count("links")), (1, 0));
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    app.visit(&link_in(&server.email())).is(200);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53: a mail server that examines each email for longer than the time-out of other steps gets it once.
#[test]
fn an_email_that_the_server_examines_for_long_arrives_once() {
    let server = MailServer::start(vec![Manner::TakesAfter(Duration::from_millis(2500))]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::with(move |figment| {
        figment.merge(("vestibule.mail.smtp_url", url)).merge(("vestibule.mail.timeout", "1s"))
    });
    app.sign_up(ADA);
    app.run_jobs();
    assert_eq!(app.count("outbox"), 0);
    app.visit(&link_in(&server.email())).is(200);
}

/// Promise 53: an accepted email counts as sent, however the conversation ends.
#[test]
fn a_mail_server_that_says_no_goodbye_has_accepted_the_email() {
    let server = MailServer::start(vec![Manner::SaysNoGoodbye]);
    let app = app_with(&server);
    app.sign_up(ADA);
    let begun_at = Instant::now();
    app.run_jobs();
    assert!(begun_at.elapsed() < Duration::from_secs(10), "nobody waits for a goodbye");
    assert_eq!(app.count("outbox"), 0);
    app.visit(&link_in(&server.email())).is(200);
}

/// Promises 31 and 53: a permanently refused email is retried once, since the mail server may have been
/// misconfigured, and does not fill the outbox for days.
#[test]
fn a_permanently_refused_email_is_retried_once() {
    for (at, answer) in [("RCPT", "550 no such user"), ("DATA", "554 5.2.1 no such mailbox")] {
        let refuses = Manner::Says { at, answer };
        let server = MailServer::start(vec![refuses; 2]);
        let app = app_with(&server);
        app.sign_up(ADA);
        app.run_jobs();
        app.clock.advance(Duration::from_mins(59));
        app.run_jobs();
        assert_eq!((app.count("outbox"), app.count("links")), (1, 0));
        app.clock.advance(Duration::from_mins(2));
        app.run_jobs();
        assert_eq!(app.count("outbox"), 0, "{at}");
        assert!(!server.has_email());
    }
}

/// Promise 53: a refusal because the mail server is misconfigured, or has reached a daily limit, is not about the
/// address.
#[test]
fn an_email_outlasts_a_misconfigured_relay() {
    for (at, answer) in [
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "550 5.1.8 <no-reply@localhost>: Sender address rejected"),
        ("RCPT", "553 sorry, that domain is not in my list (#5.7.1)"),
        ("DATA", "550 5.4.5 Daily limit exceeded"),
    ] {
        let server = MailServer::start(vec![Manner::Says { at, answer }; 5]);
        let app = app_with(&server);
        app.sign_up(ADA);
        for _ in 0..5 {
            app.run_jobs();
            assert_eq!(app.count("outbox"), 1);
            app.clock.advance(Duration::from_hours(1));
        }
        app.run_jobs();
        app.visit(&link_in(&server.email())).is(200);
    }
}

/// Promise 53: a mail server that does not know us yet refuses us, and not the email.
#[test]
fn an_email_outlasts_a_refusal_of_its_sender() {
    let refuses = ["530 who are you", "550 not from you", "553 not from there"];
    let server =
        MailServer::start(refuses.map(|answer| Manner::Says { at: "MAIL", answer }).into());
    let app = app_with(&server);
    app.sign_up(ADA);
    for _ in refuses {
        app.run_jobs();
        assert!(!server.has_email());
        app.clock.advance(Duration::from_hours(1));
    }
    app.run_jobs();
    app.visit(&link_in(&server.email())).is(200);
}

/// Promises 53 and 66.
#[test]
fn a_clock_that_is_days_ahead_for_a_moment_drops_no_email() {
    let server = MailServer::start(vec![Manner::Says { at: "", answer: "421 closing" }; 2]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    app.clock.advance(Duration::from_hours(5 * 24));
    app.run_jobs();
    assert_eq!(app.count("outbox"), 1);
    let app = app.restarted_at(Clock::stopped());
    app.visit(&app.last_email().link()).is(200);
}

/// Promises 10 and 53: emails to a slow domain have two slots, and others' emails the rest.
#[test]
fn a_slow_domain_delays_no_other() {
    let server = MailServer::start(vec![Manner::IsSilentTo("slow.example"); 8]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::behind_a_proxy(move |figment| {
        figment.merge(("vestibule.mail.smtp_url", url)).merge(("vestibule.mail.timeout", "1s"))
    });
    for n in 0..8 {
        let browser = app.browser_at(&format!("198.51.100.{n}"));
        browser.sign_up(&format!("p{n}@n{n}.slow.example"));
    }
    app.browser_at("198.51.100.9").sign_up(ADA);
    app.run_jobs();
    let arrived: Vec<String> = (0..3).map(|_| server.email()).collect();
    assert!(arrived.iter().any(|email| email.contains("To: ada@example.com")), "{arrived:?}");
}

/// Promise 67: an endless line is not kept, even if an attacker sends it before TLS.
#[test]
fn a_mail_server_that_talks_endlessly_is_disconnected() {
    let server = MailServer::start(vec![Manner::NeverEndsALine]);
    let app = app_with(&server);
    app.sign_up(ADA);
    app.run_jobs();
    let heard: usize = server.email().parse().unwrap();
    // Includes what the system buffers of a connection.
    assert!(heard < 32 << 20, "{heard} bytes");
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    app.visit(&link_in(&server.email())).is(200);
}

/// Promise 53: a broken row does not block others.
#[test]
fn an_email_that_cannot_be_read_blocks_no_other() {
    let app = TestApp::new();
    if !app.is_sqlite() {
        return; // PostgreSQL takes no text that is none.
    }
    for name in ["ada", "bob", "cyd"] {
        app.other_browser().sign_up(&format!("{name}@example.com"));
    }
    app.sql(
        "UPDATE vestibule_outbox SET device = CAST(x'ff' AS TEXT) WHERE id = (SELECT MIN(id) FROM vestibule_outbox)",
    );
    assert_eq!(app.emails().len(), 2);
    assert_eq!(app.count("outbox"), 1);
}

/// Promise 53: a slow attempt is followed by a pause, too.
#[test]
fn the_pause_between_two_attempts_begins_when_the_first_has_ended() {
    let server = MailServer::start(vec![Manner::IsSilent; 3]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::with(move |figment| {
        figment.merge(("vestibule.mail.smtp_url", url)).merge(("vestibule.mail.timeout", "1s"))
    });
    app.sign_up(ADA);
    let clock = app.clock.clone();
    let meanwhile = std::thread::spawn(move || {
        server.has_connection();
        clock.advance(Duration::from_secs(60));
        server
    });
    app.run_jobs();
    app.run_jobs();
    let server = meanwhile.join().unwrap();
    assert!(!server.has_silence(), "nobody has tried again");
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    server.has_connection();
}

/// Promise 53.
#[test]
fn an_email_waits_through_a_restart() {
    let app = TestApp::with_ada();
    let app = app.restarted();
    assert_eq!(app.emails().len(), 1);
}

#[test]
fn an_email_that_no_server_accepts_for_days_is_dropped() {
    let server = MailServer::start(vec![Manner::Says { at: "RCPT", answer: "450 no" }; 200]);
    let app = app_with(&server);
    app.sign_up(ADA);
    let mut hours = 0;
    while app.count("outbox") == 1 {
        app.run_jobs();
        app.clock.advance(Duration::from_hours(1));
        hours += 1;
    }
    assert!((96..110).contains(&hours), "{hours} hours");
}

/// Two nodes share an outbox: each email is sent once.
#[test]
fn an_email_is_delivered_by_one_node() {
    let app = TestApp::new();
    for n in 0..20 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
    }
    app.run_jobs_with(&app.twin());
    assert_eq!(app.emails().len(), 20);
}

#[cfg(unix)]
#[test]
fn without_a_mail_server_emails_are_in_a_private_folder_until_their_links_expire() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::TempDir::new().unwrap();
    let mail = folder.path().join("emails");
    let app = TestApp::with(|figment| figment.merge(("vestibule.mail.folder", mail.clone())));
    app.sign_up(ADA);
    app.run_jobs();
    let files =
        || -> Vec<_> { mail.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect() };
    let [email] = &files()[..] else { panic!("{:?}", files()) };
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&mail), mode(email)), (0o700, 0o600));
    let text = std::fs::read_to_string(email).unwrap();
    assert!(email.extension().unwrap() == "eml");
    app.visit(&link_in(&text)).is(200);
    app.clock.advance(Duration::from_hours(23));
    app.run_jobs();
    assert_eq!(files().len(), 1);
    app.clock.advance(Duration::from_hours(2));
    app.run_jobs();
    assert!(files().is_empty());
}
