//! The locks in a store.
//!
//! **Life** is an exclusive `flock(2)`: it belongs to the open file that the shell and its background subshell share, and
//! the kernel lets go of it with the last of them. All others are a [`Right`], an open file description lock: that of
//! collecting keeps two collectors apart. Linux keeps the two kinds apart as well, so a collector never looks like a task,
//! and a descriptor that leaked out of a shell can't keep a result from being collected.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::interruption::again;

/// Between two looks at a lock that is waited for with a limit.
const PAUSE: Duration = Duration::from_millis(20);

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
    again(|| file.lock_shared())?;
    file.unlock()
}

/// What an open file description lock (`F_OFD_SETLK`, see fcntl(2)) in a store stands for. Each has a byte of its own, far
/// behind whatever the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// On a record: to collect the future.
    Collect,
    /// On a record: a place in the queue, held until the future has left it.
    QueuePlace,
    /// On a record: to run in the place of that future, which waits.
    Donated,
    /// On the queue: to be the next one that takes a free slot.
    Head,
    /// On the queue: to be added to its end.
    Tail,
    /// On a file that tells how many there are, of live futures or of slots taken: to look, and to change it.
    Count,
    /// On the slots: one of the tasks that may run at once.
    Slot(u32),
}

impl Right {
    fn byte(self) -> i64 {
        const FIRST: i64 = 1 << 40;
        match self {
            Self::Collect => FIRST,
            Self::QueuePlace => FIRST + 1,
            Self::Donated => FIRST + 2,
            Self::Head => FIRST + 3,
            Self::Tail => FIRST + 4,
            Self::Count => FIRST + 5,
            Self::Slot(number) => FIRST + 1000 + i64::from(number),
        }
    }

    fn range(self, kind: i32) -> libc::flock {
        libc::flock {
            l_type: i16::try_from(kind).unwrap_or_default(),
            l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
            l_start: self.byte(),
            l_len: 1,
            l_pid: 0,
        }
    }

    /// Takes it, sleeping while somebody else has it. It ends with the last descriptor of the open file.
    pub(crate) fn take(self, file: &File) -> io::Result<()> {
        let range = self.range(libc::F_WRLCK);
        again(|| fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range)).map(drop).map_err(io::Error::from))
    }

    /// The same for that long at most; false if somebody else has it even then.
    pub(crate) fn take_within(self, limit: Duration, file: &File) -> io::Result<bool> {
        within(limit, || self.try_take(file))
    }

    /// Takes it if nobody has it.
    pub(crate) fn try_take(self, file: &File) -> io::Result<bool> {
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&self.range(libc::F_WRLCK))) {
            Ok(_) => Ok(true),
            // Elsewhere than on Linux it might be EACCES.
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether somebody else has it.
    pub(crate) fn is_taken(self, file: &File) -> io::Result<bool> {
        let mut range = self.range(libc::F_WRLCK);
        fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut range))?;
        Ok(i32::from(range.l_type) != libc::F_UNLCK)
    }

    /// Lets go of it.
    pub(crate) fn give_up(self, file: &File) -> io::Result<()> {
        Ok(fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&self.range(libc::F_UNLCK))).map(drop)?)
    }

    /// Sleeps until nobody else has it. The file need not be open for writing.
    pub(crate) fn wait_until_free(self, file: &File) -> io::Result<()> {
        let range = self.range(libc::F_RDLCK);
        again(|| fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range)).map(drop).map_err(io::Error::from))?;
        self.give_up(file)
    }

    /// The same for that long at most; false if somebody else has it even then.
    pub(crate) fn is_free_within(self, limit: Duration, file: &File) -> io::Result<bool> {
        within(limit, || Ok(!self.is_taken(file)?))
    }
}

/// Whether the error means that the file system has no locks at all.
pub(crate) fn means_no_locks(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::ENOLCK | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL)
}

/// Tries for that long at most: no system call waits for a lock with a limit.
fn within(limit: Duration, mut attempt: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let begin = Instant::now();
    while !attempt()? {
        if begin.elapsed() >= limit {
            return Ok(false);
        }
        sleep(PAUSE);
    }
    Ok(true)
}
