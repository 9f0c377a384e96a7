//! What is shown of the escape sequences in a log.

use std::mem;

use anstyle_parse::state::{Action, State, state_change};

const ESCAPE: u8 = 0x1b;

/// The first of the two bytes of a control character beyond ASCII, U+0080 to U+009F; some terminals act on these.
const LEAD: u8 = 0xc2;

/// Keeps the text, with or without its colours, and leaves out everything else that a terminal acts on: cursor movements,
/// titles, bells. Carriage returns and tabs are text.
///
/// A sequence ends with its line, so that none hides the rest of a log.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    keeps_colors: bool,
    state: State,
    /// The present sequence.
    sequence: Vec<u8>,
    /// Whether the last byte was a [`LEAD`], which is not passed on yet.
    has_lead: bool,
    /// Whether text is coloured by now.
    is_colored: bool,
}

impl Filter {
    pub(crate) fn new(keeps_colors: bool) -> Self {
        Self { keeps_colors, ..Self::default() }
    }

    /// What is left of the next bytes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut left = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.pass_one(byte, &mut left);
        }
        left
    }

    /// What has to follow the last bytes: an unfinished character, and the end of their colours.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut left = Vec::new();
        if mem::take(&mut self.has_lead) {
            left.push(LEAD);
        }
        if mem::take(&mut self.is_colored) {
            left.extend_from_slice(b"\x1b[0m");
        }
        self.state = State::Ground;
        left
    }

    fn pass_one(&mut self, byte: u8, left: &mut Vec<u8>) {
        if mem::take(&mut self.has_lead) {
            if (0x80..=0x9f).contains(&byte) {
                return;
            }
            left.push(LEAD);
        }
        if byte == b'\n' {
            self.state = State::Ground;
        }
        if !byte.is_ascii() {
            // It belongs to a character, of whatever encoding; there may be some in a title.
            if self.state == State::Ground {
                self.has_lead = byte == LEAD;
                left.extend((!self.has_lead).then_some(byte));
            }
            return;
        }
        if byte == ESCAPE {
            self.sequence.clear();
        }
        if byte == ESCAPE || self.state != State::Ground {
            self.sequence.push(byte);
        }
        let (state, action) = state_change(self.state, byte);
        if state != State::Anywhere {
            self.state = state;
        }
        match action {
            Action::Print if byte != 0x7f => left.push(byte),
            Action::Execute if byte.is_ascii_whitespace() => left.push(byte),
            Action::CsiDispatch if byte == b'm' && self.keeps_colors => {
                let is_plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
                let numbers = self.sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m"));
                if let Some(numbers) = numbers.filter(|numbers| numbers.iter().all(is_plain)) {
                    self.is_colored = numbers.iter().any(|byte| !matches!(byte, b'0' | b';'));
                    left.extend_from_slice(&self.sequence);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(keeps_colors: bool, bytes: &[u8]) -> Vec<u8> {
        let mut whole = Filter::new(keeps_colors);
        let mut left = whole.pass(bytes);
        left.extend(whole.finish());
        // However it comes in.
        let mut slow = Filter::new(keeps_colors);
        let mut slowly: Vec<u8> = bytes.iter().flat_map(|byte| slow.pass(&[*byte])).collect();
        slowly.extend(slow.finish());
        assert_eq!(left, slowly);
        left
    }

    #[test]
    fn of_escape_sequences_only_colours_are_kept_and_these_only_if_wanted() {
        for (bytes, plain, colored) in [
            (&b"a\x1b[31mred\x1b[0m\tb\r\n"[..], &b"ared\tb\r\n"[..], &b"a\x1b[31mred\x1b[0m\tb\r\n"[..]),
            (b"\x1b[38:2::1:2:3;1mx\x1b[m\n", b"x\n", b"\x1b[38:2::1:2:3;1mx\x1b[m\n"),
            (b"\x1b[1mopen", b"open", b"\x1b[1mopen\x1b[0m"),
            (b"\x1b[2J\x1b[3Aup\x1b[?25l\x1b7\x1b(B", b"up", b"up"),
            (b"\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", b"xy", b"xy"),
            ("\x1b]2;\u{c0}\u{9b}\x07z".as_bytes(), b"z", b"z"),
            (b"\x1bP1$r\x1b\\d\x1b[>4;1me\x1b[?1mf", b"def", b"def"),
            (b"bell\x07 \x08\x7f\x00.", b"bell .", b"bell ."),
        ] {
            assert_eq!(passed(false, bytes), plain, "{}", bytes.escape_ascii());
            assert_eq!(passed(true, bytes), colored, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_unfinished_sequence_hides_no_further_line() {
        assert_eq!(passed(false, b"a\x1b]0;no end\nb\x1b[31\nc\x1bPd\ne"), b"a\nb\nc\ne");
    }

    #[test]
    fn characters_are_kept_in_any_encoding_but_for_controls() {
        for text in ["für 日本語 \u{a0}", "\u{1f600}"] {
            assert_eq!(passed(false, text.as_bytes()), text.as_bytes());
        }
        assert_eq!(passed(false, b"f\xfcr \xff \xc2"), b"f\xfcr \xff \xc2");
        assert_eq!(passed(true, "a\u{9b}31mb\u{85}".as_bytes()), b"a31mb");
    }
}
