//! `vestibule check`: its output, and that it changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::harness::SECRET_KEY;
use crate::harness::process::{Process, command, new_folder};

/// The output, and whether a start would succeed.
fn check(folder: &Path, settings: &[(&str, &str)]) -> (bool, String) {
    let before = files(folder);
    let mut command = command(folder, settings);
    let output = command.arg("check").stdout(Stdio::piped()).output().unwrap();
    assert_eq!(files(folder), before, "it makes and changes nothing");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let succeeds = match output.status.code() {
        Some(0) => true,
        Some(1) => false,
        code => panic!("{code:?}: {said}"),
    };
    assert_eq!(said.contains("A start would succeed."), succeeds, "{said}");
    assert_eq!(said.contains("A start would fail: "), !succeeds, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    (succeeds, said)
}

/// Every file below a folder, with its time of modification and length.
fn files(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        let (path, about) = (entry.path(), entry.metadata().unwrap());
        if about.is_dir() {
            all.extend(files(&path));
        }
        // Memory shared by SQLite's connections: readers write their position there.
        if path.to_string_lossy().ends_with("-shm") {
            continue;
        }
        all.insert(path, (about.modified().unwrap(), about.len()));
    }
    all
}

fn is_said(said: &str, lines: &[(&str, &str)]) {
    for (topic, text) in lines {
        let is_it = |line: &str| line.starts_with(topic) && line.contains(text);
        assert!(said.lines().any(is_it), "{topic} {text}: {said}");
    }
}

/// Asserts that a start with these settings fails, and that `check` gives the same reason.
fn fails_alike(folder: &Path, settings: &[(&str, &str)], reason: &str) {
    let (succeeds, said) = check(folder, settings);
    let refusal = said.split("A start would fail: ").nth(1).unwrap_or_default().trim();
    assert!(!succeeds && refusal.contains(reason), "{settings:?}: {said}");
    let output = command(folder, settings).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && log.contains(refusal), "{refusal:?} is not in {log}");
    assert!(!said.contains("hunter2") && !log.contains("hunter2"), "{said}\n{log}");
}

#[test]
fn a_first_start_would_succeed_and_nothing_is_created() {
    let folder = TempDir::new().unwrap();
    let (succeeds, said) = check(folder.path(), &[("VESTIBULE_SERVICE_HOST", "10.0.0.1")]);
    assert!(succeeds, "{said}");
    is_said(
        &said,
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("settings", "ROCKET_PORT, VESTIBULE_PASSWORD__COST"),
            ("unknown setting", "VESTIBULE_SERVICE_HOST"),
            ("data folder", "data, not there yet"),
            ("database", "the SQLite file data/vestibule.sqlite3"),
            ("tables", "not there yet"),
            ("secret key", "not there yet"),
            ("mail", "data/mail"),
            ("public address", "http://localhost"),
            ("trusted proxies", "none"),
        ],
    );
    assert_eq!(files(folder.path()).len(), 0);
}

/// On both engines, while the service runs and afterwards.
#[test]
fn the_current_state_is_reported() {
    let folder = new_folder();
    let settings = [
        ("VESTIBULE_PUBLIC_URL", "https://accounts.example.com"),
        ("VESTIBULE_TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16"),
        ("VESTIBULE_MAIL__SMTP_URL", "smtp://delivery:hunter2@127.0.0.1:1"),
        ("VESTIBULE_JOBS", "false"),
    ];
    let service = Process::start(folder.path(), &settings);
    for email in ["ada@example.com", "bob@example.com"] {
        assert!(service.sign_up(email).contains("303 See Other"));
    }
    let looks_well = || {
        let (succeeds, said) = check(folder.path(), &settings);
        assert!(succeeds, "{said}");
        is_said(
            &said,
            &[
                ("tables", "as this program has them"),
                ("accounts", "2"),
                ("secret key", "present, the same"),
                ("mail", "smtp://127.0.0.1:1"),
                ("public address", "https://accounts.example.com"),
                ("trusted proxies", "10.0.0.1/32, 10.1.0.0/16"),
            ],
        );
    };
    looks_well();
    service.signal("-TERM");
    assert!(service.end().0.success());
    looks_well();
}

#[test]
fn a_wrong_setting_is_reported_as_by_a_start() {
    let folder = TempDir::new().unwrap();
    for (variable, value, reason) in [
        ("VESTIBULE_PASSWORD__COST", "3", "password.cost must be from 4 to 20"),
        ("VESTIBULE_MAIL__SMTP_URL", "hunter2@mail", "mail.smtp_url must be"),
        ("VESTIBULE_DATABASE_URL", "mysql://root:hunter2@localhost/x", "database_url must be"),
        ("VESTIBULE_MAIL__FROM", "nobody", "mail.from must be"),
        ("ROCKET_WORKERS", "0", "workers must be at least 1"),
        ("ROCKET_PROFILE", "relaese", "names no profile"),
        ("ROCKET_CONFIG", "nowhere.toml", "names a file that is not there"),
        ("DATABASE_URL", "postgres://h/d", "DATABASE_URL is set, but is not read here"),
        ("VESTIBULE_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/d", "secret_key must be set"),
        ("VESTIBULE_DATABASE_URL", "sqlite:nowhere/x.sqlite3", "No such file or directory"),
        ("ROCKET_DATABASES__VESTIBULE__MIGRATE", "false", "run `vestibule migrate`"),
        ("VESTIBULE_THROTTLE__FREE_TRIES", "5", "was renamed to vestibule.throttle.free_attempts"),
        ("VESTIBULE_THROTTLE", "{free_tries=5}", "was renamed to vestibule.throttle.free_attempts"),
        ("VESTIBULE_MAIL", "{smtp_url=\"smtps://u:hunter2@h\",frm=\"x@example.com\"}", "mail.frm"),
    ] {
        let folder = TempDir::new_in(folder.path()).unwrap();
        fails_alike(folder.path(), &[(variable, value)], reason);
    }
    std::fs::write(
        folder.path().join("Rocket.toml"),
        "[default.vestibule.throttle]\nletters_by_client = 9\n",
    )
    .unwrap();
    let (_, said) = check(folder.path(), &[]);
    is_said(&said, &[("settings", "Rocket.toml")]);
    fails_alike(folder.path(), &[], "was renamed to vestibule.throttle.emails_by_ip");
    // A line that cannot be read may hold a secret.
    std::fs::write(folder.path().join("Rocket.toml"), "[default]\nsecret_key = \"hunter2\n")
        .unwrap();
    fails_alike(folder.path(), &[], "TOML parse error at line 2");
}

/// A key that is damaged must not be taken for another one: everybody would be signed out.
#[test]
fn a_damaged_key_is_reported() {
    for damaged in [
        "",
        "hPRYyVRiMyxpw5sBB1XeCMN1kFsD",
        "not a key at all, but a text of some length, is it not?",
    ] {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/secret_key"), damaged).unwrap();
        fails_alike(folder.path(), &[], "the file is damaged");
    }
}

#[test]
fn a_missing_database_is_reported() {
    let folder = TempDir::new().unwrap();
    let settings = [
        ("VESTIBULE_DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/accounts"),
        ("ROCKET_SECRET_KEY", SECRET_KEY),
        ("ROCKET_DATABASES__VESTIBULE__CONNECT_TIMEOUT", "1"),
    ];
    let (_, said) = check(folder.path(), &settings);
    is_said(&said, &[("database", "PostgreSQL at 127.0.0.1:1, database \"accounts\"")]);
    fails_alike(folder.path(), &settings, "PostgreSQL at 127.0.0.1:1 lets nobody in");

    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/vestibule.sqlite3"), "an email to ada ".repeat(99))
        .unwrap();
    fails_alike(folder.path(), &[], "file is not a database");
}

#[test]
fn a_read_only_folder_is_reported() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("data"), "in the way").unwrap();
    fails_alike(folder.path(), &[], "the data folder data cannot be made");
    let below = [("VESTIBULE_DATA_DIR", "data/below/it")];
    fails_alike(folder.path(), &below, "the data folder data/below/it cannot be made");
    let mail = [("VESTIBULE_DATA_DIR", "other"), ("VESTIBULE_MAIL__FOLDER", "data/mail")];
    fails_alike(folder.path(), &mail, "the folder for");
    // Root may write everywhere.
    #[cfg(unix)]
    if !rustix::process::geteuid().is_root() {
        use std::os::unix::fs::PermissionsExt;
        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
        let below = [("VESTIBULE_DATA_DIR", "closed/data")];
        fails_alike(folder.path(), &below, "the data folder closed/data cannot be made");
        let in_it = [("VESTIBULE_DATA_DIR", "closed")];
        fails_alike(folder.path(), &in_it, "the secret key in closed cannot be kept");
    }
}

/// A changed key signs everybody out on a single node, and stops the start if there are several.
#[test]
fn another_secret_key_is_reported() {
    let folder = new_folder();
    let start = |key: &str| {
        let service = Process::start(folder.path(), &[("ROCKET_SECRET_KEY", key)]);
        service.signal("-TERM");
        assert!(service.end().0.success());
    };
    start(SECRET_KEY);
    let other = [("ROCKET_SECRET_KEY", "fpvLfhqH8KdVwB9D+ERRCGw3TmNR3cZAjMBPHMVqVI8=")];
    let (succeeds, said) = check(folder.path(), &other);
    is_said(&said, &[("secret key", "another one")]);
    let is_shared = said.contains("PostgreSQL at ");
    if is_shared {
        fails_alike(folder.path(), &other, "another secret_key");
    } else {
        assert!(succeeds, "{said}");
    }
}
