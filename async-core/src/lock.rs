//! The two locks on a record.
//!
//! **Life** is an exclusive `flock(2)`: it belongs to the open file that the shell and its background subshell share, and
//! the kernel lets go of it with the last of them. **Collecting** is an open file description lock (`F_OFD_SETLKW`, see
//! fcntl(2)): it keeps two collectors apart. Linux keeps the two kinds apart as well, so a collector never looks like a
//! task, and a descriptor that leaked out of a shell can't keep a result from being collected.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Takes the life of a new record, for whoever shares the open file.
pub(crate) fn take_life(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
        TryLockError::Error(error) => error,
    })
}

/// Whether somebody holds the life of a record. `file` must be another open file than theirs.
pub(crate) fn is_held(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Sleeps until nobody holds the life of a record.
pub(crate) fn wait_for_release(file: &File) -> io::Result<()> {
    uninterrupted(|| file.lock_shared())?;
    file.unlock()
}

/// Takes the right to collect, sleeping while somebody else has it. It ends with `file`.
pub(crate) fn for_collecting(file: &File) -> io::Result<()> {
    let whole = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    uninterrupted(|| fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&whole)).map(drop).map_err(io::Error::from))
}

/// Whether the error means that the file system has no locks at all.
pub(crate) fn means_no_locks(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::ENOLCK | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL)
}

fn uninterrupted(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
