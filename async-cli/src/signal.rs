//! Names of signals.

use nix::sys::signal::Signal;

/// A signal's name as in `kill -l`: `TERM`; none for a number without a name.
pub(crate) fn name(number: i32) -> Option<&'static str> {
    Some(Signal::try_from(number).ok()?.as_str().trim_start_matches("SIG"))
}
