//! Descriptors that another program hands over by number.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

/// A descriptor of our own for the open file that `fd` stands for; the caller's own stays open.
///
/// The error is the system's for a number that stands for nothing (`EBADF`).
#[allow(unsafe_code)]
pub fn duplicate(fd: RawFd) -> io::Result<File> {
    must_be_open(fd)?;
    // SAFETY: the descriptor is open, as was just seen, nothing in this crate closes one that it did not open, and the
    // borrow ends with this statement.
    let owned = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    Ok(File::from(owned))
}

/// The open file that `fd` stands for, from now on ours to close.
///
/// The error is the system's for a number that stands for nothing (`EBADF`).
#[allow(unsafe_code)]
pub fn take(fd: RawFd) -> io::Result<File> {
    must_be_open(fd)?;
    // SAFETY: the descriptor is open, as was just seen. It is nobody else's: who names it on a command line gives it away.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Closes all descriptors of this process but the standard ones and these.
///
/// What is open by those that are closed must not be used any more, in this process.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|kept| kept.as_raw_fd().unsigned_abs()).collect();
    kept.sort_unstable();
    let mut first = STANDARD;
    for fd in kept.into_iter().filter(|fd| *fd >= STANDARD).chain([u32::MAX]) {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = fd.saturating_add(1);
    }
    Ok(())
}

/// Closes all descriptors that this process was started with but the standard ones and `kept`. Its own are those that are
/// closed at an exec.
#[allow(unsafe_code)]
pub(crate) fn close_inherited(kept: RawFd) -> io::Result<()> {
    for fd in open_ones()?.filter(|&fd| fd != kept) {
        // SAFETY: the borrow ends with this statement, and the call touches no memory.
        let flags = fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_GETFD);
        if flags.is_ok_and(|flags| flags & FdFlag::FD_CLOEXEC.bits() == 0) {
            // SAFETY: nothing in this process knows of it, as all that it opens is closed at an exec.
            unsafe { libc::close(fd) };
        }
    }
    Ok(())
}

/// How many descriptors are standard ones: they have the first numbers.
const STANDARD: u32 = 3;

/// Closes those from `first` to `last`.
#[allow(unsafe_code)]
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: it touches no memory, and nobody uses what it closes, as the caller of the only caller says.
    match Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }) {
        // A kernel before 5.9, or a sandbox.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            for fd in open_ones()?.filter(|fd| (first..=last).contains(&fd.unsigned_abs())) {
                // SAFETY: the same. That of the listing itself is closed already.
                unsafe { libc::close(fd) };
            }
            Ok(())
        }
        closed => Ok(closed.map(drop)?),
    }
}

/// The descriptors of this process behind the standard ones.
fn open_ones() -> io::Result<impl Iterator<Item = RawFd>> {
    let open: Vec<RawFd> =
        fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    Ok(open.into_iter().filter(|&fd| fd > 2))
}

/// The number comes from a command line, so it is looked at before it is believed.
#[allow(unsafe_code)]
fn must_be_open(fd: RawFd) -> io::Result<()> {
    if fd < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the borrow ends with this statement, and the call touches no memory. Unlike a look at `/proc/self/fd` it fails
    // for a descriptor that is not open and for nothing else, so that none stays open that was to be taken.
    fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_GETFD)?;
    Ok(())
}

/// Has the programs that this process starts inherit none of its descriptors but the standard ones.
#[allow(unsafe_code)]
pub fn keep_from_children() -> io::Result<()> {
    for fd in open_ones()? {
        // SAFETY: the borrow ends with this statement, and the call touches no memory.
        match fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            // That of the listing itself.
            Ok(_) | Err(Errno::EBADF) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_number_is_duplicated_and_any_other_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert_ne!(duplicate(file.as_raw_fd()).unwrap().as_raw_fd(), file.as_raw_fd());
        for fd in [-1, 99_999] {
            assert_eq!(duplicate(fd).unwrap_err().raw_os_error(), Some(9));
        }
    }
}
