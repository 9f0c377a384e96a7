//! `async collect`: what `async_wait` asks, until nothing is left to wait for.

use std::ffi::OsString;

use async_core::clock::Millis;
use clap::Args;

use crate::cli::Place;
use crate::collecting::{Collecting, Manner, Pending, Position, Resumed, Tally};
use crate::failure::Failure;
use crate::messages::Output;
use crate::planning;
use crate::status::ExitCode;

/// Collects the futures that are over, in order, up to the first that still runs or fails
///
/// The report goes to --report. Standard output gets one line for the shell: `done RC BACKGROUND WAITED`, or
/// `wait RC BACKGROUND WAITED PID FROM SINCE NAME` when the shell is to wait for PID, the future NAME, and to ask again
/// with --from FROM and --since SINCE; PID is 0 if it is not known. Times are in ms.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Collect {
    /// The descriptor that the report goes to
    #[arg(long)]
    report: i32,
    /// The process id of the shell that asks
    #[arg(long)]
    shell: u32,
    /// The future inside whose task this happens
    #[arg(long)]
    inside: Option<OsString>,
    /// The place in the list of names to go on from
    #[arg(long, default_value_t)]
    from: Position,
    /// When the wait for that name began
    #[arg(long)]
    since: Option<Millis>,
    /// What the shell's own wait for that name saw
    #[arg(long)]
    status: Option<i32>,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    names: Vec<OsString>,
}

impl Collect {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        let mut output = Output::descriptor(self.report)?;
        let mut collecting = Collecting {
            store: &store,
            words: &self.names,
            output: &mut output,
            shell: Some(self.shell),
            inside: planning::enclosing(place, self.inside.as_ref(), &store),
            manner: Manner::USUAL,
            began: None,
            tally: Tally::default(),
        };
        let found = collecting.run(self.from, Resumed { since: self.since, status: self.status });
        let Tally { rc, background, waited, .. } = collecting.tally;
        let reply = match found {
            Ok(None) => format!("done {rc} {background} {waited}\n"),
            Ok(Some(Pending { name, from, pid, since })) => {
                // A number for the shell, whoever wrote the record.
                let pid = pid.and_then(|pid| pid.parse::<u32>().ok()).unwrap_or(0);
                format!("wait {rc} {background} {waited} {pid} {from} {since} {name}\n")
            }
            // What was collected before still counts.
            Err(failure) => {
                let rc = failure.report();
                format!("done {rc} {background} {waited}\n")
            }
        };
        place.stdout()?.print(&reply)?;
        Ok(ExitCode::SUCCESS)
    }
}
