//! `cargo xtask fuzz`: the fuzz targets in `tests/fuzz`, whose README says what each looks at.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use clap::Args;
use clap::builder::PossibleValuesParser;

/// A target, and a bug that is planted to check that the target finds it. The seeds alone must not.
struct Target {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

const TARGETS: [Target; 3] = [
    // An end by a signal is read as a success.
    Target {
        name: "records",
        file: "async-core/src/record/codec.rs",
        right: "record.rc = Some(value.into()),",
        wrong: "record.rc = Some(if value > 199 { 0 } else { value.into() }),",
    },
    // A future does not wait for a predecessor that started in a certain millisecond.
    Target {
        name: "plans",
        file: "async-core/src/store/queue.rs",
        right: "QueuePlace { behind: parse_tail(&text[..length]) }",
        wrong: "QueuePlace { behind: parse_tail(&text[..length]).filter(|id| id.started != 41) }",
    },
    // A limit of no tasks at all.
    Target {
        name: "command_lines",
        file: "async-cli/src/commands/run/planning.rs",
        right: ".filter(|&number| number > 0)",
        wrong: ".filter(|_| true)",
    },
];

/// How long it may take to find a planted bug, in s.
const BOUND: u64 = 600;

/// How long one input may take before it counts as a hang, in s. The slowest take a hundredth of a second.
const PATIENCE: u64 = 20;

/// The largest input, in bytes.
const LONGEST: usize = 4096;

/// Looks for inputs that break what must always hold, guided by the code that they reach
///
/// Starts from the seeds in tests/fuzz, and from what earlier runs found interesting, which is in target/fuzz/corpus. Fails
/// with the input if it finds one. Takes a nightly toolchain and cargo-fuzz: `rustup toolchain install nightly`, and
/// `cargo install cargo-fuzz`.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// The target [default: each, one after the other]
    #[arg(value_parser = PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    target: Option<String>,
    /// How long each runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    minutes: u64,
    /// Plant a bug for each into a copy of the sources, and fail unless it is found within ten minutes, and not by the seeds
    #[arg(long, conflicts_with = "minutes")]
    self_test: bool,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Result<(), String> {
        let targets = TARGETS.iter().filter(|target| self.target.as_ref().is_none_or(|name| name == target.name));
        let place = xtask::target_dir()?.join("fuzz");
        if self.self_test {
            return self_test(&targets.collect::<Vec<_>>(), &place);
        }
        build(xtask::root(), &place)?;
        let mut found = Vec::new();
        for target in targets {
            let run = Run::new(target, &place, &place.join("corpus"))?;
            let status = run.go(&format!("-max_total_time={}", self.minutes * 60))?;
            println!("{}: {}", target.name, run.reached()?);
            if !status.success() {
                found.push(format!("{}: {}", target.name, run.finding()?));
            }
        }
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    }
}

/// Checks that fuzzing finds each planted bug, and that the seeds alone don't.
fn self_test(targets: &[&Target], place: &Path) -> Result<(), String> {
    let failed = |error| format!("can't copy the sources: {error}");
    let copy = place.join("planted");
    let _ = fs::remove_dir_all(&copy);
    copy_sources(xtask::root(), &copy).map_err(failed)?;
    for Target { name, file, right, wrong } in targets {
        let text = fs::read_to_string(copy.join(file)).map_err(failed)?;
        if text.matches(right).count() != 1 {
            return Err(format!("{file} has no `{right}` any more, which the bug for {name} takes the place of"));
        }
        fs::write(copy.join(file), text.replace(right, wrong)).map_err(failed)?;
    }
    build(&copy, place)?;
    for target in targets {
        let corpus = tempfile::tempdir().map_err(|error| format!("can't make a folder: {error}"))?;
        let run = Run::new(target, place, corpus.path())?;
        if !run.go("-runs=0")?.success() {
            return Err(format!("{}: the seeds alone show the planted bug: {}", target.name, run.finding()?));
        }
        if run.go(&format!("-max_total_time={BOUND}"))?.success() {
            return Err(format!("{}: the planted bug was not found in {BOUND} s: {}", target.name, run.reached()?));
        }
        println!("{}: the planted bug was found: {}", target.name, run.finding()?);
    }
    Ok(())
}

/// Copies the sources of the targets.
fn copy_sources(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = path.file_name().unwrap_or_default();
        match kind.is_dir() {
            true if name == "target" || name == ".git" => {}
            true => copy_sources(&path, &to.join(name))?,
            false => fs::copy(&path, to.join(name)).map(drop)?,
        }
    }
    Ok(())
}

/// The triple of the build, which names a folder.
fn triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Builds the targets from those sources. They contain no `unsafe`, so no sanitizer watches memory.
fn build(sources: &Path, place: &Path) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["+nightly", "fuzz", "build", "--sanitizer", "none", "--target", &triple(), "--fuzz-dir"]);
    cargo.arg(sources.join("tests/fuzz")).arg("--target-dir").arg(place).current_dir(sources);
    let hint =
        "is there a nightly toolchain (rustup toolchain install nightly), and cargo-fuzz (cargo install cargo-fuzz)?";
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo fuzz build: {status}; {hint}")),
        Err(error) => Err(format!("can't run cargo: {error}; {hint}")),
    }
}

/// A run of one target, with its files below target/fuzz.
struct Run {
    program: PathBuf,
    seeds: PathBuf,
    corpus: PathBuf,
    findings: PathBuf,
    log: PathBuf,
}

impl Run {
    fn new(target: &Target, place: &Path, corpus: &Path) -> Result<Self, String> {
        let run = Self {
            program: place.join(triple()).join("release").join(target.name),
            seeds: xtask::root().join("tests/fuzz/seeds").join(target.name),
            corpus: corpus.join(target.name),
            findings: place.join("findings").join(target.name),
            log: place.join(format!("{}.log", target.name)),
        };
        for folder in [&run.corpus, &run.findings] {
            fs::create_dir_all(folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
        }
        Ok(run)
    }

    /// Runs it until it has found something, or until that option of libFuzzer ends it.
    fn go(&self, until: &str) -> Result<ExitStatus, String> {
        let failed = |error| format!("can't run {}: {error}", self.program.display());
        let log = File::create(&self.log).map_err(failed)?;
        // Removed however the run ends.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).map_err(failed)?;
        let mut findings = std::ffi::OsString::from("-artifact_prefix=");
        findings.push(self.findings.join(""));
        let mut command = Command::new(&self.program);
        command.arg(until).arg(format!("-timeout={PATIENCE}")).arg(format!("-max_len={LONGEST}")).arg(findings);
        command.arg(&self.corpus).arg(&self.seeds).env("TMPDIR", scratch.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).status().map_err(failed)
    }

    fn said(&self) -> Result<String, String> {
        let said = fs::read(&self.log).map_err(|error| format!("can't read {}: {error}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Its coverage in libFuzzer's terms: `cov` counts edges of the code, `ft` features.
    fn reached(&self) -> Result<String, String> {
        let said = self.said()?;
        let edges = said.lines().find_map(|line| Some(line.split_once(" modules ")?.1.trim().trim_matches('(')));
        let edges = edges.and_then(|text| text.split(' ').next()).unwrap_or("?");
        let last = said.lines().rev().find(|line| line.starts_with('#') && line.contains("cov: ")).unwrap_or("#0");
        let words: Vec<&str> = last.split_whitespace().collect();
        let after = |word: &str| words.iter().skip_while(|it| **it != word).nth(1).copied().unwrap_or("?");
        let inputs = words[0].trim_start_matches('#');
        Ok(format!("{inputs} inputs, cov {} of {edges} edges, ft {}", after("cov:"), after("ft:")))
    }

    /// Its finding, with the path of the input.
    fn finding(&self) -> Result<String, String> {
        let said = self.said()?;
        let is_why = |line: &&str| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
        let why = said.lines().skip_while(|line| !is_why(line)).take(2).collect::<Vec<_>>().join(" ");
        let input =
            said.lines().find_map(|line| line.split_once("Test unit written to ")).map_or("?", |(_, path)| path);
        Ok(format!("{why}\n  the input is {input}; all of it is in {}", self.log.display()))
    }
}
