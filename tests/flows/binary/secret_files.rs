//! Secrets in files, as Docker, Kubernetes and systemd hand them over.

use std::path::Path;

use tempfile::TempDir;

use super::refused;
use crate::harness::SECRET_KEY;
use crate::harness::mail_server::{MailServer, Tls};
use crate::harness::process::{Process, answer, session_cookie};

fn secret(folder: &Path, name: &str, secret: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, secret).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_secret_may_be_in_a_file() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| secret(folder.path(), name, text);
    let server = MailServer::start_with(Tls::Implicit, vec![]);
    let smtp = file("smtp", &format!("smtps://delivery:a%20secret@localhost:{}\n", server.port));
    // A file has an end of line.
    let database = file("database", "sqlite:mine.sqlite3\n");
    let key = file("key", &format!("{SECRET_KEY}\r\n"));
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    for name in ["VESTIBULE_DATABASE_URL_FILE", "ROCKET_DATABASES__VESTIBULE__URL_FILE"] {
        let settings = [
            (name, &*database),
            ("VESTIBULE_MAIL__SMTP_URL_FILE", &*smtp),
            ("ROCKET_SECRET_KEY_FILE", &*key),
            ("SSL_CERT_FILE", authority),
        ];
        let service = Process::start(folder.path(), &settings);
        let started = service.seen.join("\n");
        assert!(started.contains("the SQLite file mine.sqlite3"), "{started}");
        assert!(!started.contains("WARN"), "{started}");
        let signed_up = service.sign_up(&format!("{}@example.com", name.len()));
        assert!(server.email().contains("Confirm your email address"));
        assert!(!folder.path().join("data/secret_key").exists());
        drop(service);
        // The key is the one in the file.
        let settings =
            [("VESTIBULE_DATABASE_URL", "sqlite:mine.sqlite3"), ("ROCKET_SECRET_KEY", SECRET_KEY)];
        let service = Process::start(folder.path(), &settings);
        let cookie = session_cookie(&signed_up).expect("a session");
        let seen = answer(service.send(&format!(
            "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
        )));
        assert!(seen.contains("200 OK"), "{seen}");
    }
}

#[test]
fn a_file_of_a_secret_that_cannot_be_used_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| secret(folder.path(), name, text);
    let empty = file("empty", " \n");
    let wrong = file("wrong", "smtps://user:hunter2/ss@mail.example.com");
    let database = file("database", "postgres://user:hunter2@127.0.0.1:1/d");
    let key = file("key", "hunter2");
    let here = folder.path().to_str().unwrap();
    for (name, value, words) in [
        ("VESTIBULE_DATABASE_URL_FILE", "nowhere", "No such file"),
        ("VESTIBULE_DATABASE_URL_FILE", here, "is not a file"),
        ("VESTIBULE_DATABASE_URL_FILE", &*empty, "the file is empty"),
        // Whoever mistakes the one for the other does not find the password in the log.
        ("VESTIBULE_DATABASE_URL_FILE", "postgres://user:hunter2@h/d", "cannot be used"),
        ("VESTIBULE_MAIL__SMTP_URL_FILE", "smtps://user:hunter2@h", "cannot be used"),
        ("VESTIBULE_MAIL__SMTP_URL_FILE", &*wrong, "/ is %2F"),
        ("ROCKET_SECRET_KEY_FILE", "nowhere", "No such file"),
        ("ROCKET_SECRET_KEY_FILE", &*key, "secret_key"),
        ("ROCKET_DATABASES__VESTIBULE__URL_FILE", &*database, "secret_key must be set"),
        ("DATABASE_URL_FILE", &*database, "is not read here"),
        ("VESTIBULE_SECRET_KEY_FILE", &*key, "use ROCKET_SECRET_KEY"),
        ("VESTIBULE_SECRET_KEY", SECRET_KEY, "use ROCKET_SECRET_KEY"),
    ] {
        let log = refused(folder.path(), &[(name, value)]);
        assert!(log.contains(words), "{name}={value}: {log}");
        assert!(!log.contains("hunter2"), "{log}");
        assert!(!folder.path().join("data/vestibule.sqlite3").exists(), "{name}={value}");
    }
    let both = [
        ("VESTIBULE_DATABASE_URL", "sqlite:mine.sqlite3"),
        ("VESTIBULE_DATABASE_URL_FILE", &*database),
    ];
    let log = refused(folder.path(), &both);
    assert!(log.contains("VESTIBULE_DATABASE_URL_FILE are both set"), "{log}");
}
