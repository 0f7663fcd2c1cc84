//! HTTP, as the binary reads it.

use std::io::{Read, Write};

use tempfile::TempDir;

use crate::harness::ADA;
use crate::harness::process::{Process, answer, new_folder, session_cookie};

/// Promise 39: Rocket turns it into a HEAD, whose response has no body; the client would wait for one.
#[test]
fn a_form_that_asks_for_head_gets_an_answer() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for path in ["/login", "/", "/nowhere"] {
        let seen = answer(service.post(path, "_method=HEAD&email=x"));
        assert!(seen.contains("</html>"), "{path}: {seen}");
    }
}

/// RFC 9112, 3.2: with two hosts, a proxy may have used the other one.
#[test]
fn a_request_names_one_host() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for (lines, status) in [
        ("HTTP/1.1\r\nHost: localhost\r\n", "200"),
        ("HTTP/1.0\r\n", "200"),
        ("HTTP/1.1\r\n", "400"),
        ("HTTP/1.1\r\nHost: localhost\r\nHost: other.example\r\n", "400"),
    ] {
        let seen = answer(service.send(&format!("GET /login {lines}Connection: close\r\n\r\n")));
        assert_eq!(seen.split(' ').nth(1), Some(status), "{lines:?} {seen}");
        assert!(seen.contains("no-store"), "{seen}");
    }
}

/// Promises 35 and 37: responses without a handler have all headers too.
#[test]
fn an_unknown_method_is_refused_like_anything_else() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for method in ["PROPFIND", "FOO", "get"] {
        let seen = answer(service.send(&format!(
            "{method} /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )));
        assert!(seen.starts_with("HTTP/1.1 405 "), "{seen}");
        assert!(seen.contains("That is not possible here"), "{seen}");
        for header in
            ["content-security-policy:", "cache-control: no-store", "x-content-type-options:"]
        {
            assert!(seen.to_ascii_lowercase().contains(header), "{header}: {seen}");
        }
    }
    let head = answer(
        service.send("HEAD /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    let length = |seen: &str| {
        let lines = seen.lines().map(str::to_ascii_lowercase);
        lines
            .into_iter()
            .find_map(|l| l.strip_prefix("content-length: ").map(str::to_owned))
            .unwrap()
    };
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(length(&head), length(&service.get("/login")));
}

/// Promises 15 and 41: a subdomain may set a cookie whose name becomes ours when decoded or trimmed.
#[test]
fn a_cookie_with_a_similar_name_is_not_ours() {
    let folder = new_folder();
    let settings = [("VESTIBULE_PUBLIC_URL", "https://accounts.example.com")];
    let service = Process::start(folder.path(), &settings);
    let cookie_of = |email: &str| {
        let seen = service.sign_up(email);
        let (_, rest) = seen.split_once("set-cookie: __Host-session_id=").expect("a session");
        rest.split(';').next().unwrap().to_owned()
    };
    let (ada, eve) = (cookie_of(ADA), cookie_of("eve@example.com"));
    for name in [
        "%5F%5FHost-session_id",
        "__Host%2Dsession_id",
        "\u{2000}__Host-session_id",
        "\u{85}__Host-session_id",
    ] {
        for cookies in [
            format!("__Host-session_id={ada}; {name}={eve}"),
            format!("{name}={eve}; __Host-session_id={ada}"),
        ] {
            let seen = answer(service.send(&format!(
                "GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n"
            )));
            assert!(seen.contains(ADA), "{name}: {seen}");
        }
    }
}

/// Promise 69: another site's cookie on this domain, in a legacy character set.
#[test]
fn a_foreign_cookie_signs_nobody_out() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let cookie = session_cookie(&service.sign_up(ADA)).unwrap().to_owned();
    for (before, after) in
        [(&b""[..], &b""[..]), (b"visitor=Ren\xe9; ", b""), (b"", b"; \xff=\xfe;;\xe9")]
    {
        let request = [
            b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Name: Ren\xe9\r\nCookie: ",
            before,
            format!("session_id={cookie}").as_bytes(),
            after,
            b"\r\n\r\n",
        ]
        .concat();
        let seen = answer(service.send_bytes(&request));
        assert!(seen.contains("200 OK") && seen.contains(ADA), "{seen}");
    }
}

/// Promise 53: a response that is sent before the body has arrived reaches the client, and the connection closes
/// properly; otherwise a proxy would consider the node broken.
#[test]
fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let many = "X: y\r\n".repeat(120);
    let long = format!("X: {}\r\n", "y".repeat(22_000));
    for (status, path, header, length) in [
        ("400", "/login", "X: a\x7fb\r\n", 32_000),
        ("431", "/login", &*many, 32_000),
        ("431", "/login", &*long, 32_000),
        ("413", "/login", "", 200_000),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = service.send(&head);
        // The response arrives before the body is sent.
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        assert_eq!(line, format!("HTTP/1.1 {status}").as_bytes());
        for _ in 0..length / 1000 {
            stream.write_all(&[b'x'; 1000]).unwrap();
        }
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("it ends in order");
    }
}
