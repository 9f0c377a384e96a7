//! Who descends from a process.
//!
//! The kernel lists the children of each process, so a small tree costs the same on a machine with many others. Where it does
//! not (`CONFIG_PROC_CHILDREN`), and for processes that are not this one's own, all processes are looked at.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::process::{self, ProcessEntry};

/// How often a tree is walked that changes all the time.
const WALKS: usize = 20;

/// A process that is looked for, and the number of the tree that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) pid: u32,
    pub(crate) tree: usize,
}

/// A process that was found, and no other that may have its id later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Found {
    pub(super) pid: u32,
    /// The number of the tree that it is of: of the first one that it was found in.
    pub(super) tree: usize,
    /// When it was started, in clock ticks since boot.
    pub(super) start_ticks: u64,
}

/// The descendants of this process that run, nearest first. It must be the reaper of them all, and wait for none meanwhile.
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

/// The known processes that are still there, the roots, and all their descendants, as far as they run, nearest first.
pub(super) fn of(roots: impl FnOnce() -> io::Result<Vec<Root>>, known: &HashSet<Found>) -> io::Result<Vec<Found>> {
    // Before the roots, or one of them might be another's in the table.
    let table = table()?;
    let is_same =
        |found: &&Found| table.get(&found.pid).is_some_and(|process| process.start_ticks == found.start_ticks);
    let known = known.iter().filter(is_same).map(|&Found { pid, tree, .. }| Root { pid, tree });
    Ok(with_descendants(known.chain(roots()?).collect(), &table))
}

/// All processes.
fn table() -> io::Result<HashMap<u32, ProcessEntry>> {
    // One that is gone by now has nothing to say.
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

/// The descendants by the kernel's lists; none if they change too fast for these.
///
/// Whose parent ends during a walk is this process's child from then on, and may be missed. So a walk counts only if it met
/// nobody dead, or gone, who was not so before it began: then nothing has moved.
fn walked() -> io::Result<Option<Vec<Found>>> {
    let mut walk = Walk::default();
    for _ in 0..WALKS {
        if !walk.again()? {
            return Ok(Some(walk.living));
        }
    }
    // Whoever was seen will be looked for again.
    Ok(Some(walk.living).filter(|living| !living.is_empty()))
}

#[derive(Default)]
struct Walk {
    /// Those that ran when they were met, nearest first.
    living: Vec<Found>,
    met: HashSet<Found>,
    dead: HashSet<Found>,
}

impl Walk {
    /// Walks the tree; gives whether somebody has ended since the walk before.
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
