//! `async status`: what there is, and how it stands.

mod row;
mod screen;
mod table;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use async_core::{Entry, FutureName, RecordFile, Store};
use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, Future, Futures};
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async status                  # a table, cut to the width of the terminal
  async status --watch          # the same, live, with the log of one of them
  async status --all docs       # collected ones of that name too
  async status --json | jq -r '.futures[] | select(.failed) | .name'
  async status | awk -F '\\t' '$2 == \"running\" { print $4 }'

In a pipe or a file nothing is cut, and each future is a line of seven fields
with a tab between two: name, state, status, pid, start in UTC, seconds run,
command. A field that does not apply is `-`.

Exit status: 0 if nothing failed, 1 if a future that is listed failed or was
lost, 125 if a future is unknown or its record can't be read.";

/// Lists the live futures: state, status or signal, process, start, run time
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Those of this run that were collected too
    #[arg(long, short)]
    all: bool,
    /// Print JSON; `async schema` prints its schema
    #[arg(long)]
    json: bool,
    /// Show them live, full-screen; `?` there lists the keys
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
    /// These only
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

/// Which futures to list.
#[derive(Debug)]
struct Selection {
    /// All if there are none.
    names: BTreeSet<FutureName>,
    /// The collected ones too.
    collected: bool,
}

impl Selection {
    fn has(&self, file: &RecordFile) -> bool {
        self.names.is_empty() || self.names.contains(file.name())
    }
}

impl Status {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let names = self.names.iter().map(|name| super::name(name)).collect::<Result<_, _>>()?;
        let selection = Selection { names, collected: self.all };
        let store = place.store()?;
        if self.watch {
            return screen::run(&Output::stdout()?, store, selection);
        }
        let (entries, complete) = entries(&store, &selection)?;
        let failed = entries.iter().any(Entry::has_failed);
        let mut output = Output::stdout()?;
        if self.json {
            let futures = entries.into_iter().map(Future::from).collect();
            json::print(&Envelope::new(store.dir(), Futures { futures }), &mut output)?;
        } else if !entries.is_empty() {
            print(&entries, &mut output)?;
        } else if complete {
            let kind = if self.all { "" } else { "live " };
            warn(&format!("there are no {kind}futures in {}", store.dir().display()));
        }
        Ok(match (complete, failed) {
            (false, _) => ExitCode::from(125),
            (true, true) => ExitCode::FAILURE,
            (true, false) => ExitCode::SUCCESS,
        })
    }
}

/// The futures, in the order of their starts, and whether none is missing: those that can't be read are only told of.
fn entries(store: &Store, selection: &Selection) -> Result<(Vec<Entry>, bool), Failure> {
    let (mut entries, mut complete) = (Vec::new(), true);
    let mut unknown: BTreeSet<FutureName> = selection.names.iter().cloned().collect();
    for file in store.record_files(selection.collected)?.iter().filter(|file| selection.has(file)) {
        match store.entry(file) {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => continue,
            Err(error) => {
                warn(&error.to_string());
                complete = false;
            }
        }
        unknown.remove(file.name());
    }
    for name in unknown {
        Failure::from(store.unknown(&name)).report();
        complete = false;
    }
    entries.sort_by(Entry::by_start);
    Ok((entries, complete))
}

fn print(entries: &[Entry], output: &mut Output) -> Result<(), Failure> {
    let lines = match output.columns() {
        Some(width) => lines(entries, width, output.has_colors()),
        None => plain_lines(entries),
    };
    output.print(&(lines.join("\n") + "\n"))
}

/// The lines of a table for people, the titles first.
pub(crate) fn lines(entries: &[Entry], width: u16, colors: bool) -> Vec<String> {
    table::lines(entries.iter(), width, colors)
}

/// A line for each, for programs.
pub(crate) fn plain_lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| row::plain_cells(entry).join("\t")).collect()
}
