//! Metrics for the textfile collector of Prometheus' node exporter, and anything else that reads OpenMetrics.
//!
//! All are gauges without time stamps: the collector reads the older text format, which rejects OpenMetrics' other
//! metric types and time stamps.

use std::collections::HashMap;
use std::fmt;
use std::io;

use async_core::clock::Millis;
use async_core::timing::{Run, Task, TaskOutcome};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::RunReport;
use super::chart::LaneKind;

/// `--openmetrics`
pub(super) struct OpenMetrics;

impl super::Exporter for OpenMetrics {
    fn export(&self, &RunReport { run, .. }: &RunReport<'_>) -> io::Result<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Metrics(run.clone())));
        let mut out = String::new();
        text::encode(&mut out, &registry).map_err(io::Error::other)?;
        Ok(out)
    }
}

#[derive(Debug)]
struct Metrics(Run);

/// Values by their labels.
type Values = Vec<(Vec<(&'static str, String)>, f64)>;

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Self(run) = self;
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, values: Values| {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            values
                .into_iter()
                .try_for_each(|(labels, value)| ConstGauge::new(value).encode(family.encode_family(&labels)?))
        };
        let seconds = Some(&Unit::Seconds);
        let one = |value| vec![(Vec::new(), value)];
        let figures = run.figures();
        gauge("async_run_start_timestamp", "When the run began", seconds, one(in_seconds(run.start)))?;
        for (name, help, ms) in [
            ("async_run_duration", "How long the run took", figures.elapsed),
            ("async_run_tasks_duration", "How long all tasks worked together", figures.background),
            ("async_run_waited", "How long the script stood in waits", figures.waited),
            ("async_run_serial_duration", "How long it would have taken one after another", figures.serial()),
        ] {
            gauge(name, help, seconds, one(in_seconds(ms)))?;
        }
        gauge("async_futures", "How many futures ended so, or stand so", None, counts(run))?;

        let names = labels(&run.tasks);
        let each = |of: &dyn Fn(&Task) -> Option<f64>| -> Values {
            run.tasks.iter().zip(&names).filter_map(|(task, labels)| Some((labels.clone(), of(task)?))).collect()
        };
        gauge(
            "async_future_run_duration",
            "How long the task ran",
            seconds,
            each(&|t| t.known_run_time().map(in_seconds)),
        )?;
        gauge("async_future_queued", "How long it was held back", seconds, each(&|t| Some(in_seconds(t.queued()))))?;
        gauge(
            "async_future_waited",
            "How long somebody waited for it",
            seconds,
            each(&|t| Some(in_seconds(t.blocked()))),
        )?;
        gauge(
            "async_future_processor",
            "Processor time of the task and of what it waited for",
            seconds,
            each(&|t| t.usage.map(|usage| in_seconds(usage.user + usage.system))),
        )?;
        gauge(
            "async_future_max_resident",
            "The most memory that any process of the task had resident",
            Some(&Unit::Bytes),
            each(&|t| t.usage.map(|usage| in_bytes(usage.max_resident))),
        )?;
        gauge(
            "async_future_max_tree_resident",
            "The most memory that all processes of the task had resident together",
            Some(&Unit::Bytes),
            each(&|t| t.samples.as_ref().map(|samples| in_bytes(samples.max_tree_resident))),
        )?;
        gauge("async_future_exit_status", "The exit status of its task", None, each(&|t| t.status.rc.map(f64::from)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
fn in_seconds(ms: Millis) -> f64 {
    ms as f64 / 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "no machine has that much memory")]
fn in_bytes(kib: u64) -> f64 {
    (kib * 1024) as f64
}

/// The number of futures of each kind, including zeros, so that a series never ends.
fn counts(run: &Run) -> Values {
    let all = [
        TaskOutcome::Succeeded,
        TaskOutcome::Failed,
        TaskOutcome::TimedOut,
        TaskOutcome::Cancelled,
        TaskOutcome::Skipped,
        TaskOutcome::Unstartable,
        TaskOutcome::Lost,
        TaskOutcome::Running,
        TaskOutcome::Queued,
    ];
    let count = |outcome| run.tasks.iter().filter(|task| task.status.outcome() == outcome).count();
    #[allow(clippy::cast_precision_loss, reason = "nobody has that many futures")]
    let value = |outcome| count(outcome) as f64;
    all.into_iter()
        .map(|outcome| (vec![("status", LaneKind::Future(outcome).word().replace(' ', "_"))], value(outcome)))
        .collect()
}

/// What distinguishes the futures: the name, and which future of that name it is, counting from 1.
fn labels(tasks: &[Task]) -> Vec<Vec<(&'static str, String)>> {
    let mut seen = HashMap::new();
    let mut number = |name| {
        let count = seen.entry(name).or_insert(0);
        *count += 1;
        *count
    };
    tasks.iter().map(|t| vec![("name", t.name.to_string()), ("number", number(&t.name).to_string())]).collect()
}
