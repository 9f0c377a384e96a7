//! The measurements.

mod contenders;
mod crowd;
mod log;
mod memory;
mod scale;
mod start;

use serde::Serialize;

use super::Bench;
use super::place::Place;
use super::programs::{Programs, Tool};

/// One line of the tables.
pub(crate) struct Row {
    pub(crate) section: &'static Section,
    /// `SECTION/NAME`.
    pub(crate) id: String,
    /// The contender, for a reader.
    pub(crate) who: String,
    pub(crate) source: Source,
}

/// The source of a row's samples.
pub(crate) enum Source {
    /// Takes a sample, in the section's unit.
    Measure(Measure),
    /// None: something is missing.
    Missing(String),
}

/// Takes one sample.
pub(crate) type Measure = Box<dyn Fn(&Place) -> Result<f64, String>>;

/// Rows with one unit, compared with one of them.
#[derive(Serialize)]
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// How the section is measured.
    pub(crate) note: &'static str,
    pub(crate) unit: &'static str,
    /// The name of the row that is 1.
    pub(crate) base: &'static str,
}

impl Section {
    fn row(&'static self, name: &str, who: impl Into<String>, source: Source) -> Row {
        Row { section: self, id: format!("{}/{name}", self.id), who: who.into(), source }
    }

    fn measured(
        &'static self,
        name: &str,
        who: impl Into<String>,
        measure: impl Fn(&Place) -> Result<f64, String> + 'static,
    ) -> Row {
        self.row(name, who, Source::Measure(Box::new(measure)))
    }
}

impl Row {
    /// Whether the other rows of its section are compared with it.
    pub(crate) fn is_base(&self) -> bool {
        self.id.strip_prefix(self.section.id).and_then(|rest| rest.strip_prefix('/')) == Some(self.section.base)
    }
}

/// All rows, in the order of the tables.
pub(crate) fn all(bench: &Bench, programs: &Programs, place: &Place) -> Vec<Row> {
    let mut rows = contenders::rows(bench, programs, place);
    rows.extend(crowd::rows(bench, programs, place));
    rows.extend(scale::rows(bench, programs));
    rows.extend(log::rows(programs));
    rows.extend(start::rows(programs));
    rows.extend(memory::rows(bench, programs, place));
    rows
}

/// Milliseconds per future: the difference between a run with all of them and one with none.
fn ms_each(whole: std::time::Duration, start: std::time::Duration, count: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let count = count as f64;
    (whole.as_secs_f64() - start.as_secs_f64()) * 1000.0 / count
}

impl Tool {
    /// A measurement with a tool, if the tool is there.
    fn with<M: Fn(&Place) -> Result<f64, String> + 'static>(
        &self,
        measure: impl FnOnce(std::path::PathBuf) -> M,
    ) -> Source {
        match self {
            Self::There(path) => Source::Measure(Box::new(measure(path.clone()))),
            Self::Missing(what) => Source::Missing(what.clone()),
        }
    }
}
