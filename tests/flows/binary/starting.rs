//! Starting: the files it creates, and what it waits for.

use std::path::Path;

use tempfile::TempDir;

use super::refused;
use crate::harness::ADA;
use crate::harness::process::{Process, command};

#[cfg(unix)]
#[test]
fn a_first_start_needs_no_setting_and_shows_the_link() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    // The profile of `cargo run`.
    let mut service = Process::start(folder.path(), &[("ROCKET_PROFILE", "debug")]);
    assert!(service.get("/").contains("200 OK"));
    assert!(service.sign_up(ADA).contains("303 See Other"));
    let line = service.line("/verify-email/");
    assert!(line.contains("Confirm your email address"), "{line}");
    let data = folder.path().join("data");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("secret_key")), 0o600);
    assert_eq!(data.join("mail").read_dir().unwrap().count(), 1);
}

/// The folder exists already, and is readable for everybody.
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
    service.sign_up(ADA);
    for file in data.read_dir().unwrap().map(Result::unwrap) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || mode == 0o700, "{:?}: {mode:o}", file.path());
    }
}

/// Two concurrent starts: the second one waits, and says so.
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
    // It does not delay shutdown either.
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

/// It does not wait forever: whatever started it must notice.
#[test]
fn a_start_that_cannot_get_the_lock_names_the_file_and_gives_up() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let lock = std::fs::File::create(data.join("vestibule.sqlite3.lock")).unwrap();
    lock.lock().unwrap();
    let log = refused(folder.path(), &[("ROCKET_DATABASES__VESTIBULE__CONNECT_TIMEOUT", "1")]);
    assert!(log.contains("vestibule.sqlite3.lock and does not release it"), "{log}");
    assert_eq!(log.matches("waiting for it").count(), 1, "{log}");
}
