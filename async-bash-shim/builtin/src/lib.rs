//! The bash builtin `async_builtin`: the commands that the shim calls, run in the shell itself, without a process for each.
//!
//! ```bash
//! enable -f /usr/local/lib/async/libasync_builtin.so async_builtin
//! async_builtin -v "state reply" COMMAND ...   # what the command prints goes to these variables, a word each
//! ```
//!
//! It is the program's own code ([`async_cli::run_in_process`]) with another caller, and a guest in the user's shell: it
//! starts no process and no thread, changes nothing of the shell's but that one variable, and whatever goes wrong in it
//! ends as a message and a status. What bash and it know of each other is all in `bash`.
//!
//! Build it with `cargo build --profile builtin`: it has to unwind, which the release profile does not.
//!
//! The crate bash-builtins is not used: it declares three times as much of bash, and after a panic its builtin refuses
//! every call.

mod bash;
mod guard;

use std::ffi::{CStr, CString, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use async_cli::{Fork, Io};
use async_core::interruption;

use bash::{Builtin, Lines, WordList};

/// Memory of its own, whatever the process has: a bash may bring a malloc that knows neither the alignment that Rust takes
/// for granted nor `posix_memalign`.
#[cfg(not(feature = "system-allocator"))]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// The exit status for wrong usage.
const USAGE: u8 = 2;
/// The exit status when the builtin itself failed.
const FAILED: u8 = 125;

/// What bash looks up in the library for the builtin's name.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "bash makes the name")]
pub static async_builtin_struct: Builtin =
    Builtin::new(c"async_builtin", async_builtin, &DOCUMENTATION, c"async_builtin [-v vars] command [argument ...]");

static DOCUMENTATION: Lines<11> = Lines::new([
    c"Named futures for shell scripts, in the shell itself.",
    c"",
    c"Runs a command of the program async, if it is one that waits for no task and",
    c"starts nothing, as the functions that `async shim' prints do.",
    c"",
    c"Options:",
    c"  -v vars\tassign what the command prints to the shell variables VARS, a",
    c"\t\tword to each and the rest to the last",
    c"",
    c"Exit Status: the command's; 2 for wrong usage, 125 if async failed.",
    c"",
]);

/// What bash calls when it loads the builtin; 0 if it must not be used.
#[unsafe(no_mangle)]
pub extern "C" fn async_builtin_builtin_load(_name: *const c_char) -> c_int {
    let refused = if cfg!(panic = "unwind") {
        bash::unfit().map(|version| format!("it has not been tried in bash {version}"))
    } else {
        Some("it was built to abort where it could unwind; build it with `cargo build --profile builtin`".to_owned())
    };
    match refused {
        None => {
            interruption::give_up_when(is_interrupted);
            // A panic in it is one that the first call meets too.
            let _ = guard::catch_panic(async_cli::prepare_guest);
            1
        }
        Some(why) => {
            async_cli::warn(&format!("the builtin is not loaded: {why}"));
            0
        }
    }
}

/// The builtin: what bash calls.
extern "C" fn async_builtin(list: *const WordList) -> c_int {
    let call = guard::catch_panic(|| {
        // SAFETY: bash hands over a list of its own, which stands until the builtin returns.
        call(&unsafe { bash::words(list) })
    });
    let call = call.unwrap_or_else(|panic| {
        async_cli::warn(&format!("this is a bug in async: {panic}"));
        Call { status: FAILED, assignments: &[] }
    });
    bash::exit_if_supervisor(call.status);
    for (name, value) in call.assignments {
        // SAFETY: both are kept until the next call. Nothing is left to be dropped.
        unsafe { bash::assign(name.as_ptr(), value.as_ptr()) };
    }
    c_int::from(call.status)
}

/// What came of a call. There is nothing to drop in it.
#[derive(Clone, Copy)]
struct Call {
    status: u8,
    assignments: &'static [Assignment],
}

/// A variable's name and value.
type Assignment = (CString, CString);

fn call(words: &[&CStr]) -> Call {
    let (variables, command) = match words {
        [option, variables, command @ ..] if option.to_bytes() == b"-v" => (Some(*variables), command),
        command => (None, command),
    };
    let names: Vec<CString> = variables.into_iter().flat_map(names).collect();
    if variables.is_some() && (names.is_empty() || !names.iter().all(|name| bash::may_be_assigned(name))) {
        async_cli::warn("what follows -v is no variable that can be assigned to");
        return Call { status: USAGE, assignments: &[] };
    }
    let (status, output) = run(command, variables.is_some());
    Call { status, assignments: kept(assignments(names, output)) }
}

/// The names of variables in a word, with a blank between two.
fn names(word: &CStr) -> impl Iterator<Item = CString> {
    word.to_bytes().split(|byte| *byte == b' ').map(|name| CString::new(name).unwrap_or_default())
}

/// The output as a command substitution would give it, a word for each name but the last, which gets the rest.
fn assignments(names: Vec<CString>, mut output: Vec<u8>) -> Vec<Assignment> {
    while output.last() == Some(&b'\n') {
        output.pop();
    }
    output.retain(|&byte| byte != 0);
    let count = names.len();
    let values = output.splitn(count, |byte| *byte == b' ').chain(std::iter::repeat(&[][..]));
    names.into_iter().zip(values).map(|(name, value)| (name, CString::new(value).unwrap_or_default())).collect()
}

/// Runs a command, and gives its status and what it printed if that is to be kept.
fn run(command: &[&CStr], keep: bool) -> (u8, Vec<u8>) {
    let Ok(_signals) = guard::Signals::hold_back() else {
        async_cli::warn("signals can't be held back");
        return (FAILED, Vec::new());
    };
    // Before anything of ours, so that it comes in order.
    bash::flush();
    let io = Io::of_guest(bash::variable).forking(bash::is_subshell().then_some(bash::fork as Fork));
    let io = if keep { io.keeping_output() } else { io };
    let args = command.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_owned());
    let status = async_cli::run_in_process(std::iter::once(OsString::from("async_builtin")).chain(args), &io);
    (status, io.into_output())
}

/// What is to be assigned, where it stands until the next call.
///
/// It is nobody's: bash copies it, but may leave the copying by a long jump, on which nothing is dropped.
fn kept(assignments: Vec<Assignment>) -> &'static [Assignment] {
    static LAST: AtomicPtr<Vec<Assignment>> = AtomicPtr::new(ptr::null_mut());
    let this = Box::into_raw(Box::new(assignments));
    let last = LAST.swap(this, Ordering::Relaxed);
    if !last.is_null() {
        // SAFETY: it came from `into_raw`, and nobody has used it since the last call ended.
        drop(unsafe { Box::from_raw(last) });
    }
    // SAFETY: nobody else has it, and it is dropped at the next call and not before.
    unsafe { &*this }
}

fn is_interrupted() -> bool {
    // For the tests: a bug in the middle of a command, with files open and locks held.
    #[cfg(debug_assertions)]
    assert!(bash::variable("ASYNC_BUILTIN_PANIC").is_none(), "as ASYNC_BUILTIN_PANIC has it");
    bash::is_interrupted()
}
