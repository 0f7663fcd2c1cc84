//! The log: one line per event on standard error, with time, level, module and message.

mod writer;

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use figment::Figment;
use log::{Level, LevelFilter, Log, Metadata, Record};
use rocket::config::LogLevel;

use crate::Clock;
use crate::auth::is_unseen;
use writer::Writer;

struct Lines {
    clock: Clock,
    rocket: LogLevel,
    /// For lines of other crates.
    budget: Mutex<Budget>,
    /// For our own warnings and errors.
    own_budget: Mutex<Budget>,
    writer: Writer,
}

/// Logs to standard error, one line per event. Call it before `rocket::custom`: Rocket keeps an existing logger.
/// Rocket's own prints the paths of requests that it could not parse, and thus the secrets of mailed links, since
/// mail scanners may use unknown methods.
///
/// Lines are written by a thread, so that a reader that stalls stops nobody: call `log::logger().flush()` at the end of
/// your `main`. Panics become lines of the log too.
///
/// # Panics
/// If no thread can be started.
pub fn init(figment: &Figment) {
    let rocket = figment.extract_inner("log_level").unwrap_or(LogLevel::Normal);
    let max = if rocket == LogLevel::Off { LevelFilter::Off } else { LevelFilter::Info };
    let writer = Writer::start().expect("a process that may start a thread");
    let lines = Lines {
        clock: Clock::default(),
        rocket,
        budget: Mutex::default(),
        own_budget: Mutex::default(),
        writer,
    };
    if log::set_boxed_logger(Box::new(lines)).is_ok() {
        log::set_max_level(max);
        // Rust's own message of a panic would wait for the reader of the log.
        std::panic::set_hook(Box::new(|panic| {
            log::error!("{}", panic.to_string().replace('\n', " "));
        }));
    }
}

/// The number of lines of other crates per minute: strangers can cause any number of them.
const OTHERS_A_MINUTE: u64 = 60;
/// The number of our own warnings and errors per minute: while the database is down, each request has one.
const OWN_A_MINUTE: u64 = 600;

/// The remaining lines of this minute.
#[derive(Default)]
struct Budget {
    began_at: Option<Instant>,
    written: u64,
    left_out: u64,
}

impl Budget {
    /// Takes one line; returns how many were dropped before it, or `None` if none is left.
    fn take(&mut self, most: u64) -> Option<u64> {
        const MINUTE: Duration = Duration::from_secs(60);
        if self.began_at.is_none_or(|began_at| began_at.elapsed() >= MINUTE) {
            self.began_at = Some(Instant::now());
            self.written = 0;
        }
        if self.written >= most {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Log for Lines {
    fn enabled(&self, record: &Metadata<'_>) -> bool {
        let (from, level) = (record.target(), record.level());
        if is_ours(from) {
            return level <= Level::Info;
        }
        match self.rocket {
            // At lower levels, Rocket and hyper print form fields and cookies.
            LogLevel::Debug => level <= Level::Info,
            // Rocket's targets that end in "_" repeat each request; what it prints at launch only repeats the
            // settings.
            LogLevel::Normal | LogLevel::Critical => {
                level <= Level::Warn && !from.ends_with('_') && from != "rocket::launch"
            }
            LogLevel::Off => false,
        }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Strangers' input must not begin a line of its own.
        let is_unseen = |c: char| c != ' ' && is_unseen(c);
        let mut message = record.args().to_string().replace(is_unseen, " ");
        let (now, level, from) = (self.clock.now(), record.level(), record.target());
        // The link that is printed during development stays whole.
        if from != "vestibule::mail"
            && let Cow::Owned(redacted) = without_secrets(&message)
        {
            message = redacted;
        }
        let (budget, most) = match (is_ours(from), level) {
            (true, Level::Error | Level::Warn) => (Some(&self.own_budget), OWN_A_MINUTE),
            (true, _) => (None, 0),
            // At `debug`, all lines are wanted.
            (false, _) if self.rocket == LogLevel::Debug => (None, 0),
            (false, _) => (Some(&self.budget), OTHERS_A_MINUTE),
        };
        if let Some(budget) = budget {
            let left = budget.lock().unwrap_or_else(PoisonError::into_inner).take(most);
            let Some(left_out) = left else { return };
            if left_out > 0 {
                let left_out = format!("{now} {level:5} vestibule::log: {left_out} lines left out");
                self.writer.write(left_out);
            }
        }
        let from = from.trim_end_matches('_');
        self.writer.write(format!("{now} {level:5} {from}: {message}"));
    }

    /// Waits until the lines so far are written, for a second at most.
    fn flush(&self) {
        self.writer.flush();
    }
}

/// Rocket's macros log from within our modules, with a mark at the end of the target: one line for each malformed
/// body of a stranger.
fn is_ours(from: &str) -> bool {
    from.starts_with("vestibule") && !from.ends_with('_')
}

/// Removes what may be the secret of a mailed link: a run of about as many characters as a token has, however they
/// are escaped.
fn without_secrets(line: &str) -> Cow<'_, str> {
    const SHORTEST: usize = 40;
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'%');
    let mut cleaned = String::new();
    let mut rest = line;
    while let Some(start) = rest.bytes().position(is_part) {
        let length = rest[start..].bytes().position(|b| !is_part(b)).unwrap_or(rest.len() - start);
        let (before, run) = (&rest[..start], &rest[start..start + length]);
        cleaned.push_str(before);
        cleaned.push_str(if run.len() >= SHORTEST { "…" } else { run });
        rest = &rest[start + length..];
    }
    cleaned.push_str(rest);
    if cleaned == line { Cow::Borrowed(line) } else { Cow::Owned(cleaned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Promise 18.
    #[test]
    fn no_secret_of_a_link_reaches_a_line() {
        let token = "Ab_JqkhHwM_Us5_7leP7oP-oR4g-k4rXvukmiVbNs3Q";
        for path in ["/password-reset/T", "/%70assword-reset//T/", "/verify-email/T?a=b", "T"] {
            let line = format!("GET {}: no route", path.replace('T', token));
            let clean = format!("GET {}: no route", path.replace('T', "…"));
            assert_eq!(without_secrets(&line), clean);
        }
        let escaped = token.replace('A', "%41").replace('_', "%5F");
        assert_eq!(without_secrets(&format!("\"/{escaped}\"")), "\"/…\"");
        for line in ["", "é GET /login text/html", "rocket::server::_", &"a b ".repeat(50)] {
            assert_eq!(without_secrets(line), line);
        }
    }

    #[test]
    fn a_flood_of_lines_is_cut() {
        let mut budget = Budget::default();
        let written = (0..1_000).filter(|_| budget.take(60).is_some()).count();
        assert_eq!(written, 60);
        budget.began_at = None;
        assert_eq!(budget.take(60), Some(940));
        assert_eq!(budget.take(60), Some(0));
    }
}
