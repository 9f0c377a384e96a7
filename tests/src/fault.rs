//! Tests of faults, in both profiles and under every available bash.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::shell::{Bash, Finished, Sandbox, bashes};

/// A profile and a bash.
#[derive(Clone, Debug)]
pub struct Case {
    /// `devstack` or `standalone`.
    pub profile: &'static str,
    bash: Bash,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile {}, bash {}", self.profile, self.bash.version)
    }
}

/// The beginning of each script. `gate FIFO` is for tasks: it waits until `open_gate FIFO` is called; `quiet` turns off
/// a task's trace.
pub const PRELUDE: &str = r#"
function make_gate { mkfifo "$@"; }
function gate { read -r _ <"$1" || :; } 2>/dev/null
function open_gate { : >"$1"; }
function quiet { set +x; } 2>/dev/null
"#;

/// Runs the test in each profile under each bash.
pub fn in_each_case(test: impl Fn(&Case)) {
    for bash in bashes() {
        for profile in ["devstack", "standalone"] {
            let case = Case { profile, bash: bash.clone() };
            eprintln!("--- {case}");
            test(&case);
        }
    }
}

/// The same in the standalone profile only.
pub fn in_each_standalone_case(test: impl Fn(&Case)) {
    in_each_case(|case| {
        if case.profile == "standalone" {
            test(case);
        }
    });
}

impl Case {
    /// A sandbox with this case's bash.
    #[must_use]
    pub fn sandbox(&self) -> Sandbox {
        Sandbox::new(&self.bash.path)
    }

    /// The script with the shim sourced before it.
    #[must_use]
    pub fn sourced(&self, script: &str) -> String {
        format!("source <(async shim --profile {} --parallel-default true)\n{PRELUDE}{script}", self.profile)
    }

    /// The script, with `before` and then the shim in front of it, since sourcing the shim may settle where the store
    /// is.
    #[must_use]
    pub fn sourced_after(&self, before: &str, script: &str) -> String {
        format!("{before}\n{}", self.sourced(script))
    }

    /// The script, with the shim sourced and the store made in front of it.
    #[must_use]
    pub fn script(&self, script: &str) -> String {
        self.sourced(&format!("async_init || exit\n{script}"))
    }

    /// Runs these commands as the task `t`, as a function and as a program, each in its own sandbox, and `then` the
    /// script. There are fifos `go` and `said`.
    #[must_use]
    pub fn run_as_function_and_program(&self, options: &str, commands: &str, then: &str) -> [Finished; 2] {
        let commands = commands.replace('\'', r"'\''");
        [
            format!("mkfifo go said; eval 'function task {{ {commands}; }}'; async_run {options} t task; {then}"),
            format!("mkfifo go said; async run {options} t -- bash -c '{commands}'; {then}"),
        ]
        .map(|script| self.run(&script))
    }

    /// Runs a script in its own sandbox, with the store made.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        self.sandbox().run(&self.script(script))
    }
}

#[allow(clippy::must_use_candidate, reason = "they assert")]
impl Finished {
    /// Checks that standard output contains that text.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(has(&self.stdout, text), "not on standard output: {text}\n{self}");
        self
    }

    /// Checks that a line about a future contains that text, on the output where such lines go: standard output in
    /// devstack's profile, else standard error.
    ///
    /// # Panics
    /// If no line does.
    #[track_caller]
    pub fn tells(&self, text: &str) -> &Self {
        assert!(has(&self.stdout, text) || has(&self.stderr, text), "not told: {text}\n{self}");
        self
    }

    /// Checks that standard error contains that text.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn complains(&self, text: &str) -> &Self {
        assert!(has(&self.stderr, text), "not on standard error: {text}\n{self}");
        self
    }

    /// Checks that neither output contains that text.
    ///
    /// # Panics
    /// If one does.
    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!has(&self.stdout, text) && !self.stderr.contains(text), "there is: {text}\n{self}");
        self
    }

    /// Checks the exit status.
    ///
    /// # Panics
    /// If it differs.
    #[track_caller]
    pub fn exits(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "\n{self}");
        self
    }
}

/// The output without the lines about futures and without the dumps of devstack's functions after a failed wait.
#[must_use]
pub fn without_lines(said: &str) -> String {
    let starts = ["[Async ", "WARNING: uncollected async future "];
    let mut in_dump = false;
    let is_left = |line: &&str| {
        let was_in_dump = in_dump;
        in_dump = line.starts_with("=== Wait failure dump: ") || in_dump && *line != "=== End of the dump ===\n";
        !was_in_dump && !in_dump && !starts.iter().any(|start| line.starts_with(start))
    };
    said.split_inclusive('\n').filter(is_left).collect()
}

/// Whether the output contains the text. A task that takes 0 seconds may take up to 99 on a busy machine.
fn has(output: &str, text: &str) -> bool {
    static SECONDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"( result \S+ in )\d\d?( seconds)").expect("a regular expression"));
    output.contains(text) || text.contains(" in 0 seconds") && SECONDS.replace_all(output, "${1}0${2}").contains(text)
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}
