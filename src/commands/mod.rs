//! The commands of the program, one file each.

mod check;
mod health;
mod migrate;
mod serve;

use std::process::ExitCode;

use clap::Subcommand;

use crate::words;

#[derive(Subcommand)]
pub enum Command {
    #[command(about = words::SERVE)]
    Serve,
    #[command(about = words::MIGRATE)]
    Migrate,
    #[command(about = words::CHECK)]
    Check,
    #[command(about = words::HEALTH)]
    Health,
}

impl Command {
    pub fn run(self) -> ExitCode {
        match self {
            Self::Serve => serve::run(),
            Self::Migrate => migrate::run(),
            Self::Check => check::run(),
            Self::Health => health::run(),
        }
    }
}

/// Runs a command that needs no Rocket: Rocket's executor panics at some settings before they can be refused.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let executor = rocket::tokio::runtime::Builder::new_current_thread().enable_all().build();
    executor.expect("a process that may open files").block_on(work)
}
