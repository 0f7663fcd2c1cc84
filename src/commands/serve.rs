use std::process::ExitCode;

use crate::words;

/// Runs the service until it is told to stop.
pub fn run() -> ExitCode {
    #[cfg(unix)]
    allow_many_connections();
    let figment = vestibule::figment();
    vestibule::init_log(&figment);
    if let Err(reason) = vestibule::check_rocket(&figment) {
        log::error!("{reason}");
        return ExitCode::FAILURE;
    }
    match rocket::execute(vestibule::serve(vestibule::service(figment))) {
        Ok(()) => ExitCode::SUCCESS,
        // What a fairing of ours refused has been logged already.
        Err(reason) => {
            log::error!("{}", words::did_not_start(&reason));
            ExitCode::FAILURE
        }
    }
}

/// The service holds thousands of silent connections cheaply, without a proxy in front, but only if it may open
/// them: raises the soft limit on open files to the hard one.
#[cfg(unix)]
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused: then it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
