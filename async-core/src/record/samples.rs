//! What a running task used over time, as its supervisor saw it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::clock::Millis;

/// How many intervals a record has at most. With more, each two become one.
pub const MOST_INTERVALS: usize = 64;

/// Samples of a task's process tree, taken at equal distances from the moment that the task was allowed to run.
///
/// The kernel counts processor time of processes in ticks, mostly of 10 ms, so a short interval may have a tick of its
/// neighbour. What a process used between the last sample of it and its end counts when its parent has waited for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Samples {
    /// The length of an interval, in ms.
    pub interval: Millis,
    /// The processor time that the tree used in each interval, in ms, in user mode and in the kernel. The last interval
    /// may be shorter than the others.
    pub cpu: Vec<Millis>,
    /// The most resident memory that the tree had at any sample, in KiB: the sum over its processes, where memory that
    /// several of them share counts for each.
    pub max_tree_resident: u64,
    /// How many cores the supervisor could use: fewer than the machine has if it may not use all.
    pub cores: u32,
}

impl Samples {
    /// Makes each two intervals one.
    pub(crate) fn halve(&mut self) {
        self.interval = self.interval.saturating_mul(2);
        self.cpu = self.cpu.chunks(2).map(|pair| pair.iter().fold(0, |sum, &ms| ms.saturating_add(sum))).collect();
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.interval, self.max_tree_resident, self.cores)?;
        self.cpu.iter().try_for_each(|ms| write!(f, " {ms}"))
    }
}

impl FromStr for Samples {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or(());
        let interval = next()?.parse().ok().filter(|&ms: &Millis| ms > 0).ok_or(())?;
        let max_tree_resident = next()?.parse().map_err(|_| ())?;
        let cores = next()?.parse().ok().filter(|&cores: &u32| cores > 0).ok_or(())?;
        let ms = |part: &str| part.parse().ok().filter(|&ms: &Millis| ms >= 0).ok_or(());
        let cpu: Vec<Millis> = parts.map(ms).collect::<Result<_, _>>()?;
        if cpu.len() > MOST_INTERVALS { Err(()) } else { Ok(Self { interval, cpu, max_tree_resident, cores }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_anything_else_is_refused() {
        let mut samples = Samples { interval: 100, cpu: vec![90, 0, 110], max_tree_resident: 5000, cores: 2 };
        assert_eq!(samples.to_string(), "100 5000 2 90 0 110");
        assert_eq!(samples.to_string().parse(), Ok(samples.clone()));
        samples.halve();
        assert_eq!(samples, Samples { interval: 200, cpu: vec![90, 110], ..samples });
        let long = "1 1 1".to_owned() + &" 1".repeat(MOST_INTERVALS + 1);
        for text in ["", "100", "1 1", "0 1 1", "-1 1 1", "1 -1 1", "1 1 0", "1 1 1 -1", "1 1 1 x", "1 1 1 ", &long] {
            assert_eq!(text.parse::<Samples>(), Err(()), "{text}");
        }
    }
}
