//! A script that calls the functions in odd surroundings, and the expected results.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use async_tests::fault::without_lines;
use async_tests::shell::{Bash, Sandbox, bashes, binary_dir};
use async_tests::strace::in_parallel;

/// Both profiles.
pub(crate) const PROFILES: [&str; 2] = ["devstack", "standalone"];

/// The calls of a script, by their labels, each with its status and whether it prints a line about that.
const CALLS: [(&str, &str, i32, bool); 5] = [
    ("init", "async_init", 0, false),
    ("run", "async_run t task 'a b' ''", 0, false),
    ("wait", "async_wait t", 3, false),
    ("pidof", "async_pidof no", 1, false),
    ("bad", "async_run bad/name task", 2, true),
];

/// The beginning of each script. The task is a program's, so that no function or alias affects it.
const PRELUDE: &str = r#"function task { sh -c 'echo "<$1><$2>" >>"$root/ran"; exit 3' sh "$@"; }
function evil { >>"$root/called"; }
"#;

/// The possible outcomes of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They work as usual.
    Right,
    /// They may also be refused, with status 125 and one line, before anything starts.
    RightOrRefused,
    /// A bad value may be refused as such, or stand for something: a task runs, or its start fails.
    Honest,
}

/// Surroundings of a script.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// A description.
    pub(crate) what: String,
    /// What the script does before it sources the functions.
    pub(crate) before: String,
    /// How it sources them.
    pub(crate) source: String,
    /// What it does after that.
    pub(crate) after: String,
    /// What it does at the end.
    pub(crate) end: String,
    /// How it prints a line.
    pub(crate) echo: &'static str,
    /// Its environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The allowed outcome.
    pub(crate) outcome: Outcome,
}

impl Probe {
    /// Nothing unusual.
    pub(crate) fn new(what: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            what: what.into(),
            before: String::new(),
            source: r#". "$root/shim.bash""#.to_owned(),
            after: String::new(),
            end: String::new(),
            echo: r"\echo",
            environment: Vec::new(),
            outcome,
        }
    }

    pub(crate) fn before(self, before: impl Into<String>) -> Self {
        Self { before: before.into(), ..self }
    }

    pub(crate) fn after(self, after: impl Into<String>) -> Self {
        Self { after: after.into(), ..self }
    }

    pub(crate) fn sourced_by(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    pub(crate) fn end(self, end: impl Into<String>) -> Self {
        Self { end: end.into(), ..self }
    }

    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn script(&self) -> String {
        let mut text = format!("{PRELUDE}{}\n", self.before);
        let call = |name: &str, call: &str| {
            format!(
                "{call} >\"$root/out.{name}\" 2>\"$root/err.{name}\"\n{} \"{name} $?\" >>\"$root/statuses\"\n",
                self.echo
            )
        };
        text += &call("source", &self.source);
        text += &self.after;
        text.push('\n');
        text.extend(CALLS.iter().map(|(name, text, ..)| call(name, text)));
        text += &self.end;
        text.push('\n');
        text
    }

    /// The failures under that bash in that profile.
    pub(crate) fn check(&self, bash: &Bash, profile: &str) -> Result<(), String> {
        let sandbox = Sandbox::new(&bash.path);
        let root = sandbox.path("").to_str().unwrap().trim_end_matches('/').to_owned();
        fs::write(sandbox.path("shim.bash"), shim(profile)).unwrap();
        fs::write(sandbox.path("script.bash"), self.script()).unwrap();
        let mut command = sandbox.command("timeout");
        command
            .args(["--kill-after=2", "60"])
            .arg(&bash.path)
            .arg(sandbox.path("script.bash"))
            .env("root", &root)
            .env("profile", profile)
            .env("program", binary_dir().join("async"))
            .env("ASYNC_DIR", sandbox.store())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let finished = sandbox.finish(&mut command);
        self.judge(&sandbox).map_err(|complaint| {
            format!(
                "bash {}, {profile}, {}: {complaint}\n    script: status {}, {}\n",
                bash.version,
                self.what,
                finished.status,
                finished.stderr.lines().last().unwrap_or_default()
            )
        })
    }

    fn judge(&self, sandbox: &Sandbox) -> Result<(), String> {
        let root = sandbox.path("");
        let statuses = statuses(&root);
        let ran = fs::read_to_string(root.join("ran")).unwrap_or_default();
        let honest = self.outcome == Outcome::Honest;
        let may_refuse = self.outcome == Outcome::RightOrRefused;
        if honest || self.outcome == Outcome::Right {
            called(&root)?;
        }
        let said = |call: &str| complaints(&fs::read_to_string(root.join(format!("err.{call}"))).unwrap_or_default());
        let is = |call: &str| statuses.get(call).copied();
        let refused = |call: &str| is(call) == Some(125) && said(call).lines().count() == 1;
        let source_refused = may_refuse && refused("source");
        if !source_refused && (is("source") != Some(0) || !said("source").is_empty()) {
            return Err(format!("source: {:?}, {}", is("source"), shortened(&said("source"))));
        }
        let starts = [Some(0), Some(3)].contains(&is("run")) && (honest || is("run") == Some(0));
        if ran != if starts { "<a b><>\n" } else { "" } {
            return Err(format!("run: {:?}, the task left `{ran}`, {}", is("run"), shortened(&said("run"))));
        }
        let mut all_right = !source_refused;
        for (call, _, status, speaks) in CALLS {
            let right = is(call) == Some(status) && said(call).lines().count() == usize::from(speaks);
            all_right &= right;
            // Without a start, a wait does not succeed either.
            let wrong_usage = is("run") == Some(2);
            let no_start = call == "wait" && !starts && (is(call) != Some(0) || wrong_usage);
            let failed = !matches!(is(call), None | Some(0)) && (call != "wait" || refused(call));
            let tolerated = no_start || (honest && failed) || (may_refuse && refused(call));
            let undefined = source_refused && is(call) == Some(127);
            if is(call).is_none() || !(right || tolerated || undefined) {
                return Err(format!("{call}: {:?}, {}", is(call), shortened(&said(call))));
            }
        }
        if starts && refused("wait") {
            let program = binary_dir().join("async");
            let collected =
                sandbox.finish(sandbox.command(program).args(["wait", "t"]).env("ASYNC_DIR", sandbox.store()));
            if collected.status != 3 {
                return Err(format!("the wait is refused, and then its result is gone: {collected}"));
            }
        }
        if all_right {
            called(&root)?;
        } else if may_refuse {
            let calls: Vec<&str> = statuses.keys().map(String::as_str).filter(|call| refused(call)).collect();
            eprintln!("{}: refused: {calls:?}", self.what);
        }
        Ok(())
    }
}

/// The output without lines about futures and without the trace: in devstack's profile, a task's command is traced to
/// its shell's standard error.
pub(crate) fn complaints(said: &str) -> String {
    without_lines(said).split_inclusive('\n').filter(|line| !line.starts_with('+')).collect()
}

/// The first lines of the output.
fn shortened(said: &str) -> String {
    said.split_inclusive('\n').take(3).collect()
}

/// Checks that no code of the user was called that should not be.
fn called(root: &Path) -> Result<(), String> {
    if root.join("called").exists() { Err("the user's code was called".to_owned()) } else { Ok(()) }
}

fn statuses(root: &Path) -> HashMap<String, i32> {
    let text = fs::read_to_string(root.join("statuses")).unwrap_or_default();
    let words = text.lines().filter_map(|line| line.split_once(' '));
    words.map(|(call, status)| (call.to_owned(), status.parse().unwrap())).collect()
}

/// The text of the functions in that profile.
pub(crate) fn shim(profile: &str) -> &'static str {
    static TEXTS: OnceLock<[String; 2]> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        PROFILES.map(|profile| {
            let sandbox = Sandbox::default();
            let mut command = sandbox.command(binary_dir().join("async"));
            let finished = sandbox.finish(command.args(["shim", "--profile", profile]));
            finished.exits(0);
            finished.stdout
        })
    });
    let place = PROFILES.iter().position(|one| *one == profile);
    &texts[place.expect("a profile")]
}

/// Runs the test under each bash in each profile.
pub(crate) fn in_each(test: impl Fn(&Bash, &str)) {
    for bash in bashes() {
        for profile in PROFILES {
            eprintln!("--- bash {}, profile {profile}", bash.version);
            test(&bash, profile);
        }
    }
}

/// The script, with the functions sourced and the store made in front of it.
pub(crate) fn sourced(profile: &str, script: &str) -> String {
    format!("export ASYNC_DIR=$DEST/async\nsource <(async shim --profile {profile})\nasync_init || exit\n{script}")
}

/// Tries the probes of each profile under each bash.
pub(crate) fn try_all(probes: impl Fn(&str) -> Vec<Probe>) {
    let mut cases = Vec::new();
    for bash in bashes() {
        for profile in PROFILES {
            cases.extend(probes(profile).into_iter().map(|probe| (bash.clone(), profile, probe)));
        }
    }
    let complaints = in_parallel(&cases, |(bash, profile, probe)| probe.check(bash, profile));
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.len(), complaints.concat());
}
