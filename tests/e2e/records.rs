//! Records, read by devstack's `iniget` and written by its `iniset`: both readers see the same.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;

use async_core::{FutureName, Permissions, Start, Store};
use async_tests::here;
use async_tests::shell::Sandbox;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// How many records each way.
const RECORDS: usize = 80;

/// The same values in each run.
fn generated<S: Strategy>(strategy: &S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..RECORDS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Bash with the helpers, the real ones where `$DEVSTACK_DIR` names a devstack checkout.
fn helpers() -> String {
    match std::env::var("DEVSTACK_DIR") {
        Ok(devstack) => format!("source '{devstack}/inc/ini-config'\n"),
        Err(_) => format!("source '{}'\n", here().join("support/devstack.bash").display()),
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

#[test]
fn iniget_reads_what_we_write() {
    let sandbox = Sandbox::default();
    let (store, _) = Store::init(&sandbox.store(), Permissions::Private).unwrap();
    let commands = generated(&prop::collection::vec("[ -~äß日\n\t]{0,20}", 0..5));
    let mut script = helpers() + "set -f\n";
    for (i, command) in commands.iter().enumerate() {
        let name: FutureName = format!("t{i}").parse().unwrap();
        let argv: Vec<OsString> = command.iter().map(OsString::from).collect();
        store.begin(&name, &argv, false, &Start::InProcess(std::process::id())).unwrap();
        store.finish(&name, 3).unwrap();
        let _ = writeln!(
            script,
            "for key in command start_time pid end_time; do iniget \"$DEST/async/t{i}.ini\" job $key; done"
        );
    }
    let finished = sandbox.run(&script);
    let mut seen = finished.stdout.lines();
    for i in 0..commands.len() {
        let record = store.read(&format!("t{i}").parse().unwrap()).unwrap().unwrap();
        // iniget echoes without quotes, which folds blanks.
        assert_eq!(words(seen.next().unwrap()), words(&record.command), "{}", finished.stderr);
        assert_eq!(seen.next().unwrap(), record.start_time.to_string());
        assert_eq!(seen.next().unwrap(), "self");
        assert_eq!(seen.next().unwrap(), record.end_time.unwrap().to_string());
    }
    assert_eq!(seen.next(), None);
}

#[test]
fn we_read_what_iniset_writes() {
    let sandbox = Sandbox::default();
    let (store, _) = Store::init(&sandbox.store(), Permissions::Private).unwrap();
    // What iniset itself takes as it is; it hands the value to sed.
    let values = generated(&"[!-%'-Z^-~][ -%'-Z^-~]{0,30}");
    fs::write(sandbox.path("cwd/values"), values.join("\n") + "\n").unwrap();
    let script = helpers()
        + "set -f
        mapfile -t values <values
        for i in \"${!values[@]}\"; do
            file=$DEST/async/t$i.ini
            touch \"$file\"
            [[ $((i % 2)) == 0 ]] || iniset \"$file\" other rc 9
            iniset \"$file\" job command first
            iniset \"$file\" job start_time \"$((1000 + i))\"
            iniset \"$file\" job command \"${values[i]}\"
            iniset \"$file\" job pid 4242
            iniset \"$file\" more rc 8
            iniget \"$file\" job command
        done";
    let finished = sandbox.run(&script);
    let seen: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(seen.len(), values.len(), "{finished}");
    for (i, value) in values.iter().enumerate() {
        let record = store.read(&format!("t{i}").parse().unwrap()).unwrap().unwrap();
        assert_eq!(words(&record.command), words(seen[i]));
        assert_eq!(record.command, value.trim());
        assert_eq!(record.start_time, 1000 + i64::try_from(i).unwrap());
        assert_eq!((record.pid.as_deref(), record.rc), (Some("4242"), None));
    }
}
