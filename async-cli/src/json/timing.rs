//! A run, in JSON.

use async_core::clock::Millis;
use async_core::record::{Cause, State};
use serde::Serialize;

/// A run: when its futures ran, what its length hangs on, and what could make it shorter. Offsets are ms from its start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Timing {
    pub(crate) summary: SummaryFields,
    pub(crate) run: RunFields,
    /// The futures, in the order of their starts.
    pub(crate) timings: Vec<FutureTiming>,
    /// What the length of the run hangs on: stretches without gaps, from its start to its end.
    pub(crate) critical_path: Vec<PathStretch>,
    /// What could have made the run shorter, each on its own, the most first.
    pub(crate) advice: Vec<AdviceFields>,
    /// What comes of the changes of --what-if together. Null if there were none.
    pub(crate) what_if: Option<PredictionFields>,
    /// How it compares with earlier runs. Null without --compare.
    pub(crate) compare: Option<ComparisonFields>,
}

/// The figures of a run. Whole seconds are cut, not rounded.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Summary"))]
pub(crate) struct SummaryFields {
    /// The length of the run, in ms.
    pub(crate) elapsed_ms: Millis,
    /// The run times of all futures together, less what their tasks themselves stood waiting for others, in ms.
    pub(crate) background_ms: Millis,
    /// How long the script stood in waits, in ms; where it waited for several at once, the time counts once.
    pub(crate) waited_ms: Millis,
    /// How much longer the work took than it would have taken alone, because there were not cores enough for all, in ms.
    pub(crate) shared_ms: Millis,
    /// How long the run would have taken one after another, in ms: `elapsed_ms + background_ms - waited_ms - shared_ms`.
    pub(crate) serial_ms: Millis,
    /// The length of the run, in s.
    pub(crate) elapsed_s: i64,
    /// Background time less waits, in s. Negative when the waits cost more than the tasks.
    pub(crate) background_minus_waits_s: i64,
    /// How long the run would have taken one after another, in s.
    pub(crate) serial_s: i64,
    /// `serial_ms` over `elapsed_ms`. Null if no time has gone by.
    pub(crate) speedup: Option<f64>,
}

/// A run as a whole.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Run"))]
#[allow(clippy::struct_field_names, reason = "units are part of names")]
pub(crate) struct RunFields {
    /// When it began, in ms since the epoch: the script, where the store is its own, else the first future.
    pub(crate) start_time_ms: Millis,
    /// When it ended, in ms since the epoch: now while a future or the script runs, else at the end of that, where it is known, or
    /// the last event.
    pub(crate) end_time_ms: Millis,
    /// How long it took, in ms.
    pub(crate) length_ms: Millis,
    /// What it would take at least, in ms, whenever its futures were started and waited for.
    pub(crate) bound_ms: Millis,
    /// By how many ms the clock was set meanwhile, at most. Offsets may be off by as much.
    pub(crate) clock_step_ms: Millis,
}

/// When a future ran, and what it cost to wait for it. What is not known of it, or does not apply, is null.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FutureTiming {
    /// Its name.
    pub(crate) name: String,
    /// The same, with a number where the name was used several times: `NAME#2`.
    pub(crate) label: String,
    /// The label of the future inside whose task it was started.
    pub(crate) parent: Option<String>,
    /// The command on one line, control characters spelt out. That of `async run` is one that bash reads.
    pub(crate) command: String,
    pub(crate) state: State,
    /// Whether it is over, and not by success: with another exit status than 0, or lost.
    pub(crate) failed: bool,
    /// The task's exit status; 128 + N if signal N ended it.
    #[cfg_attr(test, schemars(range(min = 0, max = 255)))]
    pub(crate) rc: Option<i32>,
    /// Why it ended, or never started, where that was not the task's own doing.
    pub(crate) cause: Option<Cause>,
    /// Whether the task ran in the calling shell, not in the background.
    pub(crate) synchronous: bool,
    /// Where it ran, or is to run, if not here: `slurm`, and behind a colon the job once there is one.
    pub(crate) on: Option<String>,
    /// The node that ran it.
    pub(crate) node: Option<String>,
    /// When it was started.
    pub(crate) start_offset_ms: Millis,
    /// When its task was let go: later than that if it was queued, and by a moment if its plan might have held it back.
    pub(crate) run_start_offset_ms: Millis,
    /// When its task was over.
    pub(crate) end_offset_ms: Option<Millis>,
    /// How long it was held back, in ms.
    pub(crate) queued_ms: Millis,
    /// How long its task ran, or has run by now, in ms.
    pub(crate) run_time_ms: Millis,
    /// When the wait that collected it began.
    pub(crate) wait_start_offset_ms: Option<Millis>,
    /// When that wait ended.
    pub(crate) wait_end_offset_ms: Option<Millis>,
    /// How long somebody stood waiting for it, in ms.
    pub(crate) blocked_ms: Millis,
    /// How long it lay finished before somebody came for it, in ms.
    pub(crate) slack_ms: Option<Millis>,
}

/// A stretch of the critical path.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PathStretch {
    /// The label of the future whose time it is. Null for the script itself.
    pub(crate) label: Option<String>,
    /// Whether that future was only queued.
    pub(crate) queued: bool,
    /// When it begins.
    pub(crate) start_offset_ms: Millis,
    /// When it ends.
    pub(crate) end_offset_ms: Millis,
}

/// Something that would have made the run shorter.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Advice"))]
pub(crate) struct AdviceFields {
    #[serde(flatten)]
    pub(crate) change: ChangeFields,
    /// By how many ms.
    pub(crate) worth_ms: Millis,
}

/// Something done differently.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Change"))]
pub(crate) struct ChangeFields {
    /// The change, as --what-if takes it.
    pub(crate) what_if: String,
    /// How far a start or a wait is moved. Null for other changes.
    pub(crate) moved: Option<MovedFields>,
}

/// How far a start or a wait is moved.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Moved"))]
pub(crate) struct MovedFields {
    /// By how many ms it is later, or earlier if negative.
    pub(crate) by_ms: Millis,
    /// The labels of the futures past whose starts it is moved.
    pub(crate) past_starts: Vec<String>,
    /// The labels of the futures past which it is moved that somebody stood waiting for.
    pub(crate) past_waits: Vec<String>,
}

/// What comes of changes.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Prediction"))]
pub(crate) struct PredictionFields {
    /// The changes, one for each future that they are about.
    pub(crate) changes: Vec<ChangeFields>,
    /// How long the run would have taken, in ms.
    pub(crate) length_ms: Millis,
    /// By how many ms that is longer than it was, or shorter if negative.
    pub(crate) difference_ms: Millis,
}

/// A run compared with earlier ones.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Comparison"))]
pub(crate) struct ComparisonFields {
    /// The lengths of the runs.
    pub(crate) length: ComparedFields,
    /// The run times of the futures.
    pub(crate) futures: Vec<ComparedFuture>,
}

/// The run time of a future, compared with what it was.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ComparedFuture {
    /// Its label.
    pub(crate) label: String,
    #[serde(flatten)]
    pub(crate) run_time: ComparedFields,
}

/// How long a script, or one of its futures, took in the runs that are kept.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "History"))]
pub(crate) struct HistoryFields {
    /// The name of the future. Null for whole runs.
    pub(crate) name: Option<String>,
    /// The median of those that succeeded, in ms. Null if none did.
    pub(crate) median_ms: Option<Millis>,
    /// The run that broke the trend: the first that took longer than the median of those before it by more than half, and by
    /// more than a second. Null if none did.
    pub(crate) broke_trend: Option<BrokeFields>,
    /// The runs, oldest first.
    pub(crate) history: Vec<PastFields>,
}

/// Where a trend broke.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Broke"))]
pub(crate) struct BrokeFields {
    /// The place of the run in `history`, from 0 on.
    pub(crate) index: usize,
    /// The median of those that succeeded before it, in ms.
    pub(crate) median_before_ms: Millis,
}

/// How long it took in one run. What is not known of it, or does not apply, is null.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Past"))]
pub(crate) struct PastFields {
    /// When it began, in ms since the epoch.
    pub(crate) start_time_ms: Millis,
    /// How long it took, or has taken by now, without the time that it was queued, in ms.
    pub(crate) run_time_ms: Option<Millis>,
    /// How long it was held back, in ms; of a whole run, all of its futures together.
    pub(crate) queued_ms: Millis,
    /// Whether it is over and has succeeded; a whole run only if all of its futures have. No other is part of a median.
    pub(crate) succeeded: bool,
    /// How it ended, or stands, in the words of the table.
    pub(crate) ended: String,
    /// Where the future stands. Null for a whole run.
    pub(crate) state: Option<State>,
    /// The task's exit status; 128 + N if signal N ended it. Null for a whole run.
    #[cfg_attr(test, schemars(range(min = 0, max = 255)))]
    pub(crate) rc: Option<i32>,
    /// Why it ended, or never started, where that was not the task's own doing. Null for a whole run.
    pub(crate) cause: Option<Cause>,
}

/// A length, compared with what it was, in ms. Null where it was not there.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Compared"))]
pub(crate) struct ComparedFields {
    /// In this run.
    pub(crate) now_ms: Option<Millis>,
    /// In the earlier run, or the median of those that it was there in.
    pub(crate) before_ms: Option<Millis>,
}
