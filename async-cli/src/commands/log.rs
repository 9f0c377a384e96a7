//! `async log`: prints the logs of tasks.

mod events;
mod follow;
mod printer;
mod runs;
mod source;
mod tail;

use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use async_core::FutureName;
use clap::{Args, ColorChoice};

use crate::cli::Context;
use crate::failure::{Failure, warn};
use crate::messages::Output;
use crate::number;
use crate::script_option::ScriptOption;

use printer::{Labels, Printer};
use source::Source;

const EXAMPLES: &str = "\
Examples:

  async log -n 20 -f docs          # its end, and what comes, until it is over
  async log -f docs tests          # two at once, each line with its name
  async log --list-runs docs
  async log --run 2 docs           # what the one before the newest printed";

/// Print the logs of futures, live or collected
///
/// Logs are passed on unchanged, byte for byte, but for those of futures with --pty: of the escape sequences in these, only
/// colors are passed on, and these only to a terminal, unless --color says otherwise.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Log {
    #[command(flatten)]
    of: ScriptOption,
    /// The names of the futures
    #[arg(required = true, value_name = "NAME")]
    names: Vec<OsString>,
    /// Keep printing until the futures end; several are followed at once, with --prefix
    #[arg(short, long)]
    follow: bool,
    /// Print only the last N lines of each
    #[arg(short = 'n', long, value_name = "N", allow_hyphen_values = true, value_parser = number::parse::<usize>)]
    lines: Option<usize>,
    /// Whether to print colors: those of the futures' names, and those in the logs of futures with --pty
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    color: ColorChoice,
    /// Put the future's name before each line
    #[arg(long)]
    prefix: bool,
    /// Print the log of an earlier run of each name: 1 is the newest, 2 the one before, as --list-runs numbers them
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true, allow_hyphen_values = true, value_parser = number::parse::<NonZeroUsize>)]
    run: NonZeroUsize,
    /// List the runs of each name whose logs are kept
    #[arg(long, conflicts_with_all = ["follow", "lines", "prefix", "color", "run"])]
    list_runs: bool,
    /// List them as JSON; `async schema` prints its schema
    #[arg(long, requires = "list_runs")]
    json: bool,
}

impl Log {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self.print(context) {
            // The reader has seen enough.
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            result => result,
        }
    }

    fn print(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = self.of.place(context)?.store()?;
        let names = self.names.iter().map(|name| super::name(name)).collect::<Result<Vec<FutureName>, _>>()?;
        let mut output = Output::stdout()?;
        if self.list_runs {
            return runs::list(&store, &names, self.json, &mut output);
        }
        // All of them, before printing anything.
        let sources: Vec<Source> =
            names.iter().map(|name| source::find(&store, name, self.run)).collect::<Result<_, _>>()?;
        let has_colors = match self.color {
            ColorChoice::Auto => output.has_colors(),
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let labels = Labels::of(&names, self.prefix || self.follow && names.len() > 1, has_colors);
        let mut printers: Vec<Printer> = sources
            .into_iter()
            .enumerate()
            .map(|(i, source)| Printer::new(source, labels.of_number(i), self.lines, has_colors))
            .collect();
        let mut status = ExitCode::SUCCESS;
        if self.follow {
            follow::follow(&store, &mut printers, &mut output)?;
        }
        for printer in &mut printers {
            // After a follow, only logs that never existed are left.
            printer.finish(&mut output)?;
            if let Some(why) = printer.missing() {
                warn(&why);
                status = ExitCode::from(125);
            }
        }
        Ok(status)
    }
}
