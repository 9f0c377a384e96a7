//! `async status`: what there is, and how it stands.

use async_core::{clock, text};
use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::messages;
use crate::status::ExitCode;

const EXAMPLES: &str = "\
Examples:

  async status";

/// Lists the live futures: name, state, status, process id, seconds run, command
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {}

impl Status {
    #[allow(clippy::unused_self, reason = "a command like the others")]
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let store = place.store()?;
        let mut output = place.stdout()?;
        let mut status = ExitCode::SUCCESS;
        for name in store.names()? {
            match store.look(&name) {
                Ok(Some((record, state))) => {
                    let rc = record.rc.map_or_else(|| "-".to_owned(), |rc| rc.to_string());
                    let run_time =
                        record.run_time.unwrap_or_else(|| clock::wall().saturating_sub(record.start_time)).max(0);
                    output.print(&format!(
                        "{name}\t{state}\t{rc}\t{}\t{}\t{}\n",
                        text::printable(record.pid.as_deref().unwrap_or("-").as_ref()),
                        run_time / 1000,
                        messages::command(&record),
                    ))?;
                }
                Ok(None) => {}
                Err(error) => {
                    warn(&error.to_string());
                    status = ExitCode::from(125);
                }
            }
        }
        Ok(status)
    }
}
