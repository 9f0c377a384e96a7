//! Whether this program was started with a standard output.
//!
//! Before `main`, the standard library opens `/dev/null` in place of a closed one, which would swallow a log. So this
//! looks earlier: in `.init_array`, whose functions the dynamic linker (or, in a static program, the C library) calls.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};
use rustix::stdio::stdout;

static CLOSED: AtomicBool = AtomicBool::new(false);

#[allow(unsafe_code)]
#[used]
// SAFETY: the function has the signature that the section's entries need, and uses nothing of the runtime.
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    CLOSED.store(fcntl_getfd(stdout()) == Err(Errno::BADF), Ordering::Relaxed);
}

/// Whether it was closed.
pub(crate) fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}
