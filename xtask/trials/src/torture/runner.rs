//! Starts the shells of a plan, a number of them at a time, and waits for every process of the run to end.
//!
//! This process adopts the orphans of its descendants (see `PR_SET_CHILD_SUBREAPER` in prctl(2)), so the end of all is
//! an event, `ECHILD` of waitpid(2), and nothing has to be searched.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, wait};

use super::killer::{self, Kills};
use super::plan::Plan;
use super::process;
use super::script::Scene;

/// How long no process may end before the remaining ones count as hung. No planned task takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// The status of a shell that could not fork.
const NO_PROCESS: i32 = 254;

/// The running shells, and the mark of the run.
pub(crate) struct Roster {
    pub(crate) mark: String,
    /// How many shells may be killed: each kill loses the rest of the shell's plan, and a busy machine takes longer
    /// over it.
    pub(crate) mortal_shells: usize,
    shells: Mutex<HashMap<i32, usize>>,
}

impl Roster {
    /// The indices of the running shells by their process ids. No shell starts while this is locked.
    pub(crate) fn shells(&self) -> MutexGuard<'_, HashMap<i32, usize>> {
        self.shells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How the shells ended, and what was done to them.
pub(crate) struct Aftermath {
    /// Whether each shell was killed.
    pub(crate) killed: Vec<bool>,
    pub(crate) kills: Kills,
    /// The processes that were left when nothing moved any more.
    pub(crate) hung: Vec<String>,
}

/// Runs the plan to its end. `pause` is the killer's, on average.
pub(crate) fn run(plan: &Plan, scene: &Scene, seed: u64, at_a_time: usize, pause: Duration) -> io::Result<Aftermath> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mark = format!("{}.{seed}", std::process::id());
    let roster = Roster { mark, mortal_shells: plan.shells.len().div_ceil(4), shells: Mutex::default() };
    let roster = &roster;
    let (stop, stopped) = channel();
    let (moved, movement) = channel();
    thread::scope(|scope| {
        let killing = scope.spawn(move || killer::run(roster, seed, pause, &stopped));
        let watching = scope.spawn(move || watch(roster, &movement));
        let killed = start_and_reap(plan, scene, at_a_time, roster, &moved);
        drop((stop, moved));
        let (kills, hung) = (killing.join(), watching.join());
        let panicked = |_| io::Error::other("a thread panicked");
        Ok(Aftermath { killed: killed?, kills: kills.map_err(panicked)?, hung: hung.map_err(panicked)? })
    })
}

fn start_and_reap(
    plan: &Plan,
    scene: &Scene,
    at_a_time: usize,
    roster: &Roster,
    moved: &Sender<()>,
) -> io::Result<Vec<bool>> {
    let mut killed = vec![false; plan.shells.len()];
    let mut waiting = plan.shells.iter().enumerate();
    scene.rival()?.spawn()?;
    if let Some(mut adversary) = scene.adversary()? {
        adversary.spawn()?;
    }
    loop {
        let mut shells = roster.shells();
        while shells.len() < at_a_time
            && let Some((index, shell)) = waiting.next()
        {
            let child = scene.bash(index, shell, &roster.mark)?.spawn()?;
            shells.insert(i32::try_from(child.id()).map_err(io::Error::other)?, index);
        }
        if shells.is_empty() {
            File::create(scene.over())?;
        }
        drop(shells);
        let (pid, by_signal) = match wait() {
            Ok(WaitStatus::Signaled(pid, _, _)) => (pid, true),
            // A shell that can't fork ends, as if it had been killed there.
            Ok(WaitStatus::Exited(pid, status)) => (pid, status == NO_PROCESS),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(Errno::ECHILD) => return Ok(killed),
            Err(errno) => return Err(errno.into()),
        };
        let _ = moved.send(());
        if let Some(index) = roster.shells().remove(&pid.as_raw()) {
            killed[index] = by_signal;
        }
    }
}

/// Ends with the run, or kills what is left of it when nothing moves any more, and then says what that was.
fn watch(roster: &Roster, movement: &Receiver<()>) -> Vec<String> {
    let mut hung = Vec::new();
    loop {
        match movement.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => return hung,
            Err(RecvTimeoutError::Timeout) => {
                let shells = roster.shells();
                for process in process::all(&roster.mark, |pid| shells.contains_key(&pid)) {
                    hung.push(process.describe());
                    process.kill();
                }
            }
        }
    }
}
