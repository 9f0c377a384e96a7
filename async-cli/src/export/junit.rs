//! A test report in the JUnit format, which most build servers show: each future is a test case.

use std::io;

use async_core::clock;
use async_core::text;
use async_core::timing::{Run, Task, TaskOutcome};
use chrono::{DateTime, Utc};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::RunReport;
use super::chart;
use super::tail::Tail;

/// How much of each log to report, in bytes: build servers hold a whole report in memory.
const LOG_BYTES: usize = 256 << 10;

/// The name of the report, its suite, and the class of its test cases.
const NAME: &str = "async";

/// `--junit`
pub(super) struct Junit;

impl super::Exporter for Junit {
    fn export(&self, &RunReport { run, .. }: &RunReport<'_>) -> io::Result<String> {
        let length = clock::length(run.length());
        let mut suite = TestSuite::new(NAME);
        suite.set_time(length).set_timestamp(DateTime::<Utc>::from_timestamp_millis(run.start).unwrap_or_default());
        suite.add_test_cases((0..run.tasks.len()).map(|task| case(run, task)));
        let mut report = Report::new(NAME);
        report.set_time(length).add_test_suite(suite);
        report.to_string().map_err(io::Error::other)
    }
}

/// A failure is what the task itself reported; an error means that it could not report anything.
fn case(run: &Run, index: usize) -> TestCase {
    let task = &run.tasks[index];
    let mut status = match task.status.outcome() {
        TaskOutcome::Succeeded => TestCaseStatus::success(),
        TaskOutcome::Failed | TaskOutcome::TimedOut => TestCaseStatus::non_success(NonSuccessKind::Failure),
        TaskOutcome::Skipped | TaskOutcome::Queued => TestCaseStatus::skipped(),
        TaskOutcome::Lost | TaskOutcome::Cancelled | TaskOutcome::Unstartable | TaskOutcome::Running => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    let words = chart::status(&task.status);
    match &mut status {
        TestCaseStatus::Success { .. } => {}
        TestCaseStatus::Skipped { .. } => {
            status.set_message(words);
        }
        TestCaseStatus::NonSuccess { .. } => {
            status.set_message(words).set_type(chart::LaneKind::Future(task.status.outcome()).sign());
        }
    }
    let mut case = TestCase::new(text::printable(run.label(index).as_ref()), status);
    case.set_classname(NAME).set_time(clock::length(task.known_run_time().unwrap_or(0)));
    let command = text::printable(task.command.as_ref());
    case.set_system_out(format!("$ {command}\n{}", log(task)));
    case
}

fn log(task: &Task) -> String {
    match task.log.as_ref().map(|log| Tail::read(log, LOG_BYTES, usize::MAX)) {
        None => String::new(),
        Some(Ok(Tail { text, of: None })) => text,
        Some(Ok(Tail { text, of: Some(size) })) => format!("[the end of {size} bytes]\n{text}"),
        Some(Err(error)) => format!("[the log can't be read: {error}]"),
    }
}
