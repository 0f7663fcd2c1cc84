//! What the program can be told to do: one file for each command.

mod check;
mod migrate;
mod serve;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Start the service (the default)
    Serve,
    /// Bring the tables of the database to this version
    Migrate,
    /// Say what a start would find, and whether it would succeed; change nothing
    Check,
}

impl Command {
    pub fn run(self) -> ExitCode {
        match self {
            Self::Serve => serve::run(),
            Self::Migrate => migrate::run(),
            Self::Check => check::run(),
        }
    }
}
