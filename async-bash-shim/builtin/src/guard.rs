//! What keeps the builtin from harming the shell: signals that it must not get or cause, and panics.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Once;

use nix::libc::{self, timespec};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Signals that the builtin's own writes may cause. A program would ignore or outlive them; here they are the shell's.
const CAUSED: [Signal; 2] = [Signal::SIGPIPE, Signal::SIGXFSZ];

/// Signals held back, until this is dropped.
///
/// Those that writes cause are taken away again. SIGCHLD is only late: bash's handler for it allocates memory and changes
/// the tables of jobs and variables, and must not run while a library call of ours does the like.
pub(crate) struct Signals {
    before: SigSet,
    pending: SigSet,
}

impl Signals {
    pub(crate) fn hold_back() -> nix::Result<Self> {
        let mut held = SigSet::empty();
        held.extend(CAUSED);
        held.add(Signal::SIGCHLD);
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { before, pending: pending() })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let caused: SigSet = pending().iter().filter(|signal| CAUSED.contains(signal)).collect();
        for signal in caused.iter().filter(|&signal| !self.pending.contains(signal)) {
            let mut one = SigSet::empty();
            one.add(signal);
            let at_once = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: both are ours and stand; nothing is asked to be written.
            unsafe { libc::sigtimedwait(one.as_ref(), ptr::null_mut(), &raw const at_once) };
        }
        // It can't fail: the mask is one that was in force.
        let _ = self.before.thread_set_mask();
    }
}

/// The signals that wait to be delivered.
fn pending() -> SigSet {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigpending fills in the set, and fails only for an address that is none.
    unsafe {
        libc::sigpending(set.as_mut_ptr());
        SigSet::from_sigset_t_unchecked(set.assume_init())
    }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the closure; if it panics, gives what and where.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    // This library's own: bash and other libraries have none of it.
    HOOK.call_once(|| panic::set_hook(Box::new(|info| PANIC.set(Some(info.to_string().replace('\n', " "))))));
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        // Its destructor could panic itself.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        PANIC.take().unwrap_or_else(|| "a panic".to_owned())
    })
}
