//! How many live futures there are, without a listing of the store.
//!
//! The number stands in a file, together with the time of the last change of the store's directory that it is right for
//! (its ctime). Whoever adds an entry to that directory or takes one away does so inside of [`Store::changing`]: with the
//! file's lock, writing `?` over the number before and the new number after. Everybody else believes a number only if the
//! directory has not been changed since it was written, and lists the directory otherwise. So it is right
//!
//! * whoever is killed, at any moment: then there is a `?`, or a change that came later than the number;
//! * when somebody else changes the store, such as the original's functions or a person, for that comes later too;
//! * when anything fails here: the file is removed, and nobody's work depends on it.
//!
//! Nobody waits for a process that was stopped while it has the lock: if for [`PATIENCE`] it is one and the same process's,
//! the file is replaced, and the other one removes the new file when it goes on. Where many take turns, a wait may be longer.
//! Two things could leave a wrong number: if the stopped one is killed just before that removal, after its change fell between
//! two readings of the directory by another process; and, where the kernel tells the times of changes in steps of some ms
//! (Linux before 6.13), if a stranger to all this changes the store in the same step as one of us.
//!
//! What comes and goes with each start is in a directory of its own, [`STARTING`](super::STARTING), because it would
//! change this one.

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

/// How long the lock may be one and the same process's. Who has it makes a few system calls.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to sleep before the lock is asked for again.
const PAUSE: Duration = Duration::from_micros(200);

/// A moment of the store's directory: seconds and nanoseconds.
type Stamp = (i64, i64);

impl Store {
    /// How many live futures there are.
    pub fn live_count(&self) -> Result<usize> {
        let noted = self.open_count(OFlag::O_RDONLY).and_then(|file| read_line(&file)).ok().flatten();
        match noted {
            Some((count, stamp)) if self.stamp().is_ok_and(|now| now == stamp) => Ok(count),
            _ => self.count_again(),
        }
    }

    /// Counts, and notes the number if nobody is just changing it.
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

    /// Makes a change of the store's own directory, which adds to the number of live futures what it writes there.
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
        // Stopped meanwhile, maybe, and then the lock was of no use. While it is held, whoever waits for it still finds that the
        // file is gone; after it, he would have it and somebody else the one of a new file.
        if !kept || since.elapsed() > PATIENCE / 2 {
            self.forget_count();
        }
        result
    }

    /// The number, if it is right, which it is not from now on. Whoever waits for the lock sees that it has gone on to another.
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
            // It has no name any more if somebody has lost patience.
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

    /// The next one who wants to know will count.
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

/// `COUNT SECONDS NANOSECONDS`, as wide as the widest.
fn write_line(file: &File, count: usize, (seconds, nanoseconds): Stamp) -> io::Result<()> {
    file.write_all_at(format!("{count:20} {seconds:20} {nanoseconds:20}\n").as_bytes(), 0)
}

/// None if there is none, or it is in doubt.
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
