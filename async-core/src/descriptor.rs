//! Descriptors that another program hands over by number.

use std::fs::{self, File};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// A descriptor of our own for the open file that `fd` stands for; the caller's own stays open.
///
/// The error is the system's for a number that stands for nothing (`EBADF`).
#[allow(unsafe_code)]
pub fn duplicate(fd: RawFd) -> io::Result<File> {
    // The number comes from a command line, so it is looked at before it is believed.
    if fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_err() {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the descriptor is open, as was just seen, nothing in this crate closes one that it did not open, and the
    // borrow ends with this statement.
    let owned = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    Ok(File::from(owned))
}

/// Has the programs that this process starts inherit none of its descriptors but the standard ones.
#[allow(unsafe_code)]
pub fn keep_from_children() -> io::Result<()> {
    let open = fs::read_dir("/proc/self/fd")?;
    for fd in open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok()).filter(|&fd| fd > 2) {
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
    use std::os::fd::AsRawFd;

    #[test]
    fn an_open_number_is_duplicated_and_any_other_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert_ne!(duplicate(file.as_raw_fd()).unwrap().as_raw_fd(), file.as_raw_fd());
        for fd in [-1, 99_999] {
            assert_eq!(duplicate(fd).unwrap_err().raw_os_error(), Some(9));
        }
    }
}
