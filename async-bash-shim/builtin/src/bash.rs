//! What bash and the builtin know of each other, the same in each bash that [`unfit`] lets pass: `command.h`, `builtins.h`,
//! `variables.h`, `sig.h` and `trap.h` of bash 4.4 to 5.3.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use async_core::process::{self, Side};

use nix::libc::{self, SIGINT};

/// `WORD_LIST`.
#[repr(C)]
pub(crate) struct WordList {
    next: *const WordList,
    word: *const WordDesc,
}

/// `WORD_DESC`.
#[repr(C)]
struct WordDesc {
    word: *const c_char,
    flags: c_int,
}

/// `sh_builtin_func_t`.
pub(crate) type Function = extern "C" fn(*const WordList) -> c_int;

/// `struct builtin`. Bash writes to it when it loads the builtin.
#[repr(transparent)]
pub struct Builtin(UnsafeCell<RawBuiltin>);

#[repr(C)]
struct RawBuiltin {
    name: *const c_char,
    function: Function,
    flags: c_int,
    long_doc: *const *const c_char,
    short_doc: *const c_char,
    handle: *const c_void,
}

// SAFETY: nothing in this library reads or writes it, and bash has one thread.
unsafe impl Sync for Builtin {}

impl Builtin {
    pub(crate) const fn new<const LINES: usize>(
        name: &'static CStr,
        function: Function,
        documentation: &'static Lines<LINES>,
        synopsis: &'static CStr,
    ) -> Self {
        const BUILTIN_ENABLED: c_int = 0x01;
        Self(UnsafeCell::new(RawBuiltin {
            name: name.as_ptr(),
            function,
            flags: BUILTIN_ENABLED,
            long_doc: documentation.0.as_ptr(),
            short_doc: synopsis.as_ptr(),
            handle: ptr::null(),
        }))
    }
}

/// Lines of text as bash takes them: the last pointer is null.
pub(crate) struct Lines<const LINES: usize>([*const c_char; LINES]);

// SAFETY: nobody writes to it, nor to what it points at.
unsafe impl<const LINES: usize> Sync for Lines<LINES> {}

impl<const LINES: usize> Lines<LINES> {
    /// The lines, of which the last has to be empty and stands for the end.
    pub(crate) const fn new(lines: [&'static CStr; LINES]) -> Self {
        let mut pointers = [ptr::null(); LINES];
        let mut line = 0;
        while line + 1 < LINES {
            pointers[line] = lines[line].as_ptr();
            line += 1;
        }
        Self(pointers)
    }
}

/// The beginning of `SHELL_VAR`.
#[repr(C)]
struct Variable {
    name: *const c_char,
    value: *const c_char,
    exportstr: *const c_char,
    dynamic_value: *const c_void,
    assign_func: *const c_void,
    attributes: c_int,
    context: c_int,
}

unsafe extern "C" {
    static dist_version: *const c_char;
    static dollar_dollar_pid: libc::pid_t;
    static interrupt_state: c_int;
    static terminating_signal: c_int;
    static stdout: *mut c_void;

    fn bind_variable(name: *const c_char, value: *const c_char, flags: c_int) -> *mut Variable;
    fn find_variable(name: *const c_char) -> *mut Variable;
    fn get_string_value(name: *const c_char) -> *const c_char;
    fn legal_identifier(name: *const c_char) -> c_int;
    fn signal_is_pending(signal: c_int) -> c_int;
    fn fflush(stream: *mut c_void) -> c_int;
}

/// The version of this bash, if it is none of those that this was tried in.
pub(crate) fn unfit() -> Option<String> {
    // SAFETY: bash sets it before it runs anything, to a string that it never changes.
    let version = unsafe { CStr::from_ptr(dist_version) }.to_string_lossy();
    (!async_cli::BUILTIN_SHELLS.contains(&version.as_ref())).then(|| version.into_owned())
}

/// Whether this process is not the shell that `$$` names, but one of its subshells.
pub(crate) fn is_subshell() -> bool {
    // SAFETY: bash sets it before it runs anything, and it has one thread.
    let shell = unsafe { dollar_dollar_pid };
    u32::try_from(shell) != Ok(std::process::id())
}

/// Makes this process, which is a shell, two. Bash knows of its processes by what it has started itself, and of its own by
/// asking for it.
pub(crate) fn fork() -> io::Result<Side> {
    let side = process::fork()?;
    IS_SUPERVISOR.store(side != Side::Child, Ordering::Relaxed);
    Ok(side)
}

/// Whether this process is the one of before a fork.
static IS_SUPERVISOR: AtomicBool = AtomicBool::new(false);

/// Ends this process if it is the one of before a fork. All of the script that was in it to be run is in the other.
pub(crate) fn exit_if_supervisor(status: u8) {
    if IS_SUPERVISOR.load(Ordering::Relaxed) {
        // SAFETY: it does not come back.
        unsafe { libc::_exit(c_int::from(status)) };
    }
}

/// The words of a command line.
///
/// # Safety
/// The list has to be bash's, and to stand unchanged as long as the words are used.
pub(crate) unsafe fn words<'a>(mut list: *const WordList) -> Vec<&'a CStr> {
    let mut words = Vec::new();
    // SAFETY: each element is bash's,
    while let Some(element) = unsafe { list.as_ref() } {
        // SAFETY: and each word a string.
        words.push(unsafe { CStr::from_ptr((*element.word).word) });
        list = element.next;
    }
    words
}

/// The value of a shell variable, exported or not.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a string. What comes back is bash's and stands until the variable changes, and it is copied here.
    let value = unsafe { get_string_value(name.as_ptr()).as_ref().map(|value| CStr::from_ptr(value)) };
    value.map(|value| OsStr::from_bytes(value.to_bytes()).to_owned())
}

/// Whether a value can be assigned to the variable of that name.
pub(crate) fn may_be_assigned(name: &CStr) -> bool {
    const READONLY: c_int = 0x0000_0002;
    const NOASSIGN: c_int = 0x0000_4000;
    // SAFETY: the name is a string, and a variable that is found stands here, as nothing else of bash runs.
    let found =
        unsafe { legal_identifier(name.as_ptr()) != 0 }.then(|| unsafe { find_variable(name.as_ptr()).as_ref() });
    found.is_some_and(|variable| variable.is_none_or(|variable| variable.attributes & (READONLY | NOASSIGN) == 0))
}

/// Assigns to a variable. Bash may not come back from it, but go on at its top level, as where the variable is an integer
/// and the value no expression: no caller may have anything left to do.
///
/// # Safety
/// Both have to be strings. They are copied.
pub(crate) unsafe fn assign(name: *const c_char, value: *const c_char) {
    // SAFETY: as the caller says.
    unsafe { bind_variable(name, value, 0) };
}

/// Whether bash is to stop what it does: it is to end, or there was a Ctrl-C.
pub(crate) fn is_interrupted() -> bool {
    // SAFETY: bash's signal handlers write to them, so each is read afresh.
    let flags =
        unsafe { [(&raw const interrupt_state).read_volatile(), (&raw const terminating_signal).read_volatile()] };
    // SAFETY: it looks at a table by the number of a signal.
    flags != [0, 0] || unsafe { signal_is_pending(SIGINT) } != 0
}

/// Writes out what bash has printed and not written yet.
pub(crate) fn flush() {
    // SAFETY: it is the C library's, and open as long as the process runs.
    unsafe { fflush(stdout) };
}
