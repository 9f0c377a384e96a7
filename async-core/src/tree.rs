//! Process trees: which processes descend from a process, and how to end them all.
//!
//! A supervisor is the subreaper of what it started (`PR_SET_CHILD_SUBREAPER`, see prctl(2)): a process whose parent is
//! gone becomes the supervisor's child, even if it has its own session. So everything that a task has started and that
//! still runs descends from its supervisor.

mod descendants;
mod usage;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::CStr;
use std::fs;
use std::io;

use nix::sys::signal::Signal;

use crate::clock::{self, Millis};
use crate::process;
use descendants::Found;
pub(crate) use descendants::Root;
pub use usage::TreeUsage;
pub(crate) use usage::below;

/// How long to wait for killed processes before looking again, in ms.
const LOOK_AGAIN: Millis = 1000;

/// How long a supervisor inside the tree has to record the end of its own task, in ms.
const RECORD_TIMEOUT: Millis = 2000;

/// How often to stop processes before killing them, for trees that keep starting others.
const ROUNDS: usize = 20;

/// How long to keep killing, in ms. Only a process that hangs in the kernel outlives that.
const GIVE_UP: Millis = 20_000;

/// How many processes were ended, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many got SIGTERM.
    pub terminated: u32,
    /// How many of them, or of those they started meanwhile, got SIGKILL.
    pub killed: u32,
}

/// Ends all descendants of this process: sends SIGTERM, and SIGKILL to what is left `grace` ms later. Returns when all
/// are gone. This process must be the reaper of them all, and must not wait for any of them meanwhile.
///
/// Calls `meanwhile` now and then while it waits; that says when to call it again, in ms since boot.
pub(crate) fn end_own(grace: Millis, meanwhile: &dyn Fn() -> Millis) -> io::Result<Ended> {
    Ok(end_living(&descendants::of_this_process, &[grace], meanwhile)?.pop().unwrap_or_default())
}

/// The same for one tree per grace period: the roots that `roots` finds for each, and all their descendants, but never
/// this process. Looks for all at once; a process counts for one tree.
pub(crate) fn end(roots: &dyn Fn() -> io::Result<Vec<Root>>, graces: &[Millis]) -> io::Result<Vec<Ended>> {
    // A process that was found once stays in its tree, even if its parent ends.
    let known: RefCell<HashSet<Found>> = RefCell::default();
    let living = || {
        let mut living = descendants::of(roots, &known.borrow())?;
        living.retain(|found| found.pid != std::process::id());
        known.borrow_mut().extend(&living);
        Ok(living)
    };
    end_living(&living, graces, &|| Millis::MAX)
}

/// The running processes among the roots and all their descendants.
pub(crate) fn living(roots: impl FnOnce() -> io::Result<Vec<Root>>) -> io::Result<Vec<u32>> {
    Ok(descendants::of(roots, &HashSet::new())?.into_iter().map(|found| found.pid).collect())
}

impl Found {
    fn send(self, signal: Signal) {
        // A process that this user may not signal is left alone and counted as left.
        let _ = process::signal_process(self.pid, self.start_ticks, signal);
    }
}

fn end_living(
    living: &impl Fn() -> io::Result<Vec<Found>>,
    graces: &[Millis],
    meanwhile: &dyn Fn() -> Millis,
) -> io::Result<Vec<Ended>> {
    let mut ended = vec![Ended::default(); graces.len()];
    for found in living()? {
        found.send(Signal::SIGTERM);
        // A stopped process gets the signal only when it continues.
        found.send(Signal::SIGCONT);
        ended[found.tree].terminated += 1;
    }
    let begin = clock::since_boot();
    let mut soonest_first = graces.to_vec();
    soonest_first.sort_unstable();
    soonest_first.dedup();
    for grace in soonest_first {
        let due = || Ok(living()?.into_iter().filter(|found| graces[found.tree] <= grace).collect::<Vec<_>>());
        let deadline = begin.saturating_add(grace);
        let mut left = due()?;
        while !left.is_empty() && clock::since_boot() < deadline {
            // All of them have to end, so waiting for one after another is as good as for all at once.
            for found in &left {
                while !wait_for(found.pid, deadline.min(meanwhile())) && clock::since_boot() < deadline {}
            }
            left = due()?;
        }
        for killed in kill_all(left, &due)? {
            ended[killed.tree].killed += 1;
        }
    }
    Ok(ended)
}

fn kill_all(mut left: Vec<Found>, living: &impl Fn() -> io::Result<Vec<Found>>) -> io::Result<HashSet<Found>> {
    let mut killed = HashSet::new();
    let start = clock::since_boot();
    while !left.is_empty() && clock::since_boot() < start.saturating_add(GIVE_UP) {
        let (supervisors, others): (Vec<Found>, Vec<Found>) = left.iter().partition(|found| is_supervisor(found.pid));
        let patience = start.saturating_add(RECORD_TIMEOUT);
        if others.is_empty() && clock::since_boot() < patience {
            wait_for(supervisors[0].pid, patience);
        } else {
            let doomed = if others.is_empty() { supervisors } else { stop(others, living)? };
            for found in &doomed {
                found.send(Signal::SIGKILL);
            }
            for found in &doomed {
                wait_for(found.pid, clock::since_boot().saturating_add(LOOK_AGAIN));
            }
            killed.extend(doomed);
        }
        left = living()?;
    }
    Ok(killed)
}

/// Stops those processes, and everything they have started meanwhile: a stopped process starts nothing.
fn stop(mut new: Vec<Found>, living: &impl Fn() -> io::Result<Vec<Found>>) -> io::Result<Vec<Found>> {
    let mut stopped = HashSet::new();
    for _ in 0..ROUNDS {
        for found in &new {
            found.send(Signal::SIGSTOP);
        }
        stopped.extend(new);
        new = living()?.into_iter().filter(|found| !stopped.contains(found) && !is_supervisor(found.pid)).collect();
        if new.is_empty() {
            break;
        }
    }
    Ok(stopped.into_iter().collect())
}

/// The name of a supervisor in the process table, whichever program it is.
pub(crate) const SUPERVISOR: &CStr = c"async supervise";

/// Whether that process is the supervisor of a future that the tree has started.
fn is_supervisor(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_ascii_end() == SUPERVISOR.to_bytes())
}

/// Returns whether the process seems to be gone, which the next look shows.
fn wait_for(pid: u32, deadline: Millis) -> bool {
    let left = deadline.saturating_sub(clock::since_boot()).max(0);
    process::wait_at_most(pid, u32::try_from(left).unwrap_or(u32::MAX)).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    /// A shell that says when it is ready, and the script's children with it.
    fn shell(script: &str) -> Child {
        let mut child = Command::new("bash").arg("-c").arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        child
    }

    fn end_with(root: &Child, grace: Millis) -> Ended {
        let root = Root { pid: root.id(), tree: 0 };
        let [ended] = end(&|| Ok(vec![root]), &[grace]).unwrap().try_into().unwrap();
        ended
    }

    #[test]
    fn a_tree_that_ignores_sigterm_is_killed_and_one_that_does_not_is_not() {
        let mut stubborn = shell("trap '' TERM; sleep 1000 & (sleep 1000 & echo ready; wait); wait");
        let ended = end_with(&stubborn, 0);
        assert!(ended.terminated >= 3 && ended.killed >= 3, "{ended:?}");
        stubborn.wait().unwrap();
        let mut willing = shell("sleep 1000 & echo ready; wait");
        assert_eq!(end_with(&willing, 60_000), Ended { terminated: 2, killed: 0 });
        willing.wait().unwrap();
    }

    #[test]
    fn one_whose_parent_ends_first_is_ended_too() {
        // The sleep may not exist yet when the shell says that it is ready.
        let mut parent = shell("(trap '' TERM; echo ready; while :; do sleep 1000; done) & wait");
        let ended = end_with(&parent, 100);
        assert!(ended.terminated >= 2 && ended.killed >= 1, "{ended:?}");
        parent.wait().unwrap();
    }

    #[test]
    fn of_several_trees_each_has_its_own_grace_and_its_own_numbers() {
        let mut stubborn = shell("trap '' TERM; sleep 1000 & echo ready; wait; wait");
        let mut gone = shell("echo ready");
        let mut willing = shell("sleep 1000 & sleep 1000 & echo ready; wait");
        let roots = [&stubborn, &gone, &willing].map(Child::id);
        gone.wait().unwrap();
        let roots = || Ok(roots.into_iter().zip(0..).map(|(pid, tree)| Root { pid, tree }).collect());
        let ended = end(&roots, &[0, 60_000, 60_000]).unwrap();
        assert_eq!(ended[1..], [Ended::default(), Ended { terminated: 3, killed: 0 }]);
        assert!(ended[0].terminated >= 2 && ended[0].killed >= 2, "{ended:?}");
        stubborn.wait().unwrap();
        willing.wait().unwrap();
    }

    #[test]
    fn a_stopped_process_is_ended_too() {
        let mut child = shell("echo ready; kill -STOP $$; sleep 1000");
        assert_eq!(end_with(&child, 60_000), Ended { terminated: 1, killed: 0 });
        child.wait().unwrap();
    }
}
