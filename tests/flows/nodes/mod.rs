//! Several nodes on one PostgreSQL, and failures of the network between them. On SQLite there is one node and no
//! network.

mod clocks;
mod crowded;
mod jobs;
mod network;
mod readiness;
mod rolling_restart;
mod starting;

use tempfile::TempDir;

use crate::harness::process::Process;
use crate::harness::{Gate, SECRET_KEY, postgres};

const STATEMENT_TIMEOUT: &str = "ROCKET_DATABASES__VESTIBULE__STATEMENT_TIMEOUT";

/// A service that reaches PostgreSQL through a gate; `None` in the run on SQLite.
fn behind_a_gate(settings: &[(&str, &str)]) -> Option<(Gate, Process, TempDir)> {
    let (gate, url) = postgres::gate_before(&postgres::new_postgres_database()?);
    let folder = TempDir::new().unwrap();
    let mut all = vec![("VESTIBULE_DATABASE_URL", url.as_str()), ("ROCKET_SECRET_KEY", SECRET_KEY)];
    all.extend(settings);
    let service = Process::start(folder.path(), &all);
    Some((gate, service, folder))
}
