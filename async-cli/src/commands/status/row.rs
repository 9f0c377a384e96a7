//! A future as a row of a table.

use std::ffi::OsString;
use std::path::PathBuf;

use async_core::clock::Millis;
use async_core::{Entry, State, text};

use crate::{format, messages, signal};

/// The columns of the table for people, in this order.
pub(super) const TITLES: [&str; 10] =
    ["NAME", "STATE", "STATUS", "PID", "STARTED", "ELAPSED", "CPU", "MEMORY", "COMMAND", "DIRECTORY"];

/// The columns that only exist if what some running future uses can be told.
pub(super) const USAGE: [usize; 2] = [6, 7];

/// The column that only exists if a future was started in another directory.
pub(super) const DIRECTORY: usize = 9;

/// This directory, there.
pub(super) const HERE: &str = ".";

/// The cells of a future, for people.
pub(super) fn cells(entry: &Entry) -> [String; 10] {
    let started = format::moment(entry.record.start_time);
    let elapsed = entry.run_time().map_or_else(nothing, format::duration);
    let [name, state, status, pid, started, elapsed, command] = with_times(entry, started, elapsed);
    let (cpu, memory) = usage(entry);
    let cpu = cpu.map_or_else(nothing, format::duration);
    let memory = memory.map_or_else(nothing, format::memory);
    let directory = other_directory(entry).unwrap_or_else(|| HERE.to_owned());
    [name, state, status, pid, started, elapsed, cpu, memory, command, directory]
}

/// The processor time in ms and the memory in KiB that it uses now, or has used.
fn usage(entry: &Entry) -> (Option<Millis>, Option<u64>) {
    if let Some(now) = entry.usage_now {
        return (Some(now.cpu), Some(now.resident));
    }
    (entry.record.usage.map(|usage| usage.cpu()), entry.record.max_resident())
}

/// The same for programs: the start in UTC, the elapsed time in seconds.
pub(super) fn plain_cells(entry: &Entry) -> [String; 7] {
    let started = format::utc(entry.record.start_time);
    let elapsed = entry.run_time().map_or_else(nothing, |ms| (ms / 1000).to_string());
    with_times(entry, started, elapsed)
}

fn with_times(entry: &Entry, started: String, elapsed: String) -> [String; 7] {
    let pid = entry.record.process_or_job().map_or_else(nothing, |pid| text::printable(pid.as_ref()));
    let command = messages::command(&entry.record);
    [entry.name.to_string(), entry.state.to_string(), status(entry), pid, started, elapsed, command]
}

/// The directory that it was started in, on one printable line, if it differs from this process's.
pub(super) fn other_directory(entry: &Entry) -> Option<String> {
    let cwd = PathBuf::from(OsString::from(entry.record.cwd.clone()?));
    let is_here = std::env::current_dir().is_ok_and(|here| here == cwd);
    (!is_here).then(|| text::printable(cwd.as_os_str()))
}

/// How it ended, as far as known: `0`, `143 TERM cancelled`.
fn status(entry: &Entry) -> String {
    if entry.paused.is_some() {
        return "paused".to_owned();
    }
    // Why the engine holds it back.
    if entry.state == State::Queued
        && let Some(reason) = &entry.record.reason
    {
        return text::printable(reason.as_ref());
    }
    let signal = entry.record.signal.and_then(signal::name);
    let rc = entry.record.rc.map(|rc| rc.to_string());
    let lost = (entry.state == State::Collected && entry.is_lost()).then(|| "lost".to_owned());
    let cause = entry.record.cause.map(|cause| cause.as_str().to_owned());
    let words: Vec<String> = [rc, signal.map(str::to_owned), lost, cause].into_iter().flatten().collect();
    if words.is_empty() { nothing() } else { words.join(" ") }
}

fn nothing() -> String {
    "-".to_owned()
}
