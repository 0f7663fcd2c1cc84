//! The binary itself: its words, its settings, its files, how it starts, and what it bears.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::mail_server::{MailServer, Manner, Tls};
use crate::process::{Process, answer, command, sign_up_form};

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
    for words in [&["sreve"][..], &["serve", "now"], &["--port=80"]] {
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
    let mut service = Process::start(folder.path(), &[]);
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
        let is_lock = file.path().extension().is_some_and(|end| end == "lock");
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert!(is_lock || mode == 0o600 || mode == 0o700, "{:?}: {mode:o}", file.path());
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

/// Promise 18.
#[test]
fn no_log_holds_a_token_or_a_password() {
    let folder = TempDir::new().unwrap();
    let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/Rocket.toml");
    std::fs::copy(settings, folder.path().join("Rocket.toml")).unwrap();
    // Not the debug profile, which shows a newcomer the link, but with all that Rocket says.
    let settings = [("ROCKET_PROFILE", "course"), ("ROCKET_LOG_LEVEL", "debug")];
    let service = Process::start(folder.path(), &settings);
    let token = "Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q";
    for page in ["password-reset", "verify-email"] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
            for path in [
                format!("/{page}/{token}"),
                format!("/{page}/{token}/"),
                format!("/{page}/{token}?a=b"),
            ] {
                answer(service.send(&format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                )));
            }
        }
    }
    service.sign_up("ada@example.com");
    answer(service.post("/login", "email=seven+purple+lanterns&password=seven+purple+lanterns"));
    service.signal("-TERM");
    let (_, log) = service.end();
    let log = log.join("\n");
    assert!(log.contains("GET /password-reset/link"), "{log}");
    assert!(!log.contains(token) && !log.contains("lanterns"), "{log}");
    assert!(log.contains("ANYBODY WHO CAN REACH THIS SERVICE CAN TAKE ANY ACCOUNT"), "{log}");
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
        ("ROCKET_ADDRESS", "0.0.0.0", "public_url"),
    ];
    for (variable, value, key) in cases {
        let log = refused(folder.path(), &[(variable, value)]);
        assert!(log.contains(key) && log.contains("must be"), "{variable}: {log}");
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

/// Promise 53: the disk is full. (The limit on a file's size stands in for it: the same error.)
#[cfg(unix)]
#[test]
fn a_full_disk_gives_a_plain_answer_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    service.sign_up("ada@example.com");
    service.signal("-TERM");
    assert!(service.end().0.success());

    let full = format!("trap '' XFSZ; ulimit -f 600; exec {}", env!("CARGO_BIN_EXE_vestibule"));
    let mut shell = Command::new("sh");
    let plain = command(folder.path(), &[("VESTIBULE_THROTTLE__TRIES_BY_CLIENT", "100000")]);
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
