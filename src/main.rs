//! The command line.

mod commands;
#[path = "words/command_line.rs"]
mod words;

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use commands::Command;

/// Wipes what is given back. hyper, Rocket and serde each copy the body with the password in it, and a copy
/// that is freed as it is would show up in a core dump.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

#[derive(Parser)]
#[command(version, about = words::ABOUT, after_help = words::SETTINGS)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

/// Ends with 2 if the command line cannot be read, and with 1 if the command fails.
fn main() -> ExitCode {
    CommandLine::parse().command.unwrap_or(Command::Serve).run()
}
