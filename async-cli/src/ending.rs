//! The last words of a task.

use std::process::ExitCode;

use async_core::{Cause, End, FutureName};

use crate::messages::{self, About, Lines};

/// Says how the task ended. The result is safe by then, so a failure to say so changes nothing.
pub(crate) fn announce(lines: Lines, name: &FutureName, pid: &str, end: &End) {
    let text = match (end.rc, end.cause) {
        (0, _) => "finished successfully".to_owned(),
        // Somebody has wanted that.
        (rc, Some(Cause::Cancelled)) => format!("cancelled, with rc {rc}"),
        (rc, cause) => format!("FAILED with rc {rc}{}", messages::why(end.signal, cause)),
    };
    let line = messages::line(name, Some(pid), &text);
    lines.mention(About::end(Some(end.rc)), &line);
}

/// The task's exit status as our own.
pub(crate) fn exit_code(rc: i32) -> ExitCode {
    ExitCode::from(u8::try_from(rc).unwrap_or(u8::MAX))
}
