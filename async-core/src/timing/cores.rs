//! How many cores the tasks of a run used over time.

use super::run::{Run, Task};
use crate::clock::Millis;

/// How many steps there are at most. With more, all of them are of one length.
const MOST_STEPS: usize = 400;

/// The cores that the tasks of a run used over time, as far as known.
///
/// Where a task was sampled ([`Task::samples`]), each interval counts evenly; elsewhere its processor time
/// ([`Task::usage`]) counts evenly over its run. A task's figures contain those of the futures that it started, so what
/// these used counts once: at the time when they used it, where that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsedCores {
    /// What was used when, without gaps from the first to the last moment that anything is known of; at most 400.
    pub steps: Vec<CoreStep>,
    /// How many cores there were for the tasks, if a record tells.
    pub cores: Option<u32>,
}

/// A stretch of time with the cores that were used in it, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoreStep {
    /// When it begins, in ms from the run's start.
    pub from: Millis,
    /// When it ends, likewise.
    pub to: Millis,
    /// Processor time per time, to three decimals.
    pub used: f64,
}

/// Processor time in ms, spread evenly over a stretch of time.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: Millis,
    to: Millis,
    cpu: f64,
}

impl UsedCores {
    /// The most that were used in any step.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.steps.iter().fold(0.0, |most, step| most.max(step.used))
    }
}

impl Run {
    /// The cores that its tasks used over time; none if no record tells.
    #[must_use]
    pub fn used_cores(&self) -> Option<UsedCores> {
        let pieces = pieces(self);
        if pieces.is_empty() {
            return None;
        }
        Some(UsedCores { steps: steps(&pieces, &edges(&pieces)), cores: self.cores() })
    }
}

impl Task {
    /// The processor time that it used, in ms, with that of the futures that it started and that ended before it; none if
    /// that is not known.
    #[must_use]
    pub fn processor_time(&self) -> Option<Millis> {
        let sampled = || Some(self.samples.as_ref()?.cpu.iter().fold(0, |sum: Millis, &ms| sum.saturating_add(ms)));
        self.usage.map(|usage| usage.cpu()).or_else(sampled)
    }
}

fn pieces(run: &Run) -> Vec<Piece> {
    let length = run.length();
    let has_samples = |task: &Task| task.samples.as_ref().is_some_and(|samples| !samples.cpu.is_empty());
    // A parent has a lower index.
    let mut covered: Vec<Millis> = Vec::with_capacity(run.tasks.len());
    let mut inside = vec![0; run.tasks.len()];
    for task in &run.tasks {
        covered.push(task.parent.map_or(0, |parent| {
            let outer = &run.tasks[parent];
            covered[parent].max(if has_samples(outer) { outer.until(length) } else { 0 })
        }));
        if let (Some(parent), Some(used)) = (task.parent, task.processor_time())
            && task.until(length) <= run.tasks[parent].until(length)
        {
            inside[parent] = used.saturating_add(inside[parent]);
        }
    }
    let mut pieces = Vec::new();
    for (index, task) in run.tasks.iter().enumerate() {
        let (begin, end) = (task.run_start, task.until(length));
        let mut add = |from: Millis, to: Millis, cpu: Millis| {
            let (from, whole) = (from.max(covered[index]), to - from);
            if to > from {
                #[allow(clippy::cast_precision_loss, reason = "a share of it is as good")]
                let cpu = cpu as f64 * ((to - from) as f64 / whole as f64);
                pieces.push(Piece { from, to, cpu });
            }
        };
        match (&task.samples, task.processor_time()) {
            (Some(samples), _) if has_samples(task) => {
                let mut from = begin;
                for &cpu in &samples.cpu {
                    let to = from.saturating_add(samples.interval).min(end);
                    add(from, to, cpu);
                    from = to;
                }
            }
            (_, Some(used)) => add(begin, end, (used - inside[index]).max(0)),
            (_, None) => {}
        }
    }
    pieces
}

/// The moments between which the number is constant, or so many at equal distances.
fn edges(pieces: &[Piece]) -> Vec<Millis> {
    let mut edges: Vec<Millis> = pieces.iter().flat_map(|piece| [piece.from, piece.to]).collect();
    edges.sort_unstable();
    edges.dedup();
    if edges.len() <= MOST_STEPS + 1 {
        return edges;
    }
    let (first, last) = (edges[0], edges[edges.len() - 1]);
    let most = Millis::try_from(MOST_STEPS).unwrap_or(Millis::MAX);
    let mut equal: Vec<Millis> = (0..=most).map(|number| first + (last - first) * number / most).collect();
    equal.dedup();
    equal
}

/// Puts the pieces between the edges, which begin and end with theirs.
#[allow(clippy::cast_precision_loss, reason = "moments are far below 2^53")]
fn steps(pieces: &[Piece], edges: &[Millis]) -> Vec<CoreStep> {
    let count = edges.len().saturating_sub(1);
    // Processor time of single steps, and how the number of cores changes at an edge.
    let (mut times, mut changes) = (vec![0.0; count], vec![0.0; count + 1]);
    for &Piece { from, to, cpu } in pieces {
        let rate = cpu / (to - from) as f64;
        let first = edges.partition_point(|&edge| edge <= from) - 1;
        let last = edges.partition_point(|&edge| edge < to) - 1;
        for step in if first == last { vec![first] } else { vec![first, last] } {
            times[step] += rate * (to.min(edges[step + 1]) - from.max(edges[step])) as f64;
        }
        if last > first {
            changes[first + 1] += rate;
            changes[last] -= rate;
        }
    }
    let mut steps: Vec<CoreStep> = Vec::with_capacity(count);
    let mut rate = 0.0;
    for step in 0..count {
        let (from, to) = (edges[step], edges[step + 1]);
        rate += changes[step];
        let used = ((rate + times[step] / (to - from) as f64) * 1000.0).round().max(0.0) / 1000.0;
        match steps.last_mut() {
            #[allow(clippy::float_cmp, reason = "both are rounded")]
            Some(last) if last.used == used => last.to = to,
            _ => steps.push(CoreStep { from, to, used }),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::record::State;
    use crate::timing::Recorded;

    fn recorded(name: &str, start: Millis, end: Millis, lines: &str) -> Recorded {
        let text = format!(
            "[job]\ncommand = x\nstart_time = {}\nend_time = {}\nrun_time = {}\nrc = 0\n{lines}\n",
            1000 + start,
            1000 + end,
            end - start
        );
        let record: Record = crate::record::parse(text.as_bytes()).unwrap();
        Recorded { name: name.parse().unwrap(), record, state: State::Collected, log: None }
    }

    fn used(recorded: Vec<Recorded>) -> Option<UsedCores> {
        Run::from_records(recorded, 1_000_000).used_cores()
    }

    fn steps_of(recorded: Vec<Recorded>) -> Vec<(Millis, Millis, f64)> {
        used(recorded).unwrap().steps.iter().map(|step| (step.from, step.to, step.used)).collect()
    }

    /// Processor time of all steps, in ms.
    #[allow(clippy::cast_precision_loss, reason = "some seconds")]
    fn total(cores: &UsedCores) -> f64 {
        cores.steps.iter().map(|step| step.used * (step.to - step.from) as f64).sum()
    }

    #[test]
    fn nothing_is_known_of_tasks_that_nobody_measured() {
        assert_eq!(used(vec![recorded("a", 0, 100, "")]), None);
        assert_eq!(used(vec![recorded("a", 0, 0, "usage = 5 5 1 0 0")]), None, "no time to use them in");
        assert_eq!(used(Vec::new()), None);
    }

    #[test]
    fn processor_time_counts_evenly_over_a_run_where_there_are_no_samples() {
        let a = || recorded("a", 0, 100, "usage = 40 10 1 0 0");
        assert_eq!(steps_of(vec![a()]), [(0, 100, 0.5)]);
        let b = recorded("b", 50, 250, "usage = 400 0 1 0 0");
        assert_eq!(steps_of(vec![a(), b]), [(0, 50, 0.5), (50, 100, 2.5), (100, 250, 2.0)]);
        let c = recorded("c", 200, 300, "usage = 0 0 1 0 0");
        let cores = used(vec![a(), c]).unwrap();
        assert_eq!((cores.steps.len(), cores.cores, cores.most()), (2, None, 0.5), "with nothing in between");
    }

    #[test]
    fn samples_tell_when_it_was_used_and_how_many_cores_there_are() {
        let lines = "usage = 999 0 1 0 0\nsamples = 100 5000 4 100 0 20";
        let cores = used(vec![recorded("a", 0, 250, lines)]).unwrap();
        let steps: Vec<_> = cores.steps.iter().map(|step| (step.from, step.to, step.used)).collect();
        assert_eq!(steps, [(0, 100, 1.0), (100, 200, 0.0), (200, 250, 0.4)], "the last one is cut");
        assert_eq!(cores.cores, Some(4));
        // As odd as a record can be.
        let odd = format!("samples = {} 1 1 {} 7", Millis::MAX, Millis::MAX);
        assert!(used(vec![recorded("a", 0, 250, &odd)]).unwrap().most().is_finite());
    }

    #[test]
    fn what_a_future_inside_another_used_counts_once() {
        let inner = |end, lines: &str| recorded("inner", 100, end, &format!("parent = outer\n{lines}"));
        let outer = |lines| recorded("outer", 0, 300, lines);
        // The one without samples is spread, and without what the inner one used.
        assert_eq!(
            steps_of(vec![outer("usage = 400 0 1 0 0"), inner(200, "usage = 100 0 1 0 0")]),
            [(0, 100, 1.0), (100, 200, 2.0), (200, 300, 1.0)]
        );
        // The samples of the outer one have it all, until that one ends.
        let sampled = || outer("samples = 100 1 2 100 200 50");
        assert_eq!(
            steps_of(vec![sampled(), inner(200, "usage = 100 0 1 0 0")]),
            [(0, 100, 1.0), (100, 200, 2.0), (200, 300, 0.5)]
        );
        assert_eq!(steps_of(vec![sampled(), inner(500, "usage = 400 0 1 0 0")]).last(), Some(&(300, 500, 1.0)));
        // One that outlives the other was not waited for there.
        let lives_on = used(vec![outer("usage = 300 0 1 0 0"), inner(500, "usage = 400 0 1 0 0")]).unwrap();
        assert!((total(&lives_on) - 700.0).abs() < 0.5, "{lives_on:?}");
    }

    #[test]
    fn of_very_many_intervals_there_are_few_steps_and_no_time_is_lost() {
        let lines = format!("samples = 37 1 8{}", " 20".repeat(64));
        let many: Vec<Recorded> =
            (0..3000).map(|n| recorded(&format!("t{n}"), n * 11, n * 11 + 37 * 64, &lines)).collect();
        let cores = used(many).unwrap();
        assert!(cores.steps.len() <= MOST_STEPS && cores.steps.len() > 100, "{}", cores.steps.len());
        let expected = 3000.0 * 64.0 * 20.0;
        assert!((total(&cores) / expected - 1.0).abs() < 1e-4, "{} {expected}", total(&cores));
        assert!(cores.steps.windows(2).all(|pair| pair[0].to == pair[1].from));
    }
}
