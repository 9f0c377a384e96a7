//! The number of live futures, without listing the store.
//!
//! A file contains the number, together with the ctime of the store's directory for which it holds. Adding or removing
//! an entry in that directory happens only in [`Store::changing`], which takes the file's lock, writes `?` over the
//! number before the change and the new number after it. Readers trust a number only if the directory has not changed
//! since it was written, and otherwise list the directory. So the number is right
//!
//! * when a process is killed, at any moment: it leaves a `?`, or a change that is newer than the number;
//! * when something else changes the store, such as the original's functions or a person: that change is newer too;
//! * when anything fails here: the file is removed, and nothing else depends on it.
//!
//! Nobody waits for a process that was stopped while it has the lock: if one process keeps it for [`PATIENCE`], a
//! waiter replaces the file, and the stopped process removes the new file when it continues. When many take turns, a
//! wait may be longer. Two things could leave a wrong number: a stopped process is killed just before that removal,
//! after its change fell between two readings of the directory by another process; or, if the kernel records changes in
//! steps of some ms (Linux before 6.13), a foreign program changes the store in the same step as one of ours.
//!
//! The files that come and go with each start have their own directory, [`STARTING`](super::STARTING), so that they do
//! not change this one.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::Store;
use crate::error::Result;
use crate::lock::Right;

/// The number of live futures, and when the store was last changed.
pub(super) const COUNT: &str = ".count";

/// How long one process may hold the lock. Its holder makes only a few system calls.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause before asking for the lock again.
const PAUSE: Duration = Duration::from_micros(200);

/// The ctime of the store's directory: seconds and nanoseconds.
type Stamp = (i64, i64);

impl Store {
    /// The number of live futures.
    pub fn live_count(&self) -> Result<usize> {
        let noted = self.open_count(OFlag::O_RDONLY).and_then(|file| read_line(&file)).ok().flatten();
        match noted {
            Some((count, stamp)) if self.stamp().is_ok_and(|now| now == stamp) => Ok(count),
            _ => self.count_again(),
        }
    }

    /// Counts, and stores the number unless another process is changing it.
    fn count_again(&self) -> Result<usize> {
        let locked = self.open_count_to_change().ok().filter(|file| Right::Count.try_take(file).unwrap_or(false));
        let before = self.stamp();
        let count = self.files("ini")?.len();
        if let (Some(file), Ok(before), Ok(after)) = (locked, before, self.stamp())
            && before == after
            && write_line(&file, count, after).is_err()
        {
            self.forget_count();
        }
        Ok(count)
    }

    /// Changes the store's own directory; the closure adds to the number of live futures what it writes to its
    /// argument.
    pub(super) fn changing<T, E>(
        &self,
        change: impl FnOnce(&mut isize) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let locked = self.lock_count();
        let since = Instant::now();
        let noted = locked.as_ref().ok().map(|file| self.doubt_count(file));
        let mut added = 0;
        let result = change(&mut added);
        let kept = match (&locked, noted) {
            (Ok(file), Some(Ok(Some(count)))) if result.is_ok() => {
                let count = count.checked_add_signed(added).ok_or(io::ErrorKind::InvalidData.into());
                count.and_then(|count| write_line(file, count, self.stamp()?)).is_ok()
            }
            (_, noted) => noted.is_some_and(|noted| noted.is_ok()),
        };
        // This process may have been stopped for too long, which made its lock worthless. While it still holds the
        // lock, a waiter sees that the file is gone. After the release, the waiter would lock this file while another
        // process locks a new one.
        if !kept || since.elapsed() > PATIENCE / 2 {
            self.forget_count();
        }
        result
    }

    /// The number, if it is right. Marks it as doubtful, which also shows waiters that the lock has changed hands.
    fn doubt_count(&self, file: &File) -> io::Result<Option<usize>> {
        let noted = read_line(file)?;
        let is_right = noted.map_or(Ok(false), |(_, stamp)| Ok::<_, io::Error>(self.stamp()? == stamp))?;
        file.write_all_at(b"?", 0)?;
        Ok(noted.filter(|_| is_right).map(|(count, _)| count))
    }

    fn lock_count(&self) -> io::Result<File> {
        let (mut since, mut seen) = (Instant::now(), None);
        loop {
            let file = self.open_count_to_change()?;
            let taken = Right::Count.try_take(&file)?;
            let found = file.metadata()?;
            // The file has no name any more if a waiter lost patience.
            if taken && found.nlink() > 0 {
                return Ok(file);
            }
            let now = Some((found.ino(), found.mtime(), found.mtime_nsec()));
            if taken || seen != now {
                (since, seen) = (Instant::now(), now);
            } else if since.elapsed() > PATIENCE {
                self.dir.file(COUNT).remove()?;
                continue;
            }
            sleep(PAUSE);
        }
    }

    fn open_count_to_change(&self) -> io::Result<File> {
        self.open_count(OFlag::O_RDWR | OFlag::O_CREAT)
    }

    /// Removes the file. The next process that needs the number counts.
    fn forget_count(&self) {
        let _ = self.dir.file(COUNT).remove();
    }

    fn stamp(&self) -> io::Result<Stamp> {
        self.dir.stat().map(|found| (found.st_ctime, found.st_ctime_nsec))
    }

    fn open_count(&self, flags: OFlag) -> io::Result<File> {
        self.dir.file(COUNT).open_as_is(flags, self.permissions.of_files())
    }
}

/// `COUNT SECONDS NANOSECONDS`, padded to a fixed width.
fn write_line(file: &File, count: usize, (seconds, nanoseconds): Stamp) -> io::Result<()> {
    file.write_all_at(format!("{count:20} {seconds:20} {nanoseconds:20}\n").as_bytes(), 0)
}

/// None if there is no number, or it is in doubt.
fn read_line(file: &File) -> io::Result<Option<(usize, Stamp)>> {
    let mut line = [0; 63];
    let length = file.read_at(&mut line, 0)?;
    Ok(parse_line(&line[..length]))
}

fn parse_line(line: &[u8]) -> Option<(usize, Stamp)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let mut numbers = line.split_ascii_whitespace();
    let count = numbers.next()?.parse().ok()?;
    let stamp = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((count, stamp))
}
