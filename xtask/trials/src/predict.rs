//! `cargo xtask predict`: are the predictions of `async timing` true?
//!
//! It makes scripts at random whose tasks compute, sleep, do both, or start tasks of their own, and runs each once.
//! `async timing` then says what the run would have taken one after another, on fewer cores, under a limit, with a task
//! started earlier, or with one that takes half as long. Then the script is really run so, and the two lengths are
//! compared. The same seed makes the same scripts.
//!
//! Before and after each run, each core counts for a moment. Unless that takes about as long as it did at first, the
//! machine has become slower or faster, and the run does not count and is done again. Nor does a first run count if the
//! same script then takes another time: something disturbed one of the two in between.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use std::{env, fs};

use async_bash_shim::{Options, Profile, render};
use clap::Args;
use serde_json::Value;
use tempfile::TempDir;

use crate::random::Random;

/// How far each core counts, as a measure of its speed.
const COUNT: u64 = 200_000;

/// How many times this is measured at first. The fastest counts: nothing disturbed it.
const MEASURES: usize = 20;

/// How much longer it may take beside a run that counts.
const QUIET: f64 = 1.08;

/// How many times to look whether the machine is quiet enough for a run.
const TRIES: u32 = 300;

/// How far two runs of the same script may differ, as a part of the second.
const SAME: f64 = 0.1;

/// Counts, in a bash of its own: one that has run a program blocks SIGCHLD before each command, which makes such a loop a
/// third slower in a script than in a task that runs no program.
const WORK: &str = "function work { bash -c 'for ((i = 0; i < $1; i++)); do :; done' bash \"$1\"; }\n";

/// The kind that is no prediction.
const CONTROL: &str = "the same again";

/// Runs random scripts, predicts how long they would take otherwise, and runs them so
#[derive(Args)]
pub(crate) struct Predict {
    /// How many scripts
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// The first script; the others follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A built program `async`, in place of a release build
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Print each script and what was recorded of it
    #[arg(long)]
    verbose: bool,
}

/// What a task, or the script between its steps, does, in tenths of a second.
#[derive(Clone, Debug)]
enum Act {
    Compute(u64),
    Sleep(u64),
}

#[derive(Clone, Debug)]
struct Task {
    name: String,
    acts: Vec<Act>,
    /// Tasks that it starts first, and waits for at its end.
    inside: Vec<Task>,
}

#[derive(Clone, Debug)]
enum Step {
    Do(Act),
    Start(usize),
    Wait(usize),
}

/// A script.
#[derive(Clone, Debug)]
struct Plan {
    tasks: Vec<Task>,
    steps: Vec<Step>,
}

/// Which figure of a recorded run predicts how long another run takes.
enum Predictor {
    /// Its own length: how much this errs is what the machine's speed varies.
    Length,
    /// What it would have taken one after another.
    Serial,
    /// What `async timing --what-if` says with this.
    WhatIf(String),
}

/// The same script, done otherwise.
struct Variant {
    kind: &'static str,
    predictor: Predictor,
    plan: Plan,
    env: Vec<(&'static str, &'static str)>,
    /// On how many cores, if not on all.
    cores: Option<u32>,
}

impl Predict {
    pub(crate) fn run(&self) -> Result<(), String> {
        let program = match &self.program {
            Some(path) => fs::canonicalize(path).map_err(|e| format!("can't find {}: {e}", path.display()))?,
            None => xtask::program::optimized()?,
        };
        let place = Place::make(program)?;
        println!("| script | what | predicted, s | took, s | error |\n| ---: | --- | ---: | ---: | ---: |");
        let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for seed in self.seed..self.seed + self.runs {
            let plan = Plan::random(&mut Random::new(seed));
            let variants = plan.variants();
            let (predicted, again) = place.record(&variants)?;
            if self.verbose {
                println!("{}\n{}", plan.script(place.unit()), place.said(&["--table"])?);
            }
            for (variant, predicted) in variants.iter().zip(predicted) {
                let took = if variant.kind == CONTROL { again } else { place.time(variant)? };
                let error = (predicted - took).abs() / took * 100.0;
                println!("| {seed} | {} | {predicted:.2} | {took:.2} | {error:.1} % |", variant.kind);
                errors.entry(variant.kind).or_default().push(error);
            }
        }
        println!("\n| what | predictions | median error | worst |\n| --- | ---: | ---: | ---: |");
        let control = errors.remove_entry(CONTROL);
        let all: Vec<f64> = errors.values().flatten().copied().collect();
        for (kind, mut errors) in errors.into_iter().chain([("all", all)]).chain(control) {
            errors.sort_by(f64::total_cmp);
            let worst = errors.last().copied().unwrap_or_default();
            println!("| {kind} | {} | {:.1} % | {worst:.1} % |", errors.len(), errors[errors.len() / 2]);
        }
        println!("\n{} runs were disturbed, and done again.", place.disturbed.get());
        Ok(())
    }
}

/// A folder for the scripts.
struct Place {
    dir: TempDir,
    program: PathBuf,
    /// How long it takes to count at full speed.
    count_time: Duration,
    /// How many runs did not count.
    disturbed: Cell<u32>,
}

impl Place {
    fn make(program: PathBuf) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|e| format!("can't make a temporary folder: {e}"))?;
        fs::write(dir.path().join("shim.bash"), render(&Options::of(Profile::Standalone)))
            .map_err(|e| format!("can't write the functions: {e}"))?;
        let mut place = Self { dir, program, count_time: Duration::MAX, disturbed: Cell::new(0) };
        for _ in 0..MEASURES {
            place.count_time = place.count()?.min(place.count_time);
        }
        Ok(place)
    }

    /// How far bash counts in a tenth of a second.
    fn unit(&self) -> u64 {
        let millis = u64::try_from(self.count_time.as_millis()).unwrap_or(u64::MAX);
        COUNT * 100 / millis.max(1)
    }

    /// Counts on all cores at once; returns how long the slowest takes.
    fn count(&self) -> Result<Duration, String> {
        let cores = available_parallelism().map_err(|e| format!("can't tell how many cores there are: {e}"))?;
        let script = format!("{WORK}for ((core = 0; core < {cores}; core++)); do work {COUNT} & done; wait");
        let start = Instant::now();
        let status = self.command(&["bash".into(), "-c".into(), script.into()]).status();
        let time = start.elapsed();
        match status {
            Ok(status) if status.success() => Ok(time),
            Ok(status) => Err(format!("bash can't count: {status}")),
            Err(e) => Err(format!("can't run bash: {e}")),
        }
    }

    fn is_quiet(&self) -> Result<bool, String> {
        Ok(self.count()? < self.count_time.mul_f64(QUIET))
    }

    fn command(&self, words: &[OsString]) -> Command {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("ASYNC_BIN", &self.program)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("run.bash")
    }

    /// Runs the first of the variants, the plan itself, twice. Returns what the first run predicts for each variant, and how
    /// long the second took, all in s.
    fn record(&self, variants: &[Variant]) -> Result<(Vec<f64>, f64), String> {
        for _ in 0..TRIES {
            let took = self.time(&variants[0])?;
            let predicted =
                variants.iter().map(|variant| self.predict(&variant.predictor)).collect::<Result<_, _>>()?;
            let again = self.time(&variants[0])?;
            if (took - again).abs() < SAME * again {
                return Ok((predicted, again));
            }
            self.disturbed.set(self.disturbed.get() + 2);
        }
        Err("the machine is too busy for this".to_owned())
    }

    /// Runs a script while the machine is quiet; returns how long it took, in s.
    fn time(&self, variant: &Variant) -> Result<f64, String> {
        for _ in 0..TRIES {
            if !self.is_quiet()? {
                continue;
            }
            let time = self.time_once(variant)?;
            if self.is_quiet()? {
                return Ok(time);
            }
            self.disturbed.set(self.disturbed.get() + 1);
        }
        Err("the machine is too busy for this".to_owned())
    }

    fn time_once(&self, variant: &Variant) -> Result<f64, String> {
        fs::write(self.path(), variant.plan.script(self.unit())).map_err(|e| format!("can't write the script: {e}"))?;
        let mut words: Vec<OsString> = Vec::new();
        if let Some(cores) = variant.cores {
            words.extend(["taskset".into(), "-c".into(), format!("0-{}", cores - 1).into()]);
        }
        words.extend(["bash".into(), self.path().into()]);
        let mut command = self.command(&words);
        command.envs(variant.env.iter().copied());
        let output = command.output().map_err(|e| format!("can't run {command:?}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        self.predict(&Predictor::Length)
    }

    /// In s.
    fn predict(&self, predictor: &Predictor) -> Result<f64, String> {
        let ms = match predictor {
            Predictor::Length => self.timing(&[])?["run"]["length_ms"].as_f64(),
            Predictor::Serial => self.timing(&[])?["summary"]["serial_ms"].as_f64(),
            Predictor::WhatIf(what_if) => self.timing(&["--what-if", what_if])?["what_if"]["length_ms"].as_f64(),
        };
        ms.map(|ms| ms / 1000.0).ok_or_else(|| "no prediction".to_owned())
    }

    fn timing(&self, args: &[&str]) -> Result<Value, String> {
        let text = self.said(&[&["--json"], args].concat())?;
        serde_json::from_str(&text).map_err(|e| format!("not JSON: {e}"))
    }

    fn said(&self, args: &[&str]) -> Result<String, String> {
        let words: Vec<OsString> =
            [self.program.clone().into(), "timing".into(), "--script".into(), self.path().into()]
                .into_iter()
                .chain(args.iter().map(OsString::from))
                .collect();
        let mut command = self.command(&words);
        let output = command.output().map_err(|e| format!("can't run {command:?}: {e}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }
}

impl Plan {
    fn random(random: &mut Random) -> Self {
        let count = 3 + random.below(4);
        let tasks: Vec<Task> = (0..count).map(|index| Task::random(random, format!("t{index}"), true)).collect();
        let mut steps = Vec::new();
        let mut running: Vec<usize> = Vec::new();
        for task in 0..count {
            if random.percent(50) {
                steps.push(Step::Do(Act::random(random, 6)));
            }
            steps.push(Step::Start(task));
            running.push(task);
            if running.len() > 1 && random.percent(25) {
                let awaited = running.remove(random.below(running.len()));
                steps.push(Step::Wait(awaited));
            }
        }
        if random.percent(60) {
            steps.push(Step::Do(Act::random(random, 10)));
        }
        random.shuffle(&mut running);
        steps.extend(running.into_iter().map(Step::Wait));
        Self { tasks, steps }
    }

    fn script(&self, unit: u64) -> String {
        let mut text = format!("source ./shim.bash\n{WORK}");
        for task in &self.tasks {
            task.define(&mut text, unit);
        }
        for step in &self.steps {
            let _ = match step {
                Step::Do(act) => writeln!(text, "{}", act.line(unit)),
                Step::Start(task) => writeln!(text, "async_run {0} {0}", self.tasks[*task].name),
                Step::Wait(task) => writeln!(text, "async_wait {}", self.tasks[*task].name),
            };
        }
        text
    }

    /// The first is the plan itself.
    fn variants(&self) -> Vec<Variant> {
        let plain = |kind, predictor| Variant { kind, predictor, plan: self.clone(), env: Vec::new(), cores: None };
        let what_if = |kind, change: String| plain(kind, Predictor::WhatIf(change));
        let (first, last) = (&self.tasks[0].name, self.tasks.len() - 1);
        let mut sooner = self.clone();
        sooner.steps.retain(|step| !matches!(step, Step::Start(task) if *task == last));
        sooner.steps.insert(0, Step::Start(last));
        let mut shorter = self.clone();
        for act in &mut shorter.tasks[0].acts {
            let (Act::Compute(length) | Act::Sleep(length)) = act;
            *length /= 2;
        }
        vec![
            plain(CONTROL, Predictor::Length),
            Variant { env: vec![("ASYNC_PARALLEL", "false")], ..plain("one after another", Predictor::Serial) },
            Variant { env: vec![("ASYNC_JOBS", "2")], ..what_if("a limit of 2", "jobs=2".to_owned()) },
            Variant { cores: Some(1), ..what_if("one core", "cores=1".to_owned()) },
            Variant { plan: sooner, ..what_if("a start moved", format!("start:{}=first", self.tasks[last].name)) },
            Variant { plan: shorter, ..what_if("half as long", format!("run:{first}=50%")) },
        ]
    }
}

impl Task {
    fn random(random: &mut Random, name: String, may_nest: bool) -> Self {
        // Even numbers, as they are halved.
        let mut length = |most: usize| 2 + 2 * u64::try_from(random.below(most / 2)).unwrap_or(0);
        let (a, b, c) = (length(14), length(8), length(8));
        let inside = if may_nest && random.percent(15) {
            (0..2).map(|index| Self::random(random, format!("{name}_{index}"), false)).collect()
        } else {
            Vec::new()
        };
        let acts = match random.below(4) {
            0 | 1 => vec![Act::Compute(a)],
            2 => vec![Act::Sleep(a)],
            _ => vec![Act::Compute(b), Act::Sleep(c), Act::Compute(b)],
        };
        Self { name, acts, inside }
    }

    fn define(&self, text: &mut String, unit: u64) {
        for task in &self.inside {
            task.define(text, unit);
        }
        let _ = writeln!(text, "function {} {{", self.name);
        for task in &self.inside {
            let _ = writeln!(text, "async_run {0} {0}", task.name);
        }
        for act in &self.acts {
            let _ = writeln!(text, "{}", act.line(unit));
        }
        if !self.inside.is_empty() {
            let names: Vec<&str> = self.inside.iter().map(|task| task.name.as_str()).collect();
            let _ = writeln!(text, "async_wait {}", names.join(" "));
        }
        text.push_str("}\n");
    }
}

impl Act {
    fn random(random: &mut Random, most: usize) -> Self {
        let length = 1 + u64::try_from(random.below(most)).unwrap_or(0);
        if random.percent(60) { Self::Compute(length) } else { Self::Sleep(length) }
    }

    fn line(&self, unit: u64) -> String {
        match self {
            Self::Compute(length) => format!("work {}", length * unit),
            Self::Sleep(length) => format!("sleep {}.{}", length / 10, length % 10),
        }
    }
}
