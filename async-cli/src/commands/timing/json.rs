//! A run for the JSON.

use async_core::text::printable;
use async_core::FutureName;
use async_core::timing::{
    Analysis, Change, Compared, Comparison, Ending, Figures, History, Moved, Past, Run, Stretch, TaskOutcome,
};

use super::analysis::Prediction;
use super::what_if;
use crate::json::timing::{
    AdviceFields, BrokeFields, ChangeFields, ComparedFields, ComparedFuture, ComparisonFields, FutureTiming, HistoryFields, MovedFields, PastFields,
    PathStretch, PredictionFields, RunFields, SummaryFields, Timing,
};

pub(super) fn timing(
    analysis: &Analysis<'_>,
    prediction: Option<&Prediction>,
    comparison: Option<&Comparison>,
) -> Timing {
    let run = analysis.run;
    let advice = analysis.advice.iter().map(|advice| AdviceFields {
        change: changed(run, advice.change, advice.moved.as_ref()),
        worth_ms: advice.worth,
    });
    Timing {
        summary: (&run.figures()).into(),
        run: RunFields {
            start_time_ms: run.start,
            end_time_ms: run.end,
            length_ms: run.length(),
            bound_ms: analysis.schedule.bound(),
            clock_step_ms: run.clock_step,
        },
        timings: (0..run.tasks.len()).map(|task| future(run, task)).collect(),
        critical_path: analysis.path.iter().map(|stretch| stretch_of(run, stretch)).collect(),
        advice: advice.collect(),
        what_if: prediction.map(|prediction| PredictionFields {
            changes: prediction.done.iter().map(|(change, moved)| changed(run, *change, moved.as_ref())).collect(),
            length_ms: prediction.replay.total,
            difference_ms: prediction.replay.total - run.length(),
        }),
        compare: comparison.map(Into::into),
    }
}

/// The history of the future of that name, or of whole runs.
pub(super) fn history(name: Option<&FutureName>, history: &History) -> HistoryFields {
    HistoryFields {
        name: name.map(ToString::to_string),
        median_ms: history.median,
        broke_trend: history.broke.map(|broke| BrokeFields { index: broke.entry, median_before_ms: broke.before }),
        history: history.entries.iter().map(Into::into).collect(),
    }
}

impl From<&Past> for PastFields {
    fn from(past: &Past) -> Self {
        let status = match past.ending {
            Ending::Future(status) => Some(status),
            Ending::Run { .. } => None,
        };
        Self {
            start_time_ms: past.start,
            run_time_ms: past.run_time,
            queued_ms: past.queued,
            succeeded: past.ending.is_success(),
            ended: super::history::ending(&past.ending),
            state: status.map(|status| status.state),
            rc: status.and_then(|status| status.rc),
            cause: status.and_then(|status| status.cause),
        }
    }
}

fn future(run: &Run, index: usize) -> FutureTiming {
    let task = &run.tasks[index];
    FutureTiming {
        name: task.name.to_string(),
        label: run.label(index),
        parent: task.parent.map(|parent| run.label(parent)),
        command: printable(task.command.as_ref()),
        state: task.status.state,
        on: task.on.clone(),
        node: task.node.clone(),
        failed: !matches!(task.status.outcome(), TaskOutcome::Queued | TaskOutcome::Running | TaskOutcome::Succeeded),
        rc: task.status.rc,
        cause: task.status.cause,
        synchronous: task.synchronous,
        start_offset_ms: task.start,
        run_start_offset_ms: task.run_start,
        end_offset_ms: task.known_run_time().and(task.end),
        queued_ms: task.queued(),
        run_time_ms: task.known_run_time().unwrap_or(0),
        wait_start_offset_ms: task.wait.map(|wait| wait.start),
        wait_end_offset_ms: task.wait.map(|wait| wait.end),
        blocked_ms: task.blocked(),
        slack_ms: task.slack(),
    }
}

fn stretch_of(run: &Run, stretch: &Stretch) -> PathStretch {
    PathStretch {
        label: stretch.task.map(|task| run.label(task)),
        queued: stretch.queued,
        start_offset_ms: stretch.start,
        end_offset_ms: stretch.end,
    }
}

fn changed(run: &Run, change: Change, moved: Option<&Moved>) -> ChangeFields {
    let labels = |tasks: &[usize]| tasks.iter().map(|&task| run.label(task)).collect();
    let moved = moved.map(|moved| MovedFields {
        by_ms: moved.by,
        past_starts: labels(&moved.past_starts),
        past_waits: labels(&moved.past_waits),
    });
    ChangeFields { what_if: what_if::text(change, run), moved }
}

impl From<&Figures> for SummaryFields {
    fn from(figures: &Figures) -> Self {
        Self {
            elapsed_ms: figures.elapsed,
            background_ms: figures.background,
            waited_ms: figures.waited,
            shared_ms: figures.shared,
            serial_ms: figures.serial(),
            elapsed_s: figures.elapsed / 1000,
            background_minus_waits_s: (figures.background - figures.waited) / 1000,
            serial_s: figures.serial() / 1000,
            speedup: figures.speedup(),
        }
    }
}

impl From<&Comparison> for ComparisonFields {
    fn from(comparison: &Comparison) -> Self {
        let future = |(label, compared): (&String, _)| ComparedFuture {
            label: label.clone(),
            run_time: ComparedFields::from(compared),
        };
        Self { length: (&comparison.total).into(), futures: comparison.futures.iter().map(future).collect() }
    }
}

impl From<&Compared> for ComparedFields {
    fn from(compared: &Compared) -> Self {
        Self { now_ms: compared.now, before_ms: compared.before }
    }
}
