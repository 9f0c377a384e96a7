//! Internals for the fuzz targets in `tests/fuzz`. Only with the feature `fuzzing`.

use std::fs::File;

use crate::error::Result;
use crate::name::FutureName;
use crate::record::{self, Line, LogOf, QueuePlace, Record};
use crate::store::{Slot, Store};

/// Reads a record's text; the error is a readable reason.
pub fn parse(bytes: &[u8]) -> std::result::Result<Record, String> {
    record::parse(bytes)
}

/// Whether the last line of the record is torn.
#[must_use]
pub fn is_torn(record: &Record) -> bool {
    record.torn
}

/// The record without the facts about its text: whether its last line is torn, and whether it ends in a foreign
/// section.
#[must_use]
pub fn said(record: Record) -> Record {
    Record { torn: false, in_foreign_section: false, ..record }
}

/// Writes the record out again in full.
#[must_use]
pub fn written(record: &Record) -> String {
    let record = record.clone();
    let text = record.header();
    let later = [
        record.has_log.then_some(Line::Log(LogOf::This)),
        record.queue.map(Line::Queue),
        record.donated_by.map(Line::DonatedBy),
        record.at_once.then_some(Line::AtOnce(true)),
        record.run_start.map(Line::RunStart),
        record.run_boot.map(Line::RunBoot),
        record.launch.map(Line::Launch),
        record.submission.map(Line::Submission),
        record.job.map(Line::Job),
        record.node.map(Line::Node),
        record.reason.map(Line::Reason),
        record.gone.map(Line::Gone),
        record.cancel_grace.map(Line::CancelGrace),
        record.cancel_time.map(Line::CancelTime),
        record.end_time.map(Line::EndTime),
        record.run_time.map(Line::RunTime),
        record.attempts.map(Line::Attempts),
        record.terminated.map(Line::Terminated),
        record.killed.map(Line::Killed),
        record.signal.and_then(|signal| signal.try_into().ok()).map(Line::Signal),
        record.cause.map(Line::Cause),
        record.usage.map(Line::Usage),
        record.samples.map(Line::Samples),
        record.rc.and_then(|rc| rc.try_into().ok()).map(Line::Rc),
        record.taken_by.map(Line::TakenBy),
        record.wait_start.map(Line::WaitStart),
        record.wait_end.map(Line::WaitEnd),
        record.wait_cpu.map(Line::WaitCpu),
    ];
    let waits_for = record.waits_for.into_iter().map(Line::WaitsFor);
    let later = later.into_iter().flatten().chain(record.donors.into_iter().map(Line::Donor)).chain(waits_for);
    text + &record::text(&later.collect::<Vec<_>>())
}

/// What the end of a task with that status adds to the record.
#[must_use]
pub fn ended(record: &Record, rc: u8) -> String {
    record.addition(&[Line::Rc(rc)])
}

/// A future in the queue of a store.
#[derive(Debug)]
pub struct Queued(QueuePlace);

/// The right to run, until it is dropped.
#[derive(Debug)]
pub struct Running(#[expect(dead_code, reason = "its locks are what it is for")] Slot);

/// Puts a future at the end of the queue. `file` is its record, open.
pub fn enter_queue(store: &Store, name: &FutureName, file: &File, record: &Record) -> Result<Queued> {
    store.enter_queue(name, file, record).map(Queued)
}

/// The place in the queue that the record names.
#[must_use]
pub fn recorded_place(record: &Record) -> Option<Queued> {
    record.queue.clone().map(Queued)
}

/// Gives up the place in the queue.
pub fn leave_queue(file: &File) {
    Store::leave_queue(file);
}

/// The right to run if it is the future's turn and fewer than `jobs` tasks run.
pub fn run_at_once(store: &Store, place: &Queued, jobs: u32) -> Result<Option<Running>> {
    let slot = store.slot_at_once(&place.0, jobs)?;
    Ok(slot.map(|mut slot| {
        slot.leave_head();
        Running(slot)
    }))
}

/// Sleeps until it is the future's turn and fewer than `jobs` tasks run.
pub fn run_in_turn(store: &Store, place: Queued, jobs: u32) -> Result<Running> {
    let mut slot = store.wait_for_slot(&place.0, jobs)?;
    slot.leave_head();
    Ok(Running(slot))
}

/// Finds the futures that a record's plan names and checks whether all that it comes after have ended; sleeps until
/// they have if `may_sleep`. Returns the reason if one that had to succeed did not.
pub fn dependencies(store: &Store, record: &Record, may_sleep: bool) -> Result<Option<String>> {
    let plan = record.plan.clone().unwrap_or_default();
    store.has_pending(&record.dependencies)?;
    let found = store.find_dependencies(&plan)?;
    if may_sleep { store.wait_for_dependencies(&plan, &found) } else { Ok(None) }
}

/// Whether a parent of this future, near or far, has been cancelled.
#[must_use]
pub fn is_cancelled_around(store: &Store, record: &Record) -> bool {
    store.is_cancelled_around(record)
}
