//! A line on the terminal while nothing else is printed.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::unistd::{getpgrp, tcgetpgrp};
use ratatui::crossterm::cursor::MoveToColumn;
use ratatui::crossterm::queue;
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{Clear, ClearType};
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthChar;

use crate::failure::warn;

/// The signals that end or stop this process while the line may be there.
const SIGNALS: [Signal; 5] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP];

/// The width of a terminal that does not tell, in columns.
const USUAL_WIDTH: u16 = 80;

/// How many columns stay empty: two for the `^C` that the terminal adds, and the last one, after which the cursor may
/// wrap.
const RESERVED: u16 = 3;

/// A line on standard error. The cursor stays visible and the terminal's mode unchanged, so only the line needs
/// cleaning up.
pub(crate) struct LiveLine(Arc<Mutex<Shown>>);

#[derive(Default)]
struct Shown {
    is_there: bool,
}

impl LiveLine {
    /// A line, if standard error is a terminal that can show it. On any terminal, prints `notice` when Ctrl-C ends this
    /// process.
    pub(crate) fn on_terminal(notice: Option<String>) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let line = Self(Arc::default());
        if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            // If nothing can listen for the signal, the process ends without the notice.
            let _ = notice.map(|notice| line.at_signals(&[Signal::SIGINT], Some(notice)));
            return None;
        }
        line.at_signals(&SIGNALS, notice).ok()?;
        Some(line)
    }

    /// Replaces the line with that text, cut to the width of the terminal.
    pub(crate) fn show(&self, text: &str) {
        let mut shown = self.lock();
        // While this process runs in the background, the terminal belongs to another.
        if tcgetpgrp(io::stderr()).is_ok_and(|group| group != getpgrp()) {
            return;
        }
        let size = tcgetwinsize(io::stderr()).map(|size| size.ws_col);
        let width = size.ok().filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH);
        let text = cut(text, usize::from(width.saturating_sub(RESERVED)));
        let mut bytes = Vec::new();
        // In one write; writing to memory can't fail.
        let _ = queue!(bytes, MoveToColumn(0), Print(text), Clear(ClearType::UntilNewLine));
        let _ = io::stderr().write_all(&bytes);
        shown.is_there = true;
    }

    /// Removes the line.
    pub(crate) fn erase(&self) {
        self.lock().erase();
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that takes the signals, erases the line, prints the notice on Ctrl-C, and lets the signal have
    /// its effect.
    fn at_signals(&self, signals: &[Signal], notice: Option<String>) -> nix::Result<()> {
        let signals: SigSet = signals.iter().copied().collect();
        signals.thread_block()?;
        let line = Self(Arc::clone(&self.0));
        let spawned = thread::Builder::new().spawn(move || {
            while let Ok(signal) = signals.wait() {
                let mut shown = line.lock();
                shown.erase();
                if let Some(notice) = notice.as_ref().filter(|_| signal == Signal::SIGINT) {
                    warn(notice);
                }
                // Held until it has had its effect, which may be a stop until SIGCONT.
                let only: SigSet = [signal].into_iter().collect();
                let _ = only.thread_unblock();
                let _ = raise(signal);
                let _ = only.thread_block();
            }
        });
        spawned.map(drop).or_else(|_| signals.thread_unblock())
    }
}

impl Shown {
    fn erase(&mut self) {
        if std::mem::take(&mut self.is_there) {
            let mut bytes = Vec::new();
            let _ = queue!(bytes, MoveToColumn(0), Clear(ClearType::UntilNewLine));
            let _ = io::stderr().write_all(&bytes);
        }
    }
}

/// As much of the text as fits into that many columns, with a mark if it was cut.
fn cut(text: &str, columns: usize) -> String {
    let mut used = 0;
    // Where the text ends if the mark has to follow.
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return format!("{}{}", &text[..end], if columns > 0 { "…" } else { "" });
        }
        if used < columns {
            end = at + c.len_utf8();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_text_is_cut_to_columns_not_to_characters() {
        for (text, columns, wanted) in [
            ("hello", 5, "hello"),
            ("hello", 4, "hel…"),
            ("hello", 1, "…"),
            ("hello", 0, ""),
            ("", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 2, "…"),
            ("größer", 5, "größ…"),
        ] {
            assert_eq!(cut(text, columns), wanted, "{text} {columns}");
        }
    }
}
