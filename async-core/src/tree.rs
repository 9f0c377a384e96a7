//! Process trees: who descends from a process, and how to end them all.
//!
//! A supervisor is the subreaper of what it started (`PR_SET_CHILD_SUBREAPER`, see prctl(2)): a process whose parent is gone
//! becomes the supervisor's child, one with a session of its own too. So all that a task has started, and that still
//! runs, descends from its supervisor.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock::{self, Millis};
use crate::process;

/// How long to wait for what was killed before looking again, in ms.
const LOOK_AGAIN: Millis = 1000;

/// How long a supervisor inside the tree has to record what became of its own task, in ms.
const LAST_WORDS: Millis = 2000;

/// How often processes are stopped anew before they are killed, for those that start others all the time.
const ROUNDS: usize = 20;

/// How long to go on killing, in ms. Only a process that hangs in the kernel outlives that.
const GIVE_UP: Millis = 20_000;

/// How many processes were ended, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many were asked to end (SIGTERM).
    pub terminated: u32,
    /// How many of them, or of those they started meanwhile, had to be killed (SIGKILL).
    pub killed: u32,
}

/// Ends all that descends from the process `root`, and `root` itself if `with_root`: SIGTERM first, and SIGKILL for what is
/// left `grace` ms later. Returns when all are gone.
pub fn end(root: u32, with_root: bool, grace: Millis) -> io::Result<Ended> {
    let living = || -> io::Result<Vec<u32>> {
        let mut pids = descendants(root)?;
        if with_root && process::runs_now(root) {
            pids.push(root);
        }
        Ok(pids)
    };
    let asked: HashSet<u32> = living()?.into_iter().collect();
    for &pid in &asked {
        send(pid, Signal::SIGTERM);
        // One that is stopped gets it only when it goes on.
        send(pid, Signal::SIGCONT);
    }
    let deadline = clock::since_boot().saturating_add(grace);
    let mut left = living()?;
    while !left.is_empty() && clock::since_boot() < deadline {
        // Whoever is left is waited for, so one after another is as good as all at once.
        wait_for(left[0], deadline);
        left = living()?;
    }
    let killed = kill_all(left, &living)?;
    Ok(Ended { terminated: count(asked.len()), killed: count(killed) })
}

fn kill_all(mut left: Vec<u32>, living: &impl Fn() -> io::Result<Vec<u32>>) -> io::Result<usize> {
    let mut killed = HashSet::new();
    let start = clock::since_boot();
    while !left.is_empty() && clock::since_boot() < start.saturating_add(GIVE_UP) {
        let (supervisors, others): (Vec<u32>, Vec<u32>) = left.iter().partition(|&&pid| is_this_program(pid));
        let patience = start.saturating_add(LAST_WORDS);
        if others.is_empty() && clock::since_boot() < patience {
            wait_for(supervisors[0], patience);
        } else {
            let doomed = if others.is_empty() { supervisors } else { stop(others, living)? };
            for &pid in &doomed {
                send(pid, Signal::SIGKILL);
            }
            for &pid in &doomed {
                wait_for(pid, clock::since_boot().saturating_add(LOOK_AGAIN));
            }
            killed.extend(doomed);
        }
        left = living()?;
    }
    Ok(killed.len())
}

/// Stops those, and whatever they have started meanwhile: what is stopped starts nothing.
fn stop(mut new: Vec<u32>, living: &impl Fn() -> io::Result<Vec<u32>>) -> io::Result<Vec<u32>> {
    let mut stopped = HashSet::new();
    for _ in 0..ROUNDS {
        for &pid in &new {
            send(pid, Signal::SIGSTOP);
        }
        stopped.extend(new);
        new = living()?.into_iter().filter(|pid| !stopped.contains(pid) && !is_this_program(*pid)).collect();
        if new.is_empty() {
            break;
        }
    }
    Ok(stopped.into_iter().collect())
}

/// All processes that descend from that one and run, nearest first.
pub fn descendants(root: u32) -> io::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut running = HashSet::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that is gone by now has nothing to say.
        if let Some((parent, runs)) = process::parent_of(pid) {
            children.entry(parent).or_default().push(pid);
            if runs {
                running.insert(pid);
            }
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found.retain(|pid| *pid != root && running.contains(pid));
    Ok(found)
}

/// Whether that process runs the same program as this one: a supervisor of a future that the tree has started.
fn is_this_program(pid: u32) -> bool {
    let program = |pid: &dyn AsRef<OsStr>| fs::read_link(PathBuf::from("/proc").join(pid.as_ref()).join("exe")).ok();
    program(&pid.to_string()).is_some_and(|theirs| Some(theirs) == program(&"self"))
}

fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        // It may be gone by now.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

fn wait_for(pid: u32, deadline: Millis) {
    let left = deadline.saturating_sub(clock::since_boot()).max(0);
    // Whether it is gone is looked at afterwards.
    let _ = process::wait_at_most(pid, u32::try_from(left).unwrap_or(u32::MAX));
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
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

    #[test]
    fn a_tree_that_ignores_sigterm_is_killed_and_one_that_does_not_is_not() {
        let mut stubborn = shell("trap '' TERM; sleep 1000 & (sleep 1000 & echo ready; wait); wait");
        let ended = end(stubborn.id(), true, 0).unwrap();
        assert!(ended.terminated >= 3 && ended.killed >= 3, "{ended:?}");
        stubborn.wait().unwrap();
        let mut willing = shell("sleep 1000 & echo ready; wait");
        let ended = end(willing.id(), true, 60_000).unwrap();
        assert_eq!(ended, Ended { terminated: 2, killed: 0 });
        willing.wait().unwrap();
    }

    #[test]
    fn a_stopped_process_is_ended_too() {
        let mut child = shell("echo ready; kill -STOP $$; sleep 1000");
        let ended = end(child.id(), true, 60_000).unwrap();
        assert_eq!((ended.terminated, ended.killed), (1, 0));
        child.wait().unwrap();
    }
}
