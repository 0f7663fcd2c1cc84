//! The command line.

mod commands;

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use commands::Command;

/// Wipes what is given back. hyper, Rocket and serde each copy the body with the password in it, and a copy
/// that is freed as it is would show up in a core dump.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// User accounts for a web application
#[derive(Parser)]
#[command(
    version,
    after_help = "Settings come from Rocket.toml in this folder and from the environment:\n\
                  VESTIBULE_PUBLIC_URL, ROCKET_PORT, ROCKET_DATABASES and so on; see README.md."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

/// Ends with 2 if the command line cannot be read, and with 1 if the command fails.
fn main() -> ExitCode {
    CommandLine::parse().command.unwrap_or(Command::Serve).run()
}
