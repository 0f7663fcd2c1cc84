//! How values of settings may be spelt.

use tempfile::TempDir;

use super::refused;
use crate::harness::ADA;
use crate::harness::process::Process;

/// What a character in a password would end: the rest could pass for a host, and the log would show it.
#[test]
fn a_url_with_special_characters_stops_the_start_with_a_hint() {
    let folder = TempDir::new().unwrap();
    for password in [
        "hunter2@x",
        "hunter2/x",
        "hunter2#x",
        "hunter2?x",
        "12/hunter2",
        "12?hunter2",
        "12?a=hunter2",
    ] {
        for (variable, url) in [
            ("VESTIBULE_MAIL__SMTP_URL", format!("smtps://user:{password}@mail.example.com")),
            ("VESTIBULE_MAIL__SMTP_URL", format!("smtp://user:{password}@mail.example.com:587")),
            ("VESTIBULE_DATABASE_URL", format!("postgres://user:{password}@127.0.0.1:1/d")),
            ("ROCKET_DATABASES__VESTIBULE__URL", format!("postgres://{password}:x@127.0.0.1:1/d")),
        ] {
            let log = refused(folder.path(), &[(variable, &url)]);
            assert!(log.contains("write special characters"), "{url}: {log}");
            assert!(log.contains("@ is %40") && !log.contains("hunter2"), "{url}: {log}");
        }
    }
    // A name without a password, and the other way round, would not be used.
    for url in ["smtps://user@mail.example.com", "smtps://:hunter2@mail.example.com"] {
        let log = refused(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", url)]);
        assert!(log.contains("smtp_url must be") && !log.contains("hunter2"), "{log}");
    }
}

/// The system says "Name or service not known", and not whose.
#[test]
fn a_host_that_cannot_be_found_is_named() {
    let folder = TempDir::new().unwrap();
    let settings = [
        ("VESTIBULE_DATABASE_URL", "postgres://user:hunter2@nowhere.invalid/d"),
        ("ROCKET_SECRET_KEY", crate::harness::SECRET_KEY),
    ];
    let log = refused(folder.path(), &settings);
    assert!(log.contains("nowhere.invalid:5432") && !log.contains("hunter2"), "{log}");
    let url = "smtps://user:hunter2@nowhere.invalid";
    let mut service = Process::start(folder.path(), &[("VESTIBULE_MAIL__SMTP_URL", url)]);
    service.sign_up(ADA);
    let line = service.line("failed");
    assert!(line.contains("nowhere.invalid:465") && !line.contains("hunter2"), "{line}");
}

#[test]
fn a_setting_that_is_on_or_off_takes_the_words_of_other_programs() {
    for (value, is_on) in [
        ("true", true),
        ("True", true),
        ("YES", true),
        ("on", true),
        ("1", true),
        ("false", false),
        ("No", false),
        ("off", false),
        ("0", false),
    ] {
        let folder = TempDir::new().unwrap();
        let settings = [
            ("VESTIBULE_REVEAL_RESET_TOKEN", value),
            ("VESTIBULE_JOBS", value),
            ("VESTIBULE_ALLOW_CROSS_SITE", value),
            ("ROCKET_DATABASES__VESTIBULE__MIGRATE", "YES"),
        ];
        let service = Process::start(folder.path(), &settings);
        let is_said = service.seen.iter().any(|line| line.contains("reveal_reset_token is on"));
        assert_eq!(is_said, is_on, "{value}");
    }
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("Rocket.toml"),
        "[default.vestibule]\njobs = 0\nallow_cross_site = \"no\"\nreveal_reset_token = \"Yes\"\n",
    )
    .unwrap();
    let service = Process::start(folder.path(), &[]);
    assert!(service.seen.iter().any(|line| line.contains("reveal_reset_token is on")));
    drop(service);
    for (variable, value) in [
        ("VESTIBULE_JOBS", "2"),
        ("VESTIBULE_JOBS", "ja"),
        ("VESTIBULE_REVEAL_RESET_TOKEN", "yess"),
        ("ROCKET_DATABASES__VESTIBULE__MIGRATE", "maybe"),
        ("ROCKET_DATABASES__VESTIBULE__MIGRATE", "2"),
    ] {
        let log = refused(folder.path(), &[(variable, value)]);
        assert!(log.contains("must be true or false"), "{variable}={value}: {log}");
    }
}

/// As the file reads them, without quotes.
#[test]
fn texts_and_folders_may_look_like_numbers() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("Rocket.toml"),
        "[default.vestibule]\nsite_name = 1.5\ndata_dir = 2026\nsession.cookie_name = 1901\nmail.folder = 7\n",
    )
    .unwrap();
    let service = Process::start(folder.path(), &[]);
    assert!(service.get("/login").contains("– 1.5</title>"));
    assert!(service.sign_up(ADA).contains("set-cookie: 1901="));
    assert!(folder.path().join("2026/vestibule.sqlite3").exists());
    assert!(folder.path().join("7").is_dir());
}

/// The path of the folder becomes a URL for the driver, which reads some characters as something else.
#[test]
fn the_data_folder_may_have_any_name() {
    for name in
        ["50%41", "50%", "what?mode=ro", "a#b", "a b", "é", ":memory:", "file:x", "x/../z//"]
    {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("x")).unwrap();
        for data in [name.to_owned(), format!("/{}/{name}", folder.path().display())] {
            let service = Process::start(folder.path(), &[("VESTIBULE_DATA_DIR", &data)]);
            let file = folder.path().join(&data).join("vestibule.sqlite3");
            assert!(file.exists(), "{data}: {:?}", service.seen);
            assert!(service.sign_up(ADA).contains("HTTP/1.1"), "{data}");
        }
        let entries = folder.path().read_dir().unwrap().count();
        assert!(entries <= 2, "{name}: it made something else too");
    }
}

/// Promise 35: subdomains may belong to others, who have no https.
#[test]
fn browsers_insist_on_https_as_far_as_they_are_told() {
    let https = ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com");
    let header = |settings: &[(&str, &str)]| {
        let folder = TempDir::new().unwrap();
        let service = Process::start(folder.path(), settings);
        let seen = service.get("/login");
        let line = seen.lines().find_map(|line| line.strip_prefix("strict-transport-security: "));
        line.map(str::to_owned)
    };
    let host = Some("max-age=31536000".to_owned());
    assert_eq!(header(&[https]), host);
    assert_eq!(header(&[https, ("VESTIBULE_HSTS", "host")]), host);
    let all = Some("max-age=31536000; includeSubDomains".to_owned());
    assert_eq!(header(&[https, ("VESTIBULE_HSTS", "subdomains")]), all);
    assert_eq!(header(&[https, ("VESTIBULE_HSTS", "off")]), None);
    assert_eq!(header(&[("VESTIBULE_HSTS", "subdomains")]), None);
    // Words of 0.1, in the file and in the environment.
    let folder = TempDir::new().unwrap();
    for value in ["true", "false", "1", "yes", "subdomain"] {
        let log = refused(folder.path(), &[("VESTIBULE_HSTS", value)]);
        assert!(log.contains("what was true is now \"subdomains\""), "{log}");
    }
    std::fs::write(folder.path().join("Rocket.toml"), "[default.vestibule]\nhsts = false\n")
        .unwrap();
    let log = refused(folder.path(), &[]);
    assert!(log.contains("hsts must be") && log.contains("false is \"off\""), "{log}");
}
