//! Holding a task back until its plan allows it to start.

use std::os::fd::BorrowedFd;

use nix::sys::signal::Signal;

use super::events::Event;
use super::sleeper::Sleeper;
use super::{FAILED, Supervisor, ends_attempts};
use crate::clock;
use crate::error::Result;
use crate::name::FutureName;
use crate::record::{Cause, Lender, Line, QueuePlace, Record};
use crate::store::{End, Slot, Store};

/// How a look at a task that is held back ended.
enum Held {
    End(End),
    Woken(usize),
    Poked,
}

/// How the wait for a slot ended.
enum Turn {
    End(End),
    Own,
    LentBy(FutureName),
}

impl Supervisor<'_> {
    /// Keeps the task from starting until its plan allows it, and calls `held` if that is not so at once, which says whether to
    /// go on. Gives the end of the future if it comes to that instead.
    pub(super) fn hold_back(&mut self, record: &Record, held: &mut dyn FnMut() -> bool) -> Option<End> {
        if !self.plan.may_queue() {
            return None;
        }
        self.hold_back_as_planned(record, held).unwrap_or_else(|error| {
            self.say_in_log(&format!("can't be started: {error}"));
            Some(End { rc: FAILED, cause: Some(Cause::Unstartable), ..End::default() })
        })
    }

    fn hold_back_as_planned(&mut self, record: &Record, held: &mut dyn FnMut() -> bool) -> Result<Option<End>> {
        if self.plan.has_dependencies() {
            if self.store.has_pending(&record.dependencies)? && !held() {
                return Ok(None);
            }
            let (store, plan, found) = (self.store.clone(), self.plan.clone(), record.dependencies.clone());
            let waiting = Sleeper::start(move || store.wait_for_dependencies(&plan, &found))?;
            if let Some(end) = self.sleep_until(&[&waiting])? {
                return Ok(Some(end));
            }
            if let Some(why) = waiting.result()? {
                self.say_in_log(&format!("not started: {why}"));
                return Ok(Some(End { rc: FAILED, cause: Some(Cause::Skipped), ..End::default() }));
            }
        }
        let mut lent_by = None;
        if let Some(jobs) = self.plan.jobs {
            let place = match record.queue.clone() {
                Some(place) => place,
                None => self.store.enter_queue(self.name, self.record.file(), &self.record.read()?)?,
            };
            self.slot = self.store.slot_at_once(&place, jobs)?;
            if self.slot.is_none() {
                if !held() {
                    return Ok(None);
                }
                lent_by = match self.wait_for_slot(place, jobs)? {
                    Turn::End(end) => return Ok(Some(end)),
                    Turn::Own => None,
                    Turn::LentBy(name) => Some(name),
                };
            }
        }
        self.run_start = clock::since_boot();
        let lent = lent_by.map(Line::LentBy);
        let start = [Line::RunStart(clock::wall()), Line::RunBoot(self.run_start)];
        self.record.add(&lent.into_iter().chain(start).collect::<Vec<_>>())?;
        if self.plan.jobs.is_some() {
            Store::leave_queue(self.record.file());
        }
        if let Some(slot) = &mut self.slot {
            slot.leave_head();
        }
        Ok(None)
    }

    /// Sleeps until it has a slot of its own, or one in the place of somebody who waits for it.
    fn wait_for_slot(&mut self, place: QueuePlace, jobs: u32) -> Result<Turn> {
        let store = self.store.clone();
        let turn = Sleeper::start(move || store.wait_for_slot(place, jobs).map(Some))?;
        let mut lenders: Vec<(Lender, Sleeper<Option<Slot>>)> = Vec::new();
        loop {
            for lender in self.record.read()?.lenders.into_iter().skip(lenders.len()) {
                let (store, from) = (self.store.clone(), lender.clone());
                lenders.push((lender, Sleeper::start(move || store.borrow_place(&from))?));
            }
            let sleepers: Vec<&Sleeper<Option<Slot>>> =
                std::iter::once(&turn).chain(lenders.iter().map(|(_, sleeper)| sleeper)).collect();
            match self.sleep_until_poked(&sleepers)? {
                Held::End(end) => return Ok(Turn::End(end)),
                Held::Poked => {}
                Held::Woken(0) => {
                    self.slot = turn.result()?;
                    return Ok(Turn::Own);
                }
                Held::Woken(index) => {
                    let (lender, sleeper) = &lenders[index - 1];
                    if let Some(slot) = sleeper.result()? {
                        self.slot = Some(slot);
                        return Ok(Turn::LentBy(lender.name.clone()));
                    }
                }
            }
        }
    }

    /// Sleeps until one of them is done. Gives the end of the future if it comes to its end meanwhile.
    fn sleep_until<T: Send + 'static>(&mut self, sleepers: &[&Sleeper<T>]) -> Result<Option<End>> {
        loop {
            match self.sleep_until_poked(sleepers)? {
                Held::End(end) => return Ok(Some(end)),
                Held::Woken(_) => return Ok(None),
                Held::Poked => {}
            }
        }
    }

    fn sleep_until_poked<T: Send + 'static>(&mut self, sleepers: &[&Sleeper<T>]) -> Result<Held> {
        loop {
            if let Some(grace) = self.cancelled() {
                return self.cancel(grace).map(Held::End);
            }
            if let Some(rc) = self.reap() {
                return Ok(Held::End(End { rc, ..End::default() }));
            }
            let waiting: Vec<Option<BorrowedFd<'_>>> = sleepers.iter().map(|sleeper| sleeper.pending()).collect();
            match self.next(&waiting, None)? {
                Event::Woken(index) => return Ok(Held::Woken(index)),
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone => return Ok(Held::Poked),
                Event::Signal(Signal::SIGCHLD) | Event::TimeUp => {}
                Event::Signal(signal) if self.child.is_some() => self.pass_on(signal),
                // There is no task yet that could act on it.
                Event::Signal(signal) if ends_attempts(signal) => {
                    let signal = signal as i32;
                    return Ok(Held::End(End { rc: 128 + signal, signal: Some(signal), ..End::default() }));
                }
                Event::Signal(_) => {}
            }
        }
    }
}
