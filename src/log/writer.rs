//! Writes the lines of the log in a thread of its own: standard error may be a pipe, and a reader that stalls would
//! otherwise stop whoever writes a line, and with them every request.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of lines that may wait. Further ones are left out, and counted.
const MOST_WAITING: usize = 10_000;

/// How long the end of the process waits for the last lines.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Writer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Signals that lines wait, or that none is left.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<String>,
    left_out: u64,
    is_writing: bool,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Self(shared.clone());
        thread::Builder::new().name("log".into()).spawn(move || shared.write_all(io::stderr()))?;
        Ok(writer)
    }

    /// Adds a line, without its end.
    pub(super) fn write(&self, line: String) {
        let mut state = self.0.lock();
        if state.waiting.len() < MOST_WAITING {
            state.waiting.push_back(line);
            self.0.changed.notify_all();
        } else {
            state.left_out += 1;
        }
    }

    pub(super) fn flush(&self) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        drop(self.0.changed.wait_timeout_while(self.0.lock(), FLUSH_WITHIN, is_busy));
    }
}

impl Shared {
    /// Writes lines as they come. That nobody reads them any more is no reason to stop.
    fn write_all(&self, mut to: impl Write) {
        loop {
            let (lines, left_out) = self.next_lines();
            for line in lines {
                let _ = writeln!(to, "{line}");
            }
            if left_out > 0 {
                let _ = writeln!(to, "{left_out} lines left out: the log was not read");
            }
        }
    }

    /// Waits for lines; takes all of them, and how many were left out after them.
    fn next_lines(&self) -> (VecDeque<String>, u64) {
        let mut state = self.lock();
        state.is_writing = false;
        self.changed.notify_all();
        let is_idle = |state: &mut State| state.waiting.is_empty();
        let woken = self.changed.wait_while(state, is_idle);
        let mut state = woken.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        (take(&mut state.waiting), take(&mut state.left_out))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
