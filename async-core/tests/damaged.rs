//! A fuzz test of the reader of records: whatever a file holds, it is read within its ranges, or refused by name.
//!
//! Starts from the files in `corpus`, which were found by it or thought of. `PROPTEST_CASES=100000 cargo test --release -p
//! async-core damaged` looks harder. What it finds becomes a file there.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::path::Path;
use std::sync::LazyLock;

use super::common::{cases, store};
use async_core::record::MAX_RECORD_BYTES;
use async_core::{Claim, Error, FutureName, Record, Store, Wait};
use proptest::prelude::*;
use tempfile::TempDir;

const WHOLE: &str = "[job]\ncommand = make docs\nstart_time = 1795503105123\nargv = [\"make\",\"docs\"]\nstart_boot = 918273\nlog = own\n\
                     pid = 4242\ntask = 4243\nend_time = 1795503107123\nrun_time = 2000\nrc = 3\nwait_start = 1\nwait_end = 2\n";

/// What means something to a reader of records, to a terminal, or to UTF-8.
const TOKENS: [&[u8]; 28] = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\x18\n",
    b"\x18",
    b"\0",
    b"\x1b[2J",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"[",
    b"]",
    b"[job]\n",
    b"[more]\n",
    b"=",
    b":",
    b" ",
    b"#",
    b";",
    b"\\",
    b"\\\n",
    b"\"",
    b"rc = ",
    b"-1",
    b"256",
    b"9223372036854775808",
    b"argv = [[1,2],\"a\"]\n",
];

static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ini"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
});

thread_local! {
    static PLACE: (TempDir, Store) = store();
}

fn is_within_its_ranges(record: &Record) {
    assert!(record.rc.is_none_or(|rc| (0..=255).contains(&rc)), "{record:?}");
    assert!(record.run_time.is_none_or(|run_time| run_time >= 0), "{record:?}");
    assert!(!record.command.contains(['\n', '\r']), "{record:?}");
}

/// A result stands at the start of a line, not within a value.
fn has_a_line_of_its_own(record: &Record, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    record.rc.is_none()
        || text.split('\n').any(|line| line.trim_start_matches('\u{feff}').trim_start().starts_with("rc"))
}

/// Reading, looking, finishing, collecting and listing either work, with values in their ranges, or name the file.
fn is_read_or_refused(bytes: &[u8]) {
    PLACE.with(|(place, store)| {
        let path = place.path().join("store/t.ini");
        fs::write(&path, bytes).unwrap();
        let name: FutureName = "t".parse().unwrap();
        match store.read(&name) {
            Ok(Some(record)) => {
                is_within_its_ranges(&record);
                assert!(has_a_line_of_its_own(&record, bytes), "{record:?}");
                assert_eq!(store.look(&name).unwrap().unwrap().0, record);
                if record.rc.is_none() {
                    store.finish(&name, 7).unwrap();
                }
                let rc = record.rc.or(Some(7));
                assert_eq!(store.read(&name).unwrap().unwrap().rc, rc, "what is added is read");
                let Claim::Ready(ready) = store.claim(&name).unwrap() else { panic!("it is over") };
                let outcome = ready.outcome(None);
                assert!(outcome.run_time.is_none_or(|ms| ms >= 0));
                ready.archive(&async_core::Caller::Program, Wait { start: 6, end: 7 }, &outcome).unwrap();
                let (collected_as, collected) = store.collected().unwrap().pop().unwrap();
                is_within_its_ranges(&collected);
                assert_eq!((&collected_as, collected.rc, collected.wait_end), (&name, rc, Some(7)));
                assert_eq!((collected.command, collected.argv), (record.command, record.argv));
                for entry in fs::read_dir(place.path().join("store/.collected")).unwrap() {
                    fs::remove_file(entry.unwrap().path()).unwrap();
                }
            }
            Err(error @ Error::BadRecord { .. }) => {
                let text = error.to_string();
                assert!(text.contains(path.to_str().unwrap()) && text.len() < 2000, "{text}");
                assert!(store.look(&name).is_err() && store.finish(&name, 7).is_err() && store.claim(&name).is_err());
                assert_eq!(fs::read(&path).unwrap(), bytes, "it is left as it was");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// One way to damage a text.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Overwrite(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    RepeatLine(usize, usize),
    RemoveLine(usize),
    Number(usize, i64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let spot = 0..10_000usize;
    let token = prop::sample::select(&TOKENS).prop_map(<[u8]>::to_vec);
    let arbitrary = prop::collection::vec(any::<u8>(), 0..6);
    prop_oneof![
        1 => spot.clone().prop_map(Damage::Cut),
        2 => (spot.clone(), arbitrary).prop_map(|(at, with)| Damage::Overwrite(at, with)),
        4 => (spot.clone(), token).prop_map(|(at, what)| Damage::Insert(at, what)),
        2 => (spot.clone(), spot.clone()).prop_map(|(from, to)| Damage::RepeatLine(from, to)),
        1 => spot.clone().prop_map(Damage::RemoveLine),
        2 => (spot, any::<i64>()).prop_map(|(key, number)| Damage::Number(key, number)),
    ]
}

/// The text after that. Spots beyond its end start from its beginning again.
fn damaged(mut text: Vec<u8>, damage: Damage) -> Vec<u8> {
    const NUMBERS: [&str; 8] =
        ["start_time", "start_boot", "end_time", "run_time", "rc", "task", "wait_start", "wait_end"];
    let within = |at: usize, length: usize| at % (length + 1);
    let lines = || text.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match damage {
        Damage::Cut(at) => text.truncate(within(at, text.len())),
        Damage::Overwrite(at, with) => {
            let start = within(at, text.len());
            text.splice(start..text.len().min(start + with.len()), with);
        }
        Damage::Insert(at, what) => {
            let start = within(at, text.len());
            text.splice(start..start, what);
        }
        Damage::RepeatLine(from, to) => {
            let mut lines = lines();
            if let Some(line) = lines.get(within(from, lines.len())).cloned() {
                lines.insert(within(to, lines.len()), line);
            }
            text = lines.concat();
        }
        Damage::RemoveLine(at) => {
            let mut lines = lines();
            if !lines.is_empty() {
                lines.remove(at % lines.len());
            }
            text = lines.concat();
        }
        Damage::Number(key, number) => {
            text.extend(format!("{} = {number}\n", NUMBERS[key % NUMBERS.len()]).into_bytes());
        }
    }
    text
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn arbitrary_bytes_are_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_read_or_refused(&bytes);
    }

    #[test]
    fn arbitrary_tokens_are_no_trouble(tokens in prop::collection::vec(prop::sample::select(&TOKENS), 0..30)) {
        is_read_or_refused(&tokens.concat());
        is_read_or_refused(&[WHOLE.as_bytes(), &tokens.concat(), b"\n"].concat());
    }
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn a_damaged_record_is_no_trouble(
        from in prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)],
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let text = from.map_or(WHOLE.as_bytes(), |index| index.get::<Vec<u8>>(&CORPUS).as_slice());
        is_read_or_refused(&damages.into_iter().fold(text.to_vec(), damaged));
    }
}

#[test]
fn what_was_found_before_is_no_trouble() {
    assert!(CORPUS.len() >= 24, "{} files", CORPUS.len());
    CORPUS.iter().for_each(|text| is_read_or_refused(text));
}

#[test]
fn a_record_that_is_cut_anywhere_is_no_trouble() {
    for text in CORPUS.iter().map(Vec::as_slice).chain([WHOLE.as_bytes()]) {
        (0..text.len().min(400)).for_each(|end| is_read_or_refused(&text[..end]));
    }
}

#[test]
fn a_record_of_the_largest_size_is_read_and_a_larger_one_is_not() {
    let line = "end_time = 1\n";
    let room = usize::try_from(MAX_RECORD_BYTES).unwrap() - WHOLE.len();
    let mut text = WHOLE.to_owned() + &line.repeat(room / line.len());
    let (place, store) = store();
    let path = place.path().join("store/t.ini");
    let name: FutureName = "t".parse().unwrap();
    fs::write(&path, &text).unwrap();
    assert_eq!(store.read(&name).unwrap().unwrap().end_time, Some(1));
    text += &line.repeat(2);
    fs::write(&path, &text).unwrap();
    assert!(matches!(store.read(&name), Err(Error::BadRecord { .. })));
    File::create(&path).unwrap().set_len(10_000_000).unwrap();
    assert!(store.read(&name).unwrap_err().to_string().contains("it has 10000000 bytes"));
}

/// A reader that took more than linear work would not come to an end here.
#[test]
fn a_record_of_the_largest_size_is_no_trouble_whatever_it_repeats() {
    let (place, store) = store();
    let room = usize::try_from(MAX_RECORD_BYTES).unwrap() - WHOLE.len() - 10;
    for (start, repeated, end) in [
        ("", "\n", ""),
        ("", "x=\n", ""),
        ("", "rc=1\n", ""),
        ("", "[]\n", ""),
        ("[", "[a] ", "\n"),
        ("x=", " ", "\n"),
        ("x=", "\\", "\n"),
        ("x=", "\r", "\n"),
        ("x=", " #", "\n"),
        ("[", " ]", "\n"),
        ("", "\u{18}\n", ""),
        ("argv=", "[", "\n"),
        ("argv=[", "\"\",", "\"\"]\n"),
        ("rc=", "0", "\n"),
        ("rc=", "ü", "\n"),
    ] {
        let text = [WHOLE, start, &repeated.repeat(room / repeated.len()), end].concat();
        fs::write(place.path().join("store/t.ini"), text).unwrap();
        match store.read(&"t".parse().unwrap()) {
            Ok(Some(_)) | Err(Error::BadRecord { .. }) => {}
            other => panic!("{start:?} {repeated:?}: {other:?}"),
        }
    }
}

#[test]
fn an_error_shows_the_beginning_of_a_long_value() {
    let (place, store) = store();
    fs::write(place.path().join("store/t.ini"), format!("{WHOLE}rc = {}\n", "ü".repeat(100_000))).unwrap();
    let error = store.read(&"t".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("`rc` can't be `üüü") && error.contains("...`") && error.len() < 1000, "{error}");
}
