//! Tokens and passwords appear neither in the log nor in memory.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::process::{Process, answer, new_folder, session_cookie};
use crate::harness::{ADA, SECRET_KEY, some_of};

/// Promises 18 and 35: in no profile and at no level; including responses without a handler.
#[test]
fn no_log_contains_a_token_or_a_password() {
    for (profile, level) in [
        ("course", "debug"),
        ("course", "normal"),
        ("course", "critical"),
        ("release", "debug"),
        ("release", "normal"),
    ] {
        no_log_contains_a_token_or_a_password_at(profile, level);
    }
}

fn no_log_contains_a_token_or_a_password_at(profile: &str, level: &str) {
    let folder = TempDir::new().unwrap();
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/Rocket.toml");
    std::fs::copy(settings, folder.path().join("Rocket.toml")).unwrap();
    // Not the debug profile, which prints the link during development, but with Rocket's full log.
    let settings = [
        ("ROCKET_PROFILE", profile),
        ("ROCKET_LOG_LEVEL", level),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("VESTIBULE_PUBLIC_URL", "http://localhost:8000"),
    ];
    let service = Process::start(folder.path(), &settings);
    service.sign_up(ADA);
    let token = mailed_token(&folder.path().join("data/mail"));
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND",
        "FOO", "get",
    ];
    let paths = ["password-reset", "verify-email"].map(|page| {
        [
            format!("/{page}/{token}"),
            format!("/{page}/{token}/"),
            format!("/{page}/{token}?a=b"),
            format!("//{page}/{token}"),
            format!("/%70{}/{token}", &page[1..]),
            format!("/{page}/%{:02X}{}", token.as_bytes()[0], &token[1..]),
            format!("/{page}/{token}|{{}}"),
            format!("/{page}/x?{token}"),
            format!("http://localhost/{page}/{token}"),
        ]
    });
    let all = methods
        .iter()
        .flat_map(|method| paths.as_flattened().iter().map(move |path| format!("{method} {path}")));
    for line in some_of(all, 5).chain([format!("GET /password-reset/{token}")]) {
        let seen = answer(service.send(&format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )));
        for header in ["cache-control: no-store", "content-security-policy: default-src"] {
            // hyper answers a request that it cannot parse.
            let is_unread = seen.starts_with("HTTP/1.1 400 ") && !seen.contains("<html");
            assert!(is_unread || seen.contains(header), "{line}: {seen}");
        }
    }
    answer(service.post("/login", "email=seven+purple+lanterns&password=seven+purple+lanterns"));
    service.signal("-TERM");
    let (_, log) = service.end();
    let log = log.join("\n");
    assert!(level != "debug" || log.contains("GET /password-reset/link"), "{log}");
    assert!(!log.contains(&token[1..]) && !log.contains("lanterns"), "{log}");
    let warning = "ANYBODY WHO CAN REACH THIS SERVICE CAN TAKE ANY ACCOUNT";
    assert_eq!(log.contains(warning), profile == "course", "{log}");
}

/// The token in the first email of the folder.
fn mailed_token(folder: &Path) -> String {
    let begun_at = Instant::now();
    loop {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "no email");
        let Ok(emails) = folder.read_dir() else { continue };
        let texts = emails.filter_map(|email| std::fs::read_to_string(email.ok()?.path()).ok());
        let unwrapped = texts.map(|text| text.replace("=\r\n", "").replace("=\n", ""));
        let token = unwrapped.into_iter().find_map(|text| {
            let (_, rest) = text.split_once("/verify-email/")?;
            rest.get(..43).map(str::to_owned)
        });
        if let Some(token) = token {
            return token;
        }
        std::thread::yield_now();
    }
}

/// A password is wiped after the request, wherever the libraries copied it: it is in no core dump or swapped page.
#[cfg(target_os = "linux")]
#[test]
fn no_password_stays_in_memory() {
    let folder = new_folder();
    let service = Process::start(folder.path(), &[]);
    let form = |path: &str, password: &str| {
        answer(service.post(path, &format!("email=ada%40example.com&password={password}")))
    };
    assert!(form("/signup", "kennel12").starts_with("HTTP/1.1 422"), "too weak");
    let signed_up = form("/signup", "MarkWhitmoreKennel");
    let cookie = session_cookie(&signed_up).expect("a session");
    assert!(form("/login", "MarkWhitmoreKennel").starts_with("HTTP/1.1 303"));
    assert!(form("/login", "MarkWhitmoreKennil").starts_with("HTTP/1.1 401"));
    let post = |path: &str, kind: &str, body: &str| {
        answer(service.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )))
    };
    let json = r#"{"email":"ada@example.com","password":"MarkWhitmoreKennel"}"#;
    assert!(post("/api/v1/session", "application/json", json).starts_with("HTTP/1.1 200"));
    let form = "current_password=MarkWhitmoreKennel&new_password=SevenPurpleKennels";
    let changed = post("/password-change", "application/x-www-form-urlencoded", form);
    assert!(changed.starts_with("HTTP/1.1 303"), "{changed}");
    for password in ["kennel12", "MarkWhitmoreKenn", "SevenPurpleKennels"] {
        // The client gets the response before the service has finished.
        let begun_at = Instant::now();
        while service.memory_holds(password.as_bytes()) {
            assert!(begun_at.elapsed() < Duration::from_secs(20), "{password} stays in memory");
        }
    }
    assert!(service.memory_holds(b"accounts are kept in"), "what is looked at is its memory");
}
