//! What a process tree uses at a moment.

use std::collections::BTreeSet;
use std::io;

use super::SUPERVISOR;
use crate::clock::Millis;
use crate::process::{self, ProcessUsage};

/// How many processes to look at. A larger tree is not looked at, as each look would take too long.
const MOST_PROCESSES: usize = 5000;

/// What the process tree of a task uses at a moment, without futures that it has started: each of them has a tree of its
/// own, which begins with its supervisor. Once such a future is over and was waited for, its processor time counts here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeUsage {
    /// The processor time so far, in ms, in user mode and in the kernel: that of the processes of the tree, and of those
    /// that were waited for. A process that ended without that, as its parent ignores SIGCHLD, no longer counts.
    pub cpu: Millis,
    /// The resident memory, in KiB: the sum over the processes, where memory that several of them share counts for each.
    pub resident: u64,
    /// How many processes run.
    pub processes: u32,
}

/// What the tree below that supervisor uses, without the supervisor itself. The kernel lists the children of each process,
/// so others cost nothing.
///
/// Fails with `Unsupported` where that can't be told: without those lists (`CONFIG_PROC_CHILDREN`), without a `/proc` of
/// this process's own pid namespace, or if there are too many processes.
pub(crate) fn below(supervisor: u32) -> io::Result<TreeUsage> {
    process::require_own_proc()?;
    let above = process::try_usage(supervisor)?.ok_or(io::ErrorKind::NotFound)?;
    let (mut ticks, mut resident, mut processes) = (above.ticks_of_children, 0_u64, 0);
    // Each parent comes before its children. If it waits for one in between, that counts with the next look.
    let mut found = children(supervisor, &above)?;
    let mut seen: BTreeSet<u32> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        if found.len() > MOST_PROCESSES {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let Some(process) = process::try_usage(pid)?.filter(|process| process.name.as_bytes() != SUPERVISOR.to_bytes())
        else {
            continue;
        };
        ticks = ticks.saturating_add(process.ticks).saturating_add(process.ticks_of_children);
        resident = resident.saturating_add(process.resident);
        processes += u32::from(process.runs);
        found.extend(children(pid, &process)?.into_iter().filter(|&child| seen.insert(child)));
    }
    Ok(TreeUsage { cpu: process::ticks_in_ms(ticks), resident, processes })
}

fn children(pid: u32, process: &ProcessUsage) -> io::Result<Vec<u32>> {
    match process.threads {
        1 => process::children_of_single_thread(pid),
        _ => Ok(process::children(Some(pid))?.unwrap_or_default()),
    }
}
