//! async(7): what the program and the functions have in common.

use clap::Command;
use clap_mangen::roff::{Roff, bold, roman};

const ABOUT: &str = "\
A future is a task with a name: it goes on while the script that has started it does other things, and whoever waits for its name \
gets its output, whole, and its exit status. At a prompt the program async(1) starts programs as futures. In a script, \
source <(async shim) defines functions that start functions of that script too: async_run(1), async_wait(1), async_runfunc(1), \
async_cleanup(1), async_print_timing(1), async_end(1), async_init(1), async_pidof(1) and async_log(1).

All that is known of futures is in a directory, the store. Each run of a script has one of its own, and a prompt that of its user, \
unless ASYNC_DIR or --dir names another one.";

/// Statuses and what they mean.
const STATUSES: &[(&str, &str)] = &[
    ("0", "All is well; of a wait, that the tasks have returned 0."),
    ("2", "The command line is wrong."),
    ("122", "It was there already, and --if-absent said to start nothing then."),
    ("124", "The time of the task, or of the wait, was over."),
    (
        "125",
        "async itself failed, and says why on standard error; or the task never ran, as what it was to come after failed.",
    ),
    ("126, 127", "The program to be run can't be executed, or is not there."),
    ("128+N", "The task was killed by signal N."),
    ("any other", "The task's own."),
];

/// Variables, what each is for, and what holds where it is not set.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("ASYNC_DIR", "The store of futures. Else a script has one of its own, and a prompt that of its user."),
    (
        "XDG_STATE_HOME",
        "These are in the folder async there: that of the user itself, and those of scripts below its scripts. Else ~/.local/state.",
    ),
    ("DEST", "To devstack's functions alone: their store is the folder async there, unless ASYNC_DIR is set."),
    (
        "ASYNC_SCRIPT",
        "What a script is called, for --script. Else it is known by its file. Set it before the functions are sourced.",
    ),
    ("ASYNC_KEEP_RUNS", "How many earlier runs are kept by async-init(1), and of each script. Else 5."),
    (
        "ASYNC_ON_EXIT",
        "What becomes at the end of a script of what it has started and not waited for: cancel, wait, or leave. Else cancel; at an \
         interactive prompt, leave.",
    ),
    (
        "ASYNC_JOBS",
        "How many tasks may run at once: a number, or a share of the cores such as 50%. Else there is no limit.",
    ),
    (
        "ASYNC_QUIET",
        "1, yes or true keeps still about what goes well: no lines about futures but those of failures. Logs are printed. Else no.",
    ),
    (
        "ASYNC_TIMELINE",
        "A file that async_print_timing(1) writes the run to, as a page for a browser. Else it writes none.",
    ),
    (
        "ASYNC_PARALLEL",
        "False makes the functions run each task at once, in the script itself. Else what DEVSTACK_PARALLEL says, which is \
         devstack's own variable for it, and else true.",
    ),
    ("DEVSTACK_PARALLEL", "Is looked at where ASYNC_PARALLEL is not set; devstack's functions know this one alone."),
    ("ASYNC_BIN", "The program that the functions and the completions call. Else async on PATH."),
    ("ASYNC_FUTURE", "Is set for each task: its own future. It is not to be changed."),
];

/// What the page is about.
pub(super) fn command() -> Command {
    Command::new("async").about("named futures for shell scripts").long_about(ABOUT).disable_help_flag(true)
}

pub(super) fn sections(roff: &mut Roff) {
    list(roff, "ENVIRONMENT", VARIABLES);
    statuses(roff);
}

pub(super) fn statuses(roff: &mut Roff) {
    list(roff, "EXIT STATUS", STATUSES);
}

fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in entries {
        roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
    }
}
