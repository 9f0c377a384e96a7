//! A panel on the terminal while a wait blocks: the awaited futures, a row for each.
//!
//! It stands below the cursor, and the cursor stays where it was. So what others print meanwhile comes out whole, in its
//! place, and the next picture is drawn below that, however the terminal was resized. The cursor stays visible and the
//! terminal's mode unchanged: if the process is killed, only the rows are left, and the next output begins over them.

mod layout;
mod rows;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use async_core::{FutureName, Store};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::unistd::{Pid, getpgrp, getppid, tcgetpgrp};
use ratatui::crossterm::cursor::{MoveUp, RestorePosition, SavePosition};
use ratatui::crossterm::queue;
use ratatui::crossterm::style::Print;
use ratatui::crossterm::terminal::{Clear, ClearType};
use rustix::termios::tcgetwinsize;

use crate::cli::{Context, Profile};
use crate::context::variable;
use crate::failure::{Failure, warn};
use crate::wait::panel::layout::Layout;
use crate::wait::panel::rows::History;

/// How long a wait has to last before the panel appears, so that short ones do not flicker.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often to draw the panel, unless that would take more than one part in so many of the time.
const RENEWAL: Duration = Duration::from_millis(200);
const PART: u32 = 20;

/// The signals that end or stop this process while the panel may be there.
const SIGNALS: [Signal; 5] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP];

/// The size of a terminal that does not tell, in columns and rows.
const USUAL_SIZE: [u16; 2] = [80, 24];

/// How many rows of the terminal stay free: that of the cursor, and the one before it.
const RESERVED: u16 = 2;

/// A panel on standard error.
pub(crate) struct Panel {
    screen: Arc<Mutex<Screen>>,
    history: RefCell<History>,
    layout: RefCell<Layout>,
    /// When to draw it next.
    due: Cell<Instant>,
}

#[derive(Default)]
struct Screen {
    /// Whether the panel is on it.
    is_drawn: bool,
    /// Whether it will not be drawn any more, because this process or its caller is about to end.
    is_over: bool,
}

impl Panel {
    /// Whether a wait shows one, if it takes long enough.
    pub(crate) fn is_wanted(context: &Context) -> Result<bool, Failure> {
        let is_on = context.shows_progress()? && context.profile() == Profile::Standalone;
        Ok(is_on && variable("CI").is_none() && variable("TERM").is_some_and(|term| term != "dumb") && is_terminal())
    }

    /// The panel of a wait of the program itself, if one is wanted. On any terminal, prints `notice` when Ctrl-C ends
    /// this process.
    pub(crate) fn of_program(context: &Context, notice: Option<String>) -> Result<Option<Self>, Failure> {
        let screen = Arc::default();
        if Self::is_wanted(context)? {
            return Ok(at_signals(&screen, &SIGNALS, notice, None).ok().map(|()| Self::on(screen)));
        }
        if notice.is_some() && is_terminal() {
            // If nothing can listen for the signal, the process ends without the notice.
            let _ = at_signals(&screen, &[Signal::SIGINT], notice, None);
        }
        Ok(None)
    }

    /// The panel of a process that waits for a shell, if one is wanted. It ends with the shell, at SIGTERM.
    pub(crate) fn of_shell(context: &Context, shell: u32) -> Result<Option<Self>, Failure> {
        let screen = Arc::default();
        let shell = Pid::from_raw(shell.cast_signed());
        let is_there = Self::is_wanted(context)? && at_signals(&screen, &SIGNALS, None, Some(shell)).is_ok();
        Ok(is_there.then(|| Self::on(screen)))
    }

    fn on(screen: Arc<Mutex<Screen>>) -> Self {
        let layout = Layout::new(AutoStream::choice(&io::stderr()) != ColorChoice::Never);
        let due = Cell::new(Instant::now() + PATIENCE);
        Self { screen, history: RefCell::default(), layout: layout.into(), due }
    }

    /// When to draw it next.
    pub(crate) fn due(&self) -> Instant {
        self.due.get()
    }

    /// Draws what is known of these futures now.
    pub(crate) fn draw(&self, store: &Store, names: &[FutureName]) {
        let begin = Instant::now();
        if is_in_foreground() {
            let [columns, rows] = size();
            let most = usize::from(rows.saturating_sub(RESERVED));
            let picture = rows::picture(store, names, most, &mut self.history.borrow_mut());
            let mut lines = self.layout.borrow_mut().lines(&picture, columns);
            // At least the row of the cursor is its own.
            lines.truncate(usize::from(rows.saturating_sub(1)));
            self.lock().draw(&lines);
        }
        let now = Instant::now();
        self.due.set(now + RENEWAL.max((now - begin) * PART));
    }

    /// Removes it, until the wait has lasted long enough again.
    pub(crate) fn erase(&self) {
        let mut screen = self.lock();
        if is_in_foreground() {
            screen.erase();
        }
        self.due.set(Instant::now() + PATIENCE);
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn draw(&mut self, lines: &[String]) {
        let Ok(count @ 1..) = u16::try_from(lines.len()) else {
            return self.erase();
        };
        if self.is_over {
            return;
        }
        let mut bytes = Vec::new();
        // Writing to memory can't fail. A vertical tab makes room below, and keeps the column, as a newline would not.
        let _ = queue!(bytes, Clear(ClearType::FromCursorDown));
        bytes.extend(std::iter::repeat_n(b'\x0b', lines.len()));
        let _ = queue!(bytes, MoveUp(count), SavePosition);
        for line in lines {
            let _ = queue!(bytes, Print("\r\n"), Print(line));
        }
        let _ = queue!(bytes, RestorePosition);
        write(&bytes);
        self.is_drawn = true;
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let mut bytes = Vec::new();
            let _ = queue!(bytes, Clear(ClearType::FromCursorDown));
            write(&bytes);
        }
    }
}

/// A line for standard error, where a wait of another process may show a panel: its rows must not be left beside the line.
/// The panel comes back at its next picture.
pub(crate) fn beside(line: &str) -> Cow<'_, str> {
    if is_in_foreground() {
        Cow::Owned(format!("{}{line}", Clear(ClearType::FromCursorDown)))
    } else {
        Cow::Borrowed(line)
    }
}

/// Starts a thread that takes the signals, erases the panel, prints the notice on Ctrl-C, and lets the signal have its
/// effect. If the process works for a shell that is gone, any signal ends it.
fn at_signals(
    screen: &Arc<Mutex<Screen>>,
    signals: &[Signal],
    notice: Option<String>,
    shell: Option<Pid>,
) -> nix::Result<()> {
    let signals: SigSet = signals.iter().copied().collect();
    signals.thread_block()?;
    let screen = Arc::clone(screen);
    let spawned = thread::Builder::new().spawn(move || {
        while let Ok(signal) = signals.wait() {
            // Held until the signal has had its effect, which may be a stop until SIGCONT.
            let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
            let was_drawn = screen.is_drawn;
            screen.erase();
            screen.is_over |= signal != Signal::SIGTSTP;
            if shell.is_some_and(|shell| shell != getppid()) {
                std::process::exit(0);
            }
            if let Some(notice) = notice.as_ref().filter(|_| signal == Signal::SIGINT) {
                if was_drawn {
                    // After the `^C` that the terminal adds.
                    let _ = io::stderr().write_all(b"\n");
                }
                warn(notice);
            }
            let only: SigSet = [signal].into_iter().collect();
            let _ = only.thread_unblock();
            let _ = raise(signal);
            let _ = only.thread_block();
        }
    });
    spawned.map(drop).or_else(|_| signals.thread_unblock())
}

/// Writes it to the terminal in one piece, without being stopped where programs in the background may not write.
fn write(bytes: &[u8]) {
    let stop: SigSet = [Signal::SIGTTOU].into_iter().collect();
    let before = stop.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let _ = io::stderr().write_all(bytes);
    let _ = before.and_then(|before| before.thread_set_mask());
}

fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether the terminal does not belong to another process group.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stderr()).map_or(true, |group| group == getpgrp())
}

/// The columns and rows of the terminal.
fn size() -> [u16; 2] {
    let size = tcgetwinsize(io::stderr()).map(|size| [size.ws_col, size.ws_row]);
    size.ok().filter(|size| !size.contains(&0)).unwrap_or(USUAL_SIZE)
}
