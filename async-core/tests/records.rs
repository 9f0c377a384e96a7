//! What is written to a record is read back, whatever it is, and text and names are safe.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p async-core records` looks harder.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::common::{cases, store};
use async_core::text::{printable, printable_command};
use async_core::{Claim, FutureName, MAX_NAME_BYTES, Record, Request, Start, State, Store, Wait};
use proptest::prelude::*;

/// Bytes that a program's argument can have.
fn bytes() -> impl Strategy<Value = OsString> {
    prop::collection::vec(1..=255u8, 0..40).prop_map(OsString::from_vec)
}

/// Arguments that have tripped ini readers, shells and JSON, among arbitrary ones.
fn argument() -> impl Strategy<Value = OsString> {
    const ODD: [&str; 20] = [
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
        "a\nrc = 0\n",
        "a\rrc = 0\r",
        " a ",
        "\u{18}",
        "\u{a0}x\u{3000}",
        ":",
        "\u{feff}",
        "[255]",
    ];
    prop_oneof![any::<String>().prop_map(OsString::from), bytes(), prop::sample::select(&ODD).prop_map(OsString::from)]
}

/// What the documentation of [`printable`] and of names calls unsafe, written down once more.
fn is_unsafe(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn begin(store: &Store, name: &FutureName, argv: &[OsString]) -> async_core::Started {
    store.begin(name, &Request::new(argv), Start::InProcess(std::process::id())).unwrap()
}

fn collect(store: &Store, name: &FutureName) {
    let Claim::Ready(ready) = store.claim(name).unwrap() else { panic!("it is over") };
    let outcome = ready.outcome(None);
    ready.archive(&async_core::Caller::Program, Wait { start: 6, end: 7 }, &outcome).unwrap();
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_written_is_read_back(argv in prop::collection::vec(argument(), 0..6), rc in 0..=255) {
        let (_place, store) = store();
        let name: FutureName = "t".parse().unwrap();
        let started = begin(&store, &name, &argv);
        prop_assert!(!started.command.contains(is_unsafe));
        store.finish(&name, rc).unwrap();
        let record = store.read(&name).unwrap().unwrap();
        // Blanks at the ends are not part of a value.
        prop_assert_eq!(&record.command, started.command.trim());
        let read: Vec<OsString> = record.argv.clone().unwrap().into_iter().map(OsString::from).collect();
        prop_assert_eq!(read, argv);
        prop_assert_eq!(record.rc, Some(rc));
        prop_assert!(record.run_time.unwrap() >= 0);
        collect(&store, &name);
        let collected = store.collected().unwrap();
        prop_assert_eq!(collected.len(), 1);
        let mut expected: Record = record;
        (expected.wait_start, expected.wait_end) = (Some(6), Some(7));
        prop_assert_eq!(&collected[0], &(name, expected));
    }

    #[test]
    fn a_name_is_refused_or_names_a_future(
        text in prop_oneof![
            argument(),
            "[.a-]{1,9}".prop_map(OsString::from),
            "[-. a%*\\\\\"'ü\u{1f600}]{40,210}".prop_map(OsString::from),
        ],
        rc in 0..=255,
    ) {
        let is_good = text.to_str().is_some_and(|text| {
            !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.starts_with('.') && !text.contains('/')
                && !text.contains(is_unsafe)
        });
        let name = FutureName::from_arg(&text);
        prop_assert_eq!(name.is_ok(), is_good, "{:?}", name);
        if let Ok(name) = name {
            prop_assert_eq!(name.as_str(), &text);
            let (_place, store) = store();
            begin(&store, &name, &[]);
            prop_assert_eq!(store.names().unwrap(), vec![name.clone()]);
            store.finish(&name, 255 - rc).unwrap();
            // The first one makes room for the second.
            prop_assert_eq!(begin(&store, &name, &[]).superseded.and_then(|record| record.rc), Some(255 - rc));
            store.finish(&name, rc).unwrap();
            prop_assert_eq!(store.look(&name).unwrap().map(|(record, state)| (record.rc, state)), Some((Some(rc), State::Finished)));
            collect(&store, &name);
            prop_assert_eq!(store.names().unwrap(), vec![]);
            let mut found: Vec<_> = store.collected().unwrap().into_iter().map(|(n, record)| (n, record.rc, record.wait_end)).collect();
            found.sort_by_key(|(_, _, wait_end)| *wait_end);
            prop_assert_eq!(found, vec![(name.clone(), Some(255 - rc), None), (name, Some(rc), Some(7))]);
        }
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

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn printable_text_is_safe_and_stays_as_it_is(text in argument(), more in bytes()) {
        for text in [&text, &more] {
            let shown = printable(text);
            prop_assert!(!shown.contains(is_unsafe), "{:?}", shown);
            prop_assert_eq!(printable(shown.as_ref()), shown);
        }
        prop_assert_eq!(printable_command(&[&text, &more]), format!("{} {}", printable(&text), printable(&more)));
    }

    #[test]
    fn plain_text_is_left_alone(text in any::<String>()) {
        let plain: String = text.chars().filter(|&c| !is_unsafe(c)).collect();
        prop_assert_eq!(printable(plain.as_ref()), plain);
    }
}

#[test]
fn each_character_and_each_byte_is_left_alone_or_spelt_out() {
    for c in '\0'..=char::MAX {
        let (text, shown) = (c.to_string(), printable(c.to_string().as_ref()));
        // Names may have the two that no XML may hold; shown they are spelt out too.
        let is_spelt = is_unsafe(c) || ['\u{fffe}', '\u{ffff}'].contains(&c);
        assert_eq!(shown == text, !is_spelt, "{c:?}");
        assert!(!shown.contains(is_unsafe), "{c:?}");
    }
    for byte in 128..=255u8 {
        assert_eq!(printable(OsStr::from_bytes(&[byte])), format!("\\x{byte:02x}"));
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
        ready.archive(&async_core::Caller::Program, Wait { start: 6, end: 7 }, &outcome).unwrap();
        let (_, record) = store.collected().unwrap().pop().unwrap();
        assert_eq!((record.rc, record.wait_start, record.wait_end), (Some(3), Some(6), Some(7)), "{tail}");
    }
}

#[test]
fn a_future_with_arguments_longer_than_a_record_can_be_finished_and_collected() {
    for argument in [vec![b'x'; 120_000], vec![0xff; 120_000], "\u{1b}ü".repeat(40_000).into_bytes()] {
        let (_place, store) = store();
        let name: FutureName = "t".parse().unwrap();
        let argv = vec![OsString::from_vec(argument); 8];
        let started = begin(&store, &name, &argv);
        assert!(started.command.ends_with(" ..."));
        store.finish(&name, 3).unwrap();
        let record = store.read(&name).unwrap().unwrap();
        assert_eq!((record.command, record.argv, record.rc), (started.command, None, Some(3)));
    }
}
