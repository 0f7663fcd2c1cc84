//! The same tests on PostgreSQL.

use std::io::Write;
use std::process::{Command, Stdio};

const SERVER: &str = "TEST_POSTGRES_URL";

/// Runs this binary again with another database.
#[test]
fn the_same_stories_on_postgresql() {
    if std::env::var_os(crate::harness::postgres::SECOND_RUN).is_some() {
        // This is the second run.
        return;
    }
    let Ok(server) = std::env::var(SERVER) else {
        assert!(!crate::harness::in_ci(), "{SERVER} must be set in CI");
        // Bypasses the output capture of the test runner: this must be seen.
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: nothing was tested on PostgreSQL. Set {SERVER}=postgres://user@host/database to do so.\n"
        );
        return;
    };
    let status = Command::new(std::env::current_exe().unwrap())
        .env(crate::harness::postgres::SECOND_RUN, server)
        // The command line and the files of the binary are the same with any database.
        .args(["--skip", "binary::", "--skip", "proxies::"])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "the stories failed on PostgreSQL");
}
