//! The resource usage of a task, by the kernel's own accounting.

use std::fmt;
use std::str::FromStr;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

use crate::clock::Millis;

/// The resource usage of a task and its processes, as getrusage(2) counts it.
///
/// It covers processes that have ended and were waited for: the task, its own children, and the orphans that it left to
/// its supervisor. It covers neither daemons that still run nor processes whose parents ignore SIGCHLD. All attempts
/// count together. A future that the task started counts for both: what it used is in its own figures, and, once it is
/// over and was waited for, in those of the task too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Processor time in user mode, in ms.
    pub user: Millis,
    /// Processor time in the kernel, in ms.
    pub system: Millis,
    /// The peak resident memory of any single process, in KiB. Not the sum over processes.
    pub max_resident: u64,
    /// Reads from disks, in blocks of 512 bytes; reads from the page cache do not count.
    pub blocks_read: u64,
    /// Writes to disks, in blocks of 512 bytes; counted when the page cache takes them.
    pub blocks_written: u64,
}

impl Usage {
    /// The processor time in user mode and in the kernel together, in ms.
    #[must_use]
    pub fn cpu(&self) -> Millis {
        self.user.saturating_add(self.system)
    }

    /// The usage of all children that this process has waited for; none if the kernel does not tell.
    pub(crate) fn of_children() -> Option<Self> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
        let ms = |time: nix::sys::time::TimeVal| time.tv_sec() * 1000 + time.tv_usec() / 1000;
        Some(Self {
            user: ms(usage.user_time()),
            system: ms(usage.system_time()),
            max_resident: usage.max_rss().unsigned_abs(),
            blocks_read: usage.block_reads().unsigned_abs(),
            blocks_written: usage.block_writes().unsigned_abs(),
        })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, system, max_resident, blocks_read, blocks_written } = self;
        write!(f, "{user} {system} {max_resident} {blocks_read} {blocks_written}")
    }
}

impl FromStr for Usage {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or(());
        let mut ms = || -> Result<Millis, ()> { next()?.parse().ok().filter(|ms| *ms >= 0).ok_or(()) };
        let (user, system) = (ms()?, ms()?);
        let mut number = || -> Result<u64, ()> { next()?.parse().map_err(|_| ()) };
        let usage = Self { user, system, max_resident: number()?, blocks_read: number()?, blocks_written: number()? };
        if parts.next().is_none() { Ok(usage) } else { Err(()) }
    }
}
