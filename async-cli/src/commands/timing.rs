//! `async timing`: what running tasks in the background saved, and what more it could save.

mod analysis;
pub(crate) mod comparison;
pub(crate) mod figures;
pub(crate) mod history;
mod json;
pub(crate) mod report;
mod table;
mod what_if;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::process::ExitCode;

use async_core::Record;
use async_core::Store;
use async_core::clock::{self, Millis};
use async_core::timing::{Analysis, Comparison, Run, Summary};
use clap::Args;

use crate::cli::{Context, Profile};
use crate::export::{Exports, RunReport};
use crate::failure::{Failure, warn};
use crate::json::Envelope;
use crate::messages::Output;
use crate::script_option::ScriptOption;

use analysis::{Analysed, Prediction};
use comparison::Against;
use table::Sort;
use what_if::WhatIf;

const EXAMPLES: &str = concat!(
    "\
Examples:

  async timing                     # once all is collected
  async timing --table --sort blocked
  async timing --what-if jobs=4
  async timing --what-if start:docs=-30s --what-if run:tests=50%
  async timing --compare=median
  async timing --history tests     # how long it took in each run that is kept
  async timing --history --script backup.sh
  async timing --history tests --html tests.html
  async timing --html timeline.html --junit report.xml

In a pipe or a file, --history prints a line of five fields for each run, with
a tab between two: start in UTC, seconds run, seconds queued, how it ended, and
`longer` for the run that broke the trend. A field that does not apply is `-`.

What can be different:

",
    what_if::changes!()
);

/// The width of a table without a terminal, in columns.
const WIDTH: u16 = 80;

/// Print how much time the futures saved
///
/// On a terminal, it also shows when each of them ran, where the time went, and what could save more; elsewhere, only what is
/// asked for.
///
/// In a script's own store, a run begins when the script sources the functions, and ends with the script. In any other store, it
/// begins with the first start after `async init`, and ends with the last event.
///
/// Elapsed time, plus the work of all tasks, minus the time that the script spent waiting, is what the run would have taken one
/// after another.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "options that are there or not")]
pub(crate) struct Timing {
    #[command(flatten)]
    of: ScriptOption,
    /// Print when each future started, how long it ran, how long the script was blocked waiting for it, and how long it lay finished before that (slack), in seconds
    #[arg(long)]
    table: bool,
    /// Print the critical path: what determines the length of the run
    #[arg(long)]
    path: bool,
    /// Print what could make the run shorter
    #[arg(long)]
    advice: bool,
    /// Sort the table by
    #[arg(long, value_enum, default_value_t, hide_default_value = true, value_name = "KEY")]
    sort: Sort,
    /// Predict how long the run would take if something were done differently; several changes apply together
    #[arg(long, value_name = "CHANGE", value_parser = what_if::parse)]
    what_if: Vec<WhatIf>,
    /// Print what took longer than in the run before this one, or than the median of the runs that are kept
    #[arg(long, value_enum, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "last")]
    compare: Option<Against>,
    /// Print how long each of the runs that are kept took, oldest first, with the median, and a mark on the first that took more than half as long again as the median of those before it, and more than a second longer; with a name, the same of that future alone
    #[arg(long, value_name = "NAME", num_args = 0..=1, conflicts_with_all = ["table", "path", "advice", "sort", "what_if", "compare", "svg", "trace", "junit", "openmetrics"])]
    #[allow(clippy::option_option, reason = "the name may be left out")]
    history: Option<Option<OsString>>,
    /// Print all of it as JSON
    #[arg(long)]
    json: bool,
    /// Run times of all futures together, in ms, as devstack's functions have it
    #[arg(long, hide = true, requires = "waited", allow_negative_numbers = true)]
    background: Option<Millis>,
    /// Time spent in waits, in ms, likewise
    #[arg(long, hide = true, allow_negative_numbers = true)]
    waited: Option<Millis>,
    /// The start of the run, in seconds since the epoch, likewise
    #[arg(long, hide = true, allow_negative_numbers = true)]
    begin: Option<i64>,
    #[command(flatten)]
    exports: Exports,
}

/// A run, and what is known of it.
struct Known<'a> {
    store: &'a Store,
    run: &'a Run,
    /// Once it was needed: of very many futures, it takes long.
    analysed: OnceCell<Analysed<'a>>,
    compared: Option<Comparison>,
}

impl<'a> Known<'a> {
    fn analysed(&self) -> &Analysed<'a> {
        self.analysed.get_or_init(|| Analysis::of(self.run))
    }

    fn analysis(&self) -> Result<&Analysis<'a>, Failure> {
        analysis::of(self.run, self.analysed())
    }
}

impl Timing {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let context = &*self.of.place(context)?;
        let mut output = Output::stdout()?;
        let taken = self.exports.takes_stdout()?;
        if taken && self.json {
            return Err(Failure::Usage("standard output can be a file (-) or JSON, not both".into()));
        }
        if context.profile() == Profile::Devstack {
            output.print(&report::summary_of_devstack(&self.summary_of_devstack(context)?))?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(name) = &self.history {
            return history::print(&context.store()?, name.as_deref(), self.json, &self.exports, &mut output);
        }
        // What a script prints at its end is the summary, wherever it goes.
        let columns = output.columns().filter(|_| context.script_pid().is_none());
        let asked = self.table || self.path || self.advice || !self.what_if.is_empty() || self.compare.is_some();
        let files = self.exports.is_asked();
        let everything = !asked && columns.is_some() && !self.json && !files;
        let store = context.store()?;
        let (run, errors) = Run::of_store(&store)?;
        for error in &errors {
            warn(&error.to_string());
        }
        let compared = self.compare.map(|against| comparison::of(&run, &store, against)).transpose()?;
        let known = Known { store: &store, run: &run, analysed: OnceCell::new(), compared };
        let printed = if taken {
            self.analyse(&known, false).map(drop)
        } else {
            self.print(&known, everything, &mut output)
        };
        // A wrong request does nothing at all. If the records are wrong, the files are still true.
        if let Err(wrong @ Failure::Usage(_)) = printed {
            return Err(wrong);
        }
        let analysis = if self.exports.needs_analysis() { known.analysed().as_ref().ok() } else { None };
        let report = RunReport { run: &run, analysis, comparison: known.compared.as_ref() };
        self.exports.write(&report, &mut output, !taken && !self.json)?;
        printed?;
        Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(125) })
    }

    fn print(&self, known: &Known<'_>, everything: bool, output: &mut Output) -> Result<(), Failure> {
        let (run, compared) = (known.run, known.compared.as_ref());
        if self.json {
            let analysis = known.analysis()?;
            let prediction = self.prediction(analysis)?;
            let timing = json::timing(analysis, prediction.as_ref(), compared);
            return crate::json::print(&Envelope::new(known.store.dir(), timing), output);
        }
        let mut text = report::summary(&run.figures());
        if (everything || self.table) && !run.tasks.is_empty() {
            text += "\n";
            text += &table::table(run, self.sort, output.columns().unwrap_or(WIDTH), output.has_colors());
            text += &report::clock(run);
        }
        let analysed = match self.analyse(known, everything) {
            // The rest is still true.
            contradiction @ Err(Failure::Contradiction(_)) => contradiction,
            result => Ok(result?),
        };
        text += analysed.as_deref().unwrap_or_default();
        text += &compared.map_or_else(String::new, comparison::text);
        output.print(&text)?;
        analysed.map(drop)
    }

    fn prediction(&self, analysis: &Analysis<'_>) -> Result<Option<Prediction>, Failure> {
        (!self.what_if.is_empty()).then(|| analysis::predict(analysis, &self.what_if)).transpose()
    }

    /// The analyses that need a replay of the run.
    fn analyse(&self, known: &Known<'_>, everything: bool) -> Result<String, Failure> {
        let run = known.run;
        let (path, advice) = (everything || self.path, everything || self.advice);
        let mut text = String::new();
        if run.tasks.is_empty() {
            for what_if in &self.what_if {
                what_if.changes(run)?;
            }
            return Ok(text);
        }
        if !path && !advice && self.what_if.is_empty() {
            return Ok(text);
        }
        let analysis = known.analysis()?;
        if path {
            text += &report::path(run, &analysis.path);
        }
        if advice {
            text += &report::advice(run, &analysis.advice);
        }
        if let Some(prediction) = self.prediction(analysis)? {
            text += &report::prediction(run, &prediction);
        }
        Ok(text)
    }

    /// What devstack's functions print: the sums that they kept, and the time until now.
    fn summary_of_devstack(&self, context: &Context) -> Result<Summary, Failure> {
        let collected = || -> Result<Vec<Record>, Failure> {
            Ok(context.store()?.collected()?.into_iter().map(|(_, record)| record).collect())
        };
        let now = clock::wall() / 1000;
        let begin = match self.begin {
            Some(begin) => begin,
            None => collected()?.iter().map(|record| record.start_time / 1000).min().unwrap_or(now),
        };
        let elapsed_s = now.saturating_sub(begin).max(0);
        let (background_ms, waited_ms) = (self.background.unwrap_or(0), self.waited.unwrap_or(0));
        Ok(Summary { background_ms, waited_ms, elapsed_s })
    }
}
