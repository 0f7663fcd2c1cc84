//! From the version before to this one. `PREVIOUS_VESTIBULE` names the program of that version.

use std::io::Write;

use tempfile::TempDir;

use crate::harness::{NEW_PASSWORD, PASSWORD};
use crate::process::{
    Process, answer, command, command_of, form_post, new_folder, session_cookie, sign_up_form,
};

const PREVIOUS: &str = "PREVIOUS_VESTIBULE";

/// The service in the version before; `None`, loudly, where it is not at hand; in CI that is a failure.
fn start_previous(folder: &TempDir) -> Option<Process> {
    let Some(program) = std::env::var_os(PREVIOUS) else {
        assert!(!crate::harness::in_ci(), "{PREVIOUS} must be set in CI");
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED: no upgrade was tested. Set {PREVIOUS} to the program of the last version to do so.\n"
        );
        return None;
    };
    Some(Process::run(command_of(program, folder.path(), &[])))
}

fn log_in(at: &Process, email: &str, password: &str) -> String {
    let form = format!("email={email}&password={}", password.replace(' ', "+"));
    let seen = answer(at.post("/login", &form));
    session_cookie(&seen).unwrap_or_else(|| panic!("{seen}")).to_owned()
}

fn is_signed_in(at: &Process, cookie: &str) -> bool {
    let request = format!(
        "GET /profile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: session_id={cookie}\r\n\r\n"
    );
    answer(at.send(&request)).starts_with("HTTP/1.1 200")
}

fn post(at: &Process, cookie: &str, path: &str, form: &str) -> String {
    let with_cookie = format!("Cookie: session_id={cookie}\r\nContent-Type");
    answer(at.send(&form_post(path, form).replacen("Content-Type", &with_cookie, 1)))
}

/// Promise 87: nobody is lost, and whoever was signed in stays so; the version before says why it does not start
/// on what it does not know.
#[test]
fn a_database_of_the_version_before_is_taken_over() {
    let folder = new_folder();
    let Some(previous) = start_previous(&folder) else { return };
    assert!(previous.sign_up("ada@example.com").contains("303 See Other"));
    let cookie = log_in(&previous, "ada@example.com", PASSWORD);
    previous.signal("-TERM");
    assert!(previous.end().0.success());

    let service = Process::start(folder.path(), &[]);
    assert!(is_signed_in(&service, &cookie));
    log_in(&service, "ada@example.com", PASSWORD);
    let taken = answer(service.post("/users", &sign_up_form("ada@example.com")));
    assert!(taken.contains("already registered"), "{taken}");
    service.signal("-TERM");
    assert!(service.end().0.success());

    let program = std::env::var_os(PREVIOUS).unwrap();
    let refused = command_of(program, folder.path(), &[]).output().unwrap();
    let log = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && log.contains("migration"), "{log}");
}

/// Rolling upgrade: while the nodes of several are replaced one by one, those of both versions serve the same
/// people from the same tables.
#[test]
fn nodes_of_the_version_before_serve_beside_those_of_this_one() {
    if crate::harness::new_postgres_database().is_none() {
        return;
    }
    let folder = new_folder();
    let Some(previous) = start_previous(&folder) else { return };
    assert!(previous.sign_up("ada@example.com").contains("303 See Other"));
    let service = Process::run(command(folder.path(), &[]));
    let passwords = [PASSWORD, NEW_PASSWORD, PASSWORD];
    for (n, (here, there)) in [(&previous, &service), (&service, &previous)].iter().enumerate() {
        let email = format!("p{n}@example.com");
        assert!(here.sign_up(&email).contains("303 See Other"));
        log_in(there, &email, PASSWORD);
        // A changed password counts on the other one, and so does what it ends.
        let old = log_in(there, "ada@example.com", passwords[n]);
        let own = log_in(here, "ada@example.com", passwords[n]);
        assert!(is_signed_in(here, &old) && is_signed_in(there, &own));
        let [from, to] = [passwords[n], passwords[n + 1]].map(|text| text.replace(' ', "+"));
        let form = format!("password={from}&new_password={to}");
        let changed = post(here, &own, "/password-change", &form);
        let renewed = session_cookie(&changed).unwrap_or_else(|| panic!("{changed}"));
        assert!(is_signed_in(there, renewed));
        assert!(!is_signed_in(here, &old) && !is_signed_in(here, &own));
        log_in(there, "ada@example.com", passwords[n + 1]);
        let asked = answer(here.post("/password-reset", &format!("email={email}")));
        assert!(asked.contains("200 OK"), "{asked}");
        assert!(post(there, renewed, "/logout", "").contains("303 See Other"));
        assert!(!is_signed_in(there, renewed));
    }
    for node in [previous, service] {
        node.signal("-TERM");
        let (status, log) = node.end();
        assert!(status.success());
        let faults: Vec<_> = log.iter().filter(|line| line.contains(" ERROR ")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}
