//! Files that nobody else on the machine may read, whatever the umask.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
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

/// An empty file, if there is none: SQLite gives the files beside its database the same mode.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

/// The key that seals cookies: made once, read from then on.
pub(crate) fn secret_key(path: &Path) -> io::Result<String> {
    use std::io::Write;
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let draft = path.with_extension(format!("{}.draft", std::process::id()));
        let mut options = OpenOptions::new();
        // One that a killed process left behind is no obstacle.
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft)?;
        file.write_all(STANDARD.encode(key).as_bytes())?;
        file.sync_all()?;
        // Of two processes that start at once the first one's key stays.
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(draft)?;
        linked.or_else(|e| if path.exists() { Ok(()) } else { Err(e) })?;
    }
    Ok(fs::read_to_string(path)?.trim().to_owned())
}
