//! Settings: read, refused, or warned about.

use tempfile::TempDir;

use super::refused;
use crate::harness::process::{Process, answer};

#[test]
fn a_wrong_setting_stops_the_start_with_key_place_and_reason() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("VESTIBULE_PASSWORD__MIN_LENGTH", "many", "password.min_length"),
        ("VESTIBULE_PASSWORD__COST", "3", "password.cost"),
        ("VESTIBULE_ACCENT", "red", "accent"),
        ("VESTIBULE_HOME", "//evil.example", "home"),
        ("VESTIBULE_HOME", "mailto:help@example.com", "home"),
        ("VESTIBULE_LINKS__PRIVACY", "javascript:alert(1)", "links.privacy"),
        ("VESTIBULE_TIME_ZONE", "Europe/Atlantis", "time_zone"),
        ("VESTIBULE_LOGO", "no-such-logo.svg", "logo"),
        ("VESTIBULE_EXTRA_CSS", "/", "extra_css"),
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
        let says_why = log.contains("must be")
            || log.contains("put a proxy")
            || log.contains("a file that cannot be read");
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

/// Text is taken literally, whatever it looks like.
#[test]
fn a_name_that_looks_like_a_number_is_a_name() {
    for name in ["1901", "007", "1.50", "true", "[a]"] {
        let folder = TempDir::new().unwrap();
        let service = Process::start(folder.path(), &[("VESTIBULE_SITE_NAME", name)]);
        assert!(service.get("/login").contains(&format!("Sign in – {name}</title>")), "{name}");
    }
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("Rocket.toml"), "[default.vestibule]\nsite_name = 1901\n")
        .unwrap();
    let service = Process::start(folder.path(), &[]);
    assert!(service.get("/login").contains("– 1901</title>"));
}

/// A misspelt database setting must not start the service on an empty one.
#[test]
fn a_configured_database_is_used_or_the_start_stops() {
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
        (
            "ROCKET_DATABASES",
            table(r#"{vestibule={ulr="URL"}}"#),
            "no setting databases.vestibule.ulr",
        ),
        ("ROCKET_DATABASES", table(r#"{vestibule="URL"}"#), "databases.vestibule must be a table"),
        (
            "ROCKET_DATABASES",
            r#"{vestibule={url=" "}}"#.to_owned(),
            "databases.vestibule.url must be",
        ),
        ("ROCKET_DATABASES__VESTIBULE__ULR", url.to_owned(), "no setting databases.vestibule.ulr"),
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
        (
            "VESTIBULE_DATABASE_URL",
            format!("{url}?target_session_attrs=primary"),
            "unknown parameter",
        ),
        ("VESTIBULE_DATABASE_URL", format!("{url}?sslmode=require&sslmode=disable"), "twice"),
        ("ROCKET_DATABASES__VESTIBULE__EXTENSIONS", "[]".to_owned(), "extensions; these exist"),
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

#[test]
fn with_postgresql_the_secret_key_must_be_set() {
    let folder = TempDir::new().unwrap();
    let databases = r#"{vestibule={url="postgres://nobody@127.0.0.1:1/none"}}"#;
    let log = refused(folder.path(), &[("ROCKET_DATABASES", databases)]);
    assert!(log.contains("secret_key must be set"), "{log}");
}

/// Promise 30.
#[test]
fn an_unknown_proxy_causes_a_warning() {
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

/// Promise 30.
#[test]
fn a_proxy_that_reports_nobody_causes_one_warning() {
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1")];
    let service = Process::start(folder.path(), &settings);
    service.get("/health/ready");
    for _ in 0..5 {
        answer(service.post("/login", "email=ada@example.com&password=x"));
    }
    service.signal("-TERM");
    let (_, log) = service.end();
    let warned: Vec<_> = log.iter().filter(|line| line.contains("trusted proxy")).collect();
    assert_eq!(warned.len(), 1, "{log:?}");
    assert!(warned[0].contains("WARN") && warned[0].contains("127.0.0.1"), "{warned:?}");
    assert!(warned[0].contains("client_ip_header"), "{warned:?}");
}
