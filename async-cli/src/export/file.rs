//! Writing a file so that nobody ever reads half of it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

/// Puts a whole file in its place at once. What is there and no file of its own, such as a pipe, a device or a link, stays
/// what it is and is written to.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let before = fs::symlink_metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return OpenOptions::new().write(true).create(true).truncate(true).open(path)?.write_all(text);
    }
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    // Else the error would name the temporary file, which is nothing to a user.
    access(dir, AccessFlags::W_OK | AccessFlags::X_OK)?;
    // The umask still counts. The name has no ending, so that nothing that collects such files takes it for one.
    let mut file =
        tempfile::Builder::new().prefix(".async-").permissions(Permissions::from_mode(0o666)).tempfile_in(dir)?;
    if let Some(before) = before {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.as_file_mut().write_all(text)?;
    file.persist(path)?;
    Ok(())
}
