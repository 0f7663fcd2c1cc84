use std::process::ExitCode;

use crate::words;

/// Runs the service until it is told to stop.
pub fn run() -> ExitCode {
    #[cfg(unix)]
    allow_many_connections();
    let figment = vestibule::service_figment();
    vestibule::init_log(&figment);
    if let Err(reason) = vestibule::check_rocket(&figment) {
        log::error!("{reason}");
        return ExitCode::FAILURE;
    }
    match rocket::execute(vestibule::serve(vestibule::service(figment))) {
        Ok(()) => ExitCode::SUCCESS,
        // Our fairings have already logged their reason.
        Err(reason) => {
            log::error!("{}", words::did_not_start(&reason));
            ExitCode::FAILURE
        }
    }
}

/// Raises the soft limit on open files to the hard one, so that the service can hold thousands of idle connections
/// without a proxy in front.
#[cfg(unix)]
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // If this is refused, the limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
