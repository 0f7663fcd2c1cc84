//! One line for each thing that happened, on standard error: time, level, place, message.

use std::io::Write;

use figment::Figment;
use log::{Level, LevelFilter, Log, Metadata, Record};
use rocket::config::LogLevel;
use vestibule::Clock;

struct Lines {
    clock: Clock,
    rocket: LogLevel,
}

/// Installs the log before Rocket does: its own prints the paths of failed requests at every level,
/// and nothing of ours in release.
pub fn init(figment: &Figment) {
    let rocket = figment.extract_inner("log_level").unwrap_or(LogLevel::Normal);
    let max = if rocket == LogLevel::Off { LevelFilter::Off } else { LevelFilter::Info };
    if log::set_boxed_logger(Box::new(Lines { clock: Clock::default(), rocket })).is_ok() {
        log::set_max_level(max);
    }
}

impl Log for Lines {
    fn enabled(&self, record: &Metadata<'_>) -> bool {
        let (from, level) = (record.target(), record.level());
        if from.starts_with("vestibule") {
            return level <= Level::Info;
        }
        match self.rocket {
            // Deeper than that, Rocket and hyper print form fields and cookies.
            LogLevel::Debug => level <= Level::Info,
            // Rocket's lines that end in "_" repeat each request; what it launches with says nothing
            // that the settings don't.
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
        // One line for one thing: what strangers sent must not begin a line of its own.
        let message = record.args().to_string().replace(|c: char| c.is_control(), " ");
        let (now, level, from) = (self.clock.now(), record.level(), record.target());
        let from = from.trim_end_matches('_');
        let _ = writeln!(std::io::stderr(), "{now} {level:5} {from}: {message}");
    }

    fn flush(&self) {}
}
