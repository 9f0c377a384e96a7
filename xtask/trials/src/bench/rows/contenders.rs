//! One future after another, with every tool that can do it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::Bench;
use super::super::place::{Place, script};
use super::super::programs::{Build, Programs, Tool};
use super::super::stats::Summary;
use super::{Row, Section, Source, ms_each};

const FUNCTION: Section = Section {
    id: "function",
    title: "A future of a function",
    note: "A function that does nothing is run in the background and waited for, one after another; the start of the \
           script, measured in the same round, is taken off.",
    unit: "ms",
    base: "floor",
};

const PROGRAM: Section = Section {
    id: "program",
    title: "A future of a program",
    note: "The same of the program `true`, for tools that start programs only.",
    unit: "ms",
    base: "floor",
};

const RUN: Section = Section {
    id: "run",
    title: "The start alone",
    note: "`async_run` of a function that does nothing, without any wait; so the ends of the tasks before are in it too.",
    unit: "ms",
    base: "floor",
};

const DELAY: Section = Section {
    id: "delay",
    title: "From the end of a task to the return of its wait",
    note: "The task's last act is to read the clock, and the script reads it when the wait returns; the median of a \
           script's futures.",
    unit: "ms",
    base: "floor",
};

/// How many futures there is time for if one takes a good part of a second.
const FEW: usize = 10;

/// A tool that can start something and wait for it.
struct Contender {
    name: String,
    who: String,
    script: &'static str,
    env: Vec<(&'static str, OsString)>,
    /// Whether it can start functions; all can start programs.
    functions: bool,
    /// The most futures for one measurement.
    at_most: usize,
    missing: Option<String>,
}

impl Contender {
    fn new(name: impl Into<String>, who: impl Into<String>, script: &'static str) -> Self {
        let (name, who) = (name.into(), who.into());
        Self { name, who, script, env: Vec::new(), functions: false, at_most: usize::MAX, missing: None }
    }

    fn functions(self) -> Self {
        Self { functions: true, ..self }
    }

    fn at_most(self, at_most: usize) -> Self {
        Self { at_most, ..self }
    }

    fn env(mut self, key: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((key, value.into()));
        self
    }

    fn tool(self, key: &'static str, tool: &Tool) -> Self {
        match tool {
            Tool::There(path) => self.env(key, path),
            Tool::Missing(what) => self.missing(what.clone()),
        }
    }

    fn missing(self, what: String) -> Self {
        Self { missing: Some(what), ..self }
    }

    /// A row in that section; `measure` gets the script that starts and waits.
    fn row(
        self,
        section: &'static Section,
        task: &[&str],
        measure: impl Fn(&Place, &Script<'_>) -> Result<f64, String> + 'static,
    ) -> Row {
        let (name, who) = (self.name.clone(), self.who.clone());
        if let Some(what) = self.missing {
            return section.row(&name, who, Source::Missing(what));
        }
        let task: Vec<OsString> = task.iter().map(OsString::from).collect();
        section.measured(&name, who, move |place| {
            measure(place, &Script { contender: &self, task: &task, count: place.futures.min(self.at_most) })
        })
    }
}

/// A contender's script with a task.
struct Script<'a> {
    contender: &'a Contender,
    task: &'a [OsString],
    count: usize,
}

impl Script<'_> {
    /// How long it takes with that many futures.
    fn time(&self, place: &Place, count: usize, more: &[(&str, &Path)]) -> Result<Duration, String> {
        let dest = place.fresh()?;
        let mut command = place.script(self.contender.script, dest.path());
        command.arg(count.to_string()).args(self.task).envs(self.contender.env.iter().map(|(key, value)| (key, value)));
        command.envs(more.iter().copied());
        let elapsed = place.time(&mut command)?;
        self.settle(place, dest.path());
        place.keep(dest);
        Ok(elapsed)
    }

    /// Waits for what nothing has waited for, so that it does not slow down anything else.
    fn settle(&self, place: &Place, dest: &Path) {
        if let Some((_, program)) = self.contender.env.iter().find(|(key, _)| *key == "ASYNC_BIN") {
            let _ = place.time(place.command(program, dest).arg("cleanup"));
        }
    }

    fn each(&self, place: &Place, more: &[(&str, &Path)]) -> Result<f64, String> {
        let start = self.time(place, 0, more)?;
        Ok(ms_each(self.time(place, self.count, more)?, start, self.count))
    }

    /// The median of the script's own measurements, in ms.
    fn delay(&self, place: &Place) -> Result<f64, String> {
        let file = place.dir().join("delays");
        let _ = fs::remove_file(&file);
        self.time(place, self.count, &[("DELAYS", &file)])?;
        let text = fs::read_to_string(&file).map_err(|e| format!("can't read {}: {e}", file.display()))?;
        let delays: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        Summary::of(&delays).map(|summary| summary.median / 1000.0).ok_or_else(|| "no delay was measured".into())
    }
}

pub(super) fn rows(bench: &Bench, programs: &Programs, place: &Place) -> Vec<Row> {
    let all = || contenders(bench, programs, place).into_iter();
    let functions = || all().filter(|contender| contender.functions);
    let ending = script("ending.bash").display().to_string();
    // Bash has its own `true`.
    let program = programs.truth.display().to_string();
    let mut rows = Vec::new();
    rows.extend(functions().map(|c| c.row(&FUNCTION, &["noop"], |place, script| script.each(place, &[]))));
    rows.extend(all().map(|c| c.row(&PROGRAM, &[&program], |place, script| script.each(place, &[]))));
    rows.extend(
        functions()
            // In today's devstack, a task stays until the script waits for it.
            .filter(|c| c.name != "today")
            .map(|c| c.row(&RUN, &["noop"], |place, script| script.each(place, &[("RUN_ONLY", Path::new("1"))]))),
    );
    rows.extend(all().map(|c| {
        let task: &[&str] = if c.functions { &["ending"] } else { &["bash", &ending] };
        c.row(&DELAY, task, |place, script| script.delay(place))
    }));
    rows
}

fn contenders(bench: &Bench, programs: &Programs, place: &Place) -> Vec<Contender> {
    let helpers = xtask::root().join("tests/support/devstack.bash");
    let mut all = vec![Contender::new("floor", "plain bash: `f >log 2>&1 & wait $!`", "floor.bash").functions()];
    let functions = |name: String, who: String| Contender::new(name, who, "functions.bash").functions();
    for Build { suffix, title, path } in &programs.builds {
        all.push(
            functions(format!("standalone{suffix}"), format!("`async_run`, `async_wait`: standalone, {title}"))
                .env("ASYNC_BIN", path)
                .env("FUNCTIONS", place.standalone()),
        );
    }
    for Build { suffix, title, path } in &programs.builds {
        all.push(
            functions(format!("devstack{suffix}"), format!("`async_run`, `async_wait`: devstack, {title}"))
                .env("ASYNC_BIN", path)
                .env("FUNCTIONS", xtask::root().join("async-bash-shim/inc/async"))
                .env("HELPERS", &helpers),
        );
    }
    for Build { suffix, title, path } in programs.builds.iter().filter(|build| build.can_run()) {
        let who = format!("`async run`, `async wait`: {title}");
        all.push(Contender::new(format!("command{suffix}"), who, "command.bash").env("ASYNC_BIN", path));
    }
    for (name, who, option, path) in [
        ("original", "the original script", "--original", &bench.original),
        ("today", "devstack's current script", "--devstack", &bench.devstack),
    ] {
        let contender = functions(name.into(), who.into()).env("HELPERS", &helpers).at_most(FEW);
        all.push(match path {
            Some(path) => contender.env("FUNCTIONS", path),
            None => contender.missing(format!("{who} ({option} PATH)")),
        });
    }
    all.push(Contender::new("tsp", "task-spooler", "tsp.bash").tool("TSP", &programs.tsp));
    all.push(Contender::new("async-cmd", "async-cmd", "async-cmd.bash").tool("ASYNC_CMD", &programs.async_cmd));
    all.push(Contender::new("sem", "GNU parallel's `sem`", "sem.bash").tool("SEM", &programs.sem).at_most(FEW));
    let pueue = Contender::new("pueue", "pueue", "pueue.bash").tool("PUEUE", &programs.pueue);
    // It looks every two seconds.
    all.push(pueue.tool("PUEUED", &programs.pueued).at_most(1));
    all
}
