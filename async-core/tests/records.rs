//! Records under arbitrary contents: what is written is read back, and what is no record is refused by name.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use async_core::text::{printable, printable_command};
use async_core::{Claim, Error, FutureName, Permissions, Start, Store, Wait};
use proptest::prelude::*;
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let (store, _) = Store::init(&place.path().join("store"), Permissions::Private).unwrap();
    (place, store)
}

/// Arguments that have tripped ini readers, shells and JSON, among arbitrary ones.
fn argument() -> impl Strategy<Value = OsString> {
    prop_oneof![
        any::<String>().prop_map(OsString::from),
        prop::collection::vec(any::<u8>().prop_filter("no argument has a NUL", |b| *b != 0), 0..40)
            .prop_map(OsString::from_vec),
        prop::sample::select(vec![
            "",
            " ",
            "a\\",
            "\\",
            "\"",
            "'",
            "[job]",
            "#",
            ";",
            "x = y",
            "rc = 0",
            "\n",
            "a\nrc = 0\n"
        ])
        .prop_map(OsString::from),
    ]
}

fn unsafe_for_a_terminal(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read_back(argv in prop::collection::vec(argument(), 0..6), rc in 0..=255) {
        let (_place, store) = store();
        let name: FutureName = "t".parse().unwrap();
        let started = store.begin(&name, &argv, false, &Start::InProcess(std::process::id())).unwrap();
        prop_assert!(!unsafe_for_a_terminal(&started.command));
        store.finish(&name, rc).unwrap();
        let record = store.read(&name).unwrap().unwrap();
        // Blanks at the ends are not part of a value.
        prop_assert_eq!(record.command.trim(), started.command.trim());
        let read: Vec<OsString> = record.argv.unwrap().into_iter().map(OsString::from).collect();
        prop_assert_eq!(read, argv);
        prop_assert_eq!(record.rc, Some(rc));
        prop_assert!(record.run_time.unwrap() >= 0);
        let Claim::Ready(ready) = store.claim(&name).unwrap() else { panic!("it is over") };
        let outcome = ready.outcome(None);
        ready.archive(Wait::none(), &outcome).unwrap();
        let collected = store.collected().unwrap();
        prop_assert_eq!(collected.len(), 1);
        prop_assert_eq!((&collected[0].0, collected[0].1.rc), (&name, Some(rc)));
    }

    #[test]
    fn a_name_is_refused_or_names_a_future(text in any::<String>()) {
        if let Ok(name) = text.parse::<FutureName>() {
            let (_place, store) = store();
            store.begin(&name, &[], false, &Start::InProcess(std::process::id())).unwrap();
            prop_assert_eq!(store.names().unwrap(), vec![name.clone()]);
            prop_assert!(store.read(&name).unwrap().is_some());
            prop_assert!(!unsafe_for_a_terminal(name.as_str()));
        }
    }

    #[test]
    fn printable_text_is_safe_and_plain_text_is_left_alone(text in any::<String>(), plain in "[ -~äöü日本]*") {
        prop_assert!(!unsafe_for_a_terminal(&printable(text.as_ref())));
        prop_assert_eq!(printable(plain.as_ref()), plain.clone());
        prop_assert_eq!(printable_command(&[plain.clone(), plain.clone()]), format!("{plain} {plain}"));
    }

    #[test]
    fn what_iniset_writes_is_read(command in "[!-~][ -~]{0,60}[!-~]", pid in 1..4_000_000u32, start in 0..i64::MAX) {
        let (place, store) = store();
        let text = format!("[other]\nrc = 7\n\n[job]\npid = {pid}\nstart_time = {start}\ncommand = {command}\n\n[more]\nrc = 9\n");
        fs::write(place.path().join("store/t.ini"), text).unwrap();
        let record = store.read(&"t".parse().unwrap()).unwrap().unwrap();
        prop_assert_eq!(record.command, command);
        prop_assert_eq!((record.start_time, record.pid, record.rc), (start, Some(pid.to_string()), None));
    }
}

const WHOLE: &str = "[job]\ncommand = make docs\nstart_time = 1795503105123\nargv = [\"make\",\"docs\"]\nstart_boot = 918273\nlog = own\n\
                     pid = 4242\ntask = 4243\nend_time = 1795503107123\nrun_time = 2000\nrc = 3\nwait_start = 1\nwait_end = 2\n";

/// Reading, looking, collecting and listing either work, with values in their ranges, or name the file.
fn is_read_or_refused(bytes: &[u8]) {
    let (place, store) = store();
    let path = place.path().join("store/t.ini");
    fs::write(&path, bytes).unwrap();
    let name: FutureName = "t".parse().unwrap();
    match store.read(&name) {
        Ok(Some(record)) => {
            assert!(record.rc.is_none_or(|rc| (0..=255).contains(&rc)), "{record:?}");
            assert!(record.run_time.is_none_or(|run_time| run_time >= 0), "{record:?}");
            store.look(&name).unwrap();
            let Claim::Ready(ready) = store.claim(&name).unwrap() else { return };
            let outcome = ready.outcome(None);
            assert!(outcome.run_time >= 0);
            ready.archive(Wait::none(), &outcome).unwrap();
            assert_eq!(store.collected().unwrap().len(), 1);
        }
        Err(Error::BadRecord { path: named, .. }) => {
            assert_eq!(named, path);
            assert!(store.claim(&name).is_err());
            assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it was");
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn arbitrary_bytes_are_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_read_or_refused(&bytes);
    }

    #[test]
    fn a_damaged_record_is_no_trouble(
        cut in 0..WHOLE.len(),
        spot in 0..WHOLE.len(),
        with in prop::collection::vec(any::<u8>(), 0..6),
        lines in prop::collection::vec(0..14usize, 0..5),
        number in any::<i64>(),
    ) {
        is_read_or_refused(&WHOLE.as_bytes()[..cut]);
        let mut replaced = WHOLE.as_bytes().to_vec();
        let end = (spot + with.len()).min(replaced.len());
        replaced.splice(spot..end, with);
        is_read_or_refused(&replaced);
        let mut glued = WHOLE.to_owned();
        for line in lines {
            glued.push_str(WHOLE.lines().nth(line).unwrap_or_default());
            if number % 2 == 0 { glued.push('\n'); }
        }
        is_read_or_refused(glued.as_bytes());
        for key in ["start_time", "start_boot", "end_time", "run_time", "rc", "task", "wait_start", "wait_end"] {
            is_read_or_refused(format!("{WHOLE}{key} = {number}\n").as_bytes());
        }
    }
}

#[test]
fn what_was_found_before_is_no_trouble() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        is_read_or_refused(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 12, "{count} files");
}

#[test]
fn a_record_of_the_largest_size_is_read_and_a_larger_one_is_not() {
    let line = "end_time = 1\n";
    let room = usize::try_from(async_core::record::MAX_RECORD_BYTES).unwrap() - WHOLE.len();
    let mut text = WHOLE.to_owned() + &line.repeat(room / line.len());
    let (place, store) = store();
    let path = place.path().join("store/t.ini");
    fs::write(&path, &text).unwrap();
    assert_eq!(store.read(&"t".parse().unwrap()).unwrap().unwrap().end_time, Some(1));
    text += &line.repeat(2);
    fs::write(&path, &text).unwrap();
    assert!(matches!(store.read(&"t".parse().unwrap()), Err(Error::BadRecord { .. })));
}

#[test]
fn a_future_with_arguments_longer_than_a_record_can_be_finished_and_collected() {
    for argument in [vec![b'x'; 120_000], vec![0xff; 120_000], "\u{1b}ü".repeat(40_000).into_bytes()] {
        let (_place, store) = store();
        let name: FutureName = "t".parse().unwrap();
        let argv = vec![OsString::from_vec(argument); 8];
        let started = store.begin(&name, &argv, false, &Start::InProcess(std::process::id())).unwrap();
        assert!(started.command.ends_with(" ..."));
        store.finish(&name, 3).unwrap();
        let record = store.read(&name).unwrap().unwrap();
        assert_eq!((record.command, record.argv, record.rc), (started.command, None, Some(3)));
    }
}

#[test]
fn what_is_added_to_a_record_with_other_sections_is_read() {
    for tail in ["[more]\nrc = 9\n", "[more]\nrc = 9\nend_ti", "[more]\n[jo", "[more]\n[job]\n"] {
        let (place, store) = store();
        let path = place.path().join("store/t.ini");
        fs::write(&path, format!("[job]\ncommand = x\nstart_time = 5\n{tail}")).unwrap();
        let name: FutureName = "t".parse().unwrap();
        store.finish(&name, 3).unwrap();
        assert_eq!(store.read(&name).unwrap().unwrap().rc, Some(3), "{tail}");
        fs::write(&path, format!("[job]\ncommand = x\nstart_time = 5\nrc = 3\n{tail}")).unwrap();
        let Claim::Ready(ready) = store.claim(&name).unwrap() else { panic!("it is over") };
        let outcome = ready.outcome(None);
        ready.archive(Wait { start: 6, end: 7 }, &outcome).unwrap();
        let (_, record) = store.collected().unwrap().pop().unwrap();
        assert_eq!((record.rc, record.wait_start, record.wait_end), (Some(3), Some(6), Some(7)), "{tail}");
    }
}

#[test]
fn an_error_shows_the_beginning_of_a_long_value() {
    let (place, store) = store();
    fs::write(place.path().join("store/t.ini"), format!("{WHOLE}rc = {}\n", "ü".repeat(100_000))).unwrap();
    let error = store.read(&"t".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("`rc` can't be `üüü") && error.contains("...`") && error.len() < 1000, "{error}");
}
