use std::process::ExitCode;

/// Prints what a start would find.
pub fn run() -> ExitCode {
    let report = super::wait_for(vestibule::check(vestibule::figment()));
    println!("{report}");
    if report.would_succeed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
