use std::error::Error;
use std::process::ExitCode;

/// Migrates the tables of the database.
pub fn run() -> ExitCode {
    let figment = vestibule::service_figment();
    vestibule::init_log(&figment);
    match super::wait_for(vestibule::migrate(figment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map_or_else(String::new, ToString::to_string);
            log::error!("{error}: {cause}");
            ExitCode::FAILURE
        }
    }
}
