//! Records, read by devstack's `iniget` and written by its `iniset`: both readers see the same.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt;

use async_core::{Error, FutureName, Permissions, Request, Start, Store};
use async_tests::shell::Sandbox;
use async_tests::{generated, here};
use proptest::prelude::*;

/// How many records in each direction.
const RECORDS: usize = 60;

/// Bash with the helpers; the real ones if `$DEVSTACK_DIR` names a devstack checkout. They glob what they echo.
fn helpers() -> String {
    let file = match std::env::var("DEVSTACK_DIR") {
        Ok(devstack) => format!("{devstack}/inc/ini-config"),
        Err(_) => here().join("support/devstack.bash").display().to_string(),
    };
    format!("source '{file}'\nset -f\n")
}

fn words(text: &str) -> Vec<&str> {
    text.split_ascii_whitespace().collect()
}

/// The value on which both readers agree: iniget echoes without quotes, which folds blanks and interprets options of
/// echo, and rust-ini drops blanks that are not ASCII from both ends.
fn folded(text: &str) -> Vec<&str> {
    let is_option =
        |word: &&str| word.len() > 1 && word.starts_with('-') && word[1..].trim_matches(['n', 'e', 'E']).is_empty();
    words(text.trim()).into_iter().skip_while(is_option).collect()
}

#[test]
fn iniget_reads_what_we_write() {
    let sandbox = Sandbox::default();
    let (store, _) = Store::init(&sandbox.store(), Permissions::Private).unwrap();
    let argument = prop_oneof![
        any::<String>().prop_map(String::into_bytes),
        "[ -~äß日\n\t]{0,20}".prop_map(String::into_bytes),
        prop::collection::vec(1..=255u8, 0..20),
        "[\\]\\[job#;=\\\\\"'&* ]{0,9}".prop_map(String::into_bytes),
    ];
    let commands = generated(&prop::collection::vec(argument, 0..5), RECORDS);
    let mut script = helpers();
    for (i, command) in commands.into_iter().enumerate() {
        let name: FutureName = format!("t{i}").parse().unwrap();
        let argv: Vec<OsString> = command.into_iter().map(OsString::from_vec).collect();
        store.begin(&name, &Request::new(&argv), Start::InProcess(std::process::id())).unwrap();
        if i % 3 == 0 {
            let mut file = OpenOptions::new().append(true).open(store.dir().join(format!("t{i}.ini"))).unwrap();
            file.write_all(b"[more]\nrc = 9\nend_ti").unwrap();
        }
        store.finish(&name, 3).unwrap();
        let _ = writeln!(
            script,
            "for key in command start_time pid end_time rc; do iniget \"$DEST/async/t{i}.ini\" job $key; done"
        );
    }
    let finished = sandbox.run(&script);
    let mut seen = finished.stdout.lines();
    let mut next = || seen.next().unwrap_or_else(|| panic!("{finished:?}"));
    for i in 0..RECORDS {
        let record = store.read(&format!("t{i}").parse().unwrap()).unwrap().unwrap();
        assert_eq!(folded(next()), folded(&record.command), "{record:?}");
        let rest = [next(), next(), next(), next()];
        let end_time = record.end_time.unwrap().to_string();
        assert_eq!(rest, [record.start_time.to_string().as_str(), "self", end_time.as_str(), "3"]);
    }
    assert_eq!(seen.next(), None);
}

/// One call of iniset: section, option, value.
fn set() -> impl Strategy<Value = (&'static str, &'static str, String)> {
    // The echo in iniset may take a value that begins with a dash for an option.
    let text = || "[!-,.-~äß日][ -~äß日]{0,30}";
    let number = || (0..i64::MAX).prop_map(|number| number.to_string());
    let section = prop::sample::select(&["job", "job", "job", "job", "other", "more"]);
    let option = prop_oneof![
        3 => (Just("command"), text()),
        3 => (Just("start_time"), number()),
        1 => (Just("end_time"), number()),
        1 => (Just("pid"), text()),
        1 => (Just("note"), text()),
    ];
    (section, option).prop_map(|(section, (option, value))| (section, option, value))
}

#[test]
fn we_read_what_iniset_writes() {
    let sandbox = Sandbox::default();
    let (store, _) = Store::init(&sandbox.store(), Permissions::Private).unwrap();
    let records = generated(&prop::collection::vec(set(), 1..12), RECORDS);
    let mut calls = String::new();
    for (i, sets) in records.iter().enumerate() {
        for (section, option, value) in sets {
            let _ = write!(calls, "t{i}.ini\0{section}\0{option}\0{value}\0");
        }
    }
    fs::write(sandbox.path("cwd/calls"), calls).unwrap();
    let script = helpers()
        + "mapfile -d '' -t calls <calls
        for ((i = 0; i < ${#calls[@]}; i += 4)); do
            file=$DEST/async/${calls[i]}
            [[ -e $file ]] || : >\"$file\"
            iniset \"$file\" \"${calls[i + 1]}\" \"${calls[i + 2]}\" \"${calls[i + 3]}\"
        done";
    let finished = sandbox.run(&script);
    let mut read = 0;
    for (i, sets) in records.iter().enumerate() {
        let job: BTreeMap<_, _> = sets
            .iter()
            .filter(|(section, ..)| *section == "job")
            .map(|(_, option, value)| (*option, value.as_str()))
            .collect();
        let record = store.read(&format!("t{i}").parse().unwrap());
        let (Some(command), Some(start_time)) = (job.get("command"), job.get("start_time")) else {
            assert!(matches!(record, Err(Error::BadRecord { .. })), "{record:?} {finished}");
            continue;
        };
        let record = record.unwrap().unwrap();
        assert_eq!(words(&record.command), words(command), "{finished}");
        assert_eq!(record.start_time.to_string(), *start_time);
        assert_eq!(record.end_time.map(|time| time.to_string()).as_deref(), job.get("end_time").copied());
        assert_eq!(record.pid.as_deref().map(words), job.get("pid").map(|pid| words(pid)));
        assert_eq!((record.rc, record.argv), (None, None));
        read += 1;
    }
    assert!(read > RECORDS / 3, "{read}");
}
