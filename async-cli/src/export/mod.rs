//! Exporting a run in formats that other programs read: one small file each, behind one trait.

mod axis;
mod chart;
mod file;
mod findings;
mod history;
mod html;
mod junit;
mod openmetrics;
mod svg;
pub(crate) mod tail;
mod trace;

use std::io;
use std::path::{Path, PathBuf};

use async_core::clock::Millis;
use async_core::text;
use async_core::timing::{Analysis, Comparison, History, Run};
use clap::{Args, ValueHint};

use crate::failure::Failure;
use crate::messages::Output;

/// A run, and what was found out about it.
pub(crate) struct RunReport<'a> {
    pub(crate) run: &'a Run,
    /// None if its records contradict each other, or no format needs it.
    pub(crate) analysis: Option<&'a Analysis<'a>>,
    /// None if nobody asked for one.
    pub(crate) comparison: Option<&'a Comparison>,
}

/// An export format.
trait Exporter {
    /// The whole file.
    fn export(&self, report: &RunReport<'_>) -> io::Result<String>;
}

/// Which files to write. `-` is standard output.
#[derive(Args, Debug)]
#[command(next_help_heading = "Files (- is standard output)")]
pub(crate) struct Exports {
    /// Write a page with the timeline, or the history, to be opened in a browser
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Write a picture of the timeline
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<PathBuf>,
    /// Write a trace for Perfetto or speedscope
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    trace: Option<PathBuf>,
    /// Write a JUnit report, with each future as a test case
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Write metrics for Prometheus, as its node exporter reads them from files
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    openmetrics: Option<PathBuf>,
}

impl Exports {
    /// The requested files, each with its description and format.
    fn asked(&self) -> Vec<(&Path, &'static str, &'static dyn Exporter)> {
        let all: [(&Option<PathBuf>, _, &dyn Exporter); 5] = [
            (&self.html, "timeline", &html::Html),
            (&self.svg, "picture", &svg::Svg),
            (&self.trace, "trace", &trace::Trace),
            (&self.junit, "report", &junit::Junit),
            (&self.openmetrics, "metrics", &openmetrics::OpenMetrics),
        ];
        all.into_iter().filter_map(|(path, what, exporter)| Some((path.as_deref()?, what, exporter))).collect()
    }

    /// Whether any file was requested.
    pub(crate) fn is_asked(&self) -> bool {
        !self.asked().is_empty()
    }

    /// Whether a file says what [`RunReport::analysis`] has found.
    pub(crate) fn needs_analysis(&self) -> bool {
        self.html.is_some()
    }

    /// Whether standard output is one of the files, so that nothing else may go there.
    pub(crate) fn takes_stdout(&self) -> Result<bool, Failure> {
        match self.asked().iter().filter(|(path, ..)| is_stdout(path)).count() {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Failure::Usage("standard output (-) can be one of the files only".into())),
        }
    }

    /// Writes all of them and, if `told`, says where each one is. A file that can't be written does not prevent the
    /// others.
    pub(crate) fn write(&self, report: &RunReport<'_>, output: &mut Output, told: bool) -> Result<(), Failure> {
        let mut result = Ok(());
        for (path, what, exporter) in self.asked() {
            let done = write(path, what, exporter.export(report), output, told);
            if done.is_err()
                && let Err(earlier) = std::mem::replace(&mut result, done)
            {
                earlier.report();
            }
        }
        result
    }

    /// Writes the page of a history, of the future of that name or of whole runs, if one was requested, likewise.
    pub(crate) fn write_history(
        &self,
        name: Option<&str>,
        history: &History,
        output: &mut Output,
        told: bool,
    ) -> Result<(), Failure> {
        self.html.as_ref().map_or(Ok(()), |path| write(path, "history", history::page(name, history), output, told))
    }
}

fn write(
    path: &Path,
    what: &'static str,
    text: io::Result<String>,
    output: &mut Output,
    told: bool,
) -> Result<(), Failure> {
    let failed = |source| Failure::Export { what, path: path.to_owned(), source };
    let text = text.map_err(failed)?;
    if is_stdout(path) {
        output.print(&text)?;
    } else {
        file::write(path, text.as_bytes()).map_err(failed)?;
    }
    let line = format!("{}{}: {}\n", what[..1].to_uppercase(), &what[1..], text::printable(path.as_ref()));
    if told { output.print(&line) } else { Ok(()) }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// A moment in ms since the epoch as `2026-11-24 12:04:16 UTC`; `?` if no clock can show it.
fn utc(ms: Millis) -> String {
    crate::format::formatted(ms, "%Y-%m-%d %H:%M:%S UTC")
}
