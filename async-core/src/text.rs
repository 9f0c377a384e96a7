//! Text from outside, made safe for a terminal and for one line.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// Bidirectional controls: no control characters to Unicode, but they let a text show as another one.
pub(crate) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, with nothing in it that a terminal acts on.
///
/// Control characters are written as Rust writes them (`\n`, `\t`, `\u{1b}`), bytes that are not UTF-8 as `\xNN`;
/// everything else, backslashes included, is left as it is, so ordinary text is unchanged.
#[must_use]
pub fn printable(text: &OsStr) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || is_bidi_control(c) {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Arguments as one printable line, with a blank between two.
#[must_use]
pub fn printable_command<S: AsRef<OsStr>>(argv: &[S]) -> String {
    argv.iter().map(|arg| printable(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A number of things, as `1 process`, `2 processes`.
#[must_use]
pub fn counted(number: u32, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// A duration of that many ms in seconds, with no more digits than it has.
#[must_use]
pub fn seconds(ms: i64) -> String {
    let digits = format!("{}.{:03}", ms / 1000, ms % 1000);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What stands for the rest of a text.
const REST: &str = " ...";

/// A command as records and messages show it, with a mark where it is not all there.
#[must_use]
pub fn command_line(argv: &[OsString], shortened: bool) -> String {
    printable_command(argv) + if shortened { REST } else { "" }
}

/// The text, or its first whole characters within that many bytes and a mark.
pub(crate) fn at_most(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text[..end].to_owned() + REST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_unchanged_and_the_rest_is_spelt_out() {
        assert_eq!(printable(OsStr::new(r"a & b \ # 'ü' %command")), r"a & b \ # 'ü' %command");
        assert_eq!(printable(OsStr::new("a\nb\t\x1b[31m\u{9b}")), r"a\nb\t\u{1b}[31m\u{9b}");
        assert_eq!(printable(OsStr::new("a\u{202e}b")), r"a\u{202e}b");
        assert_eq!(printable(OsStr::from_bytes(b"a\xffb")), r"a\xffb");
        assert_eq!(printable_command(&["a b", "", "c"]), "a b  c");
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(at_most("für", 4), "für");
        assert_eq!(at_most("für", 3), "fü ...");
        assert_eq!(at_most("für", 2), "f ...");
        assert_eq!(at_most("für", 0), " ...");
    }
}
