//! Running an engine's own programs, which may hang.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::process;

/// The time limit for one program. If the controller is down, Slurm's programs take 9 s.
const LIMIT: Duration = Duration::from_secs(60);

/// The maximum output to read, in bytes.
const MAX_BYTES: usize = 1 << 26;

/// The result of a program.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) success: bool,
    /// Its exit status, if it came to that.
    pub(super) status: Option<i32>,
    /// Whether it was stopped, as it took too long.
    pub(super) cut: bool,
    pub(super) out: Vec<u8>,
    pub(super) err: String,
}

/// Runs one to its end, or for a minute.
pub(super) fn run(command: Command) -> io::Result<Said> {
    run_with(command, File::open("/dev/null")?)
}

/// The same with that as its input.
pub(super) fn run_with(mut command: Command, input: File) -> io::Result<Said> {
    let (mut out, out_end) = io::pipe()?;
    let (mut err, err_end) = io::pipe()?;
    command.stdin(input).stdout(out_end).stderr(err_end);
    process::start_without_inherited_signals(&mut command);
    let mut child = command.spawn()?;
    // It holds the write ends of the pipes.
    drop(command);
    let deadline = Instant::now() + LIMIT;
    let (mut said, mut told) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    let mut cut = false;
    for end in [out.as_fd(), err.as_fd()] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    while out_open || err_open {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || said.len() > MAX_BYTES || told.len() > MAX_BYTES {
            cut = true;
            break;
        }
        let mut ends = Vec::new();
        ends.extend(out_open.then(|| PollFd::from_borrowed_fd(out.as_fd(), PollFlags::IN)));
        ends.extend(err_open.then(|| PollFd::from_borrowed_fd(err.as_fd(), PollFlags::IN)));
        let timeout = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(60), tv_nsec: 1_000_000 };
        match poll(&mut ends, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        }
        drop(ends);
        out_open = out_open && take(&mut out, &mut said)?;
        err_open = err_open && take(&mut err, &mut told)?;
    }
    if cut {
        child.kill()?;
    }
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            // It has closed what it prints to, and goes on.
            None if Instant::now() >= deadline => {
                cut = true;
                child.kill()?;
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let success = status.success() && !cut;
    Ok(Said { success, status: status.code(), cut, out: said, err: String::from_utf8_lossy(&told).trim().to_owned() })
}

/// Reads what is available; false at the end.
fn take(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 1 << 14];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) => return Ok(false),
            Ok(length) => into.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The text of a short file.
pub(super) fn text_of(file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
