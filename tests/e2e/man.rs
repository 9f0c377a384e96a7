//! The man pages that `cargo xtask man` writes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use async_tests::shell::Sandbox;
use async_tests::{root, tools};

/// The commands in the list that `async --help` prints.
fn listed(sandbox: &Sandbox) -> BTreeSet<String> {
    let help = sandbox.finish(sandbox.command("async").arg("--help")).stdout;
    let list = help.split_once("\nCommands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // What a command does may go on in further lines, which are indented by more.
    let first_words = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    first_words.filter(|word| !word.is_empty() && *word != "help").map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_page_that_renders_without_a_warning() {
    let sandbox = Sandbox::default();
    let dir = sandbox.path("man");
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "man", "--dir"])
        .arg(&dir)
        .current_dir(root())
        .status();
    assert!(status.unwrap().success());

    let pages: BTreeSet<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted: BTreeSet<_> = listed(&sandbox).into_iter().map(|name| format!("async-{name}.1")).collect();
    assert!(wanted.contains("async-wait.1"), "{wanted:?}");
    wanted.insert("async.1".into());
    assert_eq!(pages, wanted);

    if !tools::is_there("groff") {
        return;
    }
    for page in pages {
        let mut groff = Command::new("groff");
        let rendered =
            groff.args(["-man", "-ww", "-Kutf8", "-Tutf8", "-P-cbou"]).arg(dir.join(&page)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&rendered.stderr), "", "{page}");
        let text = String::from_utf8(rendered.stdout).unwrap();
        assert!(
            text.contains("EXAMPLES") && text.contains(concat!("async ", env!("CARGO_PKG_VERSION"))),
            "{page}:\n{text}"
        );
    }
}
