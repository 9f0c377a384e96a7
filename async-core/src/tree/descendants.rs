//! The descendants of a process.
//!
//! The kernel lists the children of each process, so a small tree costs the same on a busy machine. Without these lists
//! (`CONFIG_PROC_CHILDREN`), and for processes other than this one's own, all processes are looked at.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::process::{self, ProcessEntry};

/// How often to walk a tree that keeps changing.
const WALKS: usize = 20;

/// A process to look for, and the number of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) pid: u32,
    pub(crate) tree: usize,
}

/// A process that was found, as opposed to one that may get its id later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Found {
    pub(super) pid: u32,
    /// The number of its tree: the first one that it was found in.
    pub(super) tree: usize,
    /// When it was started, in clock ticks since boot.
    pub(super) start_ticks: u64,
}

/// The running descendants of this process, nearest first. This process must be the reaper of them all, and must not
/// wait for any of them meanwhile.
pub(super) fn of_this_process() -> io::Result<Vec<Found>> {
    process::require_own_proc()?;
    match walked() {
        Ok(Some(found)) => Ok(found),
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => {
            let own = std::process::id();
            let mut found = of(|| Ok(vec![Root { pid: own, tree: 0 }]), &HashSet::new())?;
            found.retain(|found| found.pid != own);
            Ok(found)
        }
    }
}

/// The running processes among the known ones, the roots, and all their descendants, nearest first.
pub(super) fn of(roots: impl FnOnce() -> io::Result<Vec<Root>>, known: &HashSet<Found>) -> io::Result<Vec<Found>> {
    // Before the roots: otherwise a root's id could belong to another process in the table.
    let table = table()?;
    let is_same =
        |found: &&Found| table.get(&found.pid).is_some_and(|process| process.start_ticks == found.start_ticks);
    let known = known.iter().filter(is_same).map(|&Found { pid, tree, .. }| Root { pid, tree });
    Ok(with_descendants(known.chain(roots()?).collect(), &table))
}

/// All processes.
fn table() -> io::Result<HashMap<u32, ProcessEntry>> {
    // A process that is gone by now does not matter.
    Ok(process::all()?.into_iter().filter_map(|pid| Some((pid, process::look(pid)?))).collect())
}

fn with_descendants(roots: Vec<Root>, table: &HashMap<u32, ProcessEntry>) -> Vec<Found> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (&pid, process) in table {
        children.entry(process.parent).or_default().push(pid);
    }
    let mut seen = HashSet::new();
    let mut found = roots;
    found.retain(|root| seen.insert(root.pid));
    let mut next = 0;
    while let Some(&Root { pid, tree }) = found.get(next) {
        let children = children.remove(&pid).unwrap_or_default().into_iter();
        found.extend(children.filter(|&pid| seen.insert(pid)).map(|pid| Root { pid, tree }));
        next += 1;
    }
    let running = |Root { pid, tree }| {
        let process = table.get(&pid).filter(|process| process.runs)?;
        Some(Found { pid, tree, start_ticks: process.start_ticks })
    };
    found.into_iter().filter_map(running).collect()
}

/// The descendants by the kernel's lists; none if they change too fast.
///
/// If a process's parent ends during a walk, the process becomes this one's child, and the walk may miss it. So a walk
/// counts only if every process that it met dead or gone was so before it began: then nothing has moved.
fn walked() -> io::Result<Option<Vec<Found>>> {
    let mut walk = Walk::default();
    for _ in 0..WALKS {
        if !walk.again()? {
            return Ok(Some(walk.living));
        }
    }
    // The caller looks at each of them again.
    Ok(Some(walk.living).filter(|living| !living.is_empty()))
}

#[derive(Default)]
struct Walk {
    /// The processes that were running when the walk met them, nearest first.
    living: Vec<Found>,
    met: HashSet<Found>,
    dead: HashSet<Found>,
}

impl Walk {
    /// Walks the tree; returns whether a process has ended since the previous walk.
    fn again(&mut self) -> io::Result<bool> {
        let mut news = false;
        let mut next = process::children(None)?.unwrap_or_default();
        let mut seen: HashSet<u32> = next.iter().copied().collect();
        let mut place = 0;
        while let Some(&pid) = next.get(place) {
            place += 1;
            let Some(ProcessEntry { start_ticks, runs, .. }) = process::try_look(pid)? else {
                news = true;
                continue;
            };
            let found = Found { pid, tree: 0, start_ticks };
            if !runs {
                news |= self.dead.insert(found);
                continue;
            }
            if self.met.insert(found) {
                self.living.push(found);
            }
            match process::children(Some(pid))? {
                Some(children) => next.extend(children.into_iter().filter(|&child| seen.insert(child))),
                None => news = true,
            }
        }
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_each_of_a_tree_that_runs_once() {
        let look = |parent, runs| ProcessEntry { parent, start_ticks: 7, runs };
        let table = HashMap::from([
            (2, look(1, true)),
            (3, look(2, false)),
            (4, look(2, true)),
            (5, look(4, true)),
            (6, look(1, true)),
        ]);
        let roots = [(2, 0), (5, 1), (4, 1)].map(|(pid, tree)| Root { pid, tree });
        let mut found: Vec<_> =
            with_descendants(roots.to_vec(), &table).into_iter().map(|found| (found.pid, found.tree)).collect();
        found.sort_unstable();
        assert_eq!(found, [(2, 0), (4, 1), (5, 1)], "each is of the tree whose root is nearest");
    }
}
