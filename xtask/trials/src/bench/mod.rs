//! `cargo xtask bench`: what a future costs, side by side with the alternatives.
//!
//! Each round measures every row once, in an order of its own, so that other load on the machine hits all rows alike.
//! Read the ratios to the floor, not the times, which depend on the machine.
//!
//! | file | contents |
//! | --- | --- |
//! | [`rows`] and the files in it | the measurements, one file for each section |
//! | [`place`] | folders and scripts for measurements |
//! | [`programs`] | the builds of `async`, and the other tools |
//! | [`crowd`] | the stores with many futures |
//! | [`stats`], [`machine`], [`report`] | the evaluation |

pub(crate) mod crowd;
mod machine;
mod place;
mod programs;
mod report;
mod rows;
mod stats;

use std::path::PathBuf;

use clap::Args;

use crate::random::Random;
use machine::Machine;
use place::Place;
use programs::Programs;
use report::Report;
use rows::{Row, Source};

/// Measures what a future costs, against plain bash and the other tools that are there
#[derive(Args)]
pub(crate) struct Bench {
    /// How often each row is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many futures a measurement is of; slow tools get fewer
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    futures: u16,
    /// Measure these rows only, or these sections (`delay`, or `function/floor`)
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// Where the stores are made; its file system is measured too [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The original script
    #[arg(long, value_name = "PATH", value_parser = there)]
    original: Option<PathBuf>,
    /// The inc/async of today's devstack
    #[arg(long, value_name = "PATH", value_parser = there)]
    devstack: Option<PathBuf>,
    /// The program of the crate async-cmd, whose name is `async` too
    #[arg(long, value_name = "PATH")]
    async_cmd: Option<PathBuf>,
    /// A built program `async`, in place of two release builds
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// How many other futures there are, for the section `crowd`
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "10,1000,10000")]
    crowds: Vec<usize>,
    /// How many futures there are, for the sections `export` and `watch`
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "12500,50000")]
    many: Vec<usize>,
    /// How many futures run, for the section `cancel`
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "500,2000")]
    running: Vec<usize>,
    /// How large a log is, for the section `log`, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    log_mib: u32,
    /// Writes the tables there too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes all that was measured there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// An existing file, as an absolute path.
fn there(path: &str) -> Result<PathBuf, String> {
    programs::absolute(path.as_ref())
}

impl Bench {
    pub(crate) fn run(&self) -> Result<(), String> {
        let programs = Programs::find(self.program.as_deref(), self.async_cmd.as_deref())?;
        let place = Place::make(self.dir.as_deref(), usize::from(self.futures), u64::from(self.log_mib))?;
        let mut rows = rows::all(self, &programs, &place);
        rows.retain(|row| self.wants(row));
        if rows.is_empty() {
            return Err(format!("no row is called {}", self.only.join(", ")));
        }
        let mut machine = Machine::look(place.dir());
        let (samples, failures) = self.measure(&mut rows, &place);
        machine.look_again();
        let report = Report::new(machine, self, &rows, samples);
        print!("{}", report.markdown());
        for (path, text) in [(&self.markdown, report.markdown()), (&self.json, report.json())] {
            if let Some(path) = path {
                std::fs::write(path, text).map_err(|e| format!("can't write {}: {e}", path.display()))?;
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    }

    fn wants(&self, row: &Row) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| *wanted == row.id || *wanted == row.section.id)
    }

    /// The samples of each row, and the failures. A row that fails is not measured again.
    fn measure(&self, rows: &mut [Row], place: &Place) -> (Vec<Vec<f64>>, Vec<String>) {
        let mut samples = vec![Vec::new(); rows.len()];
        let mut failures = Vec::new();
        // The same orders in each run, so that they don't explain a difference between two runs.
        let mut random = Random::new(1);
        for round in 1..=self.rounds {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            random.shuffle(&mut order);
            for index in order {
                let row = &mut rows[index];
                let Source::Measure(measure) = &row.source else {
                    continue;
                };
                eprintln!("round {round} of {}: {}", self.rounds, row.id);
                match measure(place) {
                    Ok(sample) => samples[index].push(sample),
                    Err(why) => {
                        samples[index].clear();
                        row.source = Source::Missing("it failed".into());
                        failures.push(format!("{}: {why}", row.id));
                    }
                }
            }
        }
        (samples, failures)
    }
}
