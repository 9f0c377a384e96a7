//! Records: the first byte is an exit status, the second says where the text is cut, and the rest is the text.
//!
//! What is read is within its ranges and, written again, is read as the same. What is added to it is read, and changes
//! nothing else. A text that is cut says what its whole lines say.

#![no_main]

use async_core::Record;
use async_core::fuzzing::{ended, is_torn, parse, said, written};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [rc, cut, text @ ..] = input else { return };
    is_cut_at_a_line(text, usize::from(*cut));
    let record = match parse(text) {
        Ok(record) => record,
        Err(why) => return assert!(!why.is_empty() && why.len() < 2000, "{why}"),
    };
    is_within_its_ranges(&record);
    let again = written(&record);
    assert_eq!(parse(again.as_bytes()).map(said), Ok(said(record.clone())), "{again}");
    let added = [text, ended(&record, *rc).as_bytes()].concat();
    let mut expected = said(record);
    expected.rc = Some(i32::from(*rc));
    assert_eq!(parse(&added).map(said), Ok(expected), "{}", String::from_utf8_lossy(&added));
});

fn is_within_its_ranges(record: &Record) {
    assert!(record.rc.is_none_or(|rc| (0..=255).contains(&rc)), "{record:?}");
    assert!(record.signal.is_none_or(|signal| (1..=64).contains(&signal)), "{record:?}");
    assert!(record.run_time.is_none_or(|run_time| run_time >= 0), "{record:?}");
    assert!(!record.command.contains(['\n', '\r']), "{record:?}");
    let outcome = record.outcome(None, i64::MAX);
    assert!(outcome.run_time.is_none_or(|ms| ms >= 0) && outcome.lost == record.rc.is_none() && outcome.rc == record.rc, "{outcome:?}");
}

/// A writer that was stopped halfway has said nothing with the line that it was at.
fn is_cut_at_a_line(text: &[u8], cut: usize) {
    let cut = &text[..text.len() * cut / 255];
    let whole = &cut[..cut.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1)];
    let read = parse(cut);
    assert!(read.as_ref().is_ok_and(is_torn) == (read.is_ok() && whole.len() < cut.len()));
    assert_eq!(read.map(said), parse(whole).map(said));
}
