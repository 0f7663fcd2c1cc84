//! Files that no other user of the machine can read, whatever the umask.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use figment::Figment;
use rocket::config::SecretKey;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// Creates a private folder: the messages in it have links that open accounts.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens or creates a private file. SQLite gives the files beside its database the same mode.
#[cfg(feature = "sqlite")]
pub(crate) fn open(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // A device such as `/dev/null`: keep its mode.
    if !file.metadata()?.is_file() {
        return Ok(file);
    }
    // An existing file may belong to another user, who must protect it.
    #[cfg(unix)]
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(file)
}

/// Writes a file atomically, synced to disk.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    draft(path, content)?.persist(path)?;
    Ok(())
}

/// Fails if there is something that cannot be opened as a file. A pipe would wait for its other end forever; a link
/// to nothing may lead to a volume that is not mounted, and the service would begin anew without its accounts.
pub(crate) fn check_is_file(path: &Path) -> io::Result<()> {
    let refuse = |reason| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => refuse(format!("{} is not a file", path.display())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) if path.is_symlink() => {
            refuse(format!("{} is a link to a file that is not there", path.display()))
        }
        Err(_) => Ok(()),
    }
}

/// Reads the key that seals cookies, or creates it.
pub(crate) fn secret_key(path: &Path) -> io::Result<String> {
    check_is_file(path)?;
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        // If two processes start at once, the first one's key stays.
        match draft(path, STANDARD.encode(key).as_bytes())?.persist_noclobber(path) {
            Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(refused.into());
            }
            _ => {}
        }
    }
    read_secret_key(path)
}

/// Reads the key. Fails if Rocket could not use it.
pub(crate) fn read_secret_key(path: &Path) -> io::Result<String> {
    let key = fs::read_to_string(path)?.trim().to_owned();
    let read = Figment::from(("secret_key", &key)).extract_inner::<SecretKey>("secret_key");
    if read.is_ok_and(|key| key.is_provided()) {
        return Ok(key);
    }
    let reason = "the file is damaged; restore it, or remove it, which signs everybody out";
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}

/// A temporary file with this content on disk, to be renamed.
fn draft(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new().suffix(".draft").tempfile_in(parent(path))?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// Fails if [`make_folder`] would, without creating anything.
pub(crate) fn check_folder(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Errno::EXIST.into()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // To a folder that is not there.
        Err(_) if folder.is_symlink() => Err(Errno::EXIST.into()),
        Err(_) => {
            let parent = parent(folder);
            check_folder(parent)?;
            if parent.exists() { check_writable(parent) } else { Ok(()) }
        }
    }
}

/// Fails if this process may not write the file or folder, without writing.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    Ok(access(path, Access::WRITE_OK)?)
}

/// The folder that contains a file or folder.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
