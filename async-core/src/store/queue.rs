//! The limit on running tasks.
//!
//! Futures with a limit stand in a **queue**, in the order of their starts, and a task runs while its supervisor holds
//! one of the **slots**. All of this is locks (see [`Right`]), so a process that dies leaves its place at once:
//!
//! * Each record in the queue names its predecessor, and its place is a lock on the record. A future sleeps on the lock
//!   of its predecessor and looks again when the lock is free. A person's changes to the order take precedence (see
//!   [`order`](super::order)).
//! * A future that may start holds the head of the queue from its look until the start is recorded; a process that
//!   changes the queue holds it meanwhile. The first future takes a free slot, or sleeps until one of the processes
//!   with slots ends. The slots file names these processes.
//! * A task that waits for a queued future would keep it from running if it had the last slot. So a task **donates its
//!   slot** while it waits: the future that it waits for, or one that this future depends on, runs outside the queue,
//!   one at a time for each donor. It has a slot too, which names the donor and counts only once the donor is gone. A
//!   waiting task does not count, so no more tasks run than the limit allows.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use nix::fcntl::OFlag;

use super::Store;
use super::dependencies::Dependency;
use super::files::{StoreFile, append, read_record, refuse_unless_regular};
use super::order::{ORDER, Order};
use super::runs::stem;
use crate::error::{Error, Result};
use crate::lock::Right;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process::{self, ProcessIdentity};
use crate::record::{Donor, FutureId, Line, QueuePlace, Record, State};

/// The name and start of the last future in the queue; the locks on this file order the queue.
pub(super) const QUEUE: &str = ".queue";

/// A line for each slot: the process id of its holder, and that of its donor, else 0.
const SLOTS: &str = ".slots";

/// The length of a line in the slots file, in bytes.
const SLOT_LINE: usize = 22;

/// The largest possible limit.
pub const MAX_JOBS: u32 = 10_000;

/// The right to run: while it exists, the task counts.
#[derive(Debug)]
pub(crate) struct Slot {
    /// None if no limit applies.
    _slots: Option<File>,
    /// The queue, while nobody else may be at its head.
    head: Option<File>,
    /// The record of the donor.
    _lender: Option<File>,
}

impl Slot {
    /// Lets the next future move to the head of the queue. The start is recorded by then, so starts stay in order.
    pub(crate) fn leave_head(&mut self) {
        self.head = None;
    }
}

/// What a look at a queued future found.
#[derive(Debug)]
pub(crate) enum QueueView {
    /// It may start.
    Start(Slot),
    /// It never will, for this reason.
    Skip(String),
    /// It may not yet.
    Wait(Obstacle),
}

/// What keeps a future from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Another process is looking at the queue, or changing it.
    Head,
    /// It depends on futures that are not over.
    Dependencies(Box<Plan>, Vec<FutureId>),
    /// That future comes first.
    Behind(FutureId),
    /// As many tasks run as may, in these processes.
    Slots(Vec<u32>),
    /// It is paused.
    Paused,
    /// The queue is paused.
    PausedQueue,
}

/// The contents of a taken slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    /// The donor of the slot.
    donated_by: Option<u32>,
}

impl Store {
    /// Puts a future at the end of the queue. `file` shares the open file that holds the future's life.
    pub(crate) fn enter_queue(&self, name: &FutureName, file: &File, record: &Record) -> Result<QueuePlace> {
        let queue = self.open_shared(QUEUE)?;
        let named = self.dir.file(QUEUE);
        let failed = |action| Error::io(action, named.path());
        Right::Tail.take(&queue).map_err(failed("lock"))?;
        let mut text = vec![0; 1024];
        let length = queue.read_at(&mut text, 0).map_err(failed("read"))?;
        let place = QueuePlace { behind: parse_tail(&text[..length]) };
        Right::QueuePlace.take(file).map_err(failed("take a place in"))?;
        append(file, record, &[Line::Queue(place.clone())]).map_err(failed("record a place in"))?;
        queue.set_len(0).map_err(failed("write"))?;
        queue.write_all_at(format!("{}\n", record.id(name)).as_bytes(), 0).map_err(failed("write"))?;
        Ok(place)
    }

    /// Gives up the place in the queue. By then the record says why.
    pub(crate) fn leave_queue(file: &File) {
        // It ends with this process at the latest.
        let _ = Right::QueuePlace.give_up(file);
    }

    /// Whether the queued future with that name and open record may start, or what prevents it. If it may, no other
    /// future may until the head is left, so record the start first. If `may_sleep`, waits for a free head.
    pub(crate) fn look_for_start(&self, name: &FutureName, file: &File, may_sleep: bool) -> Result<QueueView> {
        let named = self.record_file(name);
        let Some(head) = self.head(may_sleep)? else {
            return Ok(QueueView::Wait(Obstacle::Head));
        };
        let record = read_record(file, named.path())?;
        let plan = record.plan.clone().unwrap_or_default();
        match self.first_obstacle(&plan, &record.dependencies)? {
            Some(Dependency::Pending) => {
                return Ok(QueueView::Wait(Obstacle::Dependencies(Box::new(plan), record.dependencies)));
            }
            Some(Dependency::Failed(why)) => return Ok(QueueView::Skip(why)),
            None => {}
        }
        let (order, id) = (self.order()?, record.id(name));
        if order.holds(&id) {
            return Ok(QueueView::Wait(Obstacle::Paused));
        }
        // Running tasks go on, and so does what they wait for.
        if order.paused.is_some() && !record.donors.iter().any(|donor| donor.waiter.is_alive().unwrap_or(true)) {
            return Ok(QueueView::Wait(Obstacle::PausedQueue));
        }
        let Some(jobs) = plan.jobs else {
            return Ok(QueueView::Start(Slot { _slots: None, head: Some(head), _lender: None }));
        };
        let place = match &record.queue {
            Some(place) => place.clone(),
            None => self.enter_queue(name, file, &record)?,
        };
        let looked = self.look_at_place(Some(&id), &place, jobs, &order, head)?;
        if matches!(looked, QueueView::Start(_)) {
            self.forget_order(&order, &id)?;
        }
        Ok(looked)
    }

    /// Takes the head of the queue; none if another process has it and this one may not sleep.
    fn head(&self, may_sleep: bool) -> Result<Option<File>> {
        let queue = self.open_shared(QUEUE)?;
        let failed = Error::io("lock", self.dir());
        if may_sleep {
            return Right::Head.take(&queue).map(|()| Some(queue)).map_err(failed);
        }
        Ok(Right::Head.try_take(&queue).map_err(failed)?.then_some(queue))
    }

    fn look_at_place(
        &self,
        this: Option<&FutureId>,
        place: &QueuePlace,
        jobs: u32,
        order: &Order,
        head: File,
    ) -> Result<QueueView> {
        if let Some(id) = self.first_before(this, place, order)? {
            return Ok(QueueView::Wait(Obstacle::Behind(id)));
        }
        Ok(match self.try_slot(jobs)? {
            Ok(slots) => QueueView::Start(Slot { _slots: Some(slots), head: Some(head), _lender: None }),
            Err(holders) => QueueView::Wait(Obstacle::Slots(holders)),
        })
    }

    /// Sleeps until that obstacle may be gone. Nothing can sleep on a pause: ending one wakes the supervisors.
    pub(crate) fn sleep_on(&self, obstacle: &Obstacle) -> Result<()> {
        match obstacle {
            Obstacle::Head => self.head(true).map(drop),
            Obstacle::Dependencies(plan, found) => self.wait_for_dependencies(plan, found).map(drop),
            Obstacle::Behind(id) => match self.find(id) {
                Some((file, path)) => {
                    Right::QueuePlace.wait_until_free(&file).map_err(Error::io("wait for the place of", &path))
                }
                None => Ok(()),
            },
            Obstacle::Slots(holders) => {
                process::wait_for_any(holders).map_err(Error::io("wait for a slot of", self.dir()))
            }
            Obstacle::Paused | Obstacle::PausedQueue => Ok(()),
        }
    }

    /// The closest predecessor that keeps this future from starting. Records that are behind each other have no place:
    /// somebody edited them by hand.
    fn first_before(&self, this: Option<&FutureId>, place: &QueuePlace, order: &Order) -> Result<Option<FutureId>> {
        // A future that is paused or waits for others keeps its place, and those behind it pass it.
        let blocks = |id: &FutureId, record: &Record| {
            let waits = record.plan.as_ref().is_some_and(Plan::has_dependencies);
            Ok::<_, Error>(!(order.holds(id) || waits && self.has_pending(&record.dependencies)?))
        };
        let mut end = order.places.len();
        if let Some(at) = this.and_then(|this| order.places.iter().position(|id| id == this)) {
            end = at;
        } else {
            let (mut behind, mut seen) = (place.behind.clone(), HashSet::new());
            while let Some(id) = behind.filter(|id| !order.places.contains(id) && seen.insert(id.clone())) {
                let Some((file, path)) = self.find(&id) else { break };
                let has_place = Right::QueuePlace.is_taken(&file).map_err(Error::io("look at the place of", &path))?;
                let record = read_record(&file, &path)?;
                if has_place && this != Some(&id) && blocks(&id, &record)? {
                    return Ok(Some(id));
                }
                behind =
                    if !has_place && was_at_head(&record) { None } else { record.queue.and_then(|place| place.behind) };
            }
        }
        for id in order.places[..end].iter().rev() {
            if let Some((file, path)) = self.find(id)
                && Right::QueuePlace.is_taken(&file).map_err(Error::io("look at the place of", &path))?
                && blocks(id, &read_record(&file, &path)?)?
            {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }

    /// Whether any of those has a place in the queue.
    pub(super) fn has_a_place<'a>(&self, mut ids: impl Iterator<Item = &'a FutureId>) -> Result<bool> {
        let has_place = |id| match self.find(id) {
            Some((file, path)) => Right::QueuePlace.is_taken(&file).map_err(Error::io("look at the place of", &path)),
            None => Ok(false),
        };
        ids.try_fold(false, |found, id| Ok(found || has_place(id)?))
    }

    /// The last future in the queue, which may be long gone.
    pub(super) fn last_in_queue(&self) -> Result<Option<FutureId>> {
        let queue = self.open_shared(QUEUE)?;
        let mut text = vec![0; 1024];
        let length = queue.read_at(&mut text, 0).map_err(Error::io("read", self.dir.file(QUEUE).path()))?;
        Ok(parse_tail(&text[..length]))
    }

    /// Sleeps until the future with that place is first and fewer than `jobs` tasks run.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn wait_for_slot(&self, place: &QueuePlace, jobs: u32) -> Result<Slot> {
        loop {
            let Some(head) = self.head(true)? else { continue };
            match self.look_at_place(None, place, jobs, &self.order()?, head)? {
                QueueView::Start(slot) => return Ok(slot),
                QueueView::Wait(obstacle) => self.sleep_on(&obstacle)?,
                QueueView::Skip(_) => {}
            }
        }
    }

    /// The same without sleeping: none if it is not so yet.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn slot_at_once(&self, place: &QueuePlace, jobs: u32) -> Result<Option<Slot>> {
        let Some(head) = self.head(false)? else {
            return Ok(None);
        };
        Ok(match self.look_at_place(None, place, jobs, &self.order()?, head)? {
            QueueView::Start(slot) => Some(slot),
            _ => None,
        })
    }

    /// The record of a future that may have been collected, or cleared by an init, since it was noted.
    pub(super) fn find(&self, id: &FutureId) -> Option<(File, PathBuf)> {
        let open = |named: StoreFile| {
            let (file, path) = (named.open().ok()??, named.path().to_owned());
            (read_record(&file, &path).ok()?.start_time == id.started).then_some((file, path))
        };
        let collected = self.collected_dir().file(stem(&id.name, id.started, 0) + ".ini");
        let found = [self.record_file(&id.name), collected].into_iter().find_map(open);
        found.or_else(|| self.records_of(&id.name).ok()?.into_iter().find_map(open))
    }

    /// Takes a slot, or returns the processes that hold them. Only for the process at the head of the queue.
    fn try_slot(&self, jobs: u32) -> Result<std::result::Result<File, Vec<u32>>> {
        self.with_slots(|free, holders| if counting(holders) < jobs as usize { Some((free, None)) } else { None })
    }

    /// Takes a slot that the process `donor` donates.
    fn donated_slot(&self, donor: u32) -> Result<File> {
        let slots = self.with_slots(|free, _| Some((free, Some(donor))))?;
        slots.map_err(|_| Error::io("take a slot of", self.dir())(ErrorKind::ResourceBusy.into()))
    }

    /// Takes the slot that `choose` picks, if it picks one. It gets a free slot and the holders of the others. No other
    /// process changes the slots meanwhile.
    fn with_slots(
        &self,
        choose: impl FnOnce(u32, &[Holder]) -> Option<(u32, Option<u32>)>,
    ) -> Result<std::result::Result<File, Vec<u32>>> {
        let slots = self.open_shared(SLOTS)?;
        let named = self.dir.file(SLOTS);
        let failed = |action| Error::io(action, named.path());
        Right::Count.take(&slots).map_err(failed("lock"))?;
        let length = slots.metadata().map_err(failed("look at"))?.len();
        let lines = u32::try_from(length / SLOT_LINE as u64).unwrap_or(MAX_JOBS).min(2 * MAX_JOBS);
        let mut free = lines;
        let mut holders = Vec::new();
        for number in 0..lines {
            if Right::Slot(number).is_taken(&slots).map_err(failed("look at the locks of"))? {
                let mut line = [0; SLOT_LINE];
                slots.read_exact_at(&mut line, offset(number)).map_err(failed("read"))?;
                holders.extend(parse_slot(&line));
            } else {
                free = free.min(number);
            }
        }
        let Some((number, donated_by)) = choose(free, &holders) else {
            return Ok(Err(holders.iter().map(|holder| holder.pid).collect()));
        };
        let line = format!("{:10} {:10}\n", std::process::id(), donated_by.unwrap_or(0));
        slots.write_all_at(line.as_bytes(), offset(number)).map_err(failed("write"))?;
        if !Right::Slot(number).try_take(&slots).map_err(failed("lock"))? {
            return Err(failed("lock")(ErrorKind::ResourceBusy.into()));
        }
        Right::Count.give_up(&slots).map_err(failed("unlock"))?;
        Ok(Ok(slots))
    }

    /// Donates the slot of a waiting task to the future that it waits for, if that one is held back, or first to what
    /// that one depends on. `waiter` is the process that waits: once it is gone, the donation ends.
    ///
    /// A task without a limit has no slot of its own. It passes on the slots that are donated to it.
    pub fn donate(&self, donor: &FutureName, wanted: &FutureName, waiter: u32) -> Result<()> {
        let queue = self.dir.file(QUEUE);
        if !queue.is_there()? {
            return Ok(());
        }
        let Some((record, State::Running)) = self.look(donor)? else {
            return Ok(());
        };
        let waiter =
            ProcessIdentity::of(waiter).map_err(Error::io("look at the process that waits in", queue.path()))?;
        let mut donors = vec![Donor { waiter, name: donor.clone() }];
        self.donate_all(&donors, wanted)?;
        if !is_limited(&record) {
            // Read only now: a process that starts to wait for this future after that finds it among the donors of the
            // wanted one.
            donors = self.read(donor)?.map_or_else(Vec::new, |record| record.donors);
            self.donate_all(&donors, wanted)?;
        }
        Ok(())
    }

    fn donate_all(&self, donors: &[Donor], wanted: &FutureName) -> Result<()> {
        let mut seen = HashSet::new();
        let mut wanted = vec![wanted.clone()];
        while let Some(name) = wanted.pop() {
            if donors.is_empty() || !seen.insert(name.clone()) {
                continue;
            }
            match self.look(&name)? {
                Some((record, State::Queued)) => {
                    if let Some(plan) = &record.plan {
                        wanted.extend(plan.after.iter().chain(&plan.after_any).cloned());
                    }
                    self.add_donors(&name, donors)?;
                }
                Some((record, State::Running)) if !is_limited(&record) => {
                    self.add_donors(&name, donors)?;
                    wanted.extend(self.waited_for_by(&name)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_donors(&self, name: &FutureName, donors: &[Donor]) -> Result<()> {
        let named = self.record_file(name);
        let Some(file) = named.open_to_append()? else {
            return Ok(());
        };
        let path = named.path();
        let record = read_record(&file, path)?;
        let new = donors.iter().filter(|donor| !record.donors.contains(donor));
        let lines: Vec<Line> = new.cloned().map(Line::Donor).collect();
        if !lines.is_empty() {
            append(&file, &record, &lines).map_err(Error::io("lend a place to", path))?;
            // Its supervisor may have started since the record was read.
            read_record(&file, path)?.wake_supervisor(&file).map_err(Error::io("wake the supervisor of", path))?;
        }
        Ok(())
    }

    /// The live futures that the task of that future waits for.
    fn waited_for_by(&self, waiter: &FutureName) -> Result<Vec<FutureName>> {
        let mut found = Vec::new();
        for name in self.names()? {
            // An unreadable record counts for nobody.
            if let Ok(Some(record)) = self.read(&name)
                && record.donors.iter().any(|donor| donor.name == *waiter)
            {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Sleeps until the donor's slot is available to the queued future with that name and open record, and then keeps
    /// all others from starting. None if no slot is left, or if the future may not start at all.
    pub(crate) fn borrow_start(&self, name: &FutureName, file: &File, donor: &Donor) -> Result<Option<Slot>> {
        let Some(mut slot) = self.borrow_place(donor)? else {
            return Ok(None);
        };
        slot.head = self.head(true)?;
        let record = read_record(file, self.record_file(name).path())?;
        let plan = record.plan.clone().unwrap_or_default();
        let may_start = self.first_obstacle(&plan, &record.dependencies)?.is_none()
            && plan.jobs.is_some()
            && !self.order()?.holds(&record.id(name));
        Ok(may_start.then_some(slot))
    }

    fn borrow_place(&self, donor: &Donor) -> Result<Option<Slot>> {
        let named = self.record_file(&donor.name);
        let Some(file) = named.open_to_append()? else {
            return Ok(None);
        };
        Right::Donated.take(&file).map_err(Error::io("take the place of", named.path()))?;
        let Some((record, State::Running)) = self.look(&donor.name)? else {
            return Ok(None);
        };
        match record.supervisor() {
            Some(pid) if is_limited(&record) && donor.waiter.is_alive().unwrap_or(true) => {
                let slots = self.donated_slot(pid)?;
                Ok(Some(Slot { _slots: Some(slots), head: None, _lender: Some(file) }))
            }
            _ => Ok(None),
        }
    }

    /// Opens a shared file of the store with an open file of its own.
    pub(super) fn open_shared(&self, name: &str) -> Result<File> {
        let named = self.dir.file(name);
        let path = named.path();
        let opened = named.open_as_is(OFlag::O_RDWR | OFlag::O_CREAT, self.permissions.of_files());
        let file = opened.map_err(Error::io("open", path))?;
        refuse_unless_regular(file.metadata().map_err(Error::io("look at", path))?.mode(), path)?;
        Ok(file)
    }
}

/// Whether a future that has left the queue was at its head, with nothing before it.
pub(super) fn was_at_head(record: &Record) -> bool {
    record.run_start.is_some() && record.donated_by.is_none()
}

/// Whether the file is one of those that the limit needs.
pub(super) fn is_of_the_limit(name: &OsStr) -> bool {
    name == QUEUE || name == SLOTS || name == ORDER
}

fn is_limited(record: &Record) -> bool {
    record.plan.as_ref().is_some_and(|plan| plan.jobs.is_some())
}

/// How many slot holders count: one with a donated slot does not while its donor is still there.
fn counting(holders: &[Holder]) -> usize {
    let is_there = |pid: u32| holders.iter().any(|holder| holder.pid == pid);
    holders.iter().filter(|holder| !holder.donated_by.is_some_and(is_there)).count()
}

fn parse_slot(line: &[u8]) -> Option<Holder> {
    let mut numbers = std::str::from_utf8(line).ok()?.split_whitespace().map(str::parse);
    let (pid, donated_by) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Holder { pid, donated_by: Some(donated_by).filter(|&pid| pid != 0) })
}

fn offset(slot: u32) -> u64 {
    u64::from(slot) * SLOT_LINE as u64
}

/// An empty text stands for an empty queue.
fn parse_tail(text: &[u8]) -> Option<FutureId> {
    std::str::from_utf8(text).ok()?.strip_suffix('\n')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_in_the_place_of_another_counts_once_that_one_is_gone() {
        let own = |pid| Holder { pid, donated_by: None };
        let lent = |pid, donor| Holder { pid, donated_by: Some(donor) };
        assert_eq!(counting(&[own(1), own(2)]), 2);
        assert_eq!(counting(&[own(1), lent(2, 1), lent(3, 2), own(4)]), 2);
        assert_eq!(counting(&[lent(2, 1), lent(3, 2), own(4)]), 2);
        assert_eq!(parse_slot(b"        12          0\n"), Some(own(12)));
        assert_eq!(parse_slot(b"        12         15\n"), Some(lent(12, 15)));
        assert_eq!(parse_slot(&[0; SLOT_LINE]), None);
    }

    #[test]
    fn a_queue_that_goes_round_in_a_circle_comes_to_an_end() {
        let place = tempfile::tempdir().unwrap();
        let (store, _) = Store::init(&place.path().join("store"), crate::Permissions::Private).unwrap();
        for (name, start, queue) in [("a", 5, "6 b"), ("b", 6, "5 a"), ("c", 7, "7 c")] {
            let text = format!("[job]\ncommand = x\nstart_time = {start}\nqueue = {queue}\n");
            std::fs::write(store.dir.path().join(format!("{name}.ini")), text).unwrap();
        }
        for tail in ["5 a", "7 c"] {
            let place = QueuePlace { behind: Some(tail.parse().unwrap()) };
            let (store, (ended, end)) = (store.clone(), std::sync::mpsc::channel());
            std::thread::spawn(move || {
                let at_once = store.slot_at_once(&place, 1).unwrap().is_some();
                let in_turn = store.wait_for_slot(&place, 1).is_ok();
                ended.send((at_once, in_turn))
            });
            assert_eq!(end.recv_timeout(std::time::Duration::from_secs(60)), Ok((true, true)), "behind {tail}");
        }
    }

    #[test]
    fn what_is_no_tail_is_an_empty_queue() {
        assert_eq!(parse_tail(b"12 a b\n"), Some(FutureId { started: 12, name: "a b".parse().unwrap() }));
        for text in [&b""[..], b"12 a", b"x a\n", b"12 .a\n", b"\xff\n"] {
            assert_eq!(parse_tail(text), None);
        }
    }
}
