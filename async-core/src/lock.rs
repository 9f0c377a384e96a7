//! The locks in a store.
//!
//! **Life** is an exclusive `flock(2)`. It belongs to the open file that the shell and its background subshell share,
//! and the kernel releases it when the last of them closes it. Every other lock is a [`Right`], an open file
//! description lock; the right to collect, for one, keeps two collectors apart. Linux keeps the two kinds of lock apart
//! as well, so a collector never looks like a task, and a descriptor that leaked out of a shell can't block collecting.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::interruption::again;

/// The pause between two attempts at a lock, where the wait has a time limit.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes the life of a new record, for every process that shares the open file.
pub(crate) fn take_life(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
        TryLockError::Error(error) => error,
    })
}

/// Whether a process holds the life of a record. `file` must be a different open file from the holder's.
pub(crate) fn is_held(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Sleeps until no process holds the life of a record.
pub(crate) fn wait_for_release(file: &File) -> io::Result<()> {
    again(|| file.lock_shared())?;
    file.unlock()
}

/// What an open file description lock (`F_OFD_SETLK`, see fcntl(2)) in a store stands for. Each has its own byte, far
/// behind the contents of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// On a record: to collect the future.
    Collect,
    /// On a record: a place in the queue, until the future leaves the queue.
    QueuePlace,
    /// On a record: to run in the slot that the waiting future donates.
    Donated,
    /// On the queue: to be the next to take a free slot.
    Head,
    /// On the queue: to add a future to its end.
    Tail,
    /// On a file that counts live futures or taken slots: to read and change it.
    Count,
    /// On the slots: to be one of the tasks that may run at once.
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

    /// Takes the lock, sleeping while another process has it. The lock ends with the last descriptor of the open file.
    pub(crate) fn take(self, file: &File) -> io::Result<()> {
        let range = self.range(libc::F_WRLCK);
        again(|| fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range)).map(drop).map_err(io::Error::from))
    }

    /// Like [`Right::take`], but gives up after `limit`; false if another process still has it then.
    pub(crate) fn take_within(self, limit: Duration, file: &File) -> io::Result<bool> {
        within(limit, || self.try_take(file))
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_take(self, file: &File) -> io::Result<bool> {
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&self.range(libc::F_WRLCK))) {
            Ok(_) => Ok(true),
            // Other systems might say EACCES.
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether another process has it.
    pub(crate) fn is_taken(self, file: &File) -> io::Result<bool> {
        let mut range = self.range(libc::F_WRLCK);
        fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut range))?;
        Ok(i32::from(range.l_type) != libc::F_UNLCK)
    }

    /// Releases the lock.
    pub(crate) fn give_up(self, file: &File) -> io::Result<()> {
        Ok(fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&self.range(libc::F_UNLCK))).map(drop)?)
    }

    /// Sleeps until no other process has it. The file need not be open for writing.
    pub(crate) fn wait_until_free(self, file: &File) -> io::Result<()> {
        let range = self.range(libc::F_RDLCK);
        again(|| fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range)).map(drop).map_err(io::Error::from))?;
        self.give_up(file)
    }

    /// Like [`Right::wait_until_free`], but gives up after `limit`; false if another process still has it then.
    pub(crate) fn is_free_within(self, limit: Duration, file: &File) -> io::Result<bool> {
        within(limit, || Ok(!self.is_taken(file)?))
    }
}

/// Whether the error means that the file system has no locks at all.
pub(crate) fn means_no_locks(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::ENOLCK | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL)
}

/// Repeats the attempt until `limit` has passed: no system call waits for a lock with a time limit.
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
