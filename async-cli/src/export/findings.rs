//! What the page says of a run beside its lanes: the critical path, advice, the cores in use, and how it differs from an
//! earlier run.

use std::collections::HashMap;
use std::fmt::Write;

use async_core::clock::Millis;
use async_core::text::printable;
use async_core::timing::{Compared, Comparison, Run, Stretch};

use super::RunReport;
use super::axis::duration;
use super::chart::{Chart, Span};
use super::html::percent;
use crate::commands::timing::{comparison, figures, report};

/// How much of the critical path is drawn: its longest stretches. Where it has more, the others can hardly be seen.
const MOST_MARKS: usize = 1000;

/// How many futures the table of differences has.
const MOST_DIFFERENCES: usize = 200;

/// What there is room for above the highest step, as a part of it.
const HEADROOM: f64 = 1.15;

/// All of it; what is not known is not there.
pub(super) struct Findings {
    pub(super) path: Option<CriticalPath>,
    pub(super) advice: Vec<AdviceLine>,
    /// The waits that cost nothing.
    pub(super) free: Option<String>,
    pub(super) cores: Option<Cores>,
    pub(super) differences: Option<Differences>,
}

/// What determines the length of the run.
pub(super) struct CriticalPath {
    pub(super) length: String,
    /// Its list.
    pub(super) lines: Vec<PathLine>,
    /// What is drawn below the bars of its lanes.
    pub(super) marks: Vec<PathMark>,
    /// What is drawn where it goes on in another lane.
    pub(super) turns: Vec<Turn>,
    /// How much of it each lane has, in ms.
    pub(super) of_lane: Vec<Millis>,
}

/// A stretch of the path, or several short ones.
pub(super) struct PathLine {
    pub(super) took: String,
    pub(super) share: Millis,
    pub(super) what: String,
    /// The whole name, and when that was.
    pub(super) title: String,
    /// The lane that it begins in.
    pub(super) lane: usize,
}

/// A stretch of the path in its lane.
pub(super) struct PathMark {
    pub(super) lane: usize,
    pub(super) span: Span,
    pub(super) is_queued: bool,
}

/// Where the path goes on in another lane.
pub(super) struct Turn {
    /// The upper of the two lanes.
    pub(super) lane: usize,
    /// How many lanes below that the other one is.
    pub(super) down: usize,
    /// When, in ms.
    pub(super) at: Millis,
}

/// What could be done differently.
pub(super) struct AdviceLine {
    pub(super) worth: String,
    pub(super) share: Millis,
    pub(super) what: String,
    /// The option that predicts it.
    pub(super) option: String,
}

/// The cores in use over time.
pub(super) struct Cores {
    /// The outline of a step chart, in percent of its width and height.
    pub(super) outline: String,
    /// How many cores there are, as a height in percent of the chart's, from its top.
    pub(super) limit: Option<String>,
    /// The most, and how many there are.
    pub(super) most: String,
    /// On average.
    pub(super) average: String,
}

/// How a run differs from an earlier one.
pub(super) struct Differences {
    /// The whole run, and then its futures.
    pub(super) lines: Vec<DifferenceLine>,
    /// How many futures there is no room for.
    pub(super) more: usize,
}

/// A length now and before.
pub(super) struct DifferenceLine {
    pub(super) what: String,
    /// Its lane, if this run has it.
    pub(super) lane: Option<usize>,
    pub(super) now: String,
    pub(super) before: String,
    pub(super) by: String,
    pub(super) share: String,
}

impl Findings {
    pub(super) fn of(found: &RunReport<'_>, chart: &Chart) -> Self {
        let run = found.run;
        let mut lanes = vec![0; run.tasks.len()];
        for (number, lane) in chart.lanes.iter().enumerate() {
            if let Some(task) = lane.task {
                lanes[task] = number;
            }
        }
        let length = run.length();
        let analysis = found.analysis.filter(|_| !run.tasks.is_empty());
        let advice = analysis.map_or(&[][..], |analysis| &analysis.advice);
        let free = report::free(run);
        Self {
            path: analysis
                .map(|analysis| critical_path(run, &analysis.path, &lanes))
                .filter(|path| !path.lines.is_empty()),
            advice: advice
                .iter()
                .map(|advice| AdviceLine {
                    worth: figures::seconds(advice.worth, length),
                    share: figures::percent(advice.worth, length),
                    what: report::sentence(run, advice),
                    option: report::option(run, advice),
                })
                .collect(),
            free: (!free.is_empty()).then(|| report::list(run, &free)),
            cores: cores(run, chart.length),
            differences: found.comparison.map(|comparison| differences(run, comparison, &lanes)),
        }
    }
}

fn critical_path(run: &Run, path: &[Stretch], lanes: &[usize]) -> CriticalPath {
    let length = run.length();
    let lane_of = |stretch: &Stretch| stretch.task.map_or(0, |task| lanes[task]);
    let line = |stretches: &[Stretch]| {
        let (first, last) = (stretches.first()?, stretches.last()?);
        let took = stretches.iter().map(Stretch::length).sum();
        let whole = first.task.filter(|_| stretches.len() == 1).map(|task| printable(run.label(task).as_ref()) + ", ");
        Some(PathLine {
            took: figures::seconds(took, length),
            share: figures::percent(took, length),
            what: report::whose(run, stretches),
            title: format!("{}from {} to {}", whole.unwrap_or_default(), duration(first.start), duration(last.end)),
            lane: lane_of(first),
        })
    };
    let mut of_lane = vec![0; run.tasks.len() + 1];
    for stretch in path {
        of_lane[lane_of(stretch)] += stretch.length();
    }
    let mut drawn: Vec<&Stretch> = path.iter().collect();
    drawn.sort_by_key(|stretch| std::cmp::Reverse(stretch.length()));
    drawn.truncate(MOST_MARKS);
    drawn.sort_by_key(|stretch| stretch.start);
    let turn = |pair: &[&Stretch]| {
        let (from, to) = (lane_of(pair[0]), lane_of(pair[1]));
        let is_one = pair[0].end == pair[1].start && from != to;
        is_one.then(|| Turn { lane: from.min(to), down: from.abs_diff(to), at: pair[1].start })
    };
    CriticalPath {
        length: figures::seconds(length, length),
        lines: report::merged(path, length).into_iter().filter_map(line).collect(),
        turns: drawn.windows(2).filter_map(turn).collect(),
        marks: drawn
            .iter()
            .map(|stretch| PathMark {
                lane: lane_of(stretch),
                span: Span { start: stretch.start, end: stretch.end },
                is_queued: stretch.queued,
            })
            .collect(),
        of_lane,
    }
}

#[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
fn cores(run: &Run, length: Millis) -> Option<Cores> {
    let used = run.used_cores()?;
    let limit = used.cores.map(f64::from);
    // What the kernel counted in ticks may be more than there can be.
    let within = |cores: f64| limit.map_or(cores, |limit| cores.min(limit));
    let most = within(used.most());
    let top = most.max(limit.unwrap_or(0.0)).max(0.1) * HEADROOM;
    let y = |cores: f64| {
        let text = format!("{:.2}", 100.0 - cores / top * 100.0);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let begin = used.steps.first().map_or(0, |step| step.from);
    let mut outline = format!("M{} 100", percent(begin, length));
    for step in &used.steps {
        let _ = write!(outline, "V{}H{}", y(within(step.used)), percent(step.to, length));
    }
    outline += "V100Z";
    let cpu: f64 = used.steps.iter().map(|step| step.used * (step.to - step.from) as f64).sum();
    let of = used.cores.map_or_else(String::new, |cores| format!(" of {cores}"));
    Some(Cores {
        outline,
        limit: limit.map(y),
        most: format!("{most:.1}{of}"),
        average: format!("{:.1}", cpu / length as f64),
    })
}

fn differences(run: &Run, compared: &Comparison, lanes: &[usize]) -> Differences {
    let lane_of: HashMap<String, usize> = (0..run.tasks.len()).map(|task| (run.label(task), lanes[task])).collect();
    let total = &compared.total;
    let beside = total.now.unwrap_or(0).max(total.before.unwrap_or(0));
    let line = |what: String, lane: Option<usize>, compared: &Compared| {
        let figure = |ms: Option<Millis>| ms.map_or_else(|| "–".to_owned(), |ms| figures::seconds(ms, beside));
        DifferenceLine {
            what,
            lane,
            now: figure(compared.now),
            before: figure(compared.before),
            by: compared.difference().map_or_else(String::new, |by| signed(by, beside)),
            share: comparison::share(compared).unwrap_or_default(),
        }
    };
    let sorted = comparison::sorted(compared);
    let futures = sorted.iter().take(MOST_DIFFERENCES);
    let futures =
        futures.map(|(label, compared)| line(printable(label.as_ref()), lane_of.get(*label).copied(), compared));
    Differences {
        lines: std::iter::once(line("the run".to_owned(), Some(0), total)).chain(futures).collect(),
        more: sorted.len().saturating_sub(MOST_DIFFERENCES),
    }
}

/// A difference in ms with its sign, beside a run of that length.
fn signed(ms: Millis, beside: Millis) -> String {
    format!("{}{}", if ms < 0 { '−' } else { '+' }, figures::seconds(ms.abs(), beside))
}

/// An earlier length, and by how much it differs: `39.9 s, now 31.1 s longer (+78%)`.
pub(super) fn earlier(compared: &Compared) -> Option<String> {
    let before = compared.before?;
    let share = comparison::share(compared).map_or_else(String::new, |share| format!(" ({share})"));
    let by = match compared.difference() {
        None => String::new(),
        Some(0) => ", now the same".to_owned(),
        Some(by) => format!(", now {} {}{share}", duration(by.abs()), if by < 0 { "shorter" } else { "longer" }),
    };
    Some(duration(before) + &by)
}
