//! Shows the service's log with a test that fails.

use ::log::{Level, LevelFilter, Log, Metadata, Record};

/// Prints the log, so that the test runner captures it.
pub fn capture() {
    if ::log::set_logger(&Captured).is_ok() {
        ::log::set_max_level(LevelFilter::Info);
    }
}

struct Captured;

impl Log for Captured {
    fn enabled(&self, record: &Metadata<'_>) -> bool {
        record.target().starts_with("vestibule") && record.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            println!("{:5} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}
