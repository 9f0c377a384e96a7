//! Completion, as it works at the prompts of real shells.
//!
//! In the shells of these tests `async` is a function that records its arguments, so each test sees how the shell reads
//! the completed line.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_tests::LIMIT;
use async_tests::shell::{Sandbox, bashes, binary_dir};
use async_tests::tools::is_there;
use rexpect::session::{Options, PtySession, spawn_with_options};

const NAMES: &[&str] = &["docs", "two words", "it's", "a\"b", "n$d!e", "x:y z", "größe", "star*", "-v", "back\\slash"];

/// A shell at its prompt, in a sandbox with futures.
struct Prompt {
    sandbox: Sandbox,
    session: PtySession,
    written: PathBuf,
}

impl Prompt {
    /// Starts a shell; its first commands must set the prompt to `ready> ` and load the completion.
    fn of(program: &Path, args: &[&str], first: &[&str]) -> Self {
        let sandbox = Sandbox::default();
        let start = |name: &str| format!("async_run {} true; ", shlex::try_quote(name).unwrap());
        let starts: String = NAMES.iter().copied().map(start).collect();
        let script = format!(
            "source <(async shim); async_init; async_run gone true; async_wait gone; {starts}
            env -u ASYNC_DIR ASYNC_SCRIPT=backup.sh bash -c 'source <(async shim); async_run dump true; async_wait'
            ASYNC_ON_EXIT=leave ASYNC_DIR=$HOME/else\\ where bash -c 'source <(async shim); async_run other true'"
        );
        let made = sandbox.run(&script);
        assert_eq!(made.status, 0, "{}", made.stderr);
        // File completion would complete the name `docs` to this.
        fs::create_dir(sandbox.path("cwd/docs")).unwrap();
        fs::write(sandbox.path("cwd/input file"), "").unwrap();
        fs::create_dir(sandbox.path("programs")).unwrap();
        // On the new PATH they are next to all others; a file that can't be executed is not a program.
        for (name, mode) in [("frobnicate", 0o755), ("frobnicate-data", 0o644)] {
            let path = sandbox.path("programs").join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::var_os("PATH").unwrap();
        let folders = [sandbox.path("programs")].into_iter().chain(std::env::split_paths(&path));

        let written = sandbox.path("written");
        let mut command = sandbox.command(program);
        command
            .args(args)
            .env("ASYNC_BIN", binary_dir().join("async"))
            .env("WRITTEN", &written)
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("TERM", "xterm")
            .stdin(Stdio::inherit());
        let options = Options::new().timeout_ms(LIMIT.as_millis().try_into().ok()).strip_ansi_escape_codes(true);
        let mut session = spawn_with_options(command, options).unwrap();
        // Nothing less than SIGKILL ends an interactive shell.
        session.process_mut().set_kill_timeout(Some(0));
        for line in first {
            session.send_line(line).unwrap();
        }
        session.exp_string("ready> ").unwrap();
        let mut prompt = Self { sandbox, session, written };
        assert_eq!(prompt.arguments_of("async begun"), ["begun"]);
        prompt
    }

    /// The arguments that the function `async` gets from a line with tabs in it.
    fn arguments_of(&mut self, line: &str) -> Vec<String> {
        let _ = fs::remove_file(&self.written);
        self.session.send_line(line).unwrap();
        let shown = self.session.exp_string("<written>").unwrap_or_else(|error| panic!("{line:?}: {error}"));
        self.session.exp_string("ready> ").unwrap();
        let text = fs::read_to_string(&self.written).unwrap_or_else(|error| panic!("{line:?}: {error}: {shown}"));
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Asserts that each line has these arguments.
    fn check(&mut self, cases: &[(&str, &[&str])]) {
        for (line, arguments) in cases {
            assert_eq!(self.arguments_of(line), *arguments, "{line:?}");
        }
    }
}

/// What all shells do alike.
const COMMON: &[(&str, &[&str])] = &[
    ("async stat\t", &["status"]),
    ("async ps do\t", &["ps", "docs"]),
    ("async log --script bac\tdum\t", &["log", "--script", "backup.sh", "dump"]),
    ("async status --script=bac\t", &["status", "--script=backup.sh"]),
    ("async completions f\t", &["completions", "fish"]),
    ("async shim --prof\tdev\t", &["shim", "--profile", "devstack"]),
    // Not a future but a file.
    ("async wait do\t", &["wait", "docs"]),
    ("async wait tw\t", &["wait", "two words"]),
    ("async wait two\\ w\t", &["wait", "two words"]),
    ("async wait \"two w\t", &["wait", "two words"]),
    ("async wait 'two w\t", &["wait", "two words"]),
    ("async wait docs tw\tgr\t", &["wait", "docs", "two words", "größe"]),
    ("async wait it\t", &["wait", "it's"]),
    ("async wait \"it\t", &["wait", "it's"]),
    ("async wait 'it\t", &["wait", "it's"]),
    ("async wait a\t", &["wait", "a\"b"]),
    ("async wait 'a\t", &["wait", "a\"b"]),
    ("async wait n\t", &["wait", "n$d!e"]),
    ("async wait 'n\t", &["wait", "n$d!e"]),
    ("async wait x\t", &["wait", "x:y z"]),
    ("async wait x:\t", &["wait", "x:y z"]),
    ("async wait st\t", &["wait", "star*"]),
    ("async wait back\t", &["wait", "back\\slash"]),
    ("async wait -- -v\t", &["wait", "--", "-v"]),
    ("async pid tw\t", &["pid", "two words"]),
    ("async cancel tw\t", &["cancel", "two words"]),
    ("async log tw\tgo\t", &["log", "two words", "gone"]),
    ("async run --after tw\tnext -- true", &["run", "--after", "two words", "next", "--", "true"]),
    ("async run --after=tw\tnext -- true", &["run", "--after=two words", "next", "--", "true"]),
    ("async run next -- frob\t", &["run", "next", "--", "frobnicate"]),
    ("async timing --what-if jo\t4", &["timing", "--what-if", "jobs=4"]),
    ("async timing --what-if start:do\t-30s", &["timing", "--what-if", "start:docs=-30s"]),
    ("async timing --what-if run:tw\t50%", &["timing", "--what-if", "run:two words=50%"]),
    ("async timing --what-if wait:go\tlast", &["timing", "--what-if", "wait:gone=last"]),
    ("async timing --history tw\t--json", &["timing", "--history", "two words", "--json"]),
    ("async timing --history=go\t", &["timing", "--history=gone"]),
    ("async --dir ~/else\\ where wait o\t", &["--dir", "HOME/else where", "wait", "other"]),
];

#[test]
fn bash_completes_names_whatever_is_in_them() {
    for bash in bashes() {
        let first = [
            "PS1='rea''dy> ' PS2=; unset HISTFILE; bind 'set bell-style none'; source <(\"$ASYNC_BIN\" completions bash)",
            "function async { printf '%s\\0' \"${@/#$HOME/HOME}\" >\"$WRITTEN\"; echo '<writ''ten>'; }",
        ];
        let mut prompt = Prompt::of(&bash.path, &["--norc", "--noprofile", "-i"], &first);
        prompt.check(COMMON);
        prompt.check(&[
            ("async wait \"a\t", &["wait", "a\"b"]),
            ("async wait \"n\t", &["wait", "n$d!e"]),
            ("async run next -- ./inp\t", &["run", "next", "--", "./input file"]),
            ("async --dir=~/el\t wait", &["--dir=~/else where/", "wait"]),
        ]);
        // Nothing on the line runs too early.
        assert_eq!(prompt.arguments_of("async wait \"$(touch evil)\"\t\x15async x"), ["x"]);
        assert!(!prompt.sandbox.path("cwd/evil").exists());
    }
}

#[test]
fn zsh_completes_names_whatever_is_in_them() {
    if !is_there("zsh") {
        return;
    }
    let first = [
        "PS1='rea''dy> '; unset HISTFILE; autoload -Uz compinit; compinit -u -D; source <(\"$ASYNC_BIN\" completions zsh)",
        "function async { printf '%s\\0' \"${@/#$HOME/HOME}\" >\"$WRITTEN\"; echo '<writ''ten>'; }",
    ];
    let mut prompt = Prompt::of(Path::new("zsh"), &["-f", "-i"], &first);
    prompt.check(COMMON);
    prompt.check(&[("async run next -- ./inp\t", &["run", "next", "--", "./input file"])]);

    // As a file that zsh finds by itself.
    let loaded = "PS1='rea''dy> '; unset HISTFILE; mkdir ~/f; \"$ASYNC_BIN\" completions zsh >~/f/_async; \
                  fpath=(~/f $fpath); autoload -Uz compinit; compinit -u -D";
    let mut prompt = Prompt::of(Path::new("zsh"), &["-f", "-i"], &[loaded, first[1]]);
    prompt.check(&COMMON[..6]);
}

#[test]
fn fish_completes_names_whatever_is_in_them() {
    if !is_there("fish") {
        return;
    }
    let first = [
        "function fish_prompt; echo -n 'rea''dy> '; end; set -g fish_greeting; $ASYNC_BIN completions fish | source",
        "function async; printf '%s\\0' (string replace -- $HOME HOME $argv) >$WRITTEN; echo '<writ''ten>'; end",
    ];
    let mut prompt = Prompt::of(Path::new("fish"), &["--no-config", "-i"], &first);
    prompt.check(COMMON);
    prompt.check(&[("async run next -- ./inp\t", &["run", "next", "--", "./input file"])]);
}
