//! Costs that grow with the number of futures: no row may grow by more than its share over the one with fewer.

use super::super::Bench;
use super::super::place::Place;
use super::super::programs::{Build, Programs};
use super::{Row, Section, ms_each};

const CANCEL: Section = Section {
    id: "cancel",
    title: "Cancelling all",
    note: "`async cancel --all` of programs that run, from its start to its end; each of them ends at the first signal.",
    unit: "ms",
    base: "500",
};

const EXPORT: Section = Section {
    id: "export",
    title: "Exports",
    note: "`async timing` with that option, of futures that are over, from its start to its end.",
    unit: "ms",
    base: "html-12500",
};

const WATCH: Section = Section {
    id: "watch",
    title: "A frame of `async status --watch`",
    note: "From the start of the program, in a terminal of `script`, to its end, by a `q` that is typed in before.",
    unit: "ms",
    base: "12500",
};

/// The options of `async timing` whose output grows with the futures.
const OPTIONS: [&str; 7] = ["html", "svg", "trace", "junit", "openmetrics", "json", "table"];

pub(super) fn rows(bench: &Bench, programs: &Programs) -> Vec<Row> {
    let Some(Build { path, .. }) = programs.builds.first() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for &count in &bench.running {
        let program = path.clone();
        rows.push(CANCEL.measured(&count.to_string(), format!("{count} futures"), move |place| {
            let dest = place.fresh()?;
            let script = |name: &str| {
                let mut command = place.script(name, dest.path());
                command.arg(count.to_string()).env("ASYNC_BIN", &program);
                command
            };
            place.time(&mut script("crowd.bash"))?;
            let mut cancel = place.command(&program, dest.path());
            Ok(ms_each(place.time(cancel.args(["cancel", "--all"]))?, std::time::Duration::ZERO, 1))
        }));
    }
    for &count in &bench.many {
        for option in OPTIONS {
            let program = path.clone();
            let (name, who) = (format!("{option}-{count}"), format!("`--{option}` of {count} futures"));
            rows.push(EXPORT.measured(&name, who, move |place| {
                let dest = place.crowd(count, true)?;
                let mut command = place.command(&program, &dest);
                command.args(["timing", &format!("--{option}")]);
                if !matches!(option, "json" | "table") {
                    command.arg("-");
                }
                Ok(ms_each(place.time(&mut command)?, std::time::Duration::ZERO, 1))
            }));
        }
    }
    for &count in &bench.many {
        let program = path.clone();
        rows.push(WATCH.measured(&count.to_string(), format!("{count} futures"), move |place: &Place| {
            let dest = place.crowd(count, true)?;
            let watch = format!("printf q | script -qec '{} status --watch' /dev/null", program.display());
            let mut command = place.command("bash", &dest);
            command.args(["-c", &watch]).env("TERM", "xterm-256color");
            Ok(ms_each(place.time(&mut command)?, std::time::Duration::ZERO, 1))
        }));
    }
    rows
}
