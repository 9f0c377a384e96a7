//! The man pages that `async man` writes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use async_tests::shell::Sandbox;
use async_tests::{root, tools};
use regex::Regex;

/// The commands in the list of `async --help`.
fn listed(sandbox: &Sandbox) -> BTreeSet<String> {
    let help = sandbox.finish(sandbox.command("async").arg("--help")).stdout;
    let list = help.split_once("\nCommands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // A command's description may continue on further lines, which are indented more.
    let first_words = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    first_words.filter(|word| !word.is_empty() && *word != "help").map(str::to_owned).collect()
}

/// The functions for scripts in that rendering.
pub(crate) fn functions(sandbox: &Sandbox, profile: &str) -> BTreeSet<String> {
    let defined = Regex::new(r"(?m)^function (async_\w+)").unwrap();
    let text = sandbox.finish(sandbox.command("async").args(["shim", "--profile", profile])).stdout;
    defined.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

/// Writes the pages; returns the paths of all files.
fn write(sandbox: &Sandbox, dir: &Path) -> BTreeSet<String> {
    let written = sandbox.finish(sandbox.command("async").arg("man").arg(dir));
    written.says(&format!(" man pages are in {0}/man1 and {0}/man7\n", dir.display())).exits(0);
    assert_eq!(written.stderr, "");
    let section = |section: &'static str| {
        let pages = fs::read_dir(dir.join(section)).unwrap();
        pages.map(move |page| format!("{section}/{}", page.unwrap().file_name().display()))
    };
    section("man1").chain(section("man7")).collect()
}

fn rendered(page: &Path) -> String {
    let mut groff = Command::new("groff");
    let rendered = groff.args(["-man", "-ww", "-Kutf8", "-Tutf8", "-P-cbou"]).arg(page).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&rendered.stderr), "", "{}", page.display());
    String::from_utf8(rendered.stdout).unwrap()
}

#[test]
fn each_command_and_function_has_a_page_that_renders_without_a_warning() {
    let sandbox = Sandbox::default();
    let dir = sandbox.path("man");
    let pages = write(&sandbox, &dir);
    let commands = listed(&sandbox).into_iter().map(|name| format!("man1/async-{name}.1"));
    let functions = ["standalone", "devstack"].into_iter().flat_map(|profile| functions(&sandbox, profile));
    let functions = functions.map(|name| format!("man1/{name}.1"));
    let mut wanted: BTreeSet<_> = commands.chain(functions).collect();
    assert!(wanted.contains("man1/async-wait.1") && wanted.contains("man1/async_wait.1"), "{wanted:?}");
    wanted.extend(["man1/async.1".into(), "man7/async.7".into()]);
    assert_eq!(pages, wanted);

    if !tools::is_there("groff") {
        return;
    }
    for page in pages {
        let text = rendered(&dir.join(&page));
        assert!(text.contains(concat!("async ", env!("CARGO_PKG_VERSION"))), "{page}:\n{text}");
        assert!(text.contains("EXAMPLES") || page == "man7/async.7", "{page}:\n{text}");
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let synopsis = match page.as_str() {
            "man1/async-wait.1" => "async wait [--all] [--any]",
            "man1/async_wait.1" => "[--timeout DURATION] [NAME...]",
            "man1/async_run.1" => {
                "[--retry N] [--retry-delay DURATION] [--on WHERE] [--sbatch OPTIONS]... NAME COMMAND [ARGUMENT...]"
            }
            "man1/async-timing.1" => "[--compare[=RUN]] [--history [NAME]] [--html FILE]",
            _ => "",
        };
        assert!(one_line.contains(synopsis), "{page} lacks {synopsis}:\n{text}");
    }
}

#[test]
fn who_wants_to_read_a_page_is_told_how_and_nothing_is_written() {
    let sandbox = Sandbox::default();
    for (word, page) in
        [("async", "async"), ("wait", "async-wait"), ("async-wait", "async-wait"), ("async_run", "async_run")]
    {
        let finished = sandbox.finish(sandbox.command("async").args(["man", word]));
        finished.complains(&format!("to read this one type `man {page}`")).exits(2);
        assert!(!sandbox.path("cwd").join(word).exists());
    }
    sandbox.run("mkdir wait && async man wait && async man ./run && ls wait/man1/async.1 run/man7/async.7").exits(0);
}

/// The variables and statuses in async(7).
pub(crate) fn terms(sandbox: &Sandbox) -> BTreeSet<String> {
    let dir = sandbox.path("man");
    write(sandbox, &dir);
    let page = fs::read_to_string(dir.join("man7/async.7")).unwrap();
    let terms = page.lines().filter_map(|line| line.strip_prefix(r"\fB")?.strip_suffix(r"\fR"));
    terms.map(str::to_owned).collect()
}

/// The variables in the sources of the program and of the functions: the project's own, and others that are read.
fn variables(dir: &Path) -> BTreeSet<String> {
    let own = r"(?:^|[^A-Za-z_])(ASYNC_[A-Z_]*[A-Z])\b";
    let read = r#"\b(?:var|var_os|variable|set)\("([A-Z_]+)"\)"#;
    let patterns = [own, read].map(|pattern| Regex::new(pattern).unwrap());
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(variables(&path));
        } else if !path.starts_with(root().join("async-cli/src/man")) {
            let text = fs::read_to_string(&path).unwrap();
            let names = patterns.iter().flat_map(|pattern| pattern.captures_iter(&text));
            found.extend(names.map(|found| found[1].to_owned()));
        }
    }
    found
}

#[test]
fn all_variables_are_in_one_table() {
    let listed = terms(&Sandbox::default());
    let sources = ["async-core/src", "async-cli/src", "async-bash-shim/src"].map(|dir| variables(&root().join(dir)));
    let mut read: BTreeSet<_> = sources.into_iter().flatten().collect();
    // Only for builds and tests.
    for other in ["ASYNC_VERSION", "ASYNC_TEST_WRITE_SCHEMA"] {
        assert!(read.remove(other), "{other} is not in the sources any more");
    }
    assert!(read.contains("ASYNC_ON_EXIT"), "{read:?}");
    let missing: Vec<_> = read.iter().filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "not in async(7): {missing:?}");
    // Every listed variable with such a prefix is read.
    let idle: Vec<_> = listed.iter().filter(|name| name.starts_with("ASYNC_") && !read.contains(*name)).collect();
    assert!(idle.is_empty(), "nothing reads {idle:?}");
    // Libraries read the last two.
    let others = ["DEVSTACK_PARALLEL", "DEST", "XDG_STATE_HOME", "HOME", "PATH", "TERM", "CI", "NO_COLOR", "TZ"];
    assert!(others.iter().all(|name| listed.contains(*name)), "{listed:?}");
}
