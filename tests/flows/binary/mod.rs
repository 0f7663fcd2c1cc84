//! The binary: its command line, settings, files, start and limits.

mod command_line;
mod health;
mod http;
mod limits;
mod log;
mod mail;
mod secret_files;
mod secrets;
mod settings;
mod spelling;
mod starting;

use std::path::Path;

use crate::harness::process::command;

fn refused(folder: &Path, settings: &[(&str, &str)]) -> String {
    let output = command(folder, settings).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
