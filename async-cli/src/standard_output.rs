//! Whether there was a standard output when this program was started.
//!
//! Before `main`, the standard library opens `/dev/null` in the place of a closed one, which would swallow a log. So this is
//! looked at before that, as the dynamic linker (or, in a static program, the C library) calls what `.init_array` lists.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};
use rustix::stdio::stdout;

static CLOSED: AtomicBool = AtomicBool::new(false);

#[allow(unsafe_code)]
#[used]
// SAFETY: what is called has the signature that the section's entries have, and needs nothing of the runtime.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    CLOSED.store(fcntl_getfd(stdout()) == Err(Errno::BADF), Ordering::Relaxed);
}

/// Whether it was closed.
pub(crate) fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
