//! The functions return the same status wherever bash runs them.
//!
//! A cell is one call in one context, such as `async_wait` in a trap on EXIT. A script has all cells of one bash,
//! profile and set of options; it notes each status, and each task notes its arguments. So a cell passes if its status
//! is right and its task ran once, with its exact arguments.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use async_tests::shell::{Bash, Sandbox, bashes};
use async_tests::strace::in_parallel;

const PRELUDE: &str = include_str!("matrix/prelude.bash");
const STUB: &str = include_str!("matrix/stub.bash");

/// How long a script may take, in seconds, before its cell counts as hung: less than any script may take.
const LIMIT: &str = "280";

/// The arguments of a task after its number and status, and how it records them.
const ARGUMENTS: &str = r#""a b" "" "*" -x"#;
const LEFT: &str = "<a b><><*><-x>";

/// How a script runs its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Background,
    InTheScript,
}

/// A call of a function. In its texts, `@` is the cell's number, and `ARGS` the task's arguments.
struct Call {
    what: &'static str,
    /// The script's preparations.
    before: &'static str,
    text: &'static str,
    /// Its status if tasks run in the background, and if they run in the script, in the standalone profile.
    expected: [i32; 2],
    /// Whether its task runs.
    runs: bool,
    /// What the script does after it, and the resulting status.
    after: &'static str,
    then: [i32; 2],
    /// Whether to test it under each set of options.
    quick: bool,
}

const CALLS: &[Call] = &[
    Call {
        what: "async_run of a task that succeeds",
        before: "",
        text: "async_run n@ task @ 0 ARGS",
        expected: [0, 0],
        runs: true,
        after: "async_wait n@",
        then: [0, 0],
        quick: true,
    },
    Call {
        what: "async_run of a task that fails",
        before: "",
        text: "async_run n@ task @ 3 ARGS",
        expected: [0, 3],
        runs: true,
        after: "async_wait n@",
        then: [3, 3],
        quick: false,
    },
    Call {
        what: "async_run of a bad name",
        before: "",
        text: "async_run bad/@ task @ 0 ARGS",
        expected: [2, 2],
        runs: false,
        after: "async_pidof bad@",
        then: [1, 1],
        quick: true,
    },
    Call {
        what: "async_runfunc of a function",
        before: "",
        text: "async_runfunc task @ 0 ARGS",
        expected: [0, 0],
        runs: true,
        after: "async_wait task",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_runfunc of a bad name",
        before: "",
        text: "async_runfunc bad/task @ 0 ARGS",
        expected: [2, 2],
        runs: false,
        after: "async_pidof task",
        then: [1, 1],
        quick: false,
    },
    Call {
        what: "async_wait for a task that succeeds",
        before: "async_run n@ task @ 0 ARGS",
        text: "async_wait n@",
        expected: [0, 0],
        runs: true,
        after: "async_pidof n@",
        then: [1, 1],
        quick: false,
    },
    Call {
        what: "async_wait for a task that fails",
        before: "async_run n@ task @ 3 ARGS || :",
        text: "async_wait n@",
        expected: [3, 3],
        runs: true,
        after: "async_pidof n@",
        then: [1, 1],
        quick: true,
    },
    Call {
        what: "async_pidof of a future",
        before: "",
        text: "async_pidof kept",
        expected: [0, 0],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_pidof of no future",
        before: "",
        text: "async_pidof no@",
        expected: [1, 1],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: true,
    },
    Call {
        what: "async_log of a future",
        before: "",
        text: r#"async_log kept "at %command""#,
        expected: [0, 0],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_log of no future",
        before: "",
        text: r#"async_log no@ "at %command""#,
        expected: [125, 125],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_print_timing",
        before: "",
        text: "async_print_timing",
        expected: [0, 0],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: TIMELINE,
        before: "ASYNC_TIMELINE=$root/no/page.html",
        text: "async_print_timing",
        expected: [125, 0],
        runs: false,
        after: "ASYNC_TIMELINE=",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: CLEANUP,
        before: "use_store other; async_run n@ task @ 3 ARGS || :",
        text: "async_cleanup",
        expected: [3, 3],
        runs: true,
        after: "async_pidof n@",
        then: [1, 1],
        quick: false,
    },
    Call {
        what: "async_cleanup where the store is a file",
        before: "use_store a_file",
        text: "async_cleanup",
        expected: [125, 125],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_init",
        before: "mkdir $root/new.@; use_store new.@",
        text: "async_init",
        expected: [0, 0],
        runs: false,
        after: "test -d $ASYNC_DIR",
        then: [0, 0],
        quick: false,
    },
    Call {
        what: "async_init where there is no store",
        before: "use_store no_store",
        text: "async_init",
        expected: [125, 125],
        runs: false,
        after: ":",
        then: [0, 0],
        quick: false,
    },
];

/// The only call with another status in devstack's profile, where it only fails if it can't collect, as in the
/// original.
const CLEANUP: &str = "async_cleanup";

/// The only call that is specific to the standalone profile.
const TIMELINE: &str = "async_print_timing with a page that can't be written";

/// What a context reports about the call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Its status.
    Status,
    /// `true` or `false`, as a condition sees it.
    Truth,
}

/// The place of a call. In its text, `CALL` is the call, and `OTHER` a status other than the call's.
struct Context {
    what: &'static str,
    text: &'static str,
    says: Says,
    /// Whether it works under `set -e`.
    errexit: bool,
    /// Whether to test it under each set of options.
    quick: bool,
    /// Whether only a background task can be in this context.
    background: bool,
}

const PLAIN: Context =
    Context { what: "", text: "", says: Says::Status, errexit: false, quick: false, background: false };
const TRUTH: Context = Context { says: Says::Truth, errexit: true, ..PLAIN };

const CONTEXTS: &[Context] = &[
    Context { what: "in the script", text: r#"CALL; rc=$?; note rc @ "$rc""#, quick: true, ..PLAIN },
    Context { what: "in a function", text: r#"function f { CALL; rc=$?; note rc @ "$rc"; }; f"#, ..PLAIN },
    Context { what: "last in a function", text: r#"function f { CALL; }; f; rc=$?; note rc @ "$rc""#, ..PLAIN },
    Context { what: "in a subshell", text: r#"( CALL; rc=$?; note rc @ "$rc" )"#, ..PLAIN },
    Context { what: "last in a subshell", text: r#"( CALL ); rc=$?; note rc @ "$rc""#, ..PLAIN },
    Context { what: "in a substitution", text: r#"out=$(CALL); rc=$?; note rc @ "$rc""#, ..PLAIN },
    Context {
        what: "in a substitution behind ||",
        text: r#"rc=0; out=$(CALL) || rc=$?; note rc @ "$rc""#,
        errexit: true,
        quick: true,
        ..PLAIN
    },
    Context { what: "first in a pipeline", text: r#"CALL | cat; rc=${PIPESTATUS[0]}; note rc @ "$rc""#, ..PLAIN },
    Context { what: "amid a pipeline", text: r#": | CALL | cat; rc=${PIPESTATUS[1]}; note rc @ "$rc""#, ..PLAIN },
    Context { what: "last in a pipeline", text: r#": | CALL; rc=$?; note rc @ "$rc""#, ..PLAIN },
    Context {
        what: "in a pipeline with pipefail",
        text: r#"set -o pipefail; CALL | cat; rc=$?; set +o pipefail; note rc @ "$rc""#,
        ..PLAIN
    },
    Context {
        what: "last in a pipeline with lastpipe",
        text: r#"shopt -s lastpipe; : | CALL; rc=$?; shopt -u lastpipe; note rc @ "$rc""#,
        ..PLAIN
    },
    Context { what: "in the background", text: r#"CALL & wait "$!"; rc=$?; note rc @ "$rc""#, ..PLAIN },
    Context { what: "in if", text: r#"if CALL; then rc=0; else rc=$?; fi; note rc @ "$rc""#, errexit: true, ..PLAIN },
    Context { what: "in if !", text: "if ! CALL; then note rc @ false; else note rc @ true; fi", ..TRUTH },
    Context {
        what: "in elif",
        text: "if ! :; then :; elif CALL; then note rc @ true; else note rc @ false; fi",
        ..TRUTH
    },
    Context { what: "in while", text: "rc=false; while CALL; do rc=true; break; done; note rc @ \"$rc\"", ..TRUTH },
    Context { what: "in until", text: "rc=true; until CALL; do rc=false; break; done; note rc @ \"$rc\"", ..TRUTH },
    Context { what: "before && and ||", text: r#"CALL && rc=0 || rc=$?; note rc @ "$rc""#, errexit: true, ..PLAIN },
    Context { what: "before ||", text: r#"rc=0; CALL || rc=$?; note rc @ "$rc""#, errexit: true, ..PLAIN },
    Context {
        what: "in a function before ||",
        text: r#"function f { CALL; rc=$?; note rc @ "$rc"; }; f || :"#,
        errexit: true,
        ..PLAIN
    },
    Context { what: "in eval", text: r#"eval 'CALL; rc=$?'; note rc @ "$rc""#, ..PLAIN },
    Context { what: "in a loop", text: r#"for i in 1; do CALL; rc=$?; done; note rc @ "$rc""#, ..PLAIN },
    Context { what: "with its input closed", text: r#"{ CALL; rc=$?; } <&-; note rc @ "$rc""#, ..PLAIN },
    Context { what: "with its errors closed", text: r#"{ CALL; rc=$?; } 2>&-; note rc @ "$rc""#, ..PLAIN },
    Context {
        what: "in a task",
        // The surrounding task is in the main store, wherever the call's store is.
        text: r#"here=${DEST##*/}; use_store main
            function f { use_store "$here"; CALL; rc=$?; note rc @ "$rc"; return 4; }
            async_run outer@ f || :
            use_store main
            async_wait outer@; outer=$?
            use_store "$here"
            note outer @ "$outer""#,
        ..PLAIN
    },
    Context {
        what: "in a trap on EXIT",
        text: r#"( trap 'CALL; rc=$?; note rc @ "$rc"' EXIT; exit OTHER ) || :"#,
        quick: true,
        ..PLAIN
    },
    Context {
        what: "in a condition in a trap on EXIT",
        text: "( trap 'if CALL; then note rc @ true; else note rc @ false; fi' EXIT; exit OTHER ) || :",
        ..TRUTH
    },
    Context {
        what: "last in a function in a trap on EXIT",
        text: r#"( function f { CALL; }; trap 'f; rc=$?; note rc @ "$rc"' EXIT; exit OTHER ) || :"#,
        ..PLAIN
    },
    Context {
        what: "in a subshell in a trap on EXIT",
        text: r#"( trap '(CALL); rc=$?; note rc @ "$rc"' EXIT; exit OTHER ) || :"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on ERR",
        text: r#"trap 'CALL; rc=$?; trap - ERR; note rc @ "$rc"' ERR; with_status 9; trap - ERR"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on ERR in a function",
        // A task that fails has it too.
        text: r#"function f {
                set -E
                trap '[[ $BASHPID != "$$" ]] || { CALL; rc=$?; trap - ERR; note rc @ "$rc"; }' ERR
                with_status 9
            }
            f
            trap - ERR; set +E"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on DEBUG",
        text: r#"trap '[[ $BASH_COMMAND != ": mark" ]] || { CALL; rc=$?; note rc @ "$rc"; }' DEBUG
            with_status OTHER
            : mark
            trap - DEBUG"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on DEBUG under functrace",
        text: r#"set -T
            trap '[[ $BASH_COMMAND != ": mark" ]] || { CALL; rc=$?; note rc @ "$rc"; }' DEBUG
            with_status OTHER
            : mark
            trap - DEBUG
            set +T"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on RETURN",
        text: r#"function f { trap 'CALL; rc=$?; trap - RETURN; note rc @ "$rc"' RETURN; return OTHER; }; f"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on CHLD",
        // Bash runs the trap once for each child.
        text: r#"rc=none once=""
            trap 'trap - CHLD; [[ $once == yes ]] || { once=yes; CALL; rc=$?; note rc @ "$rc"; }' CHLD
            while [[ $rc == none ]]; do (exit OTHER); done"#,
        ..PLAIN
    },
    Context {
        what: "in a trap on USR1",
        text: r#"rc=none
            trap 'CALL; rc=$?; note rc @ "$rc"' USR1
            (kill -USR1 "$$"; exit OTHER) || :
            while [[ $rc == none ]]; do :; done
            trap - USR1"#,
        quick: true,
        ..PLAIN
    },
    Context {
        what: "in a trap on TERM",
        text: r#"rc=none
            function f { kill -TERM "$$"; return OTHER; }
            trap 'CALL; rc=$?; note rc @ "$rc"' TERM
            f
            while [[ $rc == none ]]; do :; done
            trap - TERM"#,
        ..PLAIN
    },
    Context {
        what: "in a trap that interrupts async_wait",
        text: r#"here=${DEST##*/}; use_store main
            trap 'use_store "$here"; CALL; rc=$?; use_store main; note rc @ "$rc"; : >"$root/gate"' USR1
            async_run outer@ interrupts
            async_wait outer@; outer=$?
            trap - USR1
            use_store "$here"
            note outer @ "$outer""#,
        background: true,
        ..PLAIN
    },
];

/// The options that a script sets before it sources the functions.
struct Setting {
    what: &'static str,
    text: &'static str,
}

/// The only option under which a failing command ends the script.
const ERREXIT: &str = "set -e";

const NOTHING: Setting = Setting { what: "nothing set", text: "" };

const SETTINGS: &[Setting] = &[
    Setting { what: "set -o posix", text: "set -o posix" },
    Setting { what: "set -u", text: "set -u" },
    Setting { what: ERREXIT, text: "set -e -o pipefail; shopt -s inherit_errexit" },
    Setting { what: "set -m", text: "set -m" },
    Setting { what: "set -f -C", text: "set -f -C" },
    Setting { what: "set -k", text: "set -k" },
    Setting { what: "set -a", text: "set -a" },
    Setting { what: "set -xv", text: "set -xv" },
    Setting { what: "an odd IFS", text: "IFS='0123456789/_-.aeiou= '" },
    Setting { what: "an empty IFS", text: "IFS=" },
    Setting { what: "input closed", text: "exec <&-" },
    Setting { what: "a trap on DEBUG that prints", text: "set -T; trap 'echo debug' DEBUG" },
    Setting {
        what: "a trap on DEBUG that reads",
        text: "exec <\"$root/input\"; set -T; trap 'IFS= read -r line || :' DEBUG",
    },
    Setting { what: "a trap on ERR that prints", text: "set -E; trap 'echo error' ERR" },
    Setting { what: "a trap on RETURN that prints", text: "set -T; trap 'echo returned' RETURN" },
    Setting { what: "a trap on CHLD that prints", text: "trap 'echo child' CHLD" },
    Setting { what: "shopt -s extdebug", text: "shopt -s extdebug; trap : DEBUG" },
    Setting {
        what: "shopt -s failglob nullglob nocasematch dotglob",
        text: "shopt -s failglob nullglob nocasematch dotglob",
    },
    Setting {
        what: "shopt -s lastpipe expand_aliases localvar_inherit",
        text: "shopt -s lastpipe expand_aliases; shopt -s localvar_inherit 2>/dev/null || :",
    },
    Setting { what: "TMOUT and GLOBIGNORE", text: "TMOUT=1 GLOBIGNORE='*'" },
];

/// A call in a context, and its number in a script.
struct Cell {
    number: usize,
    call: &'static Call,
    context: &'static Context,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call.what, self.context.what)
    }
}

/// One script: all cells of a bash, a profile, a mode and an option.
struct Script {
    bash: Bash,
    profile: &'static str,
    mode: Mode,
    setting: &'static Setting,
    /// Which of the calls that are not in all scripts this script has.
    turn: usize,
    /// Whether stand-ins replace the functions.
    stub: bool,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bash {}, {}, {:?}, {}", self.bash.version, self.profile, self.mode, self.setting.what)
    }
}

impl Script {
    /// All contexts without options, else only the quick ones. The calls that are not quick take turns: each of them is
    /// in a third of the scripts in each context.
    fn cells(&self) -> Vec<Cell> {
        let all = self.setting.what == NOTHING.what;
        let errexit = self.setting.what == ERREXIT;
        let contexts = CONTEXTS.iter().enumerate().filter(|(_, context)| {
            (all || context.quick || errexit)
                && (context.errexit || !errexit)
                && (!context.background || (self.mode == Mode::Background && !self.stub))
        });
        let wanted = |place: usize, call: &Call| {
            (call.quick || (all && (self.stub || (place + self.turn).is_multiple_of(3))))
                && (call.what != TIMELINE || self.profile == "standalone")
        };
        contexts
            .flat_map(|(row, context)| {
                let calls = CALLS.iter().enumerate().filter(move |(column, call)| wanted(row + column, call));
                calls.map(move |(_, call)| (context, call))
            })
            .enumerate()
            .map(|(number, (context, call))| Cell { number, call, context })
            .collect()
    }

    fn index(&self) -> usize {
        usize::from(self.mode == Mode::InTheScript)
    }

    fn expected(&self, call: &Call) -> i32 {
        let is_well = call.what == CLEANUP && self.profile == "devstack";
        if is_well || self.does_nothing(call) { 0 } else { call.expected[self.index()] }
    }

    /// If tasks run in the script, devstack's cleanup collects nothing, as in the original.
    fn does_nothing(&self, call: &Call) -> bool {
        call.text == "async_cleanup" && self.profile == "devstack" && self.mode == Mode::InTheScript
    }

    /// The text of a cell.
    fn text(&self, cell: &Cell) -> String {
        let Cell { call, context, .. } = cell;
        let other = if self.expected(call) == 0 { "9" } else { "0" };
        let text = format!(
            "note begin @ 0\n{}\n{}\nsettled=0; {} || settled=$?\nnote settled @ \"$settled\"\nuse_store main\n",
            call.before,
            context.text.replace("CALL", call.text),
            call.after,
        );
        text.replace("OTHER", other).replace("ARGS", ARGUMENTS).replace('@', &cell.number.to_string())
    }

    /// The failures, one line for each cell.
    fn check(&self) -> Result<(), String> {
        let sandbox = Sandbox::new(&self.bash.path);
        let root = sandbox.path("");
        let cells = self.cells();
        self.write(&sandbox, &cells);
        let mut command = sandbox.command("timeout");
        let parallel = if self.mode == Mode::Background { "True" } else { "False" };
        command
            .args(["--kill-after=2", LIMIT])
            .arg(&self.bash.path)
            .arg(root.join("script.bash"))
            .env("root", root.to_str().unwrap().trim_end_matches('/'))
            .env("profile", self.profile)
            .env("DEVSTACK_PARALLEL", parallel);
        let finished = sandbox.finish(&mut command);
        let seen = Seen::read(&root);
        let mut complaints = String::new();
        let mut missing = 0;
        for cell in &cells {
            if !seen.has("begin", cell) {
                missing += 1;
            } else if let Some(complaint) = self.judge(cell, &seen, &root) {
                writeln!(complaints, "{self}: {cell}: {complaint}").unwrap();
            }
        }
        if missing > 0 || finished.status != 0 {
            let last = cells.iter().rfind(|cell| seen.has("begin", cell));
            let last = last.map_or_else(|| "before the first cell".to_owned(), |cell| format!("in the cell {cell}"));
            let errors = finished.stderr.lines().rev().take(3).collect::<Vec<_>>().join("\n    ");
            let how = if finished.status == 124 { "hung" } else { "ended" };
            let status = finished.status;
            writeln!(complaints, "{self}: {how} {last}, status {status}, {missing} cells not reached\n    {errors}")
                .unwrap();
        }
        if complaints.is_empty() { Ok(()) } else { Err(complaints) }
    }

    /// Writes the script and its inputs.
    fn write(&self, sandbox: &Sandbox, cells: &[Cell]) {
        let shim = if self.stub {
            STUB.to_owned()
        } else {
            let shim = sandbox.finish(sandbox.command("async").args(["shim", "--profile", self.profile]));
            shim.exits(0);
            shim.stdout
        };
        fs::write(sandbox.path("shim.bash"), shim).unwrap();
        if self.setting.text.contains("/input") {
            fs::write(sandbox.path("input"), "a line of input\n".repeat(100_000)).unwrap();
        }
        let mut text = PRELUDE.to_owned();
        text += self.setting.text;
        // In the main store, each cell finds a finished future, which stays there.
        text += "\n. \"$root/shim.bash\"\nuse_store other; async_init\nuse_store main; async_init\n";
        text += "async_run kept task kept 0\n";
        text.extend(cells.iter().map(|cell| self.text(cell)));
        text += "exit 0\n";
        fs::write(sandbox.path("script.bash"), text).unwrap();
    }

    /// What is wrong with a cell.
    fn judge(&self, cell: &Cell, seen: &Seen, root: &Path) -> Option<String> {
        let expected = self.expected(cell.call);
        let said = match cell.context.says {
            Says::Status => expected.to_string(),
            Says::Truth => (expected == 0).to_string(),
        };
        let then = if self.does_nothing(cell.call) { 0 } else { cell.call.then[self.index()] }.to_string();
        let outer = if cell.context.text.contains("outer") { "4" } else { "" };
        let ran = fs::read_to_string(root.join(format!("ran.{}", cell.number))).unwrap_or_default();
        [
            ("the status", seen.of("rc", cell), said.as_str()),
            ("then the status", seen.of("settled", cell), then.as_str()),
            ("the status of the task around it", seen.of("outer", cell), outer),
            ("the task", ran.as_str(), if cell.call.runs { LEFT } else { "" }),
        ]
        .into_iter()
        .find(|(_, is, wanted)| is != wanted)
        .map(|(what, is, wanted)| format!("{what} is `{is}`, not `{wanted}`"))
    }
}

/// A script's notes about its cells.
struct Seen(HashMap<(String, usize), String>);

impl Seen {
    fn read(root: &Path) -> Self {
        let mut seen = HashMap::<_, String>::new();
        for line in fs::read_to_string(root.join("results")).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let said = seen.entry((words[0].to_owned(), words[1].parse().unwrap())).or_default();
            // A duplicate note is wrong.
            said.push_str(words[2]);
        }
        Self(seen)
    }

    fn of(&self, what: &str, cell: &Cell) -> &str {
        self.0.get(&(what.to_owned(), cell.number)).map_or("", String::as_str)
    }

    fn has(&self, what: &str, cell: &Cell) -> bool {
        !self.of(what, cell).is_empty()
    }
}

/// Checks the scripts, with stand-ins or with the functions.
fn check(settings: &'static [Setting], stub: bool) {
    // In devstack's profile, running tasks in the script itself is much the same.
    let ways = [("devstack", Mode::Background), ("standalone", Mode::Background), ("standalone", Mode::InTheScript)];
    let mut scripts = Vec::new();
    for (number, bash) in bashes().into_iter().enumerate() {
        for (way, (profile, mode)) in ways.into_iter().enumerate().skip(usize::from(stub)) {
            for setting in settings {
                scripts.push(Script { bash: bash.clone(), profile, mode, setting, turn: number + way, stub });
            }
        }
    }
    let complaints = in_parallel(&scripts, Script::check);
    let count: usize = complaints.iter().map(|text| text.lines().count()).sum();
    assert!(complaints.is_empty(), "{count} complaints:\n{}", complaints.concat());
}

#[test]
#[ignore = "in the full set"]
fn a_status_is_what_the_functions_return_wherever_bash_runs_them() {
    check(std::slice::from_ref(&NOTHING), false);
}

#[test]
#[ignore = "in the full set"]
fn a_status_is_what_the_functions_return_whatever_is_set() {
    check(SETTINGS, false);
}

#[test]
#[ignore = "in the full set"]
fn the_cells_are_right_about_bash() {
    check(std::slice::from_ref(&NOTHING), true);
    check(SETTINGS, true);
}
