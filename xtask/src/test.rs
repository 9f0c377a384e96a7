//! `cargo xtask test`: the quick checks in one command, and with `--all` every check.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::PossibleValuesParser;
use tempfile::NamedTempFile;

/// One check: a command line, which passes if it exits with 0.
struct Step {
    name: &'static str,
    command: &'static [&'static str],
    /// Git's patterns for the files that it gets.
    files: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    /// How to get the tool, if people may be without it.
    install: Option<&'static str>,
    /// What the full set adds to the command line.
    all: &'static [&'static str],
    /// It belongs to the full set alone.
    only_all: bool,
}

const NO_STEP: Step = Step { name: "", command: &[], files: &[], env: &[], install: None, all: &[], only_all: false };

/// How many tests Rust's test runner runs at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// The bash versions to test besides the system's, which is enough for the quick set.
const BASHES: &str = "ASYNC_TEST_BASHES";

/// The file in which tests report what they skip, one line each, because their harnesses can't.
const SKIPPED: &str = "ASYNC_TEST_SKIPPED";

/// The files that linters take for bash. Not the shim's template: a test of its own lints the rendered files.
const SHELL_FILES: &[&str] =
    &["async-bash-shim/inc/async", "*.bash", "*.sh", ".ci/*", ":!async-bash-shim/src/async.bash"];

/// The tests come last, so that their results are at the end of the output.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        command: &["cargo", "fmt", "--all", "--check"],
        install: Some("rustup component add rustfmt"),
        ..NO_STEP
    },
    Step {
        name: "clippy",
        command: &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        install: Some("rustup component add clippy"),
        ..NO_STEP
    },
    Step {
        name: "doc",
        command: &["cargo", "doc", "--workspace", "--no-deps", "--document-private-items"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        only_all: true,
        ..NO_STEP
    },
    Step {
        name: "shellcheck",
        command: &["shellcheck"],
        files: SHELL_FILES,
        install: Some("apt-get install shellcheck"),
        ..NO_STEP
    },
    Step {
        name: "shfmt",
        command: &["shfmt", "-i", "4", "-ci", "-d"],
        files: SHELL_FILES,
        install: Some("apt-get install shfmt"),
        ..NO_STEP
    },
    Step {
        name: "bashate",
        command: &["bashate", "-iE006", "-eE005,E042"],
        files: &["async-bash-shim/inc/async"],
        install: Some("apt-get install python3-bashate"),
        ..NO_STEP
    },
    Step {
        name: "spelling",
        command: &["typos"],
        install: Some("pipx install typos, or cargo install --locked typos-cli"),
        ..NO_STEP
    },
    Step {
        name: "test",
        command: &["cargo", "test", "--workspace", "--no-fail-fast"],
        all: &["--", "--include-ignored"],
        ..NO_STEP
    },
];

/// Runs the tests and lints
///
/// Without an option, that is those that take a few minutes in all, and the tests under the system's bash alone. A lint that
/// lacks its tool, or git to list its files, is skipped, and so is a test that lacks a program or root. Each is counted, and
/// fails where the environment has CI=true.
#[derive(Args)]
pub(crate) struct Test {
    /// Run every test there is, under each bash at hand
    #[arg(long)]
    all: bool,
    /// Run this step and no other
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    only: Option<String>,
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    /// The outcome of a step that can't run here. A gate must not pass because a tool is missing.
    fn lacking(reason: String) -> Self {
        let required = std::env::var_os("CI").is_some_and(|value| value == "true");
        if required { Self::Failed(reason) } else { Self::Skipped(reason) }
    }
}

/// The outcome of a step, and how long it took.
struct Ran {
    name: &'static str,
    outcome: Outcome,
    /// The tests that it skipped, and why.
    skipped: Vec<String>,
    time: Duration,
}

impl Test {
    pub(crate) fn run(&self) -> ExitCode {
        let steps = STEPS.iter().filter(|step| match &self.only {
            Some(name) => step.name == name,
            None => self.all || !step.only_all,
        });
        let ran: Vec<Ran> = steps
            .map(|step| {
                let begin = Instant::now();
                let (outcome, skipped) = step.run_counting(self.all);
                Ran { name: step.name, outcome, skipped, time: begin.elapsed() }
            })
            .collect();
        summarize(&ran)
    }
}

impl Step {
    /// Also returns the skipped tests.
    fn run_counting(&self, all: bool) -> (Outcome, Vec<String>) {
        let failed = |error| (Outcome::Failed(format!("can't count what is skipped: {error}")), Vec::new());
        let file = match NamedTempFile::new() {
            Ok(file) => file,
            Err(error) => return failed(error),
        };
        let outcome = self.run(all, file.path());
        match fs::read_to_string(file.path()) {
            Ok(text) => (outcome, text.lines().map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()),
            Err(error) => failed(error),
        }
    }

    fn run(&self, all: bool, skipped: &Path) -> Outcome {
        let more = if all { self.all } else { &[] };
        let words = [self.command, more].concat();
        println!("==> {}: {}", self.name, words.join(" "));
        if let Some(hint) = self.install
            && !self.is_installed()
        {
            return Outcome::lacking(format!("not installed: {hint}"));
        }
        let mut command = command(&with_signals(&words));
        command.env(SKIPPED, skipped);
        // Most tests spend more time waiting (for tasks, terminals or clusters) than computing.
        if std::env::var_os(THREADS).is_none() {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            command.env(THREADS, (2 * cores).to_string());
        }
        if !all {
            command.env_remove(BASHES);
        }
        match tracked(self.files) {
            Ok(files) => command.args(files).envs(self.env.iter().copied()),
            Err(reason) => return Outcome::lacking(reason),
        };
        match command.status() {
            Ok(status) if status.success() => Outcome::Passed,
            Ok(status) => Outcome::Failed(status.to_string()),
            Err(error) => Outcome::Failed(format!("can't run {}: {error}", self.command[0])),
        }
    }

    /// Whether the tool runs. Being on PATH is not enough: rustup and pyenv put stand-ins there.
    fn is_installed(&self) -> bool {
        let words = self.command.split(|word| word.starts_with('-')).next().unwrap_or_default();
        let status = command(words).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// A command with default signal handling: nohup(1), or a start in the background, makes it ignore signals whose
/// effects some tests wait for. Without GNU's env it stays as it is.
fn with_signals<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let env = ["env", "--default-signal"];
    let status = command(&[&env[..], &["true"]].concat()).stderr(Stdio::null()).status();
    let env = if status.is_ok_and(|status| status.success()) { &env[..] } else { &[] };
    [env, words].concat()
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(xtask::root());
    command
}

/// The files in git that match one of the patterns.
fn tracked(patterns: &[&str]) -> Result<Vec<OsString>, String> {
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let output = command(&["git", "ls-files", "-z", "--"])
        .args(patterns)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("can't run git: {error}"))?;
    let files: Vec<_> = output
        .stdout
        .split(|byte| *byte == 0)
        .map(|name| OsString::from_vec(name.to_vec()))
        .filter(|name| xtask::root().join(name).is_file())
        .collect();
    if output.status.success() && !files.is_empty() {
        Ok(files)
    } else {
        Err(format!("git lists no files in {}", xtask::root().display()))
    }
}

/// Prints a line for each step, and a last line with the numbers of steps and of skipped tests.
fn summarize(steps: &[Ran]) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!();
    for step in steps {
        let (count, text) = match &step.outcome {
            Outcome::Passed => (&mut passed, "ok".to_owned()),
            Outcome::Failed(reason) => (&mut failed, format!("FAILED ({reason})")),
            Outcome::Skipped(reason) => (&mut skipped, format!("skipped ({reason})")),
        };
        *count += 1;
        println!("{:<10}  {:>6.1} s  {text}", step.name, step.time.as_secs_f64());
        for test in &step.skipped {
            println!("{:<10}            skipped: {test}", "");
        }
        skipped += step.skipped.len();
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_which_of_its_tests_were_skipped() {
        const SUCCEEDS: &[&str] =
            &["sh", "-c", r#"printf '%s\n' 'b: no root' 'a: no zsh' 'a: no zsh' >>"$ASYNC_TEST_SKIPPED""#];
        const FAILS: &[&str] = &["sh", "-c", r#"echo 'a: no zsh' >>"$ASYNC_TEST_SKIPPED"; exit 1"#];
        let run = |command| Step { name: "test", command, ..NO_STEP }.run_counting(false);
        let (outcome, skipped) = run(SUCCEEDS);
        assert!(matches!(outcome, Outcome::Passed));
        assert_eq!(skipped, ["a: no zsh", "b: no root"]);
        let (outcome, skipped) = run(FAILS);
        assert!(matches!(outcome, Outcome::Failed(_)));
        assert_eq!(skipped, ["a: no zsh"]);
        assert_eq!(run(&["true"]).1, [""; 0]);
    }

    #[test]
    fn tests_heed_what_their_caller_ignores() {
        let heeding = with_signals(&["grep", "SigIgn", "/proc/self/status"]);
        if heeding[0] != "env" {
            println!("skipped: there is no GNU env");
            return;
        }
        // As nohup(1) does.
        let ignoring = ["sh", "-c", "trap '' HUP INT; exec \"$@\"", "-"];
        let ignored = |words: &[&str]| {
            let output = command(&[&ignoring[..], words].concat()).output().expect("a shell");
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            u64::from_str_radix(text.rsplit(char::is_whitespace).next().unwrap_or_default(), 16).expect(&text)
        };
        assert_eq!(ignored(&heeding[2..]) & 0b11, 0b11);
        assert_eq!(ignored(&heeding) & 0b11, 0);
    }
}
