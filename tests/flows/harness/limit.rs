//! A time limit: a test that hangs is named, instead of the whole run being cut off.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);

/// Aborts the run with a message, unless dropped in time.
pub struct TimeLimit(#[expect(dead_code, reason = "it is dropped")] Sender<()>);

impl TimeLimit {
    pub fn begin() -> Self {
        let (alive, ended) = channel();
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        std::thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                use std::io::Write;
                let _ = writeln!(std::io::stderr(), "\n{name} has not ended within {LIMIT:?}\n");
                std::process::abort();
            }
        });
        Self(alive)
    }
}
