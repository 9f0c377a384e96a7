//! What a running task used over time, as its supervisor saw it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::Usage;
use crate::clock::Millis;

/// How many intervals a record has at most. With more, each two become one.
pub const MOST_INTERVALS: usize = 64;

/// Samples of a task's process tree, taken at equal distances from the moment that the task was allowed to run, in all
/// of its attempts and between them.
///
/// A sample is due after each 100 ms; whenever there are 64 intervals, each two become one, and the distance is twice as
/// long from then on. It also grows if the looks at a very large tree take a noticeable time. A sample that comes late, on
/// a busy machine or on one that was suspended, has what was used until then, and an interval without a sample has zero.
///
/// The kernel counts processor time of processes in ticks, mostly of 10 ms, so a short interval may have a tick of its
/// neighbour. What a process used between the last sample of it and its end counts when its parent has waited for it.
///
/// The tree is without futures that the task has started, each of which has samples of its own. But once such a future is
/// over, and the task or its supervisor has waited for it, all of its processor time counts in that interval, as it does
/// in [`Usage`]. So an interval may have more than its cores could do.
///
/// The sum of `cpu` is that of the user and system time in [`Usage`], or more: processes whose parents
/// ignore SIGCHLD, and daemons that still run at the end, are in the samples alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Samples {
    /// The length of an interval, in ms.
    pub interval: Millis,
    /// The processor time that the tree used in each interval, in ms, in user mode and in the kernel. The last interval
    /// ends with the task, so it may be shorter than the others.
    pub cpu: Vec<Millis>,
    /// The most resident memory that the tree had at any sample, in KiB: the sum over its processes, where memory that
    /// several of them share counts for each.
    pub max_tree_resident: u64,
    /// How many cores the supervisor could use: fewer than the machine has if it may not use all.
    pub cores: u32,
}

/// The most memory that a task had resident, in KiB: all of its processes together if it was sampled, else any single one.
pub(crate) fn max_resident(samples: Option<&Samples>, usage: Option<Usage>) -> Option<u64> {
    samples.map(|samples| samples.max_tree_resident).or(usage.map(|usage| usage.max_resident))
}

impl Samples {
    /// Adds what was used until now, `elapsed` ms after the start, to the last interval that is over. Returns when the
    /// next one is over, in ms after the start.
    pub(crate) fn add(&mut self, elapsed: Millis, cpu: Millis) -> Millis {
        while self.over_by(elapsed) >= MOST_INTERVALS {
            self.halve();
        }
        self.add_to(self.over_by(elapsed).max(1), cpu);
        (elapsed / self.interval).saturating_add(1).saturating_mul(self.interval)
    }

    /// Adds what was used until the end, `elapsed` ms after the start, to the interval that ends there.
    pub(crate) fn finish(&mut self, elapsed: Millis, cpu: Millis) {
        while self.begun_by(elapsed) > MOST_INTERVALS {
            self.halve();
        }
        self.add_to(self.begun_by(elapsed), cpu);
    }

    /// How many intervals are over that many ms after the start.
    fn over_by(&self, elapsed: Millis) -> usize {
        usize::try_from(elapsed / self.interval).unwrap_or(0)
    }

    /// How many have begun before that.
    fn begun_by(&self, elapsed: Millis) -> usize {
        self.over_by(elapsed.saturating_add(self.interval - 1))
    }

    /// Adds to the last of that many intervals, or of those that there are, if these are more.
    fn add_to(&mut self, intervals: usize, cpu: Millis) {
        self.cpu.resize(intervals.max(self.cpu.len()), 0);
        if let Some(last) = self.cpu.last_mut() {
            *last = last.saturating_add(cpu);
        }
    }

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

    fn begun() -> Samples {
        Samples { interval: 100, cpu: Vec::new(), max_tree_resident: 5000, cores: 2 }
    }

    #[test]
    fn each_interval_has_what_was_used_by_the_sample_at_its_end() {
        let mut samples = begun();
        assert_eq!(samples.add(103, 90), 200);
        assert_eq!(samples.add(200, 80), 300);
        assert_eq!(samples.add(599, 70), 600, "it was asleep");
        assert_eq!(samples.cpu, [90, 80, 0, 0, 70]);
        samples.finish(640, 5);
        assert_eq!(samples.cpu, [90, 80, 0, 0, 70, 0, 5]);
        let mut samples = begun();
        samples.add(100, 90);
        samples.finish(200, 10);
        assert_eq!(samples.cpu, [90, 10], "nothing comes after the end");
    }

    #[test]
    fn the_longer_a_task_runs_the_longer_its_intervals_are() {
        let (mut samples, mut next) = (begun(), 100);
        for sample in 1..=1000 {
            next = samples.add(next, 1);
            assert!(samples.cpu.len() < MOST_INTERVALS && samples.cpu.iter().sum::<Millis>() == sample);
        }
        let (first, rest) = samples.cpu.split_at(samples.cpu.len() / 2);
        assert!(first.iter().sum::<Millis>() > rest.iter().sum(), "the first came at shorter distances: {samples:?}");
        samples.finish(next, 1);
        assert!(samples.cpu.len() <= MOST_INTERVALS);
    }

    #[test]
    fn a_year_asleep_is_a_few_intervals() {
        for finishes in [false, true] {
            let (mut samples, year) = (begun(), 31_536_000_000);
            samples.add(100, 3);
            if finishes {
                samples.finish(year, 4);
            } else {
                assert!(samples.add(year, 4) > year);
            }
            assert!((32..=MOST_INTERVALS).contains(&samples.cpu.len()), "{samples:?}");
            assert_eq!((samples.cpu[0], samples.cpu.iter().sum()), (3, 7), "{samples:?}");
            assert_eq!(samples.to_string().parse(), Ok(samples));
        }
    }

    #[test]
    fn an_odd_interval_becomes_half_of_one() {
        let mut samples = begun();
        for ms in [100, 200, 300] {
            samples.add(ms, 1);
        }
        samples.halve();
        assert_eq!(samples.add(400, 1), 600);
        assert_eq!(samples.cpu, [2, 2]);
    }

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
