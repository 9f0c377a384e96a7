//! The end of a log, without reading all of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much to read at a time, in bytes.
const CHUNK: u64 = 1 << 16;

/// Where the last `lines` lines of a file begin, in bytes from its start. The last line may lack its newline.
pub(super) fn start_of_last(file: &File, lines: usize) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if lines == 0 {
        return Ok(length);
    }
    let mut buffer = vec![0; usize::try_from(CHUNK.min(length)).unwrap_or_default()];
    let (mut end, mut found) = (length, 0);
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        let chunk = &mut buffer[..usize::try_from(end - start).unwrap_or_default()];
        file.read_exact_at(chunk, start)?;
        for (at, _) in chunk.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = start + at as u64 + 1;
            // A newline at the very end belongs to the last line.
            found += usize::from(after < length);
            if found == lines {
                return Ok(after);
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn last(text: &[u8], lines: usize) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        text[usize::try_from(start_of_last(&file, lines).unwrap()).unwrap()..].to_owned()
    }

    #[test]
    fn the_last_lines_are_found_whether_the_last_one_is_whole_or_not() {
        for (text, lines, wanted) in [
            ("", 3, ""),
            ("a\nb\nc\n", 0, ""),
            ("a\nb\nc\n", 1, "c\n"),
            ("a\nb\nc", 1, "c"),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc\n", 3, "a\nb\nc\n"),
            ("a\nb\nc\n", usize::MAX, "a\nb\nc\n"),
            ("\n\n\n", 2, "\n\n"),
            ("no newline", 1, "no newline"),
        ] {
            assert_eq!(last(text.as_bytes(), lines), wanted.as_bytes(), "{text:?} {lines}");
        }
    }

    #[test]
    fn lines_longer_than_what_is_read_at_a_time_and_on_its_borders_are_whole() {
        let chunk = usize::try_from(CHUNK).unwrap();
        for long in [chunk - 2, chunk - 1, chunk, chunk + 1, 3 * chunk] {
            let text = ["first".to_owned(), "x".repeat(long), "y".repeat(long)].join("\n") + "\n";
            let whole: Vec<&str> = text.split_inclusive('\n').collect();
            for lines in 1..=3 {
                assert_eq!(last(text.as_bytes(), lines), whole[3 - lines..].concat().as_bytes(), "{long} {lines}");
            }
        }
    }
}
