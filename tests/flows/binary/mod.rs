//! The binary: its command line, settings, files, start and limits.

mod command_line;
mod http;
mod limits;
mod log;
mod mail;
mod secrets;
mod settings;
mod starting;

use std::path::Path;

use crate::harness::process::command;

fn refused(folder: &Path, settings: &[(&str, &str)]) -> String {
    let output = command(folder, settings).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
