//! Mail servers, with and without TLS.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::ADA;
use crate::harness::mail_server::{MailServer, Manner, Tls};
use crate::harness::process::{Process, answer, form_post, sign_up_form};

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
        assert!(asked.contains("200 OK"), "{asked}");
    }
    // The site has two slots.
    let arrived: Vec<String> = (0..6).map(|_| server.email()).collect();
    let own = arrived.iter().filter(|email| email.contains("To: ada@example.com"));
    assert_eq!(own.count(), 2, "{arrived:?}");
}
