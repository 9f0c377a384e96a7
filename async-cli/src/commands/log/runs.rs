//! Listing the runs whose logs are kept.

use std::process::ExitCode;

use async_core::{Entry, FutureName, Store};

use crate::commands::status::{lines, plain_lines};
use crate::failure::Failure;
use crate::json::{self, Envelope, NumberedRun, Runs};
use crate::messages::Output;

/// The width of the numbers, in columns.
const NUMBERS: u16 = 5;

/// Prints the runs of each name, newest first, with the number that --run takes.
pub(super) fn list(store: &Store, names: &[FutureName], json: bool, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut runs: Vec<(usize, Entry)> = Vec::new();
    for name in names {
        let newest_first = store.live_entry(name)?.into_iter().chain(store.earlier(name)?);
        let before = runs.len();
        runs.extend((1..).zip(newest_first));
        if runs.len() == before {
            return Err(Failure::NothingKept { name: name.to_string(), dir: store.dir().to_owned() });
        }
    }
    if json {
        let runs = runs.into_iter().map(|(run, entry)| NumberedRun { run, future: entry.into() }).collect();
        json::print(&Envelope::new(store.dir(), Runs { runs }), output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (numbers, entries): (Vec<usize>, Vec<Entry>) = runs.into_iter().unzip();
    let rows: Vec<String> = match output.columns() {
        Some(width) => {
            let titles = std::iter::once("RUN".to_owned());
            let numbers = titles.chain(numbers.iter().map(|number| format!("{number:>3}")));
            let table = lines(&entries, width.saturating_sub(NUMBERS), output.has_colors());
            numbers.zip(table).map(|(number, line)| format!("{number}  {line}")).collect()
        }
        None => numbers.iter().zip(plain_lines(&entries)).map(|(number, line)| format!("{number}\t{line}")).collect(),
    };
    output.print(&(rows.join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}
