//! Memory.

use super::super::Bench;
use super::super::place::Place;
use super::super::programs::{Build, Programs};
use super::{Row, Section};

const MEMORY: Section = Section {
    id: "memory",
    title: "Memory",
    note: "The most that is resident at a time, program and libraries included, as GNU time tells; of the supervisor, which \
           is there as long as its task, as /proc tells.",
    unit: "KiB",
    base: "true",
};

pub(super) fn rows(bench: &Bench, programs: &Programs, place: &Place) -> Vec<Row> {
    let pid = std::process::id().to_string();
    let truth = programs.truth.clone();
    let mut rows = vec![MEMORY.row(
        "true",
        "`true`, a program of C",
        programs.time.with(|time| {
            move |place: &Place| {
                let dest = place.fresh()?;
                peak(place, place.command(&time, dest.path()).args(FORMAT).arg(&truth))
            }
        }),
    )];
    for Build { suffix, title, path } in &programs.builds {
        let (program, functions) = (path.clone(), place.standalone());
        rows.push(MEMORY.measured(
            &format!("supervise{suffix}"),
            format!("supervisor of a task, {title}"),
            move |place| {
                let dest = place.fresh()?;
                let mut command = place.script("watch.bash", dest.path());
                peak(place, command.env("ASYNC_BIN", &program).env("FUNCTIONS", &functions))
            },
        ));
        let (program, pid) = (path.clone(), pid.clone());
        let begin = programs.time.with(|time| {
            move |place: &Place| {
                let dest = place.fresh()?;
                place.time(place.command(&program, dest.path()).arg("init"))?;
                let mut command = place.command(&time, dest.path());
                command.args(FORMAT).arg(&program);
                peak(place, command.args(["begin-here", "--answer", "1", "--shell", &pid, "--", "t", "true"]))
            }
        });
        rows.push(MEMORY.row(&format!("begin{suffix}"), format!("start of a future, {title}"), begin));
        if let Some(&count) = bench.crowds.iter().max() {
            let program = path.clone();
            let status = programs.time.with(|time| {
                move |place: &Place| {
                    let dest = place.crowd(count, true)?;
                    peak(place, place.command(&time, &dest).args(FORMAT).arg(&program).arg("status"))
                }
            });
            let who = format!("`async status` of {count} futures, {title}");
            rows.push(MEMORY.row(&format!("status-{count}{suffix}"), who, status));
        }
    }
    rows
}

/// Makes GNU time print only KiB, as the last line.
const FORMAT: [&str; 2] = ["--format", r"\n%M"];

/// The last line of a command's output, in KiB.
fn peak(place: &Place, command: &mut std::process::Command) -> Result<f64, String> {
    place.time(command)?;
    let line = place.last_line();
    line.trim().parse().map_err(|_| format!("this is no size: {line}"))
}
