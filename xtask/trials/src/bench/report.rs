//! The results, for people and for programs.

use std::fmt::Write;

use serde::Serialize;

use super::Bench;
use super::machine::Machine;
use super::rows::{Row, Section, Source};
use super::stats::Summary;

/// All that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    rounds: u16,
    futures: u16,
    sections: Vec<Table>,
}

#[derive(Serialize)]
struct Table {
    #[serde(flatten)]
    section: &'static Section,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    id: String,
    who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    #[serde(flatten)]
    summary: Option<Summary>,
    /// The median, relative to that of the section's base.
    ratio: Option<f64>,
    /// In the order of the rounds.
    samples: Vec<f64>,
}

impl Report {
    pub(crate) fn new(machine: Machine, bench: &Bench, rows: &[Row], samples: Vec<Vec<f64>>) -> Self {
        let mut sections: Vec<Table> = Vec::new();
        let summaries: Vec<_> = samples.iter().map(|samples| Summary::of(samples)).collect();
        for ((row, samples), summary) in rows.iter().zip(samples).zip(&summaries) {
            let base =
                rows.iter().zip(&summaries).find(|(base, _)| base.section.id == row.section.id && base.is_base());
            let base = base.and_then(|(_, summary)| *summary);
            let line = Line {
                id: row.id.clone(),
                who: row.who.clone(),
                missing: match &row.source {
                    Source::Missing(what) => Some(what.clone()),
                    Source::Measure(_) => None,
                },
                summary: *summary,
                ratio: summary.zip(base).map(|(summary, base)| summary.median / base.median),
                samples,
            };
            match sections.last_mut() {
                Some(table) if table.section.id == row.section.id => table.rows.push(line),
                _ => sections.push(Table { section: row.section, rows: vec![line] }),
            }
        }
        Self { machine, rounds: bench.rounds, futures: bench.futures, sections }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| machine | |\n| --- | --- |\n");
        for (name, value) in self.machine.lines() {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(
            text,
            "\n{} rounds; {} futures in each measurement, of slow tools fewer.",
            self.rounds, self.futures
        );
        for Table { section, rows } in &self.sections {
            let unit = section.unit;
            let _ = writeln!(text, "\n## {}\n\n{}\n", section.title, section.note);
            let _ = writeln!(text, "| | median, {unit} | half of all | from | to | ratio |");
            text += "| --- | ---: | ---: | ---: | ---: | ---: |\n";
            for line in rows {
                line.markdown(&mut text);
            }
        }
        text
    }
}

impl Line {
    fn markdown(&self, text: &mut String) {
        if let Some(what) = &self.missing {
            let _ = writeln!(text, "| {} | missing: {what} | | | | |", self.who);
        }
        if let Some(Summary { median, low, high, min, max }) = self.summary {
            let [median, low, high, min, max] = [median, low, high, min, max].map(figure);
            let ratio = self.ratio.map(figure).unwrap_or_default();
            let _ = writeln!(text, "| {} | {median} | {low} to {high} | {min} | {max} | {ratio} |", self.who);
        }
    }
}

/// Three significant digits, or all before the decimal point.
fn figure(value: f64) -> String {
    let size = value.abs();
    let places = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.places$}")
}
