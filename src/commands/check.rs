use std::io::Write;
use std::process::ExitCode;

/// Prints the result of the check.
pub fn run() -> ExitCode {
    let report = super::wait_for(vestibule::check(vestibule::service_figment()));
    // Nobody may be reading any more.
    let _ = writeln!(std::io::stdout(), "{report}");
    if report.would_succeed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
