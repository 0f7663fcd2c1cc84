//! Mail servers, with and without TLS.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::refused;
use crate::harness::ADA;
use crate::harness::mail_server::{MailServer, Manner, Tls};
use crate::harness::process::{Process, answer, command, form_post, sign_up_form};

#[test]
fn emails_leave_by_tls_and_with_a_password() {
    for (tls, url) in [
        (Tls::Implicit, "smtps://delivery:a%20secret@localhost:PORT"),
        (Tls::Later, "smtp://delivery:a%20secret@localhost:PORT?tls=required"),
        // A password is never sent in clear by default.
        (Tls::Later, "smtp://delivery:a%20secret@localhost:PORT"),
    ] {
        let server = MailServer::start_with(tls, vec![]);
        let folder = TempDir::new().unwrap();
        let url = url.replace("PORT", &server.port.to_string());
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
        let settings = [
            ("VESTIBULE_MAIL__SMTP_URL", url.as_str()),
            ("VESTIBULE_MAIL__FROM", "The Hall <hall@example.com>"),
            ("SSL_CERT_FILE", authority),
        ];
        let service = Process::start(folder.path(), &settings);
        service.sign_up(ADA);
        let email = server.email();
        assert!(email.contains("From: \"The Hall\" <hall@example.com>"), "{email}");
        assert!(!service.seen.join("\n").contains("a%20secret"));
    }
}

#[test]
fn a_mail_server_that_cannot_be_trusted_gets_no_email() {
    let server = MailServer::start_with(Tls::Implicit, vec![]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtps://delivery:a%20secret@localhost:{}", server.port);
    let mut service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    service.sign_up(ADA);
    let line = service.line("failed");
    assert!(line.contains("kind=verify-email") && !line.contains("secret"), "{line}");
    assert!(!server.has_email());
}

/// Promise 67: an endless line over TLS.
#[test]
fn a_mail_server_that_talks_endlessly_over_tls_is_disconnected() {
    let server = MailServer::start_with(Tls::Implicit, vec![Manner::NeverEndsALine]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtps://localhost:{}", server.port);
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    let settings = [("VESTIBULE_MAIL__SMTP_URL", url.as_str()), ("SSL_CERT_FILE", authority)];
    let mut service = Process::start(folder.path(), &settings);
    service.sign_up(ADA);
    let line = service.line("failed");
    assert!(line.contains("says too much"), "{line}");
    let heard: usize = server.email().parse().unwrap();
    assert!(heard < 32 << 20, "{heard} bytes");
}

/// Data that an attacker adds in clear behind the answer to STARTTLS does not count as sent over TLS.
#[test]
fn data_injected_before_tls_is_not_trusted() {
    let slipped_in = "250-localhost\r\n250 AUTH PLAIN\r\n";
    let server = MailServer::start_with(Tls::Later, vec![Manner::AddsToStartTls(slipped_in)]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://localhost:{}?tls=required", server.port);
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    let settings = [("VESTIBULE_MAIL__SMTP_URL", url.as_str()), ("SSL_CERT_FILE", authority)];
    let mut service = Process::start(folder.path(), &settings);
    service.sign_up(ADA);
    let line = service.line("failed");
    assert!(line.contains("corrupt message") || line.contains("InvalidMessage"), "{line}");
    assert!(!server.has_email());
}

/// Promise 53: a message claimed by a process that has died is sent at the next start, not after its lease.
#[test]
fn an_email_that_a_crash_interrupted_leaves_at_once() {
    let silent = MailServer::start(vec![Manner::IsSilent]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://127.0.0.1:{}", silent.port);
    let service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    service.sign_up(ADA);
    silent.has_connection();
    service.signal("-KILL");
    service.end();
    let server = MailServer::start(vec![]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let begun_at = Instant::now();
    let _service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    assert!(server.email().contains(ADA));
    assert!(begun_at.elapsed() < Duration::from_secs(60), "the lease is two minutes");
}

/// Promises 10 and 53: a silent mail server delays neither pages, nor other messages (whose delay would reveal it),
/// nor shutdown.
#[test]
fn a_silent_mail_server_delays_nobody() {
    let server = MailServer::start(vec![Manner::IsSilent]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let settings = [
        ("VESTIBULE_MAIL__SMTP_URL", &*url),
        ("VESTIBULE_MAIL__TIMEOUT", "60s"),
        ("ROCKET_SHUTDOWN__GRACE", "1"),
    ];
    let service = Process::start(folder.path(), &settings);
    let start = Instant::now();
    assert!(service.sign_up(ADA).contains("303 See Other"));
    assert!(service.get("/login").contains("200 OK"));
    assert!(service.sign_up("bob@example.com").contains("303 See Other"));
    // Whichever email met the silence, the other one was sent.
    assert!(server.email().contains("@example.com"));
    service.signal("-TERM");
    assert!(service.end().0.success());
    assert!(start.elapsed() < Duration::from_secs(40), "nobody waited for the minute");
}

/// Promise 10: an attacker cannot measure how long the email to an account takes by requesting one to themselves
/// afterwards.
#[test]
fn the_duration_of_a_reset_email_cannot_be_measured() {
    let server = MailServer::start(vec![Manner::IsSilentTo("slow"); 64]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let settings = [
        ("VESTIBULE_MAIL__SMTP_URL", &*url),
        ("VESTIBULE_MAIL__TIMEOUT", "60s"),
        ("VESTIBULE_TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ];
    let service = Process::start(folder.path(), &settings);
    let post = |site: usize, path: &str, form: &str| {
        let from = format!("X-Forwarded-For: 198.51.{site}.1\r\nContent-Type");
        answer(service.send(&form_post(path, form).replacen("Content-Type", &from, 1)))
    };
    // Most of the first emails never finish, from sites and to domains of their own; the last one is sent.
    let slow = (0..6).map(|n| format!("p{n}@slow-{n}.example"));
    let all: Vec<String> = slow.chain([ADA.to_owned()]).collect();
    for (site, email) in all.iter().enumerate() {
        assert!(post(site, "/signup", &sign_up_form(email)).contains("303 See Other"));
        server.email();
    }
    let somebody = [&all[0], &all[1], &all[6]];
    for email in somebody.into_iter().chain(somebody) {
        let asked = post(9, "/password-reset", &format!("email={email}"));
        assert!(asked.contains("303 See Other"), "{asked}");
    }
    // The site has two slots.
    let arrived: Vec<String> = (0..6).map(|_| server.email()).collect();
    let own = arrived.iter().filter(|email| email.contains("To: ada@example.com"));
    assert_eq!(own.count(), 2, "{arrived:?}");
}

/// The name of a container means nothing to a mail server, and some refuse it.
#[test]
fn a_mail_server_is_greeted_by_the_name_that_people_know() {
    for (settings, name) in [
        (&[("VESTIBULE_PUBLIC_URL", "https://accounts.example.com")][..], "accounts.example.com"),
        (
            &[
                ("VESTIBULE_PUBLIC_URL", "http://192.0.2.7:8000"),
                ("VESTIBULE_MAIL__FROM", "no-reply@example.com"),
            ],
            "[192.0.2.7]",
        ),
        (
            &[
                ("VESTIBULE_PUBLIC_URL", "http://[2001:db8::7]:8000"),
                ("VESTIBULE_MAIL__FROM", "no-reply@example.com"),
            ],
            "[IPv6:2001:db8::7]",
        ),
        (
            &[
                ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com"),
                ("VESTIBULE_MAIL__HELLO", "out.exämple.com"),
            ],
            "out.xn--exmple-cua.com",
        ),
        (&[("VESTIBULE_MAIL__HELLO", "192.0.2.8")], "[192.0.2.8]"),
        (&[("VESTIBULE_MAIL__HELLO", "[IPv6:2001:db8::8]")], "[IPv6:2001:db8::8]"),
    ] {
        let server = MailServer::start(vec![]);
        let folder = TempDir::new().unwrap();
        let url = format!("smtp://127.0.0.1:{}", server.port);
        let settings = [settings, &[("VESTIBULE_MAIL__SMTP_URL", &*url)]].concat();
        let service = Process::start(folder.path(), &settings);
        service.sign_up(ADA);
        assert_eq!(server.hello(), name);
        server.email();
    }
    let folder = TempDir::new().unwrap();
    for wrong in ["two words", "a\r\nMAIL FROM:<x>", "https://accounts.example.com", "a@b", "[a]"] {
        let log = refused(folder.path(), &[("VESTIBULE_MAIL__HELLO", wrong)]);
        assert!(log.contains("mail.hello must be a host name"), "{wrong}: {log}");
    }
}

/// As in a company with an authority of its own, or in an image without certificates.
#[test]
fn a_mail_server_may_have_a_certificate_of_an_own_authority() {
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    for (tls, scheme) in [(Tls::Implicit, "smtps"), (Tls::Later, "smtp")] {
        let server = MailServer::start_with(tls, vec![]);
        let folder = TempDir::new().unwrap();
        let url = format!("{scheme}://delivery:a%20secret@localhost:{}", server.port);
        let settings = [
            ("VESTIBULE_MAIL__SMTP_URL", url.as_str()),
            ("VESTIBULE_MAIL__CA_FILE", authority),
            ("SSL_CERT_FILE", "/nowhere.pem"),
        ];
        let service = Process::start(folder.path(), &settings);
        service.sign_up(ADA);
        assert!(server.email().contains(ADA));
    }
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    file("empty.pem", "");
    file("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let tls = ("VESTIBULE_MAIL__SMTP_URL", "smtps://mail.example.com");
    for (settings, words) in [
        (&[tls, ("VESTIBULE_MAIL__CA_FILE", "nowhere.pem")][..], "No such file"),
        (&[tls, ("VESTIBULE_MAIL__CA_FILE", "empty.pem")], "no certificate"),
        (&[tls, ("VESTIBULE_MAIL__CA_FILE", "key.pem")], "no certificate"),
        (&[("VESTIBULE_MAIL__CA_FILE", authority)], "would not be used"),
        (
            &[
                ("VESTIBULE_MAIL__CA_FILE", authority),
                ("VESTIBULE_MAIL__SMTP_URL", "smtp://mail.example.com?tls=none"),
            ],
            "would not be used",
        ),
    ] {
        let log = refused(folder.path(), settings);
        assert!(log.contains("mail.ca_file") && log.contains(words), "{settings:?}: {log}");
        let output = command(folder.path(), settings).arg("check").stdout(Stdio::piped()).output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        assert!(said.contains("A start would fail: ") && said.contains(words), "{said}");
    }
}

/// Every mail server takes it: few can do SMTPUTF8 (RFC 6531), and some refuse malformed senders.
#[test]
fn the_sender_is_an_address_that_every_mail_server_takes() {
    for (setting, value, sender) in [
        ("VESTIBULE_MAIL__FROM", "Büro <no-reply@exämple.com>", "no-reply@xn--exmple-cua.com"),
        ("VESTIBULE_MAIL__FROM", "no-reply@例え.jp", "no-reply@xn--r8jz45g.jp"),
        ("VESTIBULE_PUBLIC_URL", "https://exämple.com", "no-reply@xn--exmple-cua.com"),
        ("VESTIBULE_PUBLIC_URL", "http://[::1]:8000", "no-reply@localhost"),
        ("VESTIBULE_PUBLIC_URL", "http://127.0.0.1:8000", "no-reply@localhost"),
    ] {
        let server = MailServer::start(vec![]);
        let folder = TempDir::new().unwrap();
        let url = format!("smtp://127.0.0.1:{}", server.port);
        let service =
            Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url), (setting, value)]);
        service.sign_up(ADA);
        assert_eq!(server.sender(), format!("<{sender}>"), "{value}");
        let email = server.email();
        assert!(email.contains(&format!("<{sender}>")), "{email}");
    }
    let folder = TempDir::new().unwrap();
    for wrong in
        ["bür@example.com", "no-reply@::1", "no-reply@192.0.2.7", "no-reply@[here]", "a@[::1]"]
    {
        let log = refused(folder.path(), &[("VESTIBULE_MAIL__FROM", wrong)]);
        assert!(log.contains("mail.from must be an address"), "{wrong}: {log}");
    }
    for origin in ["http://[2001:db8::7]:8000", "http://192.0.2.7:8000"] {
        let server = ("VESTIBULE_MAIL__SMTP_URL", "smtp://127.0.0.1:1");
        let settings = [("VESTIBULE_PUBLIC_URL", origin), server];
        let log = refused(folder.path(), &settings);
        assert!(log.contains("mail.from must be set"), "{log}");
        let output = command(folder.path(), &settings).arg("check").stdout(Stdio::piped()).output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        let refusal = said.split("A start would fail: ").nth(1).unwrap_or_default();
        assert!(refusal.contains("mail.from must be set"), "{said}");
        // Without a mail server, it matters to nobody.
        let service = Process::start(folder.path(), &settings[..1]);
        service.sign_up(ADA);
    }
}

/// Whoever tries the service out without a mail server finds the links.
#[test]
fn without_a_mail_server_it_is_said_how_to_read_the_emails() {
    let folder = TempDir::new().unwrap();
    let settings = [("ROCKET_PROFILE", "release")];
    let service = Process::start(folder.path(), &settings);
    let mail = folder.path().canonicalize().unwrap().join("data/mail");
    let warning = service.seen.iter().find(|line| line.contains("no mail server is set")).unwrap();
    let output = command(folder.path(), &settings).arg("check").stdout(Stdio::piped()).output();
    let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
    let found = said.lines().find(|line| line.starts_with("mail ")).unwrap();
    for text in [warning, found] {
        assert!(text.contains(mail.to_str().unwrap()), "{text}");
        assert!(text.contains(".eml") && text.contains("mail.smtp_url"), "{text}");
    }
}
