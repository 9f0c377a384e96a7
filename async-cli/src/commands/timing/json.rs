//! A run in JSON. All lengths and offsets are in ms; offsets count from the run's start.

use async_core::clock::Millis;
use async_core::text::printable;
use async_core::timing::{Change, Compared, Comparison, Moved, Run, Stretch, Summary};
use schemars::JsonSchema;
use serde::Serialize;

use super::analysis::{Analysis, Prediction};
use super::{table, what_if};

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Timing {
    /// The summary, in the original's arithmetic.
    summary: SummaryFields,
    /// When the first future started, in ms since the epoch.
    start_time_ms: Millis,
    /// When the run ended, in ms since the epoch: now while a future runs, else at its last event.
    end_time_ms: Millis,
    /// How long it took.
    length_ms: Millis,
    /// What it would take at least, whenever its futures were started and waited for.
    bound_ms: Millis,
    /// By how much the clock was set meanwhile; offsets may be off by as much.
    clock_step_ms: Millis,
    /// The futures, in the order of their starts.
    futures: Vec<FutureTiming>,
    /// What the length of the run hangs on: stretches without gaps, from its start to its end.
    critical_path: Vec<PathStretch>,
    /// What could have made it shorter, each on its own, the most first.
    advice: Vec<AdviceFields>,
    /// What comes of the changes asked for, if any were.
    what_if: Option<PredictionFields>,
    /// How it compares with earlier runs, if that was asked for.
    compare: Option<ComparisonFields>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SummaryFields {
    background_ms: Millis,
    waited_ms: Millis,
    elapsed_s: i64,
    background_minus_waits_s: i64,
    serial_s: i64,
    /// Null if no second has gone by.
    speedup: Option<f64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FutureTiming {
    /// Its name.
    name: String,
    /// The same, with a number where the name was used several times: `NAME#2`.
    label: String,
    /// The command on one line, control characters spelt out.
    command: String,
    /// The label of the future inside whose task it was started.
    parent: Option<String>,
    /// How it ended, or stands, in words.
    status: String,
    /// The task's exit status; 128 + N if signal N ended it.
    rc: Option<i32>,
    /// Whether the task ran in the calling shell, not in the background.
    synchronous: bool,
    start_ms: Millis,
    /// When its task was let go.
    run_start_ms: Millis,
    end_ms: Option<Millis>,
    run_time_ms: Millis,
    /// When the wait that collected it began and ended.
    wait_start_ms: Option<Millis>,
    wait_end_ms: Option<Millis>,
    /// How long somebody stood waiting for it.
    blocked_ms: Millis,
    /// How long it lay finished before somebody came for it.
    slack_ms: Option<Millis>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PathStretch {
    /// The label of a future, or null for the script itself.
    future: Option<String>,
    /// Whether the future was only queued.
    queued: bool,
    start_ms: Millis,
    end_ms: Millis,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AdviceFields {
    /// The change, as --what-if takes it.
    what_if: String,
    worth_ms: Millis,
    #[serde(flatten)]
    moved: Option<MovedFields>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MovedFields {
    /// How much later, or earlier if negative.
    moved_ms: Millis,
    /// The labels of the futures past whose starts it is moved.
    past_starts: Vec<String>,
    /// The labels of the futures past which it is moved that somebody stood waiting for.
    past_waits: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PredictionFields {
    changes: Vec<ChangeFields>,
    length_ms: Millis,
    /// How much longer, or shorter if negative.
    difference_ms: Millis,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ChangeFields {
    what_if: String,
    #[serde(flatten)]
    moved: Option<MovedFields>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ComparisonFields {
    length: ComparedFields,
    futures: Vec<ComparedFuture>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ComparedFuture {
    label: String,
    #[serde(flatten)]
    run_time: ComparedFields,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ComparedFields {
    now_ms: Option<Millis>,
    before_ms: Option<Millis>,
}

impl Timing {
    pub(super) fn new(
        summary: &Summary,
        analysis: &Analysis<'_>,
        prediction: Option<&Prediction>,
        comparison: Option<&Comparison>,
    ) -> Self {
        let run = analysis.run;
        Self {
            summary: summary.into(),
            start_time_ms: run.start,
            end_time_ms: run.end,
            length_ms: run.length(),
            bound_ms: analysis.schedule.bound(),
            clock_step_ms: run.clock_step,
            futures: (0..run.tasks.len()).map(|task| future(run, task)).collect(),
            critical_path: analysis.path.iter().map(|stretch| stretch_of(run, stretch)).collect(),
            advice: analysis
                .advice
                .iter()
                .map(|advice| AdviceFields {
                    what_if: what_if::text(advice.change, run),
                    worth_ms: advice.worth,
                    moved: advice.moved.as_ref().map(|moved| moved_in(run, moved)),
                })
                .collect(),
            what_if: prediction.map(|prediction| PredictionFields {
                changes: prediction.done.iter().map(|(change, moved)| changed(run, *change, moved.as_ref())).collect(),
                length_ms: prediction.replay.total,
                difference_ms: prediction.replay.total - run.length(),
            }),
            compare: comparison.map(Into::into),
        }
    }
}

fn future(run: &Run, index: usize) -> FutureTiming {
    let task = &run.tasks[index];
    FutureTiming {
        name: task.name.to_string(),
        label: run.label(index),
        command: printable(task.command.as_ref()),
        parent: task.parent.map(|parent| run.label(parent)),
        status: table::status(task),
        rc: task.status.rc,
        synchronous: task.synchronous,
        start_ms: task.start,
        run_start_ms: task.run_start,
        end_ms: task.end,
        run_time_ms: task.run_time,
        wait_start_ms: task.wait.map(|wait| wait.start),
        wait_end_ms: task.wait.map(|wait| wait.end),
        blocked_ms: task.blocked(),
        slack_ms: task.slack(),
    }
}

fn stretch_of(run: &Run, stretch: &Stretch) -> PathStretch {
    PathStretch {
        future: stretch.task.map(|task| run.label(task)),
        queued: stretch.queued,
        start_ms: stretch.start,
        end_ms: stretch.end,
    }
}

fn moved_in(run: &Run, moved: &Moved) -> MovedFields {
    let labels = |tasks: &[usize]| tasks.iter().map(|&task| run.label(task)).collect();
    MovedFields { moved_ms: moved.by, past_starts: labels(&moved.past_starts), past_waits: labels(&moved.past_waits) }
}

fn changed(run: &Run, change: Change, moved: Option<&Moved>) -> ChangeFields {
    ChangeFields { what_if: what_if::text(change, run), moved: moved.map(|moved| moved_in(run, moved)) }
}

impl From<&Summary> for SummaryFields {
    fn from(summary: &Summary) -> Self {
        Self {
            background_ms: summary.background_ms,
            waited_ms: summary.waited_ms,
            elapsed_s: summary.elapsed_s,
            background_minus_waits_s: summary.background_minus_waits_s(),
            serial_s: summary.serial_s(),
            speedup: summary.speedup().map(|speedup| speedup.0),
        }
    }
}

impl From<&Comparison> for ComparisonFields {
    fn from(comparison: &Comparison) -> Self {
        let futures = comparison.futures.iter();
        Self {
            length: (&comparison.total).into(),
            futures: futures
                .map(|(label, compared)| ComparedFuture { label: label.clone(), run_time: compared.into() })
                .collect(),
        }
    }
}

impl From<&Compared> for ComparedFields {
    fn from(compared: &Compared) -> Self {
        Self { now_ms: compared.now, before_ms: compared.before }
    }
}
