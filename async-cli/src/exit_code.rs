//! The exit statuses that are `async`'s own; any other is the task's.

use std::process::ExitCode;

/// For a request that can never work, as clap's own for wrong usage.
pub(crate) const USAGE: u8 = 2;
/// When nothing was started because it is there: one that few programs have, not even xargs(1), whose is 123.
pub(crate) const PRESENT: u8 = 122;
/// That of timeout(1) when the time is up.
pub(crate) const TIME_UP: u8 = 124;
/// When `async` itself failed.
pub(crate) const FAILED: u8 = 125;
/// Those of env(1), nohup(1) and the shells for a program that can't be executed, or is not there.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
pub(crate) const NOT_FOUND: u8 = 127;

/// The task's exit status as our own.
pub(crate) fn of_task(rc: i32) -> ExitCode {
    ExitCode::from(u8::try_from(rc).unwrap_or(u8::MAX))
}
