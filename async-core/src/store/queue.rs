//! The limit on running tasks.
//!
//! Futures that a limit applies to stand in a **queue**, in the order of their starts, and a task runs while its supervisor
//! holds one of the **slots**. All of it is locks (see [`Right`]), so whoever dies leaves its place at once:
//!
//! * Each record in the queue names the one that it is behind, and its place is a lock on the record. Whoever is behind
//!   sleeps on that lock. One that leaves the queue without having been at its head leaves its own place to the next.
//! * Who is at the head takes a free slot, or sleeps until one of the processes that have them ends. The file of slots
//!   tells which these are.
//! * A task that waits for a queued future would keep it from running if it had the last slot. So whoever waits from within
//!   a task **lends** its place: the future waited for, or what that one has to come after, runs beside the queue, one at a
//!   time for each lender. What waits does not count, so no more run than the limit says.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use nix::fcntl::OFlag;

use super::Store;
use super::files::{append, open_for_reading, open_regular, read_record, refuse_unless_regular};
use super::runs::stem;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::lock::Right;
use crate::name::FutureName;
use crate::process;
use crate::record::{QueuePlace, Record, State};

/// The name and the start of the last future in the queue; its locks order the queue.
const QUEUE: &str = ".queue";

/// The process ids of those that run, a line for each slot.
const SLOTS: &str = ".slots";

/// The length of a line in the file of slots, in bytes.
const SLOT_LINE: usize = 11;

/// The largest limit there is.
pub const MAX_JOBS: u32 = 10_000;

/// The right to run: as long as it is kept, the task counts.
#[derive(Debug)]
pub(crate) struct Slot {
    _file: File,
}

impl Store {
    /// Puts a future at the end of the queue. `file` shares the open file that the future's life hangs on.
    pub(crate) fn enter_queue(&self, name: &FutureName, file: &File, record: &Record) -> Result<QueuePlace> {
        let queue = self.open_shared(QUEUE)?;
        let path = self.dir.join(QUEUE);
        let failed = |action| Error::io(action, &path);
        Right::Tail.take(&queue).map_err(failed("lock"))?;
        let mut text = vec![0; 1024];
        let length = queue.read_at(&mut text, 0).map_err(failed("read"))?;
        let place = QueuePlace { behind: parse_tail(&text[..length]) };
        Right::QueuePlace.take(file).map_err(failed("take a place in"))?;
        append(file, record, &format!("queue = {place}\n")).map_err(failed("record a place in"))?;
        queue.set_len(0).map_err(failed("write"))?;
        queue.write_all_at(format!("{} {name}\n", record.start_time).as_bytes(), 0).map_err(failed("write"))?;
        Ok(place)
    }

    /// Gives up the place in the queue. The record says by then why.
    pub(crate) fn leave_queue(file: &File) {
        // It ends with this process at the latest.
        let _ = Right::QueuePlace.give_up(file);
    }

    /// Sleeps until it is the turn of whoever has that place, and fewer than `jobs` tasks run.
    pub(crate) fn wait_for_slot(&self, place: QueuePlace, jobs: u32) -> Result<Slot> {
        let mut behind = place.behind;
        while let Some((started, name)) = behind {
            behind = self.wait_behind(started, &name)?;
        }
        let queue = self.open_shared(QUEUE)?;
        Right::Head.take(&queue).map_err(Error::io("lock", &self.dir.join(QUEUE)))?;
        loop {
            match self.try_slot(jobs)? {
                Ok(slot) => return Ok(slot),
                Err(holders) => process::wait_for_any(&holders).map_err(Error::io("wait for a slot of", &self.dir))?,
            }
        }
    }

    /// Sleeps until that future has left the queue. Gives whom it was behind, if it was not at the head.
    fn wait_behind(&self, started: Millis, name: &FutureName) -> Result<Option<(Millis, FutureName)>> {
        let Some((file, path)) = self.find(started, name) else {
            return Ok(None);
        };
        Right::QueuePlace.wait_until_free(&file).map_err(Error::io("wait for the place of", &path))?;
        let record = read_record(&file, &path)?;
        let was_at_head = record.run_start.is_some() && record.lent_by.is_none();
        Ok(if was_at_head { None } else { record.queue.and_then(|place| place.behind) })
    }

    /// The record of a future that may have been collected since it was in the queue.
    fn find(&self, started: Millis, name: &FutureName) -> Option<(File, PathBuf)> {
        let collected = self.collected_dir().join(stem(name, started, 0) + ".ini");
        [self.record_path(name), collected].into_iter().find_map(|path| {
            let file = open_for_reading(&path).ok()??;
            (read_record(&file, &path).ok()?.start_time == started).then_some((file, path))
        })
    }

    /// A slot, or the processes that have them. Only who is at the head of the queue may ask.
    fn try_slot(&self, jobs: u32) -> Result<std::result::Result<Slot, Vec<u32>>> {
        let slots = self.open_shared(SLOTS)?;
        let path = self.dir.join(SLOTS);
        let failed = |action| Error::io(action, &path);
        let length = slots.metadata().map_err(failed("look at"))?.len();
        let lines = u32::try_from(length / SLOT_LINE as u64).unwrap_or(MAX_JOBS).min(MAX_JOBS);
        let mut free = None;
        let mut holders = Vec::new();
        for number in 0..lines.max(jobs) {
            if Right::Slot(number).try_take(&slots).map_err(failed("lock"))? {
                if free.is_none() {
                    free = Some(number);
                } else {
                    Right::Slot(number).give_up(&slots).map_err(failed("unlock"))?;
                }
            } else {
                let mut line = [0; SLOT_LINE];
                slots.read_exact_at(&mut line, offset(number)).map_err(failed("read"))?;
                holders.extend(String::from_utf8_lossy(&line).trim().parse::<u32>());
            }
        }
        match free {
            Some(number) if holders.len() < jobs as usize => {
                let line = format!("{:10}\n", std::process::id());
                slots.write_all_at(line.as_bytes(), offset(number)).map_err(failed("write"))?;
                Ok(Ok(Slot { _file: slots }))
            }
            _ => Ok(Err(holders)),
        }
    }

    /// Lends the place of a running future to another one that is waited for from within its task, if both are subject to
    /// the limit and the latter is held back by it. What that one has to come after is given the place first.
    pub fn lend(&self, lender: &FutureName, wanted: &FutureName) -> Result<()> {
        match self.look(lender)? {
            Some((record, State::Running)) if is_limited(&record) => {}
            _ => return Ok(()),
        }
        let mut seen = HashSet::new();
        let mut wanted = vec![wanted.clone()];
        while let Some(name) = wanted.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some((record, State::Queued)) = self.look(&name)? else {
                continue;
            };
            if let Some(plan) = &record.plan {
                wanted.extend(plan.after.iter().chain(&plan.after_any).cloned());
            }
            let path = self.record_path(&name);
            if is_limited(&record)
                && let Some(file) = open_regular(&path)?
            {
                append(&file, &record, &format!("lender = {lender}\n")).map_err(Error::io("lend a place to", &path))?;
                record.poke();
            }
        }
        Ok(())
    }

    /// Sleeps until the place of that future can be had. None if its task is over by then.
    pub(crate) fn borrow_place(&self, lender: &FutureName) -> Result<Option<Slot>> {
        let path = self.record_path(lender);
        let Some(file) = open_regular(&path)? else {
            return Ok(None);
        };
        Right::Lent.take(&file).map_err(Error::io("take the place of", &path))?;
        let runs = matches!(self.look(lender)?, Some((_, State::Running)));
        Ok(runs.then_some(Slot { _file: file }))
    }

    /// A file of the store that all who use it open for themselves.
    fn open_shared(&self, name: &str) -> Result<File> {
        let path: PathBuf = self.dir.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(self.permissions.of_files())
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(&path)
            .map_err(Error::io("open", &path))?;
        refuse_unless_regular(&file.metadata().map_err(Error::io("look at", &path))?, &path)?;
        Ok(file)
    }
}

/// Whether the file is one of those that the limit needs.
pub(super) fn is_of_the_limit(name: &OsStr) -> bool {
    name == QUEUE || name == SLOTS
}

fn is_limited(record: &Record) -> bool {
    record.plan.as_ref().is_some_and(|plan| plan.jobs.is_some())
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT_LINE as u64
}

/// `START NAME`. A text that is none stands for an empty queue.
fn parse_tail(text: &[u8]) -> Option<(Millis, FutureName)> {
    let (started, name) = std::str::from_utf8(text).ok()?.strip_suffix('\n')?.split_once(' ')?;
    Some((started.parse().ok()?, name.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tail_is_an_empty_queue() {
        assert_eq!(parse_tail(b"12 a b\n"), Some((12, "a b".parse().unwrap())));
        for text in [&b""[..], b"12 a", b"x a\n", b"12 .a\n", b"\xff\n"] {
            assert_eq!(parse_tail(text), None);
        }
    }
}
