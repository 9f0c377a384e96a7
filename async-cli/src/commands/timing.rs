//! `async timing`: what running things in the background saved.

use async_core::clock::{self, Millis};
use async_core::timing::Summary;
use clap::Args;

use crate::cli::Place;
use crate::failure::Failure;
use crate::status::ExitCode;

const EXAMPLES: &str = "\
Examples:

  async timing                     # once all is collected";

/// Prints how much time the futures saved
///
/// Without options, the figures come from the futures collected since `async init`, and the run begins with the first.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Timing {
    /// Run times of all futures together, in ms
    #[arg(long, hide = true, requires_all = ["waited", "begin"], allow_negative_numbers = true)]
    background: Option<Millis>,
    /// Time spent in waits, in ms
    #[arg(long, hide = true, allow_negative_numbers = true)]
    waited: Option<Millis>,
    /// The start of the run, in seconds since the epoch
    #[arg(long, hide = true, allow_negative_numbers = true)]
    begin: Option<i64>,
}

impl Timing {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let now = clock::wall() / 1000;
        let summary = match (self.background, self.waited, self.begin) {
            (Some(background_ms), Some(waited_ms), Some(begin)) => {
                Summary { background_ms, waited_ms, elapsed_s: now.saturating_sub(begin).max(0) }
            }
            _ => from_records(place, now)?,
        };
        let speedup = summary.speedup().map_or_else(|| "n/a".to_owned(), |speedup| speedup.to_string());
        place.stdout()?.print(&format!(
            "\n=================\n Async summary\n=================\n \
             Time spent in the background minus waits: {} sec\n \
             Elapsed time: {} sec\n \
             Time if we did everything serially: {} sec\n \
             Speedup:  {speedup}\n",
            summary.background_minus_waits_s(),
            summary.elapsed_s,
            summary.serial_s(),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn from_records(place: &Place, now: i64) -> Result<Summary, Failure> {
    let collected = place.store()?.collected()?;
    let begin = collected.iter().map(|(_, record)| record.start_time / 1000).min().unwrap_or(now);
    let mut summary = Summary { background_ms: 0, waited_ms: 0, elapsed_s: now.saturating_sub(begin).max(0) };
    for (_, record) in collected {
        summary.background_ms = summary.background_ms.saturating_add(record.run_time.unwrap_or(0));
        if let (Some(start), Some(end)) = (record.wait_start, record.wait_end) {
            summary.waited_ms = summary.waited_ms.saturating_add(end.saturating_sub(start).max(0));
        }
    }
    Ok(summary)
}
