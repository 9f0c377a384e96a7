//! Listing the runs whose logs are kept.

use async_core::{Entry, FutureName, State, Store};

use crate::failure::Failure;
use crate::human;
use crate::json::{self, Envelope, Future, Run, Runs};
use crate::messages::{self, Output};
use crate::status::ExitCode;

/// Prints a line for each run of each name, newest first, with the number that --run takes; or all that is known of them.
pub(super) fn list(
    store: &Store,
    names: &[FutureName],
    as_json: bool,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let mut all = Vec::new();
    for name in names {
        let earlier = store.earlier(name)?.into_iter().map(|earlier| Entry::of_earlier(name, earlier));
        let runs: Vec<_> = (1..).zip(store.live_entry(name)?.into_iter().chain(earlier)).collect();
        if runs.is_empty() {
            return Err(Failure::NothingKept { name: name.to_string(), dir: store.dir().to_owned() });
        }
        if as_json {
            all.extend(runs.into_iter().map(|(run, entry)| Run { run, future: Future::from(entry) }));
        } else {
            output.print(&runs.iter().map(|(number, entry)| line(*number, entry)).collect::<String>())?;
        }
    }
    if as_json {
        json::print(&Envelope::new(store.dir(), Runs { runs: all }), output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(number: usize, Entry { name, record, state, .. }: &Entry) -> String {
    let result = match record.rc {
        Some(rc) => format!("result {rc}"),
        None if *state == State::Collected => State::Lost.to_string(),
        None => state.to_string(),
    };
    let run_time = record.run_time.map_or_else(|| "-".to_owned(), |ms| format!("{}s", ms / 1000));
    format!(
        "{name}\t{number}\t{}\t{result}\t{run_time}\t{}\n",
        human::local(record.start_time),
        messages::command(record)
    )
}
