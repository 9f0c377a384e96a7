//! Descriptors that another program passes by number.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

/// Duplicates the open file behind `fd`; the caller's descriptor stays open.
///
/// Fails with `EBADF` if `fd` is not open.
#[allow(unsafe_code)]
pub fn duplicate(fd: RawFd) -> io::Result<File> {
    must_be_open(fd)?;
    // SAFETY: `must_be_open` has just checked the descriptor, this crate closes only descriptors that it opened, and
    // the borrow ends with this statement.
    let owned = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    Ok(File::from(owned))
}

/// Takes ownership of the open file behind `fd`.
///
/// Fails with `EBADF` if `fd` is not open.
#[allow(unsafe_code)]
pub fn take(fd: RawFd) -> io::Result<File> {
    must_be_open(fd)?;
    // SAFETY: `must_be_open` has just checked the descriptor. Naming it on the command line gave it to this process, so
    // nobody else owns it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Closes all descriptors of this process except the standard ones and `kept`.
///
/// The process must not use the closed descriptors any more.
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

/// Closes the descriptors that this process inherited, except the standard ones and `kept`. Its own descriptors are
/// marked close-on-exec and stay open.
#[allow(unsafe_code)]
pub(crate) fn close_inherited(kept: RawFd) -> io::Result<()> {
    for fd in open_ones()?.filter(|&fd| fd != kept) {
        // SAFETY: the borrow ends with this statement, and the call touches no memory.
        let flags = fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_GETFD);
        if flags.is_ok_and(|flags| flags & FdFlag::FD_CLOEXEC.bits() == 0) {
            // SAFETY: nothing in this process uses it, since the process opens everything close-on-exec.
            unsafe { libc::close(fd) };
        }
    }
    Ok(())
}

/// The number of standard descriptors. They come first.
const STANDARD: u32 = 3;

/// Closes the descriptors from `first` to `last`.
#[allow(unsafe_code)]
fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: the call touches no memory, and nobody uses the closed descriptors: `close_all_but` demands that of its
    // caller.
    match Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }) {
        // A kernel before 5.9, or a sandbox.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            for fd in open_ones()?.filter(|fd| (first..=last).contains(&fd.unsigned_abs())) {
                // SAFETY: as above. The listing's own descriptor is closed already.
                unsafe { libc::close(fd) };
            }
            Ok(())
        }
        closed => Ok(closed.map(drop)?),
    }
}

/// The descriptors of this process above the standard ones.
fn open_ones() -> io::Result<impl Iterator<Item = RawFd>> {
    let open: Vec<RawFd> =
        fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    Ok(open.into_iter().filter(|&fd| fd > 2))
}

/// Checks a number from the command line before anything trusts it.
#[allow(unsafe_code)]
fn must_be_open(fd: RawFd) -> io::Result<()> {
    if fd < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the borrow ends with this statement, and the call touches no memory. A look at `/proc/self/fd` could fail
    // for other reasons and leave a descriptor open; this fails only if the descriptor is not open.
    fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_GETFD)?;
    Ok(())
}

/// Keeps the programs that this process starts from inheriting any descriptors but the standard ones.
#[allow(unsafe_code)]
pub fn keep_from_children() -> io::Result<()> {
    for fd in open_ones()? {
        // SAFETY: the borrow ends with this statement, and the call touches no memory.
        match fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            // `EBADF` is the listing's own descriptor.
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
