//! The command line.

use std::process::Stdio;

use tempfile::TempDir;

use crate::harness::process::command;

#[test]
fn the_command_line_has_help_and_refuses_mistakes() {
    let folder = TempDir::new().unwrap();
    let run = |words: &[&str]| {
        let mut command = command(folder.path(), &[]);
        let output = command.stdout(Stdio::piped()).args(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, text) = run(&["--version"]);
    assert_eq!((code, text.trim()), (Some(0), concat!("vestibule ", env!("CARGO_PKG_VERSION"))));
    let (code, text) = run(&["--help"]);
    assert!(code == Some(0) && text.contains("Usage"), "{text}");
    for words in [&["sreve"][..], &["serve", "now"], &["--port"]] {
        let (code, text) = run(words);
        assert!(code == Some(2) && text.contains(words[0]), "{text}");
    }
    assert!(!folder.path().join("data").exists());
}
