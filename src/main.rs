//! The command line.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes what is given back. hyper, Rocket and serde each copy the body with the password in it, and a copy
/// that is freed as it is would show up in a core dump.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

const HELP: &str = "\
Vestibule: user accounts for a web application

Usage: vestibule [serve | migrate]

  serve       start the service (also without a word)
  migrate     bring the tables of the database to this version, and end
  --help      show this
  --version   show the version

Settings come from Rocket.toml in this folder and from the environment:
VESTIBULE_PUBLIC_URL, ROCKET_PORT, ROCKET_DATABASES and so on; see README.md.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["serve"] => serve(),
        ["migrate"] => migrate(),
        ["--help" | "-h" | "help"] => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        ["--version" | "-V"] => {
            println!("vestibule {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("vestibule: I don't know what `{}` means\n\n{HELP}", words.join(" "));
            ExitCode::from(2)
        }
    }
}

/// A proxy-less service holds thousands of silent connections cheaply, but only if it may open them:
/// raises the soft limit on open files to the hard one.
#[cfg(unix)]
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Refused: then it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn serve() -> ExitCode {
    #[cfg(unix)]
    allow_many_connections();
    let figment = vestibule::figment();
    vestibule::init_log(&figment);
    if let Err(reason) = vestibule::check_rocket(&figment) {
        ::log::error!("{reason}");
        return ExitCode::FAILURE;
    }
    match rocket::execute(vestibule::serve(vestibule::service(figment))) {
        Ok(()) => ExitCode::SUCCESS,
        // What a fairing of ours refused has been said already.
        Err(reason) => {
            ::log::error!("the service did not start: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn migrate() -> ExitCode {
    let figment = vestibule::figment();
    vestibule::init_log(&figment);
    match rocket::execute(vestibule::migrate(figment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            ::log::error!("{error}: {cause}");
            ExitCode::FAILURE
        }
    }
}
