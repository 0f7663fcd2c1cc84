//! Promises 53 and 55: the disk is full, the database rolls back by itself, a connection breaks during a
//! transaction. Everything works again once the cause is gone.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::process::{Process, answer, command, form_post, sign_up_form};
use crate::harness::{ADA, PASSWORD, TestApp};

/// A transaction that the database aborts at its first, middle or last statement.
#[test]
fn an_aborted_transaction_breaks_nothing() {
    let app = TestApp::with_ada();
    let login = [("email", ADA), ("password", PASSWORD)];
    for table in ["vestibule_throttle", "vestibule_sessions", "vestibule_events"] {
        if app.is_sqlite() {
            app.sql(&format!(
                "CREATE TRIGGER fault BEFORE INSERT ON {table} \
                 BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END"
            ));
        } else {
            // The server closes the connection.
            app.sql(
                "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
            );
            app.sql(&format!(
                "CREATE TRIGGER fault BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fault()"
            ));
        }
        for _ in 0..3 {
            app.other_browser().post("/login", login).is(503);
        }
        let (end, place) = if app.is_sqlite() { ("", "") } else { (" ON ", table) };
        app.sql(&format!("DROP TRIGGER fault{end}{place}"));
        app.other_browser().post("/login", login).redirects_to("/profile");
        app.visit("/health/ready").is(200);
    }
}

/// An error that only occurs at the commit.
#[test]
fn a_failed_commit_breaks_nothing() {
    let app = TestApp::with_ada();
    let login = [("email", ADA), ("password", PASSWORD)];
    if app.is_sqlite() {
        app.sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)");
        app.sql(
            "CREATE TABLE broken (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        );
        app.sql(
            "CREATE TRIGGER fault AFTER INSERT ON vestibule_events BEGIN INSERT INTO broken VALUES (1); END",
        );
    } else {
        app.sql(
            "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''disk full'' USING ERRCODE = ''53100''; END'",
        );
        app.sql(
            "CREATE CONSTRAINT TRIGGER fault AFTER INSERT ON vestibule_events DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION fault()",
        );
    }
    let sessions = app.count("sessions");
    for _ in 0..3 {
        app.other_browser().post("/login", login).is(503);
    }
    assert_eq!(app.count("sessions"), sessions, "nothing is half done");
    app.sql(if app.is_sqlite() {
        "DROP TRIGGER fault"
    } else {
        "DROP TRIGGER fault ON vestibule_events"
    });
    app.other_browser().post("/login", login).redirects_to("/profile");
}

/// Promise 55: a small update within a page succeeds although PostgreSQL's disk is full. Readiness detects this,
/// and recovers as soon as there is room.
#[test]
fn readiness_sees_that_the_disk_of_postgresql_is_full() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up(ADA);
    app.visit("/health/ready").is(200);
    fill_the_disk_of_postgresql(&app);
    becomes(|| app.visit("/health/ready").status, 503);
    app.sql("DROP FUNCTION fault CASCADE");
    becomes(|| app.visit("/health/ready").status, 200);
    app.other_browser().log_in(ADA, PASSWORD).redirects_to("/profile");
}

/// Promise 55: a check that could not write, because another node was writing, does not show that there is room.
#[test]
fn readiness_does_not_forget_that_the_disk_is_full() {
    let app = TestApp::new();
    if app.is_sqlite() {
        return;
    }
    app.sign_up(ADA);
    fill_the_disk_of_postgresql(&app);
    becomes(|| app.visit("/health/ready").status, 503);
    let other_node = app.hold("SELECT * FROM vestibule_health FOR UPDATE");
    becomes(|| app.visit("/health/ready").status, 200);
    drop(other_node);
    becomes(|| app.visit("/health/ready").status, 503);
}

/// From now on the disk takes small updates within a page, and nothing else. A sign-in is the first to notice.
fn fill_the_disk_of_postgresql(app: &TestApp) {
    app.sql(
        "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN RAISE EXCEPTION ''disk full'' USING ERRCODE = ''53100''; END'",
    );
    app.sql("CREATE TRIGGER fault BEFORE INSERT ON vestibule_sessions FOR EACH ROW EXECUTE FUNCTION fault()");
    app.sql(
        "CREATE TRIGGER fault BEFORE UPDATE ON vestibule_health FOR EACH ROW \
         WHEN (length(NEW.padding) > 8192) EXECUTE FUNCTION fault()",
    );
    app.other_browser().log_in(ADA, PASSWORD).is(503);
}

/// A small disk of our own, where mounting is permitted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn fill(&self) {
        // Fill it to the last page.
        let _ = Command::new("dd")
            .args(["if=/dev/zero", "bs=4k"])
            .arg(format!("of={}", self.0.path().join("filler").display()))
            .stderr(Stdio::null())
            .status();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn log_in(service: &Process) -> String {
    let form = sign_up_form(ADA);
    let seen = answer(service.send(&form_post("/login", &form)));
    seen.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn readiness(service: &Process) -> u16 {
    service.get("/health/ready").split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
}

/// Readiness is checked once a second.
fn becomes(readiness: impl Fn() -> u16, wanted: u16) {
    let start = Instant::now();
    while readiness() != wanted {
        assert!(start.elapsed() < Duration::from_secs(5), "readiness does not become {wanted}");
    }
}

#[test]
fn a_full_disk_is_survived() {
    if std::env::var_os(crate::harness::postgres::SECOND_RUN).is_some() {
        return; // It is SQLite's file.
    }
    let Some(disk) = SmallDisk::mount() else {
        assert!(!crate::harness::in_ci(), "CI runs as root");
        eprintln!("SKIPPED: a small disk cannot be mounted here");
        return;
    };
    let data = disk.0.path().join("data");
    let folder = tempfile::TempDir::new().unwrap();
    let settings = [
        ("VESTIBULE_DATA_DIR", data.to_str().unwrap()),
        ("VESTIBULE_THROTTLE__ATTEMPTS_BY_IP", "100000"),
    ];
    let service = Process::run(command(folder.path(), &settings));
    assert!(service.sign_up(ADA).contains("303 See Other"));
    for _ in 0..2 {
        disk.fill();
        // The database may still write what fits into its log, and then nothing.
        let refused = (0..500).find(|_| log_in(&service) == "503");
        assert!(refused.is_some(), "the disk is full");
        becomes(|| readiness(&service), 503);
        assert_eq!(log_in(&service), "503");
        assert!(service.get("/login").contains("200 OK"));
        disk.make_room();
        assert_eq!(log_in(&service), "303");
        becomes(|| readiness(&service), 200);
    }
    drop(service);
}
