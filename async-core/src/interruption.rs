//! Whether to give up what may take long.
//!
//! What interrupts a program ends it. A guest in somebody else's process is not ended: that process's signal handlers take
//! note of the signal and return, and the guest's call goes on, unless it asks.

use std::io;
use std::sync::OnceLock;

static ASKED: OnceLock<fn() -> bool> = OnceLock::new();

/// Says how to find out whether to give up. Without that, nothing is ever given up.
pub fn give_up_when(asked: fn() -> bool) {
    // Said before, it stays.
    let _ = ASKED.set(asked);
}

/// An error if what may take long is to be given up.
pub fn check() -> io::Result<()> {
    match ASKED.get() {
        Some(asked) if asked() => Err(io::Error::other("it was interrupted")),
        _ => Ok(()),
    }
}

/// Makes a call again that a signal cut short, unless it is to be given up.
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => check()?,
            result => return result,
        }
    }
}
