use std::process::ExitCode;

/// Prints the result of the check.
pub fn run() -> ExitCode {
    let report = super::wait_for(vestibule::check(vestibule::figment()));
    println!("{report}");
    if report.would_succeed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
