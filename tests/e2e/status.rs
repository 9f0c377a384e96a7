//! `async status`: its output about futures in every state, for people and for programs.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use async_tests::assert_like_snapshot;
use async_tests::fixtures::runs;
use async_tests::shell::{Finished, Sandbox};
use async_tests::terminal::Terminal;

/// A sandbox with a store of fixed futures.
fn stage() -> Sandbox {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    sandbox
}

fn names(finished: &Finished) -> Vec<&str> {
    finished.stdout.lines().filter_map(|line| line.split('\t').next()).collect()
}

/// What a terminal of that width shows of a script, without trailing blank rows.
fn on_terminal(sandbox: &Sandbox, columns: u16, script: &str) -> Terminal {
    let mut terminal = Terminal::new(sandbox, columns, &format!("export TZ=UTC\n{script}"));
    terminal.finish();
    terminal
}

#[test]
fn in_a_pipe_each_future_is_a_whole_line_of_seven_fields() {
    let finished = stage().run("async status --all");
    let hours = regex::Regex::new(r"\t75\d\d\tmake -j4").unwrap();
    assert_like_snapshot("status", "plain", &hours.replace(&finished.stdout, "\tSECONDS\tmake -j4"));
    for line in finished.stdout.lines() {
        assert_eq!(line.split('\t').count(), 7, "{line}");
    }
    finished.lacks("\u{1b}").lacks("…").exits(1);
}

#[test]
fn the_plain_form_is_for_awk() {
    stage()
        .run("async status | awk -F '\\t' '$2 == \"running\" { print $1, $4, $7 }'")
        .says("build 4102 make -j4 all\n");
}

#[test]
fn a_table_fits_its_terminal_and_uses_all_of_it() {
    let sandbox = stage();
    for columns in [40, 80, 160] {
        let terminal = on_terminal(&sandbox, columns, "async status --all");
        assert_like_snapshot("status", &format!("table_{columns}"), &terminal.text());
    }
}

#[test]
fn a_terminal_of_any_width_gets_a_line_for_each_future() {
    let sandbox = stage();
    for columns in [1, 2, 7, 13, 20, 30, 52, 61] {
        let terminal = on_terminal(&sandbox, columns, "async status docs tests");
        let sent = String::from_utf8_lossy(&terminal.sent).lines().count();
        assert_eq!(sent, 3, "{columns}: {}", terminal.text());
        assert_eq!(terminal.text().lines().count(), 3, "nothing runs over at {columns}: {}", terminal.text());
    }
}

#[test]
fn colours_are_for_terminals_whose_users_want_them() {
    let sandbox = stage();
    let colored = |script: &str| on_terminal(&sandbox, 80, script).sent.windows(5).any(|bytes| bytes == b"\x1b[38;");
    assert!(colored("async status"));
    assert!(!colored("NO_COLOR=1 async status"));
    assert!(!colored("CLICOLOR=0 async status"));
    assert!(!colored("TERM=dumb async status"));
    assert!(colored("TERM=dumb CLICOLOR_FORCE=1 async status"));
    let plain = on_terminal(&sandbox, 80, "NO_COLOR=1 async status");
    assert!(!plain.sent.contains(&0x1b), "not even bold: {}", plain.text());
    sandbox.run("CLICOLOR_FORCE=1 async status").lacks("\u{1b}");
}

#[test]
fn a_start_is_told_by_the_clock_on_the_wall() {
    let sandbox = stage();
    let started = |zone: &str| {
        let terminal = on_terminal(&sandbox, 160, &format!("TZ={zone} async status docs"));
        terminal.text().lines().last().unwrap().to_owned()
    };
    assert!(started("UTC").contains(" 2023-11-14 "));
    assert!(started("UTC-9").contains(" 2023-11-15 "), "it was morning in Tokyo");
}

#[test]
fn the_status_says_whether_something_failed() {
    let sandbox = stage();
    let status = |arguments: &str| sandbox.run(&format!("async status {arguments}")).status;
    assert_eq!(status("docs"), 0);
    assert_eq!(status("build deploy docs"), 0, "what runs has not failed");
    for failed in ["tests", "stopped", "slow", "later", "misspelt", "crashed", "gone", "docs tests"] {
        assert_eq!(status(failed), 1, "{failed}");
    }
    assert_eq!(status("--all old"), 0);
    assert_eq!(status("--all odd"), 1, "lost, and collected");
}

#[test]
fn names_say_which_and_ps_is_the_same() {
    let sandbox = stage();
    assert_eq!(names(&sandbox.run("async status tests docs")), ["docs", "tests"], "in the order of their starts");
    assert_eq!(names(&sandbox.run("async ps docs")), ["docs"]);
    assert_eq!(names(&sandbox.run("async status --all docs old")), ["docs", "old"]);
    let finished = sandbox.run("async status docs old dosc");
    assert_eq!(names(&finished), ["docs"]);
    finished.complains("there is no future `old`").complains("did you mean `docs`?").exits(125);
    sandbox.run("async status ../docs").complains("can't be the name of a future").exits(2);
}

#[test]
fn a_name_that_was_used_again_is_listed_with_all_its_futures() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        "for status in 0 4; do
            async run t -- bash -c \"exit $status\"
            async wait t
        done >/dev/null
        async run t -- true >/dev/null
        async wait --keep --quiet t
        async status --all t | cut -f 1-3",
    );
    assert_eq!(finished.stdout, "t\tcollected\t0\nt\tcollected\t4\nt\tfinished\t0\n", "{finished}");
}

#[test]
fn an_empty_store_is_told_in_a_line() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run("async status");
    assert_eq!(finished.stderr, format!("async: there are no live futures in {}\n", sandbox.store().display()));
    assert_eq!((finished.stdout.as_str(), finished.status), ("", 0));
    sandbox.run("async status --all").complains("there are no futures in ").exits(0);
}

#[test]
fn what_can_not_be_read_is_named_and_the_others_are_listed() {
    let sandbox = stage();
    let bad = |path: &Path| {
        fs::write(path, "nonsense\n").unwrap();
        format!("{} is not a record that can be read: ", path.display())
    };
    let live = bad(&sandbox.store().join("bad.ini"));
    sandbox.run("async status").says("docs\tfinished").says("gone\tlost").complains(&live).exits(125);
    sandbox.run("async status docs").lacks("bad").exits(0);
    let collected = bad(&sandbox.store().join(".collected/bad.1700000000000.ini"));
    sandbox.run("async status --all").says("old\tcollected").complains(&live).complains(&collected).exits(125);
    sandbox.run("async --dir nowhere status").complains("there is no store at nowhere").exits(125);
}

#[test]
fn the_directory_of_a_future_is_in_json_and_on_a_terminal_if_it_is_another_one() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "source <(async shim)
        async_init
        mkdir other $'od\\nd'
        async run --quiet --cwd other a -- true
        cd $'od\\nd'
        async run --quiet b -- true
        async_run c true >/dev/null
        ASYNC_PARALLEL=false
        async_run d true >/dev/null
        async wait --keep --quiet a b c
        cd ..
        async status --json | jq -c '.futures[] | [.name, .cwd]'",
    );
    let cwd = sandbox.path("cwd").canonicalize().unwrap();
    let lines: Vec<(String, String)> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [("a", "other"), ("b", "od\nd"), ("c", "od\nd"), ("d", "od\nd")]
        .map(|(name, dir)| (name.to_owned(), cwd.join(dir).to_str().unwrap().to_owned()));
    assert_eq!(lines, expected, "{finished}");

    let text = on_terminal(&sandbox, 300, "cd other; async status a b").text();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].ends_with("  DIRECTORY") && rows[1].ends_with("  .") && rows[2].ends_with("/od\\nd"), "{text}");
    let here = on_terminal(&sandbox, 300, "cd other; async status a").text();
    let narrow = on_terminal(&sandbox, 80, "async status").text();
    assert!(!here.contains("DIRECTORY") && !narrow.contains("DIRECTORY"), "{here}\n{narrow}");
}
