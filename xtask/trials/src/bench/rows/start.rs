//! The start of the program.

use std::path::PathBuf;

use super::super::place::Place;
use super::super::programs::Programs;
use super::{Row, Section, ms_each};

const START: Section = Section {
    id: "start",
    title: "The start of the program",
    note: "A program is run by bash again and again, its output going to a file; the start of the script is taken off.",
    unit: "ms",
    base: "true",
};

pub(super) fn rows(programs: &Programs) -> Vec<Row> {
    let mut rows = vec![row("true", "`true`, a program of C".into(), programs.truth.clone(), &[])];
    for build in &programs.builds {
        for (name, args) in [("version", &["--version"][..]), ("status", &["status"])] {
            let who = format!("`async {}`, {}", args[0], build.title);
            rows.push(row(&format!("{name}{}", build.suffix), who, build.path.clone(), args));
        }
    }
    rows
}

fn row(name: &str, who: String, program: PathBuf, args: &'static [&'static str]) -> Row {
    START.measured(name, who, move |place: &Place| {
        let dest = place.fresh()?;
        if !args.is_empty() {
            place.time(place.command(&program, dest.path()).arg("init"))?;
        }
        let run = |count: usize| {
            let mut command = place.script("repeat.bash", dest.path());
            place.time(command.arg(count.to_string()).arg(&program).args(args))
        };
        let start = run(0)?;
        Ok(ms_each(run(place.futures)?, start, place.futures))
    })
}
