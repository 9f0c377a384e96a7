//! Faults are tried in both profiles, under every bash at hand.

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

/// What each script begins with. `gate FIFO` is for tasks: it waits until `open_gate FIFO` is called; `quiet` turns a
/// task's trace off.
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

/// The same in the profile for any script.
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

    /// The script with the shim sourced before it, and that done before, as where the store is may be settled by then.
    #[must_use]
    pub fn sourced_after(&self, before: &str, script: &str) -> String {
        format!("{before}\n{}", self.sourced(script))
    }

    /// The script with the shim sourced and the store made before it.
    #[must_use]
    pub fn script(&self, script: &str) -> String {
        self.sourced(&format!("async_init || exit\n{script}"))
    }

    /// Runs a script in a sandbox of its own, the store made.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        self.sandbox().run(&self.script(script))
    }
}

#[allow(clippy::must_use_candidate, reason = "they assert")]
impl Finished {
    /// Standard output has that text.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(has(&self.stdout, text), "not on standard output: {text}\n{self}");
        self
    }

    /// A line about a future has that text, on whichever output such lines are: on standard output in devstack's profile, else
    /// on standard error.
    ///
    /// # Panics
    /// If none has.
    #[track_caller]
    pub fn tells(&self, text: &str) -> &Self {
        assert!(has(&self.stdout, text) || has(&self.stderr, text), "not told: {text}\n{self}");
        self
    }

    /// Standard error has that text.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn complains(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "not on standard error: {text}\n{self}");
        self
    }

    /// Neither output has that text.
    ///
    /// # Panics
    /// If one has.
    #[track_caller]
    pub fn lacks(&self, text: &str) -> &Self {
        assert!(!has(&self.stdout, text) && !self.stderr.contains(text), "there is: {text}\n{self}");
        self
    }

    /// The exit status.
    ///
    /// # Panics
    /// If it is another one.
    #[track_caller]
    pub fn exits(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "\n{self}");
        self
    }
}

/// What was said but for the lines about futures, and what devstack's functions print when a wait has failed.
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

/// Whether the one has the other. A task that takes 0 seconds may take up to 30 where the machine has much else to do.
fn has(output: &str, text: &str) -> bool {
    static SECONDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"( result \S+ in )[12]?\d( seconds)").expect("a regular expression"));
    output.contains(text) || text.contains(" in 0 seconds") && SECONDS.replace_all(output, "${1}0${2}").contains(text)
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}
