//! What devstack's functions print when a wait has failed, as the original does: details that help to find the reason.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};

use async_core::{FutureName, Outcome, Store, text};

use crate::export::tail::Tail;
use crate::messages;

/// How much of a log's end to repeat, in bytes and in lines; the whole log has been printed before.
const MAX_LOG: usize = 4000;
const MAX_LINES: usize = 20;

/// How much of a command line to show, in characters.
const MAX_COMMAND: usize = 200;

/// How many processes, and how many other futures, to list.
const MAX_LISTED: usize = 50;

/// Prints it on standard error, in one piece: the store's record of the future, its processes that are still running,
/// the futures that nobody has waited for yet, and the last lines of its log. Says why if it has to leave something
/// out.
pub(crate) fn print(store: &Store, name: &FutureName, outcome: &Outcome, log: Option<File>) {
    let how = outcome.rc.map_or_else(|| "was lost".to_owned(), |rc| format!("with status {rc}"));
    let mut text = format!("=== Wait failure dump: `{name}` {how} ===\n");
    // Writing to a String can't fail.
    let _ = writeln!(text, "Record, {}:", store.record_path(name).display());
    match store.record_text(name) {
        Ok(record) => put(&mut text, record.unwrap_or_default().lines().filter(|line| !line.is_empty())),
        Err(error) => put(&mut text, [error.to_string()].iter()),
    }
    text += "Processes of it that still run:\n";
    match store.processes_of(name) {
        Ok(pids) => put(&mut text, pids.into_iter().filter_map(process)),
        Err(error) => put(&mut text, [error.to_string()].iter()),
    }
    text += "Futures that nobody has waited for yet:\n";
    match others(store, name) {
        Ok(others) => put(&mut text, others.into_iter()),
        Err(error) => put(&mut text, [error.to_string()].iter()),
    }
    let _ = writeln!(text, "Last lines of its log, {}:", store.log_path(name).display());
    match log.map(|log| Tail::of(log, MAX_LOG, MAX_LINES)) {
        Some(Ok(tail)) => put(&mut text, tail.text.lines()),
        Some(Err(error)) => put(&mut text, [error.to_string()].iter()),
        None => put(&mut text, ["there is none"].iter()),
    }
    text += "=== End of the dump ===\n";
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes each on a line of its own, without anything that a terminal acts on.
fn put(text: &mut String, lines: impl Iterator<Item = impl AsRef<str>>) {
    let before = text.len();
    for line in lines.take(MAX_LISTED) {
        let _ = writeln!(text, "  {}", text::printable(line.as_ref().as_ref()));
    }
    if text.len() == before {
        *text += "  none\n";
    }
}

/// A process, by id and command line; none if it is gone by now.
fn process(pid: u32) -> Option<String> {
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = String::from_utf8_lossy(&command).replace('\0', " ");
    let words: String = words.trim_end().chars().take(MAX_COMMAND).collect();
    Some(format!("{pid}  {words}"))
}

/// The other live futures, each with its command and state.
fn others(store: &Store, name: &FutureName) -> async_core::Result<Vec<String>> {
    let names = store.names()?.into_iter().filter(|other| other != name);
    let shown = |other: FutureName| {
        let entry = store.live_entry(&other).ok().flatten()?;
        let pid = entry.record.pid.as_deref().unwrap_or("-");
        Some(format!("{other}  {}  pid {pid}  {}", entry.state, messages::command(&entry.record)))
    };
    Ok(names.take(MAX_LISTED).filter_map(shown).collect())
}
