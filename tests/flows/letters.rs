//! Letters: what they say, and that none is lost.

use std::time::Duration;

use crate::harness::{NEW_PASSWORD, TestApp};
use crate::mail_server::{MailServer, Manner};

/// Letters as they read, with what changes from run to run left out. To see and take over a change:
/// `UPDATE_SNAPSHOTS=1 cargo test`.
#[test]
fn letters_read_as_agreed() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    app.submit("/password-reset", [("email", "ada@example.com")]);
    let link = app.last_letter().link();
    app.visit(&link).and_submit([("new_password", NEW_PASSWORD)]).redirects_to("/login");
    let letters = app.letters();
    for (letter, name) in letters.iter().zip(["verify_email", "password_reset", "password_changed"])
    {
        for (form, text) in [("txt", &letter.text), ("html", &letter.html)] {
            let seen = format!("To: {}\nSubject: {}\n\n{text}", letter.to, letter.subject);
            compare(&format!("{name}.{form}"), &redacted(&seen));
        }
    }
    assert_eq!(letters.len(), 3);
}

fn redacted(text: &str) -> String {
    let is_token = |word: &str| {
        word.len() == 43
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut lines: Vec<String> = text
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

/// The text part, put together again (RFC 2045, quoted-printable).
fn unwrapped(letter: &str) -> String {
    letter.replace("=\r\n", "").replace("=3D", "=")
}

fn link_in(letter: &str) -> String {
    let letter = unwrapped(letter);
    let (_, rest) = letter.split_once("http://localhost:8000").expect("a link");
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_letter_leaves_by_the_mail_server() {
    let server = MailServer::start(vec![]);
    let app = app_with(&server);
    app.sign_up("ada@example.com");
    app.run_jobs();
    let letter = server.letter();
    for line in [
        "From: Vestibule <no-reply@localhost>",
        "To: ada@example.com",
        "Subject: Confirm your e-mail address for Vestibule",
        "Auto-Submitted: auto-generated",
        "Message-ID: <",
        "Date: ",
        "multipart/alternative",
        "text/plain",
        "text/html",
    ] {
        assert!(letter.contains(line), "{line} is not in\n{letter}");
    }
    app.visit(&link_in(&letter)).and_submit([]).redirects_to("/profile");
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53.
#[test]
fn a_letter_that_no_server_takes_waits_and_is_tried_again() {
    let says = |at, answer| Manner::Says { at, answer };
    let failures = vec![
        says("", "421 closing"),
        says("RCPT", "451 later"),
        says("RCPT", "550 no such user"),
        says("DATA", "554 no"),
        Manner::DropsInData,
    ];
    let tries = failures.len();
    let server = MailServer::start(failures);
    let app = app_with(&server);
    app.sign_up("ada@example.com");
    for n in 0..tries {
        app.run_jobs();
        assert_eq!(app.count("outbox"), 1, "after try {n}");
        assert_eq!(app.count("tokens"), 0, "no usable secret rests anywhere");
        // Not at once, and later each time.
        app.run_jobs();
        app.clock
            .advance(Duration::from_secs(10 << n).checked_sub(Duration::from_secs(1)).unwrap());
        app.run_jobs();
        assert!(!server.has_letter());
        app.clock.advance(Duration::from_secs(2));
    }
    app.run_jobs();
    app.visit(&link_in(&server.letter())).is(200);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53.
#[test]
fn a_letter_that_may_have_arrived_is_sent_again_under_the_same_name() {
    let server = MailServer::start(vec![Manner::DropsAfterData]);
    let app = app_with(&server);
    app.sign_up("ada@example.com");
    app.run_jobs();
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    let (first, second) = (server.letter(), server.letter());
    let id = |letter: &str| {
        letter.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned()
    };
    assert_eq!(id(&first), id(&second));
    app.visit(&link_in(&second)).is(200);
    assert_ne!(link_in(&first), link_in(&second), "a new try, a new token");
}

/// Promise 53: a server that takes the connection and says nothing.
#[test]
fn a_silent_server_costs_a_try_and_no_more() {
    let server = MailServer::start(vec![Manner::IsSilent]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let app = TestApp::with(move |figment| {
        figment.merge(("vestibule.mail.smtp_url", url)).merge(("vestibule.mail.timeout", "1s"))
    });
    app.sign_up("ada@example.com");
    app.run_jobs();
    assert_eq!((app.count("outbox"), app.count("tokens")), (1, 0));
    app.clock.advance(Duration::from_secs(11));
    app.run_jobs();
    app.visit(&link_in(&server.letter())).is(200);
    assert_eq!(app.count("outbox"), 0);
}

/// Promise 53.
#[test]
fn a_letter_waits_through_a_restart() {
    let app = TestApp::new();
    app.sign_up("ada@example.com");
    let app = app.restarted();
    assert_eq!(app.letters().len(), 1);
}

#[test]
fn a_letter_that_nobody_takes_for_days_is_dropped() {
    let server = MailServer::start(vec![Manner::Says { at: "RCPT", answer: "550 no" }; 3]);
    let app = app_with(&server);
    app.sign_up("ada@example.com");
    app.run_jobs();
    app.clock.advance(Duration::from_hours(72));
    app.run_jobs();
    assert_eq!(app.count("outbox"), 1);
    app.clock.advance(Duration::from_hours(48));
    app.run_jobs();
    assert_eq!(app.count("outbox"), 0);
}

/// Two nodes share an outbox: each letter leaves once.
#[test]
fn a_letter_is_delivered_by_one_node() {
    let app = TestApp::new();
    for n in 0..20 {
        app.other_browser().sign_up(&format!("p{n}@example.com"));
    }
    let twin = app.twin();
    app.run_jobs_with(&twin);
    let both = app.letters().len() + twin.letters().len();
    assert_eq!(both, 20);
}

#[cfg(unix)]
#[test]
fn without_a_mail_server_letters_lie_in_a_private_folder_until_their_links_are_dead() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::TempDir::new().unwrap();
    let mail = folder.path().join("letters");
    let app = TestApp::with(|figment| figment.merge(("vestibule.mail.folder", mail.clone())));
    app.sign_up("ada@example.com");
    app.run_jobs();
    let files =
        || -> Vec<_> { mail.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect() };
    let [letter] = &files()[..] else { panic!("{:?}", files()) };
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&mail), mode(letter)), (0o700, 0o600));
    let text = std::fs::read_to_string(letter).unwrap();
    assert!(letter.extension().unwrap() == "eml");
    app.visit(&link_in(&text)).is(200);
    app.clock.advance(Duration::from_hours(23));
    app.run_jobs();
    assert_eq!(files().len(), 1);
    app.clock.advance(Duration::from_hours(2));
    app.run_jobs();
    assert!(files().is_empty());
}
