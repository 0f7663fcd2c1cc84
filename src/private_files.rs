//! Files that nobody else on the machine may read, whatever the umask.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Makes a folder that only we can read: the messages in it hold links that open accounts.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A file of our own, empty if there was none: SQLite gives the files beside its database the same mode.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // `/dev/null`, or some other device: its mode is not ours to change.
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    // One that was there before may belong to somebody else; then it is theirs to close.
    #[cfg(unix)]
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(file)
}

/// Writes a file as a whole: it is there with all of this on disk, or not at all.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    draft(path, content)?.persist(path)?;
    Ok(())
}

/// The key that seals cookies: made once, read from then on.
pub(crate) fn secret_key(path: &Path) -> io::Result<String> {
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        // Of two processes that start at once the first one's key stays.
        match draft(path, STANDARD.encode(key).as_bytes())?.persist_noclobber(path) {
            Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(refused.into());
            }
            _ => {}
        }
    }
    read_secret_key(path)
}

/// The key, if it is there.
pub(crate) fn read_secret_key(path: &Path) -> io::Result<String> {
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

/// A file with this on disk, which still has to get its name.
fn draft(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new().suffix(".draft").tempfile_in(parent(path))?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Fails as [`make_folder`] would, and makes nothing.
pub(crate) fn check_folder(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Errno::EXIST.into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) => {
            let parent = parent(folder);
            check_folder(parent)?;
            if parent.exists() { check_writable(parent) } else { Ok(()) }
        }
    }
}

/// Fails if this process may not write what is there; writes nothing.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    Ok(access(path, Access::WRITE_OK)?)
}

/// The folder that a file or folder is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
