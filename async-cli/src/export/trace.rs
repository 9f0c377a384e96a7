//! A trace, for Perfetto, speedscope and everything else that reads the Trace Event Format.
//!
//! "Trace Event Format" (Nat Duca and Dan Sinclair, Google, "v2.1") describes the format;
//! <https://perfetto.dev/docs/getting-started/other-formats> refers to it. This module uses:
//!
//! * The JSON object format: `traceEvents` is a list of events, `displayTimeUnit` is `ms`, other keys are metadata.
//! * Each event has `ph`, `pid` and `tid`, and `name`. Times are in µs.
//! * Complete events (`X`) have `ts` and `dur`. Those of one thread nest: two of them either don't overlap, or one
//!   contains the other.
//! * Counter events (`C`) have the value of each of their series in `args`, from `ts` to the next one of that name.
//! * Metadata events (`M`) named `process_name`, `thread_name` and `thread_sort_index` have their value in `args`.

use std::collections::BTreeMap;
use std::io;

use async_core::clock::Millis;
use async_core::timing::{Run, Task};
use serde::Serialize;

use super::RunReport;
use super::chart::{Chart, Lane, Span};

/// Everything belongs to one process.
const PID: usize = 1;

/// `--trace`
pub(super) struct Trace;

impl super::Exporter for Trace {
    fn export(&self, &RunReport { run, .. }: &RunReport<'_>) -> io::Result<String> {
        let chart = Chart::of(run);
        let mut threads = Threads::default();
        for lane in &chart.lanes {
            threads.add(lane, lane.task.map(|task| &run.tasks[task]));
        }
        let mut events = vec![Event::named("process_name", 0, "async")];
        events.extend(threads.metadata);
        // If two begin together, readers nest the later one in the list inside the earlier one.
        threads.slices.sort_by_key(|slice| (slice.ts, std::cmp::Reverse(slice.dur)));
        events.extend(threads.slices);
        events.extend(used_cores(run));
        let figures = chart.figures.into_iter().map(|fact| (fact.what, fact.value)).collect();
        let other_data = About { start: chart.begin, figures };
        let file = File { trace_events: events, display_time_unit: "ms", other_data };
        Ok(serde_json::to_string(&file)? + "\n")
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    trace_events: Vec<Event<'a>>,
    display_time_unit: &'static str,
    other_data: About,
}

#[derive(Serialize)]
struct About {
    /// The time of the zero.
    start: String,
    /// The figures of the whole run, for people.
    #[serde(flatten)]
    figures: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Event<'a> {
    name: String,
    ph: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat: Option<&'static str>,
    /// The start, in µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    /// The length, in µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<i64>,
    pid: usize,
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Args<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Name {
        name: String,
    },
    Order {
        sort_index: usize,
    },
    Cores {
        cores: f64,
    },
    Future {
        command: &'a str,
        status: &'a str,
        #[serde(flatten)]
        used: Option<Used>,
    },
}

/// What a task used; what is not known is left out.
#[derive(Serialize)]
struct Used {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_ms: Option<Millis>,
    /// Of any single process.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_resident_kib: Option<u64>,
    /// Of all of its processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tree_resident_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks_read: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks_written: Option<u64>,
}

impl Used {
    fn of(task: &Task) -> Self {
        let usage = task.usage.as_ref();
        Self {
            user_ms: usage.map(|usage| usage.user),
            system_ms: usage.map(|usage| usage.system),
            max_resident_kib: usage.map(|usage| usage.max_resident),
            max_tree_resident_kib: task.samples.as_ref().map(|samples| samples.max_tree_resident),
            blocks_read: usage.map(|usage| usage.blocks_read),
            blocks_written: usage.map(|usage| usage.blocks_written),
        }
    }
}

/// The cores in use, as a counter; nothing if that is not known.
fn used_cores(run: &Run) -> Vec<Event<'static>> {
    let steps = run.used_cores().map_or_else(Vec::new, |used| used.steps);
    let end = steps.last().map(|last| (last.to, 0.0));
    let count = |(at, cores): (Millis, f64)| Event {
        ts: Some(at.saturating_mul(1000)),
        ph: 'C',
        ..Event::metadata("used cores", 0, Args::Cores { cores })
    };
    steps.iter().map(|step| (step.from, step.used)).chain(end).map(count).collect()
}

impl Event<'_> {
    /// A name for the process or for one of its threads.
    fn named(what: &str, tid: usize, name: &str) -> Self {
        Self::metadata(what, tid, Args::Name { name: name.to_owned() })
    }
}

impl<'a> Event<'a> {
    fn metadata(what: &str, tid: usize, args: Args<'a>) -> Self {
        Self { name: what.to_owned(), ph: 'M', cat: None, ts: None, dur: None, pid: PID, tid, args: Some(args) }
    }

    fn slice(name: String, cat: &'static str, tid: usize, span: Span, args: Option<Args<'a>>) -> Self {
        let micros = |ms: Millis| Some(ms.saturating_mul(1000));
        Self { name, ph: 'X', cat: Some(cat), ts: micros(span.start), dur: micros(span.length()), pid: PID, tid, args }
    }
}

/// One thread for each lane, in order.
#[derive(Default)]
struct Threads<'a> {
    next: usize,
    metadata: Vec<Event<'a>>,
    slices: Vec<Event<'a>>,
}

impl<'a> Threads<'a> {
    fn open(&mut self, name: &str) -> usize {
        let tid = self.next;
        self.next += 1;
        self.metadata.push(Event::named("thread_name", tid, name));
        self.metadata.push(Event::metadata("thread_sort_index", tid, Args::Order { sort_index: tid }));
        tid
    }

    fn add(&mut self, lane: &'a Lane, task: Option<&Task>) {
        let tid = self.open(&lane.name);
        let about = |used| task.map(|_| Args::Future { command: &lane.command, status: &lane.status, used });
        if let Some(queued) = lane.queued {
            let name = if lane.is_queued_elsewhere { "queued on the cluster" } else { "queued" };
            self.slices.push(Event::slice(name.into(), "queued", tid, queued, about(None)));
        }
        if let Some(run) = lane.run {
            self.slices.push(Event::slice(lane.name.clone(), lane.look.sign(), tid, run, about(task.map(Used::of))));
        }
        self.add_waits(lane, tid);
    }

    /// Waits inside a run are slices of its thread. Several shells may wait at once for futures that the script has
    /// started; waits that would overlap or stick out get threads of their own.
    fn add_waits(&mut self, lane: &Lane, tid: usize) {
        let Some(run) = lane.run else { return };
        let mut ends = vec![(tid, run.start)];
        for wait in &lane.waits {
            let fits = |&(of, end): &(usize, Millis)| end <= wait.span.start && (of != tid || wait.span.end <= run.end);
            let place = ends.iter().position(fits).unwrap_or_else(|| {
                ends.push((self.open(&format!("{}, waits at the same time", lane.name)), 0));
                ends.len() - 1
            });
            ends[place].1 = wait.span.end;
            let name = format!("wait for {}", wait.of);
            self.slices.push(Event::slice(name, "wait", ends[place].0, wait.span, None));
        }
    }
}
