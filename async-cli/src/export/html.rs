//! A self-contained page with the timeline.

use async_core::StoreFile;
use std::io;

use askama::Template;
use async_core::clock::Millis;
use async_core::timing::{Comparison, Run, TaskOutcome};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::RunReport;
use super::axis::{self, Tick};
use super::chart::{self, Chart, Fact, Lane, Span, Wait};
use super::findings::{self, Findings};
use super::tail::Tail;
use crate::commands::timing::report;

pub(super) const STYLE: &str = include_str!("timeline.css");
const SCRIPT: &str = include_str!("timeline.js");

/// From how many lanes on the page only draws what is in view, and how many lanes, or waits of one lane, form a group.
const LARGE: usize = 500;
const GROUP: usize = 50;

/// How much of each log to show, in lines and in bytes.
const LOG_LINES: usize = 20;
const LOG_BYTES: usize = 4 << 10;
/// How much of all logs together to show, in bytes.
const LOGS_BYTES: usize = 1 << 20;

/// `--html`
pub(super) struct Html;

impl super::Exporter for Html {
    fn export(&self, report: &RunReport<'_>) -> io::Result<String> {
        let run = report.run;
        let chart = Chart::of(run);
        let page = Page {
            run,
            chart: &chart,
            findings: &Findings::of(report, &chart),
            comparison: report.comparison,
            logs: &logs(run),
            policy: policy(),
            steps: steps(),
            ticks: axis::ticks(chart.length, 6),
        };
        page.render().map_err(io::Error::other)
    }
}

/// What the page knows of a log.
enum Log {
    None,
    End(Tail),
    /// The page has enough logs already.
    TooMany,
    Unreadable(io::Error),
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct Page<'a> {
    run: &'a Run,
    chart: &'a Chart,
    findings: &'a Findings,
    comparison: Option<&'a Comparison>,
    logs: &'a [Log],
    policy: String,
    /// The possible distances between ticks for the script, in ms.
    steps: String,
    /// The ticks that show without the script.
    ticks: Vec<Tick>,
}

impl Page<'_> {
    /// A moment in ms as a percentage of the axis.
    fn percent(&self, ms: Millis) -> String {
        percent(ms, self.chart.length)
    }

    /// A part of a lane's bar, in percent of the bar.
    fn part(lane: &Lane, part: &Span) -> String {
        percent(part.length(), lane.whole.length())
    }

    /// The clock time at a moment in ms from the start.
    fn clock(&self, ms: Millis) -> String {
        super::utc(self.run.start.saturating_add(ms))
    }

    /// Whether the page only draws what is in view. Then all groups but the first are just text to the browser while
    /// the script runs.
    fn is_large(&self) -> bool {
        self.chart.lanes.len() > LARGE
    }

    fn begins_group(&self, index: usize) -> bool {
        self.is_large() && index >= GROUP && index.is_multiple_of(GROUP)
    }

    fn ends_group(&self, index: usize) -> bool {
        self.is_large() && index >= GROUP && ((index + 1).is_multiple_of(GROUP) || index + 1 == self.chart.lanes.len())
    }

    /// Whether waits in that lane are also drawn only in view. Within a group, they are a part of its text.
    fn is_crowded(&self, index: usize) -> bool {
        self.is_large() && index < GROUP
    }

    /// The waits in a lane, in groups if they are drawn group by group.
    fn waits(lane: &Lane, crowded: bool) -> Vec<&[Wait]> {
        lane.waits.chunks(if crowded { GROUP } else { usize::MAX }).collect()
    }

    /// The position of each wait on the axis: its start and its length, in percent.
    fn spans(&self, waits: &[Wait]) -> String {
        let spans = waits.iter().flat_map(|wait| [wait.span.start, wait.span.length()]);
        spans.map(|ms| self.percent(ms)).collect::<Vec<_>>().join(" ")
    }

    fn group_length(&self, first: usize) -> usize {
        GROUP.min(self.chart.lanes.len() - first)
    }

    /// What is to be said of the wait for a future, of what it used, and of an earlier run.
    fn facts(&self, number: usize, lane: &Lane) -> Vec<Fact> {
        let task = lane.task.map(|task| &self.run.tasks[task]);
        let mut facts = Vec::new();
        let mut add = |what, value| facts.push(Fact { what, value });
        if let Some(task) = task {
            if report::is_free(task) {
                add("Waited for", "not at all: the wait cost nothing".to_owned());
            } else if !lane.waited.is_empty() {
                add("Waited for", lane.waited.clone());
            }
            if let Some(slack) = task.slack().filter(|&slack| slack > 0) {
                add("Slack", format!("finished {} before somebody waited for it", axis::duration(slack)));
            }
        }
        let on_path = self.findings.path.as_ref().map_or(0, |path| path.of_lane[number]);
        if on_path > 0 {
            add("Critical path", format!("{} of it", axis::duration(on_path)));
        }
        if let Some(task) = task {
            facts.extend(chart::used(task));
        }
        let compared = self.comparison.and_then(|comparison| match lane.task {
            None => Some(&comparison.total),
            Some(task) => comparison.futures.get(&self.run.label(task)),
        });
        facts.extend(compared.and_then(findings::earlier).map(|value| Fact { what: "Before", value }));
        facts
    }

    /// How long it was finished before somebody waited for it, for the table.
    fn slack(&self, lane: &Lane) -> String {
        let slack = lane.task.and_then(|task| self.run.tasks[task].slack());
        slack.map_or_else(String::new, axis::duration)
    }

    fn log(&self, lane: &Lane) -> &Log {
        lane.task.map_or(&Log::None, |task| &self.logs[task])
    }
}

/// A part in percent of the whole, both in ms.
pub(super) fn percent(part: Millis, whole: Millis) -> String {
    #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
    let percent = if whole == 0 { 100.0 } else { part as f64 / whole as f64 * 100.0 };
    format!("{percent:.7}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the page may do: run this script, apply this style, and nothing else, without any request to the network.
pub(super) fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src-elem 'sha256-{}'; style-src-attr 'unsafe-inline'; \
         img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE),
    )
}

fn steps() -> String {
    axis::steps().map(|step| step.to_string()).collect::<Vec<_>>().join(" ")
}

/// The ends of the logs. If there are too many, the logs of futures that did not succeed come first.
fn logs(run: &Run) -> Vec<Log> {
    let mut order: Vec<usize> = (0..run.tasks.len()).collect();
    order.sort_by_key(|&task| run.tasks[task].status.outcome() == TaskOutcome::Succeeded);
    let mut logs: Vec<Log> = run.tasks.iter().map(|_| Log::None).collect();
    let mut left = LOGS_BYTES;
    for task in order {
        if let Some(file) = &run.tasks[task].log {
            logs[task] = log(file, &mut left);
        }
    }
    logs
}

fn log(file: &StoreFile, left: &mut usize) -> Log {
    match Tail::read(file, LOG_BYTES, LOG_LINES) {
        Ok(tail) if tail.text.len() > *left => Log::TooMany,
        Ok(tail) => {
            *left -= tail.text.len();
            Log::End(tail)
        }
        Err(error) => Log::Unreadable(error),
    }
}
