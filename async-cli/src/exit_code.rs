//! The exit statuses of `async` itself; all others are the task's.

use std::process::ExitCode;

/// For a request that can never work; clap uses the same for wrong usage.
pub(crate) const USAGE: u8 = 2;
/// Nothing was started because the future exists. Few programs use this status, not even xargs(1), which uses 123.
pub(crate) const PRESENT: u8 = 122;
/// Timed out, as in timeout(1).
pub(crate) const TIME_UP: u8 = 124;
/// `async` itself failed.
pub(crate) const FAILED: u8 = 125;
/// As in env(1), nohup(1) and the shells for a program that can't be executed, or does not exist.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
pub(crate) const NOT_FOUND: u8 = 127;

/// Turns the task's exit status into this process's.
pub(crate) fn of_task(rc: i32) -> ExitCode {
    ExitCode::from(u8::try_from(rc).unwrap_or(u8::MAX))
}
