//! `vestibule check`: its output, and that it changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::harness::process::{Process, command, new_folder};
use crate::harness::{SECRET_KEY, TestApp, new_runtime};
use crate::upgrade::{back_to_0_1, forget_0_1};

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
                ("tables", "up to date"),
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

/// Promise 87: what a start would do to the tables of any version, on both engines.
#[test]
fn the_version_of_the_tables_is_reported() {
    let app = TestApp::with_ada();
    let (folder, url) = (TempDir::new().unwrap(), app.database().to_owned());
    let settings = [("VESTIBULE_DATABASE_URL", &*url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let reports = |state: &str| {
        let (succeeds, said) = check(folder.path(), &settings);
        assert!(succeeds, "{said}");
        // Hers, and the bystander's.
        is_said(&said, &[("tables", state), ("accounts", "2")]);
    };
    reports("up to date");
    app.sql(
        "INSERT INTO vestibule_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', true, '', 0)",
    );
    reports("version 9999, of a later version");
    app.sql("DELETE FROM vestibule_migrations WHERE version IN (5, 9999)");
    app.sql("DROP TABLE vestibule_health");
    reports("older than this program");
    let may_not = ("ROCKET_DATABASES__VESTIBULE__MIGRATE", "false");
    fails_alike(folder.path(), &[settings[0], settings[1], may_not], "run `vestibule migrate`");
    let app = app.restarted();
    back_to_0_1(&app);
    reports("of version 0.1");
    fails_alike(folder.path(), &[settings[0], settings[1], may_not], "run `vestibule migrate`");
    let app = app.restarted();
    reports("up to date");
    forget_0_1(&app);
}

#[test]
fn an_empty_database_is_reported() {
    let folder = new_folder();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/vestibule.sqlite3"), "").unwrap();
    let (succeeds, said) = check(folder.path(), &[]);
    assert!(succeeds, "{said}");
    is_said(&said, &[("tables", "not there yet: a start or `vestibule migrate` creates them")]);
    assert!(!said.contains("accounts"), "{said}");
}

/// Promise 87: a start would begin anew in the schema that comes first, and every account would seem to be gone.
#[test]
fn tables_that_another_schema_hides_are_reported() {
    let app = TestApp::with_ada();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT CAST(current_schema() AS TEXT)").remove(0);
    let front = format!("front_{schema}");
    app.sql(&format!("CREATE SCHEMA {front}"));
    let url = app.database().replace(&format!("%3D{schema}"), &format!("%3D{front}%2C{schema}"));
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", &*url), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    // While nothing is to be done, it does not matter where the tables are.
    assert!(check(folder.path(), &settings).0);
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    fails_alike(folder.path(), &settings, &front);
    back_to_0_1(&app);
    fails_alike(folder.path(), &settings, &front);
    let app = app.restarted();
    forget_0_1(&app);
}

/// A migration by a role that owns nothing would fail in the middle of an upgrade of many nodes.
#[test]
fn a_role_that_may_not_change_the_tables_is_reported() {
    let app = TestApp::with_ada();
    if app.is_sqlite() {
        return;
    }
    let schema = app.texts("SELECT CAST(current_schema() AS TEXT)").remove(0);
    let role = format!("reader_{schema}");
    app.sql(&format!("CREATE ROLE {role} LOGIN"));
    app.sql(&format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"));
    let mut url: url::Url = app.database().parse().unwrap();
    url.set_username(&role).unwrap();
    let folder = TempDir::new().unwrap();
    let settings = [("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    let refusal = || {
        app.sql(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"));
        let (_, said) = check(folder.path(), &settings);
        said.split("A start would fail: ").nth(1).map(str::to_owned)
    };
    assert_eq!(refusal(), None, "there is nothing to change");
    app.sql("DELETE FROM vestibule_migrations WHERE version = 5");
    let reason = "this role may not change them";
    assert!(refusal().is_some_and(|refusal| refusal.contains(reason)));
    back_to_0_1(&app);
    assert!(refusal().is_some_and(|refusal| refusal.contains(reason)));
    let app = app.restarted();
    forget_0_1(&app);
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
        ("VESTIBULE_DATABASE_URL", "sqlite:x.sqlite3?mode=ro", "without parameters"),
        ("VESTIBULE_DATABASE_URL", "sqlite://x.sqlite3?immutable=true", "without parameters"),
        ("VESTIBULE_DATABASE_URL", "sqlite:x.sqlite3?cache=shared", "without parameters"),
        ("VESTIBULE_DATABASE_URL", "sqlite:x.sqlite3?vfs=memdb", "without parameters"),
        ("VESTIBULE_MAIL", "smtp", "vestibule.mail must be a table"),
        ("ROCKET_ADDRESS", "here", "address cannot be read: invalid IP address"),
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
    // A name that is none may be a secret.
    std::fs::write(
        folder.path().join("Rocket.toml"),
        "[default.vestibule.mail]\n\"smtps://u:hunter2@h\" = 1\n",
    )
    .unwrap();
    fails_alike(folder.path(), &[], "no setting vestibule.mail.…");
    // A line that cannot be read may hold a secret.
    std::fs::write(folder.path().join("Rocket.toml"), "[default]\nsecret_key = \"hunter2\n")
        .unwrap();
    fails_alike(folder.path(), &[], "the settings cannot be read: TOML parse error at line 2");
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

/// A volume that is not mounted, or a pipe: neither a start nor `check` hangs or begins anew.
#[cfg(unix)]
#[test]
fn a_file_that_is_none_is_reported() {
    use std::os::unix::fs::symlink;
    use std::process::Command;
    for name in ["secret_key", "vestibule.sqlite3"] {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let file = data.join(name);
        symlink(folder.path().join("nowhere"), &file).unwrap();
        fails_alike(folder.path(), &[], "is a link to a file that is not there");
        std::fs::remove_file(&file).unwrap();
        assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
        fails_alike(folder.path(), &[], "is not a file");
    }
    let folder = TempDir::new().unwrap();
    symlink("nowhere", folder.path().join("data")).unwrap();
    fails_alike(folder.path(), &[], "the data folder data cannot be created");
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

/// As after a restore beside an old write-ahead log: indexes have other rows than their tables.
#[test]
fn a_damaged_file_is_reported() {
    let folder = TempDir::new().unwrap();
    let service = Process::start(folder.path(), &[]);
    assert!(service.sign_up("ada@example.com").contains("303 See Other"));
    service.signal("-TERM");
    assert!(service.end().0.success());
    assert!(!check(folder.path(), &[]).1.contains("DAMAGED"));
    let file = folder.path().join("data/vestibule.sqlite3");
    let two = "('vestibule_events_at', 'vestibule_sessions_user_id')";
    let exchanged = format!(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = \
         (SELECT SUM(rootpage) FROM sqlite_schema WHERE name IN {two}) - rootpage WHERE name IN {two}"
    );
    new_runtime().block_on(async {
        let url = format!("sqlite:{}", file.display());
        let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(exchanged)).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
    is_said(&check(folder.path(), &[]).1, &[("damage", "THE DATABASE FILE IS DAMAGED")]);
}

#[test]
fn a_read_only_folder_is_reported() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("data"), "in the way").unwrap();
    fails_alike(folder.path(), &[], "the data folder data cannot be created");
    let below = [("VESTIBULE_DATA_DIR", "data/below/it")];
    fails_alike(folder.path(), &below, "the data folder data/below/it cannot be created");
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
        fails_alike(folder.path(), &below, "the data folder closed/data cannot be created");
        let mail = [("VESTIBULE_DATA_DIR", "other"), ("VESTIBULE_MAIL__FOLDER", "closed")];
        fails_alike(folder.path(), &mail, "the folder for messages cannot be used");
        let in_it = [("VESTIBULE_DATA_DIR", "closed")];
        fails_alike(folder.path(), &in_it, "the secret key in closed cannot be stored");
        // Made by a process of another user, such as a start as root.
        let service = Process::start(folder.path(), &[("VESTIBULE_DATA_DIR", "other")]);
        service.signal("-TERM");
        assert!(service.end().0.success());
        let lock = folder.path().join("other/vestibule.sqlite3.mail-lock");
        std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o400)).unwrap();
        let locked = [("VESTIBULE_DATA_DIR", "other")];
        fails_alike(folder.path(), &locked, "Permission denied");
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
    is_said(&said, &[("secret key", "not the one")]);
    let is_shared = said.contains("PostgreSQL at ");
    if is_shared {
        fails_alike(folder.path(), &other, "another secret_key");
    } else {
        assert!(succeeds, "{said}");
    }
}
