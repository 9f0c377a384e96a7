//! Holding a task back until its plan allows it to start.

use std::fs::File;
use std::os::fd::BorrowedFd;

use nix::sys::signal::Signal;

use super::attempts::ends_attempts;
use super::events::Event;
use super::sleeper::Sleeper;
use super::{FAILED, Supervisor};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::{Cause, Donor, Line};
use crate::store::{End, Obstacle, QueueView, Slot, Store};

/// How long to sleep before looking again, in ms: a command on another host that changes the queue can't wake this one.
const LOOK_AGAIN: Millis = 60_000;

/// How holding a task back ended.
enum HeldEnd {
    End(End),
    Woken(usize),
    Poked,
}

/// How the wait for a start ended.
enum Turn {
    End(End),
    Skip(String),
    Own(Slot),
    DonatedBy(FutureName, Slot),
}

/// What a sleeper came back with.
enum Woke {
    Looked(QueueView),
    /// The obstacle may be gone.
    Free,
    Donated(Option<Slot>),
}

impl Supervisor<'_> {
    /// Keeps the task, a child of this process or not, from starting until its plan allows it. If it has to wait, calls `held`, which says whether to go
    /// on. Returns the end of the future if it comes to that instead.
    pub(super) fn hold_back(&mut self, is_child: bool, log: &File, held: &mut dyn FnMut() -> bool) -> Option<End> {
        if !self.plan.may_queue() {
            return None;
        }
        let held_back = self.hold_back_as_planned(is_child, log, held);
        held_back.unwrap_or_else(|error| Some(self.unstartable(log, FAILED, &error.to_string())))
    }

    fn hold_back_as_planned(
        &mut self,
        is_child: bool,
        log: &File,
        held: &mut dyn FnMut() -> bool,
    ) -> Result<Option<End>> {
        let looked = self.store.look_for_start(self.name, self.record.file(), false)?;
        let was_held = matches!(looked, QueueView::Wait(_));
        let turn = match looked {
            QueueView::Start(slot) => Turn::Own(slot),
            QueueView::Skip(why) => Turn::Skip(why),
            QueueView::Wait(_) if !held() => return Ok(None),
            QueueView::Wait(obstacle) => self.wait_for_start(obstacle)?,
        };
        let (mut slot, donated_by) = match turn {
            Turn::End(end) => return Ok(Some(end)),
            Turn::Skip(why) => {
                self.say(log, &format!("not started: {why}"));
                return Ok(Some(End { rc: FAILED, cause: Some(Cause::Skipped), ..End::default() }));
            }
            Turn::Own(slot) => (slot, None),
            Turn::DonatedBy(name, slot) => (slot, Some(Line::DonatedBy(name))),
        };
        // The plan may have changed until now, but not from now on.
        self.plan = self.record.read()?.plan.unwrap_or_default();
        self.run_start = clock::since_boot();
        let start = [Line::RunStart(clock::wall()), Line::RunBoot(self.run_start)];
        // The engine decides when a task on it starts.
        let start = start.into_iter().filter(|_| is_child);
        let at_once = (!was_held && is_child).then_some(Line::AtOnce(true));
        self.record.add(&donated_by.into_iter().chain(at_once).chain(start).collect::<Vec<_>>())?;
        if self.plan.jobs.is_some() {
            Store::leave_queue(self.record.file());
        }
        slot.leave_head();
        self.slot = Some(slot);
        Ok(None)
    }

    /// Sleeps until the task may start, in its own turn or in a donated slot. Looks again whenever the obstacle may be
    /// gone and whenever it is woken, since a change of the queue wakes it.
    fn wait_for_start(&mut self, first: Obstacle) -> Result<Turn> {
        let mut looking: Option<Sleeper<Woke>> = None;
        let mut slept_on: Vec<(Obstacle, Sleeper<Woke>)> = Vec::new();
        let mut donors: Vec<(Donor, Sleeper<Woke>)> = Vec::new();
        let (mut obstacle, mut look_again) = (first, false);
        loop {
            if !slept_on.iter().any(|(other, _)| *other == obstacle) {
                slept_on.extend(self.sleep_on(&obstacle)?.map(|sleeper| (obstacle.clone(), sleeper)));
            }
            if may_borrow(&obstacle) {
                for donor in self.record.read()?.donors.into_iter().skip(donors.len()) {
                    let sleeper = self.borrow_from(&donor)?;
                    donors.push((donor, sleeper));
                }
            } else {
                donors.clear();
            }
            if look_again && looking.is_none() {
                (looking, look_again) = (Some(self.look()?), false);
            }
            let sleepers: Vec<&Sleeper<Woke>> = (looking.iter())
                .chain(slept_on.iter().map(|(_, sleeper)| sleeper))
                .chain(donors.iter().map(|(_, sleeper)| sleeper))
                .collect();
            let index = match self.sleep_until_poked(&sleepers)? {
                HeldEnd::End(end) => return Ok(Turn::End(end)),
                HeldEnd::Poked => {
                    look_again = true;
                    continue;
                }
                HeldEnd::Woken(index) => index,
            };
            match sleepers[index].result()? {
                Woke::Looked(QueueView::Start(slot)) => return Ok(Turn::Own(slot)),
                Woke::Looked(QueueView::Skip(why)) => return Ok(Turn::Skip(why)),
                Woke::Looked(QueueView::Wait(now)) => (obstacle, looking) = (now, None),
                Woke::Free => {
                    slept_on.remove(index - usize::from(looking.is_some()));
                    look_again = true;
                }
                Woke::Donated(Some(slot)) => {
                    let (donor, _) = &donors[index - usize::from(looking.is_some()) - slept_on.len()];
                    return Ok(Turn::DonatedBy(donor.name.clone(), slot));
                }
                Woke::Donated(None) => {}
            }
        }
    }

    fn look(&self) -> Result<Sleeper<Woke>> {
        let (store, name, file) = (self.store.clone(), self.name.clone(), self.shared_record()?);
        Sleeper::start(move || store.look_for_start(&name, &file, true).map(Woke::Looked))
    }

    /// None if nothing can sleep on that obstacle.
    fn sleep_on(&self, obstacle: &Obstacle) -> Result<Option<Sleeper<Woke>>> {
        if matches!(obstacle, Obstacle::Paused | Obstacle::PausedQueue) {
            return Ok(None);
        }
        let (store, obstacle) = (self.store.clone(), obstacle.clone());
        Sleeper::start(move || store.sleep_on(&obstacle).map(|()| Woke::Free)).map(Some)
    }

    fn borrow_from(&self, donor: &Donor) -> Result<Sleeper<Woke>> {
        let (store, name, file) = (self.store.clone(), self.name.clone(), self.shared_record()?);
        let donor = donor.clone();
        Sleeper::start(move || store.borrow_start(&name, &file, &donor).map(Woke::Donated))
    }

    fn shared_record(&self) -> Result<File> {
        self.record.file().try_clone().map_err(Error::io("use the record of", &self.store.log_path(self.name)))
    }

    fn sleep_until_poked<T: Send + 'static>(&mut self, sleepers: &[&Sleeper<T>]) -> Result<HeldEnd> {
        loop {
            if let Some(grace) = self.cancelled() {
                return self.cancel(grace).map(HeldEnd::End);
            }
            if let Some(rc) = self.reap() {
                return Ok(HeldEnd::End(End { rc, ..End::default() }));
            }
            let waiting: Vec<Option<BorrowedFd<'_>>> = sleepers.iter().map(|sleeper| sleeper.pending()).collect();
            match self.next(&waiting, Some(clock::since_boot() + LOOK_AGAIN))? {
                Event::Woken(index) => return Ok(HeldEnd::Woken(index)),
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone | Event::TimeUp => return Ok(HeldEnd::Poked),
                Event::Signal(Signal::SIGCHLD) => {}
                Event::Signal(signal) if self.child.is_some() => self.pass_on(signal),
                // No task exists yet that could act on the signal.
                Event::Signal(signal) if ends_attempts(signal) => {
                    let signal = signal as i32;
                    return Ok(HeldEnd::End(End { rc: 128 + signal, signal: Some(signal), ..End::default() }));
                }
                Event::Signal(_) | Event::LogCut(_) | Event::Relayed => {}
            }
        }
    }
}

/// Whether a donated slot would help.
fn may_borrow(obstacle: &Obstacle) -> bool {
    match obstacle {
        Obstacle::Dependencies(..) | Obstacle::Paused => false,
        Obstacle::Head | Obstacle::Behind(_) | Obstacle::Slots(_) | Obstacle::PausedQueue => true,
    }
}
