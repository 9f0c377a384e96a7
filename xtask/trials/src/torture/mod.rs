//! `cargo xtask torture`: many shells share one store while processes of every kind are killed.
//!
//! A seed gives a plan ([`plan`]), which is rendered to bash scripts ([`script`]). The scripts start futures, wait for
//! their own and for each other's, cancel them, reuse names, and kill processes that records name. A thread kills more
//! ([`killer`]). When every process has ended ([`runner`]), [`checker`] and [`futures`] compare the store
//! ([`final_state`]) with what the shells say ([`event_log`], [`report`]). The same seed gives the same plan; which
//! processes are killed, and when, depends on the machine.
//!
//! # What "exactly once" means here
//!
//! A future that was begun has one record. To *hand it over* is to print its log and its result and then to move its
//! record to the collected ones; the move is what counts, because a rename happens once or not at all. SIGKILL can fall
//! between any two of these, so no tool can promise that somebody *reads* a report exactly once: after the print and
//! before the move, the next waiter prints it again; after the move and before the waiter goes on, nobody is left to
//! say what it saw. What a tool can promise, and this run checks, is this:
//!
//! * A wait is *disturbed* if the shell, its subshell or a program in it was killed in that step, and otherwise
//!   *undisturbed*. Everything that an undisturbed wait reports counts as reported.
//! * **Never twice**: no two undisturbed waits report the same future, and none reports one whose record no wait has
//!   moved.
//! * **Never another**: a wait reports the future that it has announced, or none if another waiter was faster.
//! * **Never not at all**: if a wait has moved a record, an undisturbed wait has reported it, or somebody who waited
//!   for that name was killed (the report was in flight). A disturbed wait may leave a whole or a partial report, or
//!   none.
//! * **Never gone**: every future whose start returned 0 has exactly one record forever, in one of these states:
//!   reported; in flight; superseded (nobody had waited when another future took the name; record and log are kept); or
//!   live, and then the checker collects it. A start that failed has no record, unless a process of that start was
//!   killed.
//! * **Lost** is a result like others, for a future without a recorded status. It has to be true: one of the processes
//!   of that future, or its shell in the very step that started it, was killed. Its status is reported as unknown
//!   (125), or as 137 by the shell whose own `wait` said so.
//! * A recorded status is the planned one, or 137 if one of the future's processes was killed, or 137 or 143 if the
//!   record says that the future was cancelled; and it says so only if the plan has a shell cancel one of that name.
//! * An undisturbed cancel says what became of the future, or that there is none.
//! * If a wait returns 0 without a report, its shell has no future of that name that it started and has not heard of.
//! * Beside the shells, another script runs `async_init`, `async_cleanup` and `async wait --all` in a loop. It takes
//!   only what killed shells have left, and reports that like any waiter.
//! * Half of the shells limit how many of their tasks run at once. A process that is killed in the queue keeps nobody
//!   waiting.
//! * A log has exactly its task's output, or the beginning of it if the task was killed or lost.
//! * The mode of a run, what it suffers besides the kills, excuses no more than it causes ([`mode`]): if processes or
//!   disk space are missing, starts and waits may fail, and a task may end with another failure, but never with a
//!   success that was not planned; if its end can't be recorded it is lost.
//! * No time is negative, no process is left waiting, and unfinished files do not keep `async init` from making the
//!   store again.

mod checker;
mod event_log;
mod final_state;
mod futures;
mod killer;
mod mode;
mod place;
mod plan;
mod process;
mod report;
mod runner;
mod script;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_core::{Permissions, Store};
use clap::Args;

use checker::{Checker, Tally};
use mode::Mode;
use place::{Stage, start_elsewhere};
use plan::Plan;
use script::Scene;

/// Runs futures in many shells, kills at random, and proves that none was lost, torn or reported twice
#[derive(Args)]
pub(crate) struct Torture {
    /// How many futures are planned; the killed shells' are never started
    #[arg(long, default_value_t = 2000)]
    futures: usize,
    /// What the plan is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many shells run at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=500))]
    shells: u16,
    /// What it suffers besides the kills
    #[arg(long, value_enum, default_value_t = Mode::Kills)]
    mode: Mode,
    /// The killer's pause between two kills, in ms on average
    #[arg(long, default_value_t = 20)]
    pause: u64,
    /// Where the run takes place; it is kept there in any case
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Torture {
    pub(crate) fn run(&self) -> Result<(), String> {
        let Some(program) = start_elsewhere(self.mode, build)? else {
            return Ok(());
        };
        let begin = Instant::now();
        let place = Stage::new(self.keep.as_deref())?;
        let plan = Plan::generate(self.seed, self.futures, self.shells.into());
        println!("plan {:016x}: {} futures, {} shells", script::fingerprint(&plan), self.futures, plan.shells.len());
        let scene =
            Scene::set_up(&place.path, program, &plan, self.mode).map_err(|error| format!("can't set up: {error}"))?;
        init(&scene)?;
        let pause = Duration::from_millis(self.pause);
        let aftermath = runner::run(&plan, &scene, self.seed, self.shells.into(), pause)
            .map_err(|error| format!("can't run the plan: {error}"))?;
        let miscount = count(&scene)?;
        let mut checker = Checker::new(&plan, &scene, &aftermath, self.mode)?;
        checker.run();
        let Checker { tally, mut violations, .. } = checker;
        violations.extend(miscount);
        violations.extend(too_little(&tally, self.futures, self.mode));
        print_summary(&tally, &aftermath.kills, begin.elapsed());
        if violations.is_empty() {
            // The last check destroys the evidence, so it only runs if everything else is right.
            violations.extend(init_again(&scene).err());
        }
        if violations.is_empty() {
            println!("torture: ok");
            return Ok(());
        }
        place.keep();
        let what = format!("{} violations, the store is {}", violations.len(), scene.kept_store().display());
        Err(format!("torture: {what}\n{}", violations.join("\n")))
    }
}

/// The program under test, built beside this one.
fn build() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let dir = own.parent().ok_or("this program is nowhere")?;
    let is_optimized = dir.ends_with("release");
    if is_optimized { xtask::program::optimized() } else { xtask::program::quick() }
}

/// What there was too little of for the run to prove anything: of the plan, and of what others do besides.
fn too_little(tally: &Tally, futures: usize, mode: Mode) -> Vec<String> {
    let mut missing = Vec::new();
    if tally.as_planned * 100 < futures * mode.floor() {
        missing.push(format!("only {} of {futures} futures ended as planned", tally.as_planned));
    }
    let rounds = (futures / 20).min(100);
    if tally.rounds < rounds {
        missing.push(format!("the other script went round {} times, and was to {rounds} times", tally.rounds));
    }
    // A short run may be over before the second.
    let blows = if futures < 200 { 1 } else { 2 };
    if mode != Mode::Kills && tally.blows < blows {
        missing.push(format!("what it was to suffer came {} times, and was to {blows} times", tally.blows));
    }
    missing
}

/// What is wrong with the number of live futures.
fn count(scene: &Scene) -> Result<Option<String>, String> {
    let counts = || {
        let store = Store::open(&scene.store(), Permissions::Private)?;
        Ok::<_, async_core::Error>((store.live_count()?, store.names()?.len()))
    };
    let (noted, there) = counts().map_err(|error| error.to_string())?;
    Ok((noted != there).then(|| format!("{noted} futures are said to be live, and {there} are")))
}

fn init(scene: &Scene) -> Result<(), String> {
    let output = scene.call(&["init"]).output().map_err(|error| format!("can't call the program: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.is_empty() { Ok(()) } else { Err(format!("async init: {said}")) }
}

/// What a store without futures may contain.
const OWN: [&str; 6] = [".collected", ".runs", ".starting", ".count", ".queue", ".slots"];

/// `async init` works on what is left, even if an earlier one was killed before it had finished.
fn init_again(scene: &Scene) -> Result<(), String> {
    let gone = |error| format!("can't remove the collected futures: {error}");
    fs::remove_dir_all(scene.store().join(".collected")).map_err(gone)?;
    init(scene)?;
    let left = fs::read_dir(scene.store()).map_err(|error| error.to_string())?;
    let names: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    // A log without a record might belong to anybody, so it stays.
    let is_left = |name: &str| !OWN.contains(&name) && Path::new(name).extension() != Some("log".as_ref());
    let names: Vec<_> = names.into_iter().filter(|name| is_left(name.to_str().unwrap_or_default())).collect();
    if names.is_empty() { Ok(()) } else { Err(format!("async init left {names:?}")) }
}

fn print_summary(tally: &Tally, kills: &killer::Kills, elapsed: Duration) {
    println!(
        "started {}, refused {}; as planned {}; the other script {} rounds, the adversary {}\n\
         reported {}, in flight {}, superseded {}, collectable {}; of these lost {}, cancelled {}",
        tally.started,
        tally.refused,
        tally.as_planned,
        tally.rounds,
        tally.blows,
        tally.reported,
        tally.in_flight,
        tally.superseded,
        tally.collectable,
        tally.lost,
        tally.cancelled
    );
    let kinds: Vec<_> = kills.by_kind.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
    println!("killed {}: {}", kills.by_kind.values().sum::<usize>(), kinds.join(", "));
    println!("elapsed {:.1} s", elapsed.as_secs_f64());
}
