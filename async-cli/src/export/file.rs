//! Writing a file so that nobody ever reads half of it, even in a directory that others may write to.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use async_core::Error;
use async_core::walk::{Reached, Walk, is_kind};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// The mode to request for a new file; an old file's bits beyond that are not kept.
const MODE: u32 = 0o666;

/// Replaces a file atomically: writes a new one beside it, which then takes its name. If the old file belongs to this
/// user, its permissions stay. Refuses to replace anything but a file, and paths through another user's symlink;
/// follows the symlinks of this user and of root.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let (dir, name, found) = match Walk::default().along(path).map_err(reason)? {
        Reached::Directory(_) => return Err(Errno::EISDIR.into()),
        Reached::Other(dir, name, found) => (dir, name, found),
    };
    let mode = match found {
        Some(found) if !is_kind(&found, SFlag::S_IFREG) => {
            return Err(io::Error::other("that is not a file; for standard output type -"));
        }
        found => found.filter(|found| found.st_uid == geteuid().as_raw()).map(|found| found.st_mode & MODE),
    };
    let (mut file, temporary) = make_beside(&dir)?;
    let written = file
        .write_all(text)
        .and_then(|()| mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode))))
        .and_then(|()| Ok(renameat(&dir, temporary.as_os_str(), &dir, name.as_os_str())?));
    if written.is_err() {
        let _ = unlinkat(&dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    written
}

/// Makes a new file in that directory and returns its name. The name has no extension, so that programs that collect
/// files by extension ignore it.
fn make_beside(dir: &OwnedFd) -> io::Result<(File, OsString)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    for number in 0.. {
        let name = OsString::from(format!(".async-{}-{number}", std::process::id()));
        match openat(dir, name.as_os_str(), flags, Mode::from_bits_truncate(MODE)) {
            Err(Errno::EEXIST) => {}
            made => return Ok((File::from(made?), name)),
        }
    }
    unreachable!("the numbers have no end")
}

/// The reason, for a message that already names the file.
fn reason(error: Error) -> io::Error {
    match error {
        Error::Io { source, .. } => source,
        error => io::Error::other(error),
    }
}
