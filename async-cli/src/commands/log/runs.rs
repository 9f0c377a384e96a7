//! Listing the runs whose logs are kept.

use async_core::{FutureName, Record, State, Store};

use crate::failure::Failure;
use crate::human;
use crate::messages::{self, Output};
use crate::status::ExitCode;

/// Prints a line for each run of each name, newest first, with the number that --run takes.
pub(super) fn list(store: &Store, names: &[FutureName], output: &mut Output) -> Result<ExitCode, Failure> {
    for name in names {
        let live = store.look(name)?;
        let earlier = store.earlier(name)?.into_iter().map(|earlier| (earlier.record, State::Collected));
        let mut number = 0;
        for (record, state) in live.into_iter().chain(earlier) {
            number += 1;
            output.print(&line(number, name, &record, state))?;
        }
        if number == 0 {
            return Err(Failure::NothingKept { name: name.to_string(), dir: store.dir().to_owned() });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(number: usize, name: &FutureName, record: &Record, state: State) -> String {
    let result = match record.rc {
        Some(rc) => format!("result {rc}"),
        None if state == State::Collected => State::Lost.to_string(),
        None => state.to_string(),
    };
    let run_time = record.run_time.map_or_else(|| "-".to_owned(), |ms| format!("{}s", ms / 1000));
    format!(
        "{name}\t{number}\t{}\t{result}\t{run_time}\t{}\n",
        human::local(record.start_time),
        messages::command(record)
    )
}
