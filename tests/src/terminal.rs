//! Commands on a terminal, and what the terminal shows.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;
use wait_timeout::ChildExt;

use crate::LIMIT;
use crate::shell::Sandbox;

/// How many rows a terminal has unless a test says otherwise.
const ROWS: u16 = 24;

/// A terminal with a script on it, which is the leader of its session, like a shell at a prompt.
pub struct Terminal {
    keyboard: File,
    child: Child,
    screen: Parser,
    /// Everything that was sent to the terminal.
    pub sent: Vec<u8>,
}

impl Terminal {
    /// A terminal of that many columns, on which bash runs a script.
    ///
    /// # Panics
    /// If there is none, or `setsid` (util-linux) is missing.
    #[must_use]
    pub fn new(sandbox: &Sandbox, columns: u16, script: &str) -> Self {
        Self::of_size(sandbox, ROWS, columns, script)
    }

    /// A terminal of that many rows and columns, on which bash runs a script.
    ///
    /// # Panics
    /// If there is none, or `setsid` (util-linux) is missing.
    #[must_use]
    pub fn of_size(sandbox: &Sandbox, rows: u16, columns: u16, script: &str) -> Self {
        let (keyboard, screen) = open().expect("a terminal");
        set_size(&keyboard, rows, columns);
        let another = || screen.try_clone().expect("a descriptor");
        let mut command: Command = sandbox.command("setsid");
        command.args(["--ctty", "bash", "-c", script]).env("TERM", "xterm-256color");
        command.stdin(another()).stdout(another()).stderr(another());
        let child = command.spawn().expect("setsid runs");
        let [rows, columns] = counts(rows, columns);
        Self { keyboard, child, screen: Parser::new(rows, columns, 0), sent: Vec::new() }
    }

    /// Resizes it, as when its window is dragged.
    ///
    /// # Panics
    /// If that fails.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        set_size(&self.keyboard, rows, columns);
        let [rows, columns] = counts(rows, columns);
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// What it shows, without the blanks at the ends of lines.
    #[must_use]
    pub fn text(&self) -> String {
        let contents = self.screen.screen().contents();
        contents.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Whether the cursor can be seen.
    #[must_use]
    pub fn shows_cursor(&self) -> bool {
        !self.screen.screen().hide_cursor()
    }

    /// How many threads the script's process has.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads").count()
    }

    /// Whether it shows the alternate screen of full-screen programs.
    #[must_use]
    pub fn shows_other_screen(&self) -> bool {
        self.screen.screen().alternate_screen()
    }

    /// The text of the rows that are highlighted as selected.
    #[must_use]
    pub fn reversed(&self) -> String {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let mut text = String::new();
        for row in 0..rows {
            let cells = (0..columns).filter_map(|column| screen.cell(row, column));
            text.extend(cells.filter(|cell| cell.inverse()).map(vt100::Cell::contents));
        }
        text
    }

    /// Types something.
    ///
    /// # Panics
    /// If nobody reads it.
    pub fn type_in(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("a keyboard");
    }

    /// Waits until it shows the wanted text.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !wanted(&self.text()) {
            let open = self.read(deadline);
            assert!(open || wanted(&self.text()), "it is over and shows:\n{}", self.text());
            assert!(Instant::now() < deadline, "it still shows:\n{}", self.text());
        }
    }

    /// Waits until the script is over, and returns its status.
    ///
    /// # Panics
    /// If it hangs.
    #[track_caller]
    pub fn finish(&mut self) -> ExitStatus {
        let deadline = Instant::now() + LIMIT;
        while self.read(deadline) {
            assert!(Instant::now() < deadline, "it hangs and shows:\n{}", self.text());
        }
        self.child.wait_timeout(LIMIT).expect("a child").expect("it ends")
    }

    /// Reads once; false if no process has the terminal open any more.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
        if fds[0].any() != Some(true) {
            return true;
        }
        let mut bytes = [0; 4096];
        match self.keyboard.read(&mut bytes) {
            Ok(count) if count > 0 => {
                self.sent.extend_from_slice(&bytes[..count]);
                self.screen.process(&bytes[..count]);
                true
            }
            // EIO means that the other side is closed.
            _ => false,
        }
    }
}

/// Both sides of a new terminal. Children that another thread starts do not inherit them: they would keep the terminal
/// open.
fn open() -> io::Result<(File, File)> {
    let ours: PtyMaster = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let mut options = File::options();
    let theirs = options.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(ptsname_r(&ours)?)?;
    Ok((OwnedFd::from(ours).into(), theirs))
}

fn set_size(terminal: impl AsFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal has a size");
}

fn counts(rows: u16, columns: u16) -> [NonZero<u16>; 2] {
    [rows, columns].map(|count| NonZero::new(count).expect("rows and columns"))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
