//! Text from outside, made safe for a terminal and for a single line.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

/// Bidirectional controls. Unicode does not class them as control characters, but they can disguise a text as another.
pub(crate) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a terminal would act on the character instead of showing it, or XML forbids it.
fn is_acted_on(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Equivalent JSON without characters that a terminal acts on. Strings may contain such characters, which come out as
/// `\u202e`.
#[must_use]
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Newlines only occur between the JSON's lines, and every such character fits in 16 bits.
        if is_acted_on(c) && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The text on one line, without anything that a terminal acts on.
///
/// Writes control characters, and the two that XML forbids (U+FFFE and U+FFFF), as Rust does (`\n`, `\t`, `\u{1b}`),
/// and bytes that are not UTF-8 as `\xNN`. Everything else stays as it is, backslashes included, so ordinary text is
/// unchanged.
#[must_use]
pub fn printable(text: &OsStr) -> String {
    spelt(text, |out, c| if is_acted_on(c) { out.extend(c.escape_default()) } else { out.push(c) })
}

/// The text with each character written by `put`, and with `\xNN` for bytes that are not UTF-8.
fn spelt(text: &OsStr, put: impl Fn(&mut String, char)) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.as_bytes().utf8_chunks() {
        chunk.valid().chars().for_each(|c| put(&mut out, c));
        spell_bytes(&mut out, chunk.invalid());
    }
    out
}

fn spell_bytes(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// A program's arguments as one printable line that bash reads as the same arguments, quoted where necessary.
#[must_use]
pub fn shell_line<S: AsRef<OsStr>>(argv: &[S]) -> String {
    argv.iter().map(|arg| shell_word(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &OsStr) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains(is_acted_on) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => format!("$'{}'", spelt(word, put_in_dollar_quotes)),
    }
}

fn put_in_dollar_quotes(out: &mut String, c: char) {
    match c {
        '\\' | '\'' | '\n' | '\t' | '\r' => out.extend(c.escape_default()),
        // In any locale, the shell turns these back into the same bytes.
        _ if is_acted_on(c) => spell_bytes(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
        _ => out.push(c),
    }
}

/// Arguments as one printable line, separated by blanks.
#[must_use]
pub fn printable_command<S: AsRef<OsStr>>(argv: &[S]) -> String {
    argv.iter().map(|arg| printable(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A count with its noun: `1 process`, `2 processes`.
#[must_use]
pub fn counted(number: u32, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// A duration in ms, written in seconds without superfluous digits.
#[must_use]
pub fn seconds(ms: i64) -> String {
    let digits = format!("{}.{:03}", ms / 1000, ms % 1000);
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Marks where a text was cut.
const REST: &str = " ...";

/// A command as records and messages show it, with a mark if it was cut.
#[must_use]
pub fn command_line(argv: &[OsString], shortened: bool) -> String {
    printable_command(argv) + if shortened { REST } else { "" }
}

/// The text, or as many whole characters as fit within that many bytes, and a mark.
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
