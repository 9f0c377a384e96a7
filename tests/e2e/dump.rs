//! What devstack's functions print on standard error when a wait has failed.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::shell::{Finished, Sandbox, bashes};

const BEGIN: &str = "=== Wait failure dump: ";

/// Runs the script under each bash with devstack's functions.
fn in_each_bash(script: &str, check: impl Fn(&Sandbox, &Finished)) {
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&format!("source <(async shim --profile devstack)\nasync_init\n{script}"));
        check(&sandbox, &finished);
    }
}

/// The lines under that heading of the dump.
fn part<'a>(finished: &'a Finished, heading: &str) -> Vec<&'a str> {
    let lines = finished.stderr.lines().skip_while(|line| !line.starts_with(BEGIN)).skip(1);
    let part = lines.skip_while(|line| !line.starts_with(heading)).skip(1);
    part.take_while(|line| line.starts_with("  ")).map(str::trim_start).collect()
}

#[test]
fn a_wait_that_fails_tells_what_is_known_what_still_runs_and_how_the_log_ends() {
    let script = r#"
    mkfifo go
    function held { read -r <go; }
    function fails {
        seq 100; printf '\e[31mred\a\n'; sleep 1000 & echo "$!" >left
        until grep -q sleep "/proc/$!/comm"; do :; done
        return 3
    }
    async_run other held
    async_run t fails
    async_wait t
    echo "status $?"
    kill "$(<left)"
    echo >go
    async_wait other"#;
    in_each_bash(script, |sandbox, finished| {
        finished.exits(0).says("status 3\n").complains(&format!("{BEGIN}`t` with status 3 ===\n"));
        assert!(!finished.stderr.contains(['\u{7}', '\u{1b}']), "nothing acts on a terminal: {finished}");
        assert_eq!(finished.stderr.matches(BEGIN).count(), 1, "one that goes well has none: {finished}");
        assert!(!finished.stdout.contains("==="), "on standard error: {finished}");
        let record = part(finished, &format!("Record, {}:", sandbox.store().join("t.ini").display()));
        for line in ["[job]", "command = fails", "rc = 3"] {
            assert!(record.contains(&line), "{line}: {finished}");
        }
        let [left] = part(finished, "Processes of it that still run:")[..] else { panic!("{finished}") };
        assert!(left.ends_with("  sleep 1000"), "{finished}");
        let [other] = part(finished, "Futures that nobody has waited for yet:")[..] else { panic!("{finished}") };
        assert!(other.starts_with("other  running  pid ") && other.ends_with("  held"), "{finished}");
        let log = part(finished, &format!("Last lines of its log, {}:", sandbox.store().join("t.log").display()));
        assert_eq!(log.len(), 20, "{finished}");
        assert!(log.contains(&"100") && log.contains(&"red"), "{finished}");
    });
}

#[test]
fn a_future_that_is_lost_has_one_too() {
    let script = "
    mkfifo go
    function held { read -r <go; }
    async_run t held
    kill -KILL \"$(async_pidof t)\"
    async_wait t
    echo \"status $?\"
    echo >go";
    in_each_bash(script, |_, finished| {
        finished.says("status 137\n").complains(BEGIN).says("of its task still runs");
        assert_eq!(part(finished, "Processes of it that still run:").len(), 1, "{finished}");
        assert!(!part(finished, "Record, ").iter().any(|line| line.starts_with("rc = ")), "{finished}");
        assert_eq!(part(finished, "Futures that nobody"), ["none"], "{finished}");
    });
}

#[test]
fn a_cleanup_has_one_for_each_that_failed() {
    let script = "async_run a false; async_run b true; async_run c false; async_cleanup; echo \"status $?\"";
    in_each_bash(script, |_, finished| {
        finished.says("status 0\n").complains("`a` with status 1").complains("`c` with status 1");
        assert_eq!(finished.stderr.matches(BEGIN).count(), 2, "{finished}");
    });
}

#[test]
fn the_functions_for_any_script_have_none() {
    for bash in bashes() {
        let finished = Sandbox::new(&bash.path).run("source <(async shim); async_run t false; async_wait t");
        finished.exits(1).lacks("===");
    }
}
