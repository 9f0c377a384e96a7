//! A store whose futures are made up, so that it looks the same each time it is listed.

use std::fs;
use std::path::Path;

use async_core::process::ProcessIdentity;
use async_core::{Permissions, Store, clock};

use crate::shell::Sandbox;

/// When the first of them was started, in ms since the epoch: 2023-11-14 22:13:20 UTC.
const START: i64 = 1_700_000_000_000;

/// How long those run that run, in ms: no test takes so long that it shows.
const RUNS: i64 = (2 * 60 + 5) * 60_000 + 5_000;

/// Futures in every state.
const FUTURES: &[(&str, &str)] = &[
    ("docs", "command = make docs\nargv = [\"make\",\"docs\"]\nend_time = 1700000065000\nrun_time = 65000\nrc = 0\n"),
    ("tests", "command = make tests\nend_time = 1700007500000\nrun_time = 7500000\nrc = 3\n"),
    ("build", "command = make -j4 all\nparent = outer\nALIVE"),
    ("deploy", "command = ./deploy now\nplan = {\"after\":[\"build\"],\"timeout\":9000}\nALIVE"),
    (
        "stopped",
        "command = sleep 1000\nend_time = 1700000012000\nrun_time = 9000\nsignal = 15\nrc = 143\ncancel_time = 1700000011000\n\
         cause = cancelled\nterminated = 2\nkilled = 1\n",
    ),
    ("slow", "command = ./slow\nplan = {\"timeout\":4000}\nrun_time = 4000\nrc = 124\ncause = timeout\n"),
    ("later", "command = ./later\nplan = {\"after\":[\"tests\"]}\nrun_time = 0\nrc = 125\ncause = skipped\n"),
    ("misspelt", "command = mkae\nplan = {\"jobs\":2}\nrun_time = 0\nrc = 127\ncause = unstartable\n"),
    ("crashed", "command = ./crash\nrun_time = 100\nsignal = 11\nrc = 139\n"),
    ("gone", "command = ./gone\n"),
    (
        "a-long-name-for-what-compiles-the-firmware-of-each-board",
        "command = cc -O2 -Wall -Wextra -Wpedantic -o \
      firmware board.c main.c timer.c serial.c flash.c && ./flash firmware to the board on my desk\nrun_time = 1\nrc = 0\n",
    ),
    ("größe 日本語", "command = echo 'ü' \u{1b}[31m\nrun_time = 1\nrc = 0\n"),
];

/// Makes the store of the sandbox, with futures in every state; `build` has a log, and two others have been collected.
///
/// # Panics
/// If that fails.
pub fn store(sandbox: &Sandbox) {
    empty_store(sandbox);
    for (number, (name, lines)) in (0..).zip(FUTURES) {
        record(&sandbox.store().join(format!("{name}.ini")), number, lines);
    }
    let collected = sandbox.store().join(".collected");
    let times = "wait_start = 1700000030000\nwait_end = 1700000030500\n";
    record(
        &collected.join("old.1700000000020.ini"),
        20,
        &format!("command = ./old\nrun_time = 10000\nrc = 0\n{times}"),
    );
    record(&collected.join("odd.1700000000021.ini"), 21, &format!("command = ./odd\n{times}"));
    fs::write(sandbox.store().join("build.log"), "compiling\nlinking\n").expect("a log");
}

/// Makes the store of the sandbox, with nothing in it.
///
/// # Panics
/// If that fails.
pub fn empty_store(sandbox: &Sandbox) {
    Store::init(&sandbox.store(), Permissions::Private).expect("a store");
}

/// Makes that many futures, `t0000` and so on, all finished.
///
/// # Panics
/// If that fails.
pub fn many(sandbox: &Sandbox, count: i64) {
    empty_store(sandbox);
    for number in 0..count {
        let path = sandbox.store().join(format!("t{number:04}.ini"));
        record(&path, number, "command = true\nrun_time = 1000\nrc = 0\n");
    }
}

/// Writes a record. `ALIVE` in it stands for what makes it a future that has run for hours.
fn record(path: &Path, number: i64, lines: &str) {
    let me = ProcessIdentity::of(std::process::id()).expect("this process");
    let alive = format!("life = {me}\nstart_boot = {}\n", clock::since_boot() - RUNS);
    let (start, pid) = (START + number, 4100 + number);
    let text = format!("[job]\nstart_time = {start}\npid = {pid}\n{}", lines.replace("ALIVE", &alive));
    fs::write(path, text).expect("a record");
}
