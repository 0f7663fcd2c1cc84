//! The binary itself: its words, its settings, its files, how it starts, and what it bears.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::SECRET_KEY;
use crate::mail_server::{MailServer, Manner, Tls};
use crate::process::{
    Process, answer, command, form_post, new_folder, session_cookie, sign_up_form,
};

fn refused(folder: &Path, settings: &[(&str, &str)]) -> String {
    let output = command(folder, settings).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_command_line_answers_and_refuses() {
    let folder = TempDir::new().unwrap();
    let run = |words: &[&str]| {
        let mut command = command(folder.path(), &[]);
        let output = command.stdout(Stdio::piped()).args(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, text) = run(&["--version"]);
    assert_eq!((code, text.trim()), (Some(0), concat!("vestibule ", env!("CARGO_PKG_VERSION"))));
    let (code, text) = run(&["--help"]);
    assert!(code == Some(0) && text.contains("Usage"), "{text}");
    for words in [&["sreve"][..], &["serve", "now"], &["--port"]] {
        let (code, text) = run(words);
        assert!(code == Some(2) && text.contains(words[0]), "{text}");
    }
    assert!(!folder.path().join("data").exists());
}

#[cfg(unix)]
#[test]
fn a_first_start_needs_no_setting_and_shows_the_newcomer_the_link() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    // What `cargo run` uses.
    let mut service = Process::start(folder.path(), &[("ROCKET_PROFILE", "debug")]);
    assert!(service.get("/").contains("200 OK"));
    assert!(service.sign_up("ada@example.com").contains("303 See Other"));
    let line = service.line("/verify-email/");
    assert!(line.contains("Confirm your e-mail address"), "{line}");
    let data = folder.path().join("data");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("secret_key")), 0o600);
    assert_eq!(data.join("mail").read_dir().unwrap().count(), 1);
}

/// Somebody made the folder before, and everybody may look into it.
#[cfg(unix)]
#[test]
fn the_database_is_private_in_any_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let everybody = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&data, everybody).unwrap();
    let service = Process::start(folder.path(), &[]);
    service.sign_up("ada@example.com");
    for file in data.read_dir().unwrap().map(Result::unwrap) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || mode == 0o700, "{:?}: {mode:o}", file.path());
    }
}

/// Promise 26: hashes run on so many threads, of low priority, and on no others.
#[cfg(target_os = "linux")]
#[test]
fn hashes_run_on_threads_of_their_own() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[("VESTIBULE_HASHING__WORKERS", "3")]);
    service.sign_up("ada@example.com");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", service.id())).unwrap();
    let nice: Vec<i32> = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok())
        // proc_pid_stat(5): the name in brackets, then the fields from the third on.
        .filter_map(|stat| {
            let (name, rest) = stat.split_once(") ")?;
            name.contains("(hash-").then(|| rest.split(' ').nth(16)?.parse().ok())?
        })
        .collect();
    assert_eq!(nice, [10, 10, 10]);
}

/// Promise 30.
#[test]
fn a_proxy_that_nobody_named_is_warned_of() {
    let folder = TempDir::new().unwrap();
    let https = ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com");
    let mut service = Process::start(folder.path(), &[https]);
    assert!(
        service.seen.iter().any(|line| line.contains("WARN") && line.contains("trusted_proxies"))
    );
    service.signal("-TERM");
    service.seen.clear();
    let service = Process::start(
        folder.path(),
        &[https, ("VESTIBULE_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16")],
    );
    assert!(!service.seen.iter().any(|line| line.contains("trusted_proxies")));
}

/// Promise 39: Rocket makes a HEAD of it, whose answer has no body; the client waits for one.
#[test]
fn a_form_that_asks_for_head_gets_an_answer() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for path in ["/login", "/", "/nowhere"] {
        let seen = answer(service.post(path, "_method=HEAD&email=x"));
        assert!(seen.contains("</html>"), "{path}: {seen}");
    }
}

/// Promises 18 and 35: in no profile and at no level; what no handler answers is told as carefully as the rest.
#[test]
fn no_log_holds_a_token_or_a_password() {
    for (profile, level) in [
        ("course", "debug"),
        ("course", "normal"),
        ("course", "critical"),
        ("release", "debug"),
        ("release", "normal"),
    ] {
        no_log_holds_a_token_or_a_password_at(profile, level);
    }
}

fn no_log_holds_a_token_or_a_password_at(profile: &str, level: &str) {
    let folder = TempDir::new().unwrap();
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/Rocket.toml");
    std::fs::copy(settings, folder.path().join("Rocket.toml")).unwrap();
    // Not the debug profile, which shows a newcomer the link, but with all that Rocket says.
    let settings = [
        ("ROCKET_PROFILE", profile),
        ("ROCKET_LOG_LEVEL", level),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("VESTIBULE_PUBLIC_URL", "http://localhost:8000"),
    ];
    let service = Process::start(folder.path(), &settings);
    service.sign_up("ada@example.com");
    let token = mailed_token(&folder.path().join("data/mail"));
    for page in ["password-reset", "verify-email"] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT",
            "PROPFIND", "FOO", "get",
        ] {
            for path in [
                format!("/{page}/{token}"),
                format!("/{page}/{token}/"),
                format!("/{page}/{token}?a=b"),
                format!("//{page}/{token}"),
                format!("/%70{}/{token}", &page[1..]),
                format!("/{page}/%{:02X}{}", token.as_bytes()[0], &token[1..]),
                format!("/{page}/{token}|{{}}"),
                format!("/{page}/x?{token}"),
                format!("http://localhost/{page}/{token}"),
            ] {
                let seen = answer(service.send(&format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )));
                for header in ["cache-control: no-store", "content-security-policy: default-src"] {
                    // What cannot be read as a request is hyper's to answer.
                    let is_unread = seen.starts_with("HTTP/1.1 400 ") && !seen.contains("<html");
                    assert!(is_unread || seen.contains(header), "{method} {path}: {seen}");
                }
            }
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

/// The token in the first letter of the folder.
fn mailed_token(folder: &Path) -> String {
    let begun_at = Instant::now();
    loop {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "no letter");
        let Ok(letters) = folder.read_dir() else { continue };
        let texts = letters.filter_map(|letter| std::fs::read_to_string(letter.ok()?.path()).ok());
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

#[test]
fn a_wrong_setting_stops_the_start_with_key_place_and_reason() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("VESTIBULE_PASSWORD__MIN_LENGTH", "many", "password.min_length"),
        ("VESTIBULE_PASSWORD__COST", "3", "password.cost"),
        ("VESTIBULE_ACCENT", "red", "accent"),
        ("VESTIBULE_SESSION__IDLE_TTL", "soon", "session.idle_ttl"),
        ("VESTIBULE_PUBLIC_URL", "accounts.example.com/app", "public_url"),
        ("VESTIBULE_MAIL__SMTP_URL", "hunter2@mail", "mail.smtp_url"),
        ("VESTIBULE_MAIL__SMTP_URL", "smtps://user:hunter2#w/rd@mail.example.com", "mail.smtp_url"),
        ("VESTIBULE_MAIL__SMTP_URL", "smtps://user:hunter2@ss@mail.example.com", "mail.smtp_url"),
        ("VESTIBULE_DATABASE_URL", "mysql://root:hunter2@localhost/x", "database_url"),
        ("VESTIBULE_DATABASE_URL", " ", "database_url"),
        ("VESTIBULE_TRUSTED_PROXIES", "0.0.0.0/0", "trusted_proxies"),
        ("VESTIBULE_TRUSTED_PROXIES", "10.0.0.1, ::/0", "trusted_proxies"),
        ("VESTIBULE_TRUSTED_PROXIES", "0.0.0.0/1, 128.0.0.0/1", "trusted_proxies"),
        ("VESTIBULE_CLIENT_IP_HEADER", "X Forwarded For", "client_ip_header"),
        ("VESTIBULE_CLIENT_IP_HEADER", "Forwarded", "client_ip_header"),
        ("VESTIBULE_PASSWORD__MIN_LENGTH", "0", "password.min_length"),
        ("VESTIBULE_PASSWORD__COST", "31", "password.cost"),
        ("VESTIBULE_HASHING__QUEUE", "0", "hashing.queue"),
        ("VESTIBULE_HASHING__WORKERS", "0", "hashing.workers"),
        ("VESTIBULE_HASHING__MAX_WAIT", "0s", "hashing.max_wait"),
        ("VESTIBULE_SESSION__ABSOLUTE_TTL", "0s", "session.absolute_ttl"),
        ("VESTIBULE_SESSION__MAX_PER_ACCOUNT", "0", "session.max_per_account"),
        ("VESTIBULE_THROTTLE__FREE_ATTEMPTS", "-1", "throttle.free_attempts"),
        ("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "0", "throttle.attempts_by_ip"),
        ("VESTIBULE_THROTTLE__EMAILS_TO_ADDRESS", "0", "throttle.emails_to_address"),
        ("VESTIBULE_THROTTLE__SIGNUPS_BY_IP", "-5", "throttle.signups_by_ip"),
        ("VESTIBULE_THROTTLE__LONGEST_WAIT", "40years", "throttle.longest_wait"),
        ("VESTIBULE_THROTTLE__FORGET_AFTER", "1s", "throttle.forget_after"),
        ("VESTIBULE_THROTTLE__NETWORKS", "203.0.113.0/24", "throttle.networks"),
        ("VESTIBULE_EVENTS__KEEP_FOR", "0s", "events.keep_for"),
        ("ROCKET_ADDRESS", "0.0.0.0", "public_url"),
        ("ROCKET_WORKERS", "0", "workers"),
        ("ROCKET_TLS", "{certs=\"a.pem\",key=\"b.pem\"}", "tls"),
        ("ROCKET_PORT", "http", "port"),
        ("ROCKET_DATABASES__VESTIBULE__MAX_CONNECTIONS", "0", "max_connections"),
        ("VESTIBULE_CLIENT_IP_HEADER", "Host", "client_ip_header"),
    ];
    for (variable, value, key) in cases {
        let log = refused(folder.path(), &[(variable, value)]);
        let says_why = log.contains("must be") || log.contains("put a proxy");
        assert!(log.contains(key) && says_why, "{variable}: {log}");
        assert!(!log.contains("hunter2"), "{log}");
    }
    std::fs::write(folder.path().join("Rocket.toml"), "[default.vestibule]\nsite_nam = \"x\"\n")
        .unwrap();
    let log = refused(folder.path(), &[]);
    assert!(
        log.contains("site_nam") && log.contains("Rocket.toml") && log.contains("site_name"),
        "{log}"
    );
    std::fs::write(
        folder.path().join("Rocket.toml"),
        "[default.vestibule]\nmail = { smtp_url = 7 }\n",
    )
    .unwrap();
    let log = refused(folder.path(), &[]);
    assert!(log.contains("mail.smtp_url") && log.contains("Rocket.toml"), "{log}");
}

#[test]
fn an_unknown_variable_only_warns() {
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_SERVICE_HOST", "10.0.0.1"), ("VESTIBULE_SITE_NAME", "The Hall")];
    let service = Process::start(folder.path(), &settings);
    assert!(service.get("/login").contains("The Hall"));
    assert!(
        service
            .seen
            .iter()
            .any(|line| line.contains("WARN") && line.contains("VESTIBULE_SERVICE_HOST"))
    );
}

/// A text is a text, whatever it looks like.
#[test]
fn a_name_that_looks_like_a_number_is_a_name() {
    for name in ["1901", "007", "1.50", "true", "[a]"] {
        let folder = TempDir::new().unwrap();
        let service = Process::start(folder.path(), &[("VESTIBULE_SITE_NAME", name)]);
        assert!(service.get("/login").contains(&format!("Log in – {name}</title>")), "{name}");
    }
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("Rocket.toml"), "[default.vestibule]\nsite_name = 1901\n")
        .unwrap();
    let service = Process::start(folder.path(), &[]);
    assert!(service.get("/login").contains("– 1901</title>"));
}

/// Whoever meant another database and misspelt it must not start on an empty one.
#[test]
fn a_database_that_was_meant_is_used_or_the_start_stops() {
    let url = "postgres://vestibule:hunter2@127.0.0.1:1/vestibule";
    let table = |text: &str| text.replace("URL", url);
    let cases = [
        ("ROCKET_DATABASES__VESTIBULE__URL", url.to_owned(), "PostgreSQL at 127.0.0.1:1"),
        ("VESTIBULE_DATABASE_URL", url.to_owned(), "PostgreSQL at 127.0.0.1:1"),
        (
            "VESTIBULE_DATABASE_URL",
            url.replace("postgres", "Postgres"),
            "PostgreSQL at 127.0.0.1:1",
        ),
        ("ROCKET_DATABASES", table(r#"{vestibule={url="URL"}}"#), "PostgreSQL at 127.0.0.1:1"),
        ("ROCKET_DATABASES", url.to_owned(), "databases must be a table"),
        ("ROCKET_DATABASES", table(r#"{vestibul={url="URL"}}"#), "databases.vestibul names no"),
        ("ROCKET_DATABASES", table(r#"{vestibule={ulr="URL"}}"#), "databases.vestibule.ulr is not"),
        ("ROCKET_DATABASES", table(r#"{vestibule="URL"}"#), "databases.vestibule must be a table"),
        (
            "ROCKET_DATABASES",
            r#"{vestibule={url=" "}}"#.to_owned(),
            "databases.vestibule.url must be",
        ),
        ("ROCKET_DATABASES__VESTIBULE__ULR", url.to_owned(), "databases.vestibule.ulr is not"),
        ("DATABASE_URL", url.to_owned(), "DATABASE_URL is set, but is not read here"),
        ("VESTIBULE_DATABSE_URL", url.to_owned(), "VESTIBULE_DATABSE_URL names a database, but"),
        (
            "ROCKET_DATABASE__VESTIBULE__URL",
            url.to_owned(),
            "names a database, but is not read here",
        ),
        ("VESTIBULE_DATABASE_URL", String::new(), "VESTIBULE_DATABASE_URL is set, but empty"),
        ("VESTIBULE_DATABASE_URL", "mysql://u@h/d".to_owned(), "must be sqlite:"),
        ("VESTIBULE_DATABASE_URL", url.replace("ter2", "t#r2"), "# is %23"),
        ("VESTIBULE_DATABASE_URL", url.replace("hunter2", "12/x"), "/ is %2F"),
        ("VESTIBULE_DATABASE_URL", url.replace("hunter2", "x/y"), "cannot be read"),
        ("VESTIBULE_DATABASE_URL", url.replace("127.0.0.1:1", "a,b"), "several hosts"),
        ("VESTIBULE_DATABASE_URL", format!("{url}?target_session_attrs=primary"), "not known here"),
        ("VESTIBULE_DATABASE_URL", format!("{url}?sslmode=require&sslmode=disable"), "twice"),
        ("ROCKET_DATABASES__VESTIBULE__EXTENSIONS", "[]".to_owned(), "extensions is not a setting"),
        ("VESTIBULE_DATABASE_URL", "sqlite:x?mode=memory".to_owned(), "database_url must be"),
        (
            "ROCKET_CONFIG",
            "nowhere.toml".to_owned(),
            "ROCKET_CONFIG names a file that is not there",
        ),
        ("ROCKET_PROFILE", "relaese".to_owned(), "ROCKET_PROFILE names no profile"),
    ];
    let key = ("ROCKET_SECRET_KEY", crate::harness::SECRET_KEY);
    for (variable, value, words) in cases {
        let folder = TempDir::new().unwrap();
        let mut settings = vec![(variable, value.as_str()), key, ("VESTIBULE_DATA_DIR", "data")];
        if words.starts_with("PostgreSQL") {
            settings.push(("ROCKET_DATABASES__VESTIBULE__CONNECT_TIMEOUT", "1"));
        }
        let log = refused(folder.path(), &settings);
        assert!(log.contains(words), "{variable}={value}: {log}");
        assert!(!log.contains("hunter2"), "{log}");
        assert!(!folder.path().join("data/vestibule.sqlite3").exists(), "{variable}={value}");
    }
    let folder = TempDir::new().unwrap();
    let service =
        Process::start(folder.path(), &[("VESTIBULE_DATABASE_URL", "sqlite:mine.sqlite3")]);
    let says = |line: &String| line.contains("accounts are kept in the SQLite file mine.sqlite3");
    assert!(service.seen.iter().any(says), "{:?}", service.seen);
    assert!(folder.path().join("mine.sqlite3").exists());
}

/// Promise 68: a body that comes byte by byte takes no more memory than its bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_body_in_tiny_pieces_takes_no_more_memory() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let before = service.resident_kib();
    let streams: Vec<TcpStream> = (0..12)
        .map(|_| {
            let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 6000\r\n\r\n";
            let stream = service.send(head);
            stream.set_nodelay(true).unwrap();
            stream
        })
        .collect();
    for _ in 0..5999 {
        for mut stream in &streams {
            stream.write_all(b"a").unwrap();
        }
    }
    let grown = service.resident_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB for 72 KB");
    for mut stream in streams {
        stream.write_all(b"a").unwrap();
        let mut line = [0; 10];
        std::io::Read::read_exact(&mut stream, &mut line).unwrap();
        assert_eq!(&line, b"HTTP/1.1 4", "it says no word of an address");
    }
}

/// Promise 68: a proxy passes bodies on as they come. One client's half requests must not hold all of its
/// connections.
#[test]
fn half_requests_of_one_client_keep_nobody_out() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1")]);
    // Half of them send something before it that is not ASCII, as nginx would pass it on.
    let half = |network: usize| {
        let said: &[u8] = if network.is_multiple_of(2) { b"" } else { b"\xe9, " };
        let head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ";
        let rest = format!(
            "2001:db8:1:{network:x}::1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail="
        );
        service.send_bytes(&[head, said, rest.as_bytes()].concat())
    };
    let held: Vec<TcpStream> = (0..160).map(half).collect();
    // More than it may have: the oldest give way as soon as the others are there.
    let begun_at = Instant::now();
    let is_over = |stream: &TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        matches!(stream.peek(&mut [0; 12]), Ok(n) if n > 0)
    };
    while held.iter().filter(|stream| is_over(stream)).count() < 32 {
        assert!(begun_at.elapsed() < Duration::from_secs(20), "one site has all that it wants");
    }
    let gave_way = held.into_iter().find(is_over).unwrap();
    gave_way.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let gave_way = answer(gave_way);
    assert!(gave_way.starts_with("HTTP/1.1 408"), "{gave_way}");
    // Neither a neighbour nor anybody else waits for them.
    for from in ["2001:db8:1:ffff::1", "198.51.100.1"] {
        let form = sign_up_form(&format!("p{}@example.com", from.len()));
        let post = form_post("/signup", &form).replacen(
            "Content-Type",
            &format!("X-Forwarded-For: {from}\r\nContent-Type"),
            1,
        );
        let seen = answer(service.send(&post));
        assert!(seen.starts_with("HTTP/1.1 303"), "{seen}");
    }
}

/// Promise 53: an answer that comes before the body has arrived reaches whoever is still sending it, and the
/// connection ends in order; a proxy would otherwise take the node for broken.
#[test]
fn an_early_refusal_is_heard_by_whoever_is_still_sending() {
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
        // The answer is there before the body is.
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

/// Promise 68: a chunk's size that goes on for ever costs no more than a body may.
#[test]
fn a_body_is_bounded_on_the_wire() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for (piece, status) in
        [("0", "400"), ("1\r\na\r\n", "400"), ("10\r\naaaaaaaaaaaaaaaa\r\n", "422")]
    {
        let mut stream = service.send(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        );
        let body = piece.repeat(if status == "422" { 1_000 } else { 1_000_000 });
        // The service stops listening before that.
        let _ = stream.write_all(body.as_bytes());
        let _ = stream.write_all(b"0\r\n\r\n");
        let seen = answer(stream);
        assert!(
            seen.is_empty() || seen.starts_with(&format!("HTTP/1.1 {status}")),
            "{piece:?} {seen}"
        );
        assert!(!seen.is_empty() || status == "400", "an honest one is read");
    }
}

/// RFC 9112, 3.2: of two hosts a proxy may have gone by the other one.
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

/// Promises 15 and 41: a subdomain may set a cookie whose name becomes ours when it is decoded or trimmed.
#[test]
fn a_cookie_that_only_reads_like_ours_is_none_of_ours() {
    let folder = new_folder();
    let settings = [("VESTIBULE_PUBLIC_URL", "https://accounts.example.com")];
    let service = Process::start(folder.path(), &settings);
    let cookie_of = |email: &str| {
        let seen = service.sign_up(email);
        let (_, rest) = seen.split_once("set-cookie: __Host-session_id=").expect("a session");
        rest.split(';').next().unwrap().to_owned()
    };
    let (ada, eve) = (cookie_of("ada@example.com"), cookie_of("eve@example.com"));
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
            assert!(seen.contains("ada@example.com"), "{name}: {seen}");
        }
    }
}

/// What was typed as a password is wiped once the request is over, wherever the libraries copied it: a core
/// dump or a swapped page gives none away.
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
        // The client has the answer before the service has put everything away.
        let begun_at = Instant::now();
        while service.memory_holds(password.as_bytes()) {
            assert!(begun_at.elapsed() < Duration::from_secs(20), "{password} stays in memory");
        }
    }
    assert!(service.memory_holds(b"accounts are kept in"), "what is looked at is its memory");
}

/// Two starts at once: the second one waits, and says so.
#[test]
fn a_start_waits_for_another_one_and_says_so() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let lock = std::fs::File::create(data.join("vestibule.sqlite3.lock")).unwrap();
    lock.lock().unwrap();
    let start = || {
        let mut child = command(folder.path(), &[]).spawn().unwrap();
        let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("another process is changing the database: waiting for it") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it waits");
        }
        (child, log)
    };
    // Nor does it keep a stop waiting.
    let (mut stopped, _log) = start();
    let pid = stopped.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(stopped.wait().unwrap().success());
    let (mut child, mut log) = start();
    let mut line = String::new();
    lock.unlock().unwrap();
    while !line.contains("listening on") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it starts");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// It does not wait for ever: whatever started it should hear of it.
#[test]
fn a_start_that_waits_in_vain_says_for_which_file_and_gives_up() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let lock = std::fs::File::create(data.join("vestibule.sqlite3.lock")).unwrap();
    lock.lock().unwrap();
    let log = refused(folder.path(), &[("ROCKET_DATABASES__VESTIBULE__CONNECT_TIMEOUT", "1")]);
    assert!(log.contains("vestibule.sqlite3.lock and does not let go"), "{log}");
}

/// Promise 53: what a dead process had taken to send leaves with the next start, not when its lease is over.
#[test]
fn a_letter_that_a_crash_interrupted_leaves_at_once() {
    let silent = MailServer::start(vec![Manner::IsSilent]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://127.0.0.1:{}", silent.port);
    let service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    service.sign_up("ada@example.com");
    silent.has_connection();
    service.signal("-KILL");
    service.end();
    let server = MailServer::start(vec![]);
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let begun_at = Instant::now();
    let _service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    assert!(server.letter().contains("ada@example.com"));
    assert!(begun_at.elapsed() < Duration::from_secs(60), "the lease is two minutes");
}

/// Promise 69: a cookie of somebody else's on this domain, in an old character set.
#[test]
fn a_foreign_cookie_signs_nobody_out() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let cookie = session_cookie(&service.sign_up("ada@example.com")).unwrap().to_owned();
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
        assert!(seen.contains("200 OK") && seen.contains("ada@example.com"), "{seen}");
    }
}

/// Promises 35 and 37: what no handler answers has all headers too.
#[test]
fn an_unknown_method_is_refused_like_anything_else() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for method in ["PROPFIND", "FOO", "get"] {
        let seen = answer(service.send(&format!(
            "{method} /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )));
        assert!(seen.starts_with("HTTP/1.1 405 "), "{seen}");
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

/// What strangers can cause does not fill the log.
#[test]
fn malformed_requests_do_not_fill_the_log() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    for n in 0..200 {
        let path = ["/login", "/signup", "/nowhere", "/password-reset"][n % 4];
        answer(service.post(path, "%=%&&=[&a.b=&\u{1}"));
        for origin in ["Origin: null\r\n", ""] {
            answer(service.send(&format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{origin}Content-Type: x/y\r\nContent-Length: 1\r\n\r\nx"
            )));
        }
    }
    service.signal("-TERM");
    let (_, log) = service.end();
    assert!(log.len() < 100, "{} lines", log.len());
    let warned = log.iter().filter(|line| line.contains("the browser says they come from")).count();
    assert_eq!(warned, 1);
}

#[test]
fn with_postgresql_the_secret_key_must_be_set() {
    let folder = TempDir::new().unwrap();
    let databases = r#"{vestibule={url="postgres://nobody@127.0.0.1:1/none"}}"#;
    let log = refused(folder.path(), &[("ROCKET_DATABASES", databases)]);
    assert!(log.contains("secret_key must be set"), "{log}");
}

#[test]
fn letters_leave_by_tls_and_with_a_password() {
    for (tls, url) in [
        (Tls::Implicit, "smtps://postman:a%20secret@localhost:PORT"),
        (Tls::Later, "smtp://postman:a%20secret@localhost:PORT?tls=required"),
        // A password never crosses a network in clear because nobody thought of it.
        (Tls::Later, "smtp://postman:a%20secret@localhost:PORT"),
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
        service.sign_up("ada@example.com");
        let letter = server.letter();
        assert!(letter.contains("From: \"The Hall\" <hall@example.com>"), "{letter}");
        assert!(!service.seen.join("\n").contains("a%20secret"));
    }
}

#[test]
fn a_mail_server_that_cannot_be_trusted_gets_no_letter() {
    let server = MailServer::start_with(Tls::Implicit, vec![]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtps://postman:a%20secret@localhost:{}", server.port);
    let mut service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", &url)]);
    service.sign_up("ada@example.com");
    let line = service.line("failed");
    assert!(line.contains("kind=verify-email") && !line.contains("secret"), "{line}");
    assert!(!server.has_letter());
}

/// Promise 67: a line without an end, told in safety.
#[test]
fn a_mail_server_that_talks_without_end_is_left_by_tls_too() {
    let server = MailServer::start_with(Tls::Implicit, vec![Manner::NeverEndsALine]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtps://localhost:{}", server.port);
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    let settings = [("VESTIBULE_MAIL__SMTP_URL", url.as_str()), ("SSL_CERT_FILE", authority)];
    let mut service = Process::start(folder.path(), &settings);
    service.sign_up("ada@example.com");
    let line = service.line("failed");
    assert!(line.contains("says too much"), "{line}");
    let heard: usize = server.letter().parse().unwrap();
    assert!(heard < 32 << 20, "{heard} bytes");
}

/// What somebody adds in clear behind the answer to STARTTLS passes for nothing that the server said in safety.
#[test]
fn what_is_slipped_in_before_tls_is_not_believed() {
    let slipped_in = "250-localhost\r\n250 AUTH PLAIN\r\n";
    let server = MailServer::start_with(Tls::Later, vec![Manner::AddsToStartTls(slipped_in)]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://localhost:{}?tls=required", server.port);
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flows/tls/authority.pem");
    let settings = [("VESTIBULE_MAIL__SMTP_URL", url.as_str()), ("SSL_CERT_FILE", authority)];
    let mut service = Process::start(folder.path(), &settings);
    service.sign_up("ada@example.com");
    let line = service.line("failed");
    assert!(line.contains("corrupt message") || line.contains("InvalidMessage"), "{line}");
    assert!(!server.has_letter());
}

/// Promise 53: the disk is full. (The limit on a file's size stands in for it: the same error.)
#[cfg(unix)]
#[test]
fn a_full_disk_gives_a_plain_answer_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    service.sign_up("ada@example.com");
    service.signal("-TERM");
    assert!(service.end().0.success());

    let plain = command(folder.path(), &[("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "100000")]);
    let full = format!("trap '' XFSZ; ulimit -f 600; exec {}", plain.get_program().display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &full]).envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
    shell
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let service = Process::run(shell);
    let mut taken = 0;
    let refused = (0..2_000).find_map(|n| {
        let seen = service.sign_up(&format!("p{n}@example.com"));
        if seen.contains("303 See Other") {
            taken += 1;
            return None;
        }
        Some(seen)
    });
    let refused = refused.expect("the disk gets full");
    assert!(
        refused.contains("503 Service Unavailable") && refused.contains("reference"),
        "{refused}"
    );
    assert!(service.get("/login").contains("200 OK"));
    assert!(service.get("/health/live").contains("200 OK"));
    drop(service);

    let service = Process::start(folder.path(), &[]);
    assert!(service.get("/health/ready").contains("200 OK"));
    for n in [0, taken - 1] {
        let form = sign_up_form(&format!("p{n}@example.com"));
        assert!(answer(service.post("/login", &form)).contains("303 See Other"), "{n} of {taken}");
    }
}

/// Promises 10 and 53: a mail server that says nothing holds up neither pages, nor other letters, whose
/// delay would tell of it, nor the end of the service.
#[test]
fn a_silent_mail_server_holds_up_nobody() {
    let server = MailServer::start(vec![Manner::IsSilent]);
    let folder = TempDir::new().unwrap();
    let url = format!("smtp://127.0.0.1:{}", server.port);
    let settings = [("VESTIBULE_MAIL__SMTP_URL", &*url), ("VESTIBULE_MAIL__TIMEOUT", "60s")];
    let service = Process::start(folder.path(), &settings);
    let start = Instant::now();
    assert!(service.sign_up("ada@example.com").contains("303 See Other"));
    assert!(service.get("/login").contains("200 OK"));
    assert!(service.sign_up("bob@example.com").contains("303 See Other"));
    // Whichever letter met the silence, the other one has left.
    assert!(server.letter().contains("@example.com"));
    service.signal("-TERM");
    assert!(service.end().0.success());
    assert!(start.elapsed() < Duration::from_secs(40), "nobody waited for the minute");
}

/// Promise 10: how long the letter to somebody is under way tells those nothing who asked for it, by a letter to
/// themselves that comes after it.
#[test]
fn whoever_asks_for_resets_does_not_see_how_long_each_is_under_way() {
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
    // The first letters of most of them never end, from sites and to domains of their own: the last one's leaves.
    let slow = (0..6).map(|n| format!("p{n}@slow-{n}.example"));
    let all: Vec<String> = slow.chain(["ada@example.com".to_owned()]).collect();
    for (site, email) in all.iter().enumerate() {
        assert!(post(site, "/signup", &sign_up_form(email)).contains("303 See Other"));
        server.letter();
    }
    let somebody = [&all[0], &all[1], &all[6]];
    for email in somebody.into_iter().chain(somebody) {
        let asked = post(9, "/password-reset", &format!("email={email}"));
        assert!(asked.contains("200 OK"), "{asked}");
    }
    // Two of the site set out at a time.
    let arrived: Vec<String> = (0..6).map(|_| server.letter()).collect();
    let own = arrived.iter().filter(|letter| letter.contains("To: ada@example.com"));
    assert_eq!(own.count(), 2, "{arrived:?}");
}

/// Thousands who say nothing, and hundreds who say it slowly.
#[cfg(unix)]
#[test]
fn silent_and_slow_connections_hold_up_nobody() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    let silent: Vec<TcpStream> = (0..1_000).map(|_| service.send("")).collect();
    let mut slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            service.send("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n")
        })
        .collect();
    for byte in [b"e", b"m", b"a"] {
        for stream in &mut slow {
            stream.write_all(byte).unwrap();
        }
        assert!(service.get("/health/live").contains("200 OK"));
        assert!(service.get("/login").contains("200 OK"));
    }
    assert!(service.sign_up("ada@example.com").contains("303 See Other"));
    drop((silent, slow));
}
