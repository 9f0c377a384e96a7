//! A person's changes to the queue: that it or a part of it is paused, and its new order.
//!
//! All of that is in one file, [`ORDER`], which is always replaced as a whole. Without it the queue is as its records
//! say. A process that changes it, or the plan of a queued future, holds the head of the queue meanwhile, so nothing
//! starts. It wakes all queued supervisors **before** it makes the change, and they look again once the head is free.
//! So a killed process has changed everything or nothing, and nobody sleeps on outdated information.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::OFlag;

use super::files::{StoreFile, append, read_record};
use super::queue::{QUEUE, was_at_head};
use super::{STARTING, Store};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::lock::Right;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::record::{FutureId, Line, Record, State};

/// The file with a person's changes to the queue.
pub(super) const ORDER: &str = ".order";

/// How long to wait for the head of the queue. Nobody holds it longer than a start takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The contents of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// Since when nothing queued may start, in ms since the epoch.
    pub(super) paused: Option<Millis>,
    /// Futures that may not start, whatever the others do.
    pub(super) held: Vec<FutureId>,
    /// The futures that were in the queue when somebody changed it, in their new order. All others come after them.
    pub(super) places: Vec<FutureId>,
}

/// Where in the queue to put a future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Before all others.
    First,
    /// Right before that future.
    Before(FutureName),
    /// After all others.
    Last,
}

/// A change to a queued future: its place or its plan, so that each change is atomic. `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// Its place.
    pub to: Option<To>,
    /// How many tasks may run at once, including this one.
    pub jobs: Option<u32>,
    /// Whether to drop its present dependencies.
    pub no_after: bool,
    /// Additional futures that must succeed before it starts.
    pub after: Vec<FutureName>,
    /// Additional futures that must end before it starts.
    pub after_any: Vec<FutureName>,
}

/// Why a queued future can't start, other than a future before it or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// The queue of the store is paused.
    Queue,
    /// The future itself is paused.
    Itself,
}

impl Order {
    pub(super) fn holds(&self, id: &FutureId) -> bool {
        self.held.contains(id)
    }

    /// Whether there is nothing to record.
    fn is_empty(&self) -> bool {
        self.paused.is_none() && self.held.is_empty() && self.places.is_empty()
    }

    fn parse(text: &str) -> Self {
        let mut order = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("paused", since)) => order.paused = since.parse().ok(),
                Some(("held", id)) => order.held.extend(id.parse().ok()),
                Some(("place", id)) => order.places.extend(id.parse().ok()),
                _ => {}
            }
        }
        order
    }

    fn text(&self) -> String {
        let paused = self.paused.map(|since| format!("paused {since}\n"));
        let held = self.held.iter().map(|id| format!("held {id}\n"));
        let places = self.places.iter().map(|id| format!("place {id}\n"));
        paused.into_iter().chain(held).chain(places).collect()
    }
}

/// The queue, while only this process may change it.
struct Changing {
    order: Order,
    /// The queued futures, in order, those with places first.
    queued: Vec<Queued>,
    /// Nothing starts while this is open.
    _head: File,
}

struct Queued {
    id: FutureId,
    record: Record,
    file: File,
    path: PathBuf,
}

impl Changing {
    fn find(&self, name: &FutureName) -> Option<&Queued> {
        self.queued.iter().find(|queued| queued.id.name == *name)
    }

    /// Makes all queued supervisors look again, which they do once this change is done.
    fn wake(&self) -> Result<()> {
        for Queued { record, file, path, .. } in &self.queued {
            record.wake_supervisor(file).map_err(Error::io("tell the supervisor of", path))?;
        }
        Ok(())
    }
}

impl Store {
    /// Since when the queue of the store is paused, in ms since the epoch, if it is.
    pub fn paused_since(&self) -> Result<Option<Millis>> {
        Ok(self.order()?.paused)
    }

    /// Why the queued future with this name and record can't start, even when its turn comes.
    pub fn is_paused(&self, name: &FutureName, record: &Record) -> Result<Option<Paused>> {
        let order = self.order()?;
        let queue = order.paused.map(|_| Paused::Queue);
        Ok(if order.holds(&record.id(name)) { Some(Paused::Itself) } else { queue })
    }

    /// The queued futures in the order of the queue, followed by those that have no place yet, in the order of their
    /// starts.
    pub fn queue(&self) -> Result<Vec<FutureName>> {
        let queued = self.queued(&self.order()?)?;
        Ok(queued.into_iter().map(|queued| queued.id.name).collect())
    }

    /// Pauses the queue, or only these futures: nothing queued starts any more. Running tasks go on.
    pub fn pause(&self, names: &[FutureName]) -> Result<()> {
        let changing = self.change()?;
        let mut order = changing.order.clone();
        if names.is_empty() {
            order.paused = order.paused.or_else(|| Some(clock::wall()));
        }
        for name in names {
            let queued = self.queued_one(&changing, name)?;
            if queued.record.submission.is_some() {
                let on = queued.record.plan.as_ref().and_then(|plan| plan.on.as_ref());
                let on = on.map(ToString::to_string).unwrap_or_default();
                return Err(Error::QueuedElsewhere { name: name.to_string(), on });
            }
            let id = queued.id.clone();
            if !order.holds(&id) {
                order.held.push(id);
            }
        }
        self.commit(&changing, &order)
    }

    /// Resumes the queue, or only these futures, in the order that they had.
    pub fn resume(&self, names: &[FutureName]) -> Result<()> {
        let changing = self.change()?;
        let mut order = changing.order.clone();
        if names.is_empty() {
            order.paused = None;
        }
        for name in names {
            let id = &self.queued_one(&changing, name)?.id;
            order.held.retain(|held| held != id);
        }
        self.commit(&changing, &order)
    }

    /// Changes how a queued future will start. If it is no longer queued, fails and changes nothing.
    pub fn amend(&self, name: &FutureName, amendment: &Amendment) -> Result<()> {
        let changing = self.change()?;
        let queued = self.queued_one(&changing, name)?;
        let mut order = changing.order.clone();
        let lines = self.amended_plan(&changing, queued, amendment)?;
        if let Some(to) = &amendment.to {
            let has_place = |queued: &Queued| queued.record.queue.is_some();
            if !has_place(queued) {
                return Err(Error::NoPlaceInQueue(name.to_string()));
            }
            order.places.retain(|id| *id != queued.id);
            let at = match to {
                To::First => 0,
                To::Last => order.places.len(),
                To::Before(other) => {
                    let other = self.queued_one(&changing, other)?;
                    let at = order.places.iter().position(|id| *id == other.id);
                    at.ok_or_else(|| Error::NoPlaceInQueue(other.id.name.to_string()))?
                }
            };
            order.places.insert(at, queued.id.clone());
        }
        // Once it has a place it may wait for others, and those behind it pass it. So record all places.
        self.commit(&changing, &order)?;
        match lines {
            Some(lines) => {
                append(&queued.file, &queued.record, &lines).map_err(Error::io("change the plan of", &queued.path))
            }
            None => Ok(()),
        }
    }

    /// The lines that change the plan, if the amendment does.
    fn amended_plan(&self, changing: &Changing, queued: &Queued, amendment: &Amendment) -> Result<Option<Vec<Line>>> {
        let Amendment { jobs, no_after, after, after_any, .. } = amendment;
        let mut plan = queued.record.plan.clone().unwrap_or_default();
        if *no_after {
            (plan.after, plan.after_any) = (Vec::new(), Vec::new());
        }
        plan.jobs = jobs.or(plan.jobs);
        for (names, new) in [(&mut plan.after, after), (&mut plan.after_any, after_any)] {
            for name in new {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        if Some(&plan) == queued.record.plan.as_ref() {
            return Ok(None);
        }
        let new = Plan { after: after.clone(), after_any: after_any.clone(), ..Plan::default() };
        let mut dependencies = if *no_after { Vec::new() } else { queued.record.dependencies.clone() };
        for id in self.find_dependencies(&new)? {
            if comes_after(changing, &id, &queued.id) || self.leads_to(&id, &queued.id) {
                return Err(Error::Circle { name: queued.id.name.to_string(), other: id.name.to_string() });
            }
            if !dependencies.contains(&id) {
                dependencies.push(id);
            }
        }
        // The dropped dependencies may be all that made it a queued future.
        plan.held |= !plan.may_queue();
        Ok(Some(std::iter::once(Line::Plan(plan)).chain(dependencies.into_iter().map(Line::Dependency)).collect()))
    }

    fn queued_one<'a>(&self, changing: &'a Changing, name: &FutureName) -> Result<&'a Queued> {
        changing.find(name).map_or_else(
            || match self.look(name)? {
                None => Err(self.unknown(name)),
                Some((_, state)) => Err(Error::NotQueued { name: name.to_string(), state }),
            },
            Ok,
        )
    }

    /// Keeps all others from starting or changing anything.
    fn change(&self) -> Result<Changing> {
        let head = self.open_shared(QUEUE)?;
        let failed = Error::io("lock", self.dir());
        if !Right::Head.take_within(PATIENCE, &head).map_err(failed)? {
            return Err(Error::QueueBusy(self.dir().to_owned()));
        }
        let mut order = self.order()?;
        let queued = self.queued(&order)?;
        order.places = queued.iter().filter(|one| one.record.queue.is_some()).map(|one| one.id.clone()).collect();
        order.held.retain(|id| queued.iter().any(|one| one.id == *id));
        Ok(Changing { order, queued, _head: head })
    }

    /// Records the new order. All waiting supervisors have been woken by then, and look once the head is free.
    fn commit(&self, changing: &Changing, order: &Order) -> Result<()> {
        changing.wake()?;
        let named = self.dir.file(ORDER);
        let failed = |action| Error::io(action, named.path());
        if order.is_empty() {
            return self.changing(|_| named.remove_if_there()).map(drop).map_err(failed("remove"));
        }
        self.make_starting_dir()?;
        let new = self.dir.subdirectory(STARTING).file(format!("new.{}.order", std::process::id()));
        let written = self
            .write_order(&new, order)
            .and_then(|()| self.changing(|_| new.rename(&named)).map_err(failed("replace")));
        if written.is_err() {
            let _ = new.remove();
        }
        written
    }

    fn write_order(&self, new: &StoreFile, order: &Order) -> Result<()> {
        let failed = |action| Error::io(action, new.path());
        // Left by a process that had the same id.
        new.remove_if_there().map_err(failed("remove"))?;
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = new.open_as_is(flags, self.permissions.of_files()).map_err(failed("make"))?;
        file.write_all(order.text().as_bytes()).map_err(failed("write"))
    }

    /// A person's changes to the queue.
    pub(super) fn order(&self) -> Result<Order> {
        let named = self.dir.file(ORDER);
        let Some(file) = named.open()? else {
            return Ok(Order::default());
        };
        let text = std::io::read_to_string(file).map_err(Error::io("read", named.path()))?;
        Ok(Order::parse(&text))
    }

    /// Removes the file once it says nothing any more, because all others with a place in it are gone. Only for the
    /// process at the head.
    pub(super) fn forget_order(&self, order: &Order, this: &FutureId) -> Result<()> {
        let says_something = order.paused.is_some() || !order.held.is_empty() || order.places.is_empty();
        if says_something || self.has_a_place(order.places.iter().filter(|id| *id != this))? {
            return Ok(());
        }
        let named = self.dir.file(ORDER);
        self.changing(|_| named.remove_if_there()).map(drop).map_err(Error::io("remove", named.path()))
    }

    /// Everything that is queued.
    fn queued(&self, order: &Order) -> Result<Vec<Queued>> {
        let mut all = Vec::new();
        for name in self.names()? {
            let named = self.record_file(&name);
            let Some(file) = named.open_to_append()? else {
                continue;
            };
            let path = named.path().to_owned();
            // An unreadable record is not changed.
            let Ok(record) = read_record(&file, &path) else {
                continue;
            };
            if Self::state_of(&file, &path, &record)? == State::Queued {
                all.push(Queued { id: record.id(&name), record, file, path });
            }
        }
        let places: Vec<FutureId> = order.places.iter().cloned().chain(self.by_records()?).collect();
        let place = |one: &Queued| places.iter().position(|id| *id == one.id).unwrap_or(places.len());
        all.sort_by_cached_key(|one| {
            (one.record.queue.is_none(), place(one), one.record.start_time, one.id.name.clone())
        });
        Ok(all)
    }

    /// The places in the queue, in order, as the records say.
    fn by_records(&self) -> Result<Vec<FutureId>> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut at = self.last_in_queue()?;
        while let Some(id) = at.filter(|id| seen.insert(id.clone())) {
            let Some((file, path)) = self.find(&id) else { break };
            let record = read_record(&file, &path)?;
            let has_place = Right::QueuePlace.is_taken(&file).map_err(Error::io("look at the place of", &path))?;
            if has_place {
                found.push(id);
            }
            at = if !has_place && was_at_head(&record) { None } else { record.queue.and_then(|place| place.behind) };
        }
        found.reverse();
        Ok(found)
    }
}

/// Whether one future has to come after the other, by the plans of the queued ones.
fn comes_after(changing: &Changing, this: &FutureId, other: &FutureId) -> bool {
    let (mut left, mut seen) = (vec![this], HashSet::new());
    while let Some(id) = left.pop() {
        if id == other {
            return true;
        }
        if seen.insert(id) {
            let queued = changing.queued.iter().find(|queued| queued.id == *id);
            left.extend(queued.into_iter().flat_map(|queued| &queued.record.dependencies));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_back_and_what_is_none_is_passed_over() {
        let id = |text: &str| text.parse::<FutureId>().unwrap();
        let order = Order { paused: Some(7), held: vec![id("5 a b ")], places: vec![id("5 a b "), id("6 held")] };
        assert_eq!(Order::parse(&order.text()), order);
        assert_eq!(
            Order::parse("paused soon\nheld x\nplace 5 .a\nmore\nplace 6 held"),
            Order { places: vec![id("6 held")], ..Order::default() }
        );
    }
}
