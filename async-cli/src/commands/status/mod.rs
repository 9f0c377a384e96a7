//! `async status`: lists the futures and their states.

mod row;
mod screen;
mod table;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::ExitCode;

use async_core::clock::Millis;
use async_core::{Entry, Error, FutureName, RecordFile, ScriptRun, Store};
use clap::Args;

use crate::cli::Context;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, Future, Futures, Script};
use crate::messages::Output;
use crate::script_option::ScriptOption;

const EXAMPLES: &str = "\
Examples:

  async status                  # a table, cut to the width of the terminal
  async status --watch          # the same, live, with the log of one of them
  async status --all docs       # collected ones of that name too
  async status --script backup.sh --all   # of the newest run of that script
  async status --json | jq -r '.futures[] | select(.failed) | .name'
  async status | awk -F '\\t' '$2 == \"running\" { print $4 }'

CPU and MEMORY are processor time and resident memory of all processes of a
task, and are only there if that can be told of one that runs. Of what is over,
MEMORY is the peak.

In a pipe or a file nothing is cut, and each future is a line of seven fields
with a tab between two: name, state, status, pid, start in UTC, seconds run,
command. A field that does not apply is `-`. The status of what is queued is
`paused` if it is paused, or the whole queue is (see `async pause`). At the
prompt, the futures of scripts that run now follow, with the script's name as
an eighth field.

Exit status: 0 if nothing failed, 1 if a future that is listed failed or was
lost, 125 if a future is unknown or its record can't be read.";

/// List the live futures: state, status or signal, process, start, run time
#[derive(Args, Debug)]
#[command(visible_alias = "ps", after_help = EXAMPLES)]
pub(crate) struct Status {
    #[command(flatten)]
    of: ScriptOption,
    /// List the collected futures of this run, too
    #[arg(long, short)]
    all: bool,
    /// Print JSON; `async schema` prints its schema
    #[arg(long)]
    json: bool,
    /// Show a live full-screen view; press `?` for its keys
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
    /// List only these futures
    #[arg(value_name = "NAME")]
    names: Vec<OsString>,
}

/// Which futures to list.
#[derive(Debug)]
struct Selection {
    /// All if empty.
    names: BTreeSet<FutureName>,
    /// Whether to list collected ones too.
    collected: bool,
}

impl Selection {
    fn has(&self, file: &RecordFile) -> bool {
        self.names.is_empty() || self.names.contains(file.name())
    }

    /// The records of those futures that exist.
    fn files(&self, store: &Store) -> async_core::Result<Vec<RecordFile>> {
        let mut files = store.record_files(self.collected)?;
        files.retain(|file| self.has(file));
        Ok(files)
    }
}

/// The part of the list for one store.
struct Section {
    /// The script that owns the store, unless it is the store of the command itself.
    script: Option<ScriptRun>,
    entries: Vec<Entry>,
}

impl Status {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let names = self.names.iter().map(|name| super::name(name)).collect::<Result<_, _>>()?;
        let selection = Selection { names, collected: self.all };
        let scripts = if self.watch || self.of.is_given() || !self.names.is_empty() {
            Vec::new()
        } else {
            running_scripts(context)?
        };
        let context = &*self.of.place(context)?;
        let store = match context.store() {
            // A user who has started nothing here may still have running scripts.
            Err(Failure::Store(Error::NoStore(_))) if !scripts.is_empty() => None,
            store => Some(store?),
        };
        if self.watch {
            return store.map_or(Ok(ExitCode::SUCCESS), |store| screen::run(&Output::stdout()?, store, selection));
        }
        let queue_paused_ms = store.as_ref().map_or(Ok(None), Store::paused_since)?;
        let dir = store.as_ref().map_or_else(|| context.prompt(), |store| Ok(store.dir().to_owned()))?;
        let mut output = Output::stdout()?;
        let (mut sections, mut complete) = (Vec::new(), true);
        let own = store.map(|store| (None, store));
        // A script may end, and its store may go away, at any moment.
        let theirs = scripts.into_iter().filter_map(|run| run.store().ok().map(|store| (Some(run), store)));
        for (script, store) in own.into_iter().chain(theirs) {
            let (mut entries, is_complete) = entries(&store, &selection)?;
            complete &= is_complete;
            if self.json || output.columns().is_some() {
                for entry in &mut entries {
                    store.look_at_usage(entry);
                }
            }
            sections.push(Section { script, entries });
        }
        let is_empty = sections.iter().all(|section| section.entries.is_empty());
        let failed = sections.iter().flat_map(|section| &section.entries).any(Entry::has_failed);
        if self.json {
            json::print(&Envelope::new(&dir, document(sections, queue_paused_ms)), &mut output)?;
            return Ok(exit_code(complete, failed));
        }
        if queue_paused_ms.is_some() {
            warn("the queue is paused: `async resume` lets it go on");
        }
        if !is_empty {
            print_sections(&sections, &mut output)?;
            sections.iter().flat_map(|section| &section.entries).for_each(warn_of_cut_log);
        } else if complete {
            let kind = if self.all { "" } else { "live " };
            warn(&format!("there are no {kind}futures in {}", dir.display()));
        }
        Ok(exit_code(complete, failed))
    }
}

fn exit_code(complete: bool, failed: bool) -> ExitCode {
    match (complete, failed) {
        (false, _) => ExitCode::from(125),
        (true, true) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    }
}

/// The running scripts, newest first, if their futures are to be listed too: at the prompt.
fn running_scripts(context: &Context) -> Result<Vec<ScriptRun>, Failure> {
    let Some(scripts) = context.scripts_beside() else {
        return Ok(Vec::new());
    };
    Ok(scripts.runs()?.into_iter().filter(ScriptRun::is_running).collect())
}

fn document(sections: Vec<Section>, queue_paused_ms: Option<Millis>) -> Futures {
    let mut document = Futures { queue_paused_ms, futures: Vec::new(), scripts: Vec::new() };
    for Section { script, entries } in sections {
        let futures = entries.into_iter().map(Future::from).collect();
        match script {
            None => document.futures = futures,
            Some(run) => document.scripts.push(Script::new(&run, futures)),
        }
    }
    document
}

/// The futures, in the order of their starts, and whether all could be read; unreadable ones get a warning.
fn entries(store: &Store, selection: &Selection) -> Result<(Vec<Entry>, bool), Failure> {
    let (mut entries, mut complete) = (Vec::new(), true);
    let mut unknown: BTreeSet<FutureName> = selection.names.iter().cloned().collect();
    let files = selection.files(store)?;
    for (entry, file) in store.entries(&files).into_iter().zip(&files) {
        match entry {
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

fn warn_of_cut_log(entry: &Entry) {
    if let Some(length) = entry.record.log_cut {
        warn(&format!(
            "the log of `{}` was cut when it had {length} bytes, which are gone: in a task, `>&2` and `>>/dev/stderr` \
             keep them, `>/dev/stderr` does not",
            entry.name
        ));
    }
}

fn print_sections(sections: &[Section], output: &mut Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    for Section { script, entries } in sections.iter().filter(|section| !section.entries.is_empty()) {
        let Some(width) = output.columns() else {
            let script = script.as_ref().map_or_else(String::new, |run| format!("\t{}", run.key.name()));
            text.extend(plain_lines(entries).into_iter().map(|line| line + &script));
            continue;
        };
        if let Some(run) = script {
            let heading = format!("{} (process {})", run.key.name(), run.pid);
            text.extend((!text.is_empty()).then(String::new).into_iter().chain([heading]));
        }
        text.extend(lines(entries, width, output.has_colors()));
    }
    output.print(&(text.join("\n") + "\n"))
}

pub(super) fn print(entries: &[Entry], output: &mut Output) -> Result<(), Failure> {
    let lines = match output.columns() {
        Some(width) => lines(entries, width, output.has_colors()),
        None => plain_lines(entries),
    };
    output.print(&(lines.join("\n") + "\n"))
}

/// The lines of a table for people, titles first.
pub(crate) fn lines(entries: &[Entry], width: u16, colors: bool) -> Vec<String> {
    table::lines(entries.iter(), width, colors)
}

/// One line for each future, for programs.
pub(crate) fn plain_lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| row::plain_cells(entry).join("\t")).collect()
}
