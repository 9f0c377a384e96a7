//! What other futures in the store cost.

use super::super::Bench;
use super::super::place::Place;
use super::super::programs::{Build, Programs};
use super::{Row, Section, ms_each};

const CROWD: Section = Section {
    id: "crowd",
    title: "A future among others",
    note: "As in the first table, standalone, in a store with other futures that run or that are over.",
    unit: "ms",
    base: "running-10",
};

const STATUS: Section = Section {
    id: "status",
    title: "`async status`",
    note: "From the start of the program to its end, its output going to a file.",
    unit: "ms",
    base: "running-10",
};

pub(super) fn rows(bench: &Bench, programs: &Programs, place: &Place) -> Vec<Row> {
    let Some(Build { path, .. }) = programs.builds.first() else {
        return Vec::new();
    };
    let standalone = place.standalone();
    let mut rows = Vec::new();
    let crowds = || {
        let counts = bench.crowds.iter().copied();
        [false, true].into_iter().flat_map(move |finished| counts.clone().map(move |count| (count, finished)))
    };
    for (count, finished) in crowds() {
        let (program, functions) = (path.clone(), standalone.clone());
        rows.push(CROWD.measured(&name(count, finished), who(count, finished), move |place| {
            let dest = place.crowd(count, finished)?;
            let run = |count: usize| {
                let mut command = place.script("functions.bash", &dest);
                command.arg(count.to_string()).arg("noop");
                place.time(command.env("ASYNC_BIN", &program).env("FUNCTIONS", &functions))
            };
            let start = run(0)?;
            Ok(ms_each(run(place.futures)?, start, place.futures))
        }));
    }
    for (count, finished) in crowds() {
        let program = path.clone();
        rows.push(STATUS.measured(&name(count, finished), who(count, finished), move |place| {
            let dest = place.crowd(count, finished)?;
            Ok(place.time(place.command(&program, &dest).arg("status"))?.as_secs_f64() * 1000.0)
        }));
    }
    rows
}

fn name(count: usize, finished: bool) -> String {
    format!("{}-{count}", if finished { "over" } else { "running" })
}

fn who(count: usize, finished: bool) -> String {
    format!("{count} others {}", if finished { "are over, not collected" } else { "run" })
}
