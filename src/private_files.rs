//! Files that nobody else on the machine may read, whatever the umask.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A folder that only we can read: its letters hold links that open accounts.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// How a file of ours is opened: nobody else may read it.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A file of our own, empty if there was none: SQLite gives the files beside its database the same mode.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = options().truncate(false).open(path)?;
    // `/dev/null`, or whatever else was named: its mode is not ours to change.
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    // One that was there before may belong to somebody else; then it is theirs to close.
    #[cfg(unix)]
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(file)
}

/// Writes a file as a whole: it is there with all of this on disk, or not at all.
pub(crate) fn write(path: &Path, draft: &Path, content: &[u8]) -> io::Result<()> {
    // A draft that a killed process left behind is no obstacle.
    let mut file = options().truncate(true).open(draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(draft, path)
}

/// The key that seals cookies: made once, read from then on.
pub(crate) fn secret_key(path: &Path) -> io::Result<String> {
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let whole = path.with_extension(format!("{}.key", std::process::id()));
        write(&whole, &draft, STANDARD.encode(key).as_bytes())?;
        // Of two processes that start at once the first one's key stays.
        let linked = fs::hard_link(&whole, path);
        fs::remove_file(whole)?;
        linked.or_else(|e| if path.exists() { Ok(()) } else { Err(e) })?;
    }
    Ok(fs::read_to_string(path)?.trim().to_owned())
}
