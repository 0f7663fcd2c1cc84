//! The command line.

mod commands;
#[path = "words/command_line.rs"]
mod words;

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

use commands::Command;

/// Wipes freed memory. hyper, Rocket and serde each copy the body with the password in it, and a freed copy would
/// otherwise appear in a core dump.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

#[derive(Parser)]
#[command(version, about = words::ABOUT, after_help = words::SETTINGS)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

/// The exit code is 2 for a wrong command line, 1 if the command fails.
fn main() -> ExitCode {
    let code = CommandLine::parse().command.unwrap_or(Command::Serve).run();
    log::logger().flush();
    code
}
