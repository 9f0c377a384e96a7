//! Scenarios: small scripts that run under the original and under the shim, and the comparison of the two runs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::shell::{Bash, Sandbox};

/// A script in `tests/scenarios`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scenario {
    /// The file's name without its extension.
    pub name: String,
    path: PathBuf,
}

/// All scenarios, in the order of their names.
///
/// # Panics
/// If the folder can't be read.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let dir = crate::here().join("scenarios");
    let mut found: Vec<Scenario> = fs::read_dir(dir)
        .expect("the scenarios")
        .map(|entry| entry.expect("a scenario").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "bash"))
        .map(|path| Scenario { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), path })
        .collect();
    found.sort();
    found
}

impl Scenario {
    /// Runs it with the given `inc/async`, and returns what tests compare: standard output, exit status, the store's
    /// visible files with the logs' contents, and the changes to the shell's options. Process ids and times are
    /// normalised.
    ///
    /// # Panics
    /// If it can't be run.
    #[must_use]
    pub fn run(&self, subject: &Path, bash: &Bash) -> Seen {
        let sandbox = Sandbox::new(&bash.path);
        let report = sandbox.path("report");
        fs::create_dir(&report).expect("an empty folder");
        let mut command = sandbox.command(&bash.path);
        command.arg(crate::here().join("support/scenario.bash")).arg(subject).arg(&self.path).arg(&report);
        if let Some(devstack) = std::env::var_os("DEVSTACK_DIR") {
            command.env("DEVSTACK_DIR", devstack);
        }
        let finished = sandbox.finish(&mut command);
        let mut text = format!("== stdout\n{}== status\n{}\n== store\n", lines(&finished.stdout), finished.status);
        let mut logs = String::new();
        for path in files_of(&sandbox.store()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let _ = writeln!(text, "{name}");
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&fs::read(&path).expect("a log")).into_owned();
                let _ = write!(logs, "== {name}\n{}", lines(&log));
            }
        }
        text += &logs;
        let options = fs::read_to_string(report.join("options")).unwrap_or_else(|_| "unknown\n".into());
        let _ = write!(text, "== changed options\n{options}");
        Seen { compared: normalised(&text), stderr: finished.stderr }
    }
}

/// What a run of a scenario showed.
#[derive(Debug)]
pub struct Seen {
    /// What tests compare.
    pub compared: String,
    /// Standard error, which helps to see why it differs.
    pub stderr: String,
}

/// The text with a newline at its end, and a mark if that was missing.
fn lines(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}<no newline>\n") }
}

fn files_of(store: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(store)
        .map(|entries| entries.map(|entry| entry.expect("a file").path()).collect())
        .unwrap_or_default();
    files.retain(|path| !path.file_name().expect("a name").as_encoded_bytes().starts_with(b"."));
    files.sort();
    files
}

/// Replaces process ids and times, and nothing else. A minus stays: no time is negative.
fn normalised(text: &str) -> String {
    static RULES: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
        let rule = |pattern: &str, by| (Regex::new(pattern).expect("a regular expression"), by);
        [
            rule(r"(?m)(\[Async [^\n:]*: ?)\d+\]", "${1}PID]"),
            rule(r" in (-?)\d+ seconds", " in ${1}N seconds"),
            rule(r"(?m)^( (?:Time|Elapsed|Speedup)[^\n:]*: +-?)[\d.]+", "${1}N"),
        ]
    });
    RULES.iter().fold(text.to_owned(), |text, (pattern, by)| pattern.replace_all(&text, *by).into_owned())
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn only_process_ids_and_times_are_normalised() {
        let text =
            "[Async a b:12]: x 12\n[Async a:self]: y in 3 seconds\nin -7 seconds\n Speedup:  1.5\n Speedup:  -inf\n";
        let wanted =
            "[Async a b:PID]: x 12\n[Async a:self]: y in N seconds\nin -7 seconds\n Speedup:  N\n Speedup:  -inf\n";
        assert_eq!(normalised(text), wanted);
        assert_eq!(normalised("[Async :]: x in -7 seconds"), "[Async :]: x in -N seconds");
    }
}
