//! async(7): what the program and the functions have in common.

use clap::Command;
use clap_mangen::roff::{Roff, bold, roman};

const ABOUT: &str = "\
A future is a task with a name. It runs while the script that started it does other things; waiting for its name prints its whole \
output and returns its exit status. At a prompt, the program async(1) starts programs as futures. In a script, \
source <(async shim) defines functions that start functions of that script too: async_run(1), async_wait(1), async_runfunc(1), \
async_cleanup(1), async_print_timing(1), async_end(1), async_init(1), async_pidof(1) and async_log(1).

All that is known of futures is in a directory, the store. Each run of a script has a store of its own, and each user has one for \
prompts, unless ASYNC_DIR or --dir names another.";

/// Statuses and their meanings.
const STATUSES: &[(&str, &str)] = &[
    ("0", "All is well; of a wait, the tasks have returned 0."),
    ("1", "async status: something failed; async pid: no such future is live."),
    ("2", "Wrong usage."),
    ("122", "With --if-absent: it was there already, and nothing was started."),
    ("124", "The time of the task, or of the wait, was up."),
    (
        "125",
        "async itself failed, and says why on standard error; or the task never ran, because what it was to come after failed.",
    ),
    ("126, 127", "The program can't be executed, or is not there."),
    ("128+N", "The task was killed by signal N."),
    ("any other", "The task's own."),
];

/// Variables with their purposes and defaults.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    (
        "ASYNC_DIR",
        "The store of futures. By default, a script has a store of its own, and each user has one for prompts.",
    ),
    ("XDG_STATE_HOME", "These stores are in the folder async there. By default, that is ~/.local/state."),
    ("HOME", "The home directory, where XDG_STATE_HOME is not set."),
    ("DEST", "Only for devstack's functions: their store is the folder async there, unless ASYNC_DIR is set."),
    (
        "ASYNC_SCRIPT",
        "The name of a script, for --script. By default, that is the name of its file. Set it before sourcing the functions.",
    ),
    (
        "ASYNC_KEEP_RUNS",
        "How many earlier runs async-init(1) keeps, and how many of each script are kept. By default, 5.",
    ),
    (
        "ASYNC_ON_EXIT",
        "What the end of a script does with what it has started and not waited for: cancel, wait or leave. By default, cancel; at an \
         interactive prompt, leave.",
    ),
    (
        "ASYNC_JOBS",
        "How many tasks may run at once: a number, or a share of the cores such as 50%. By default, there is no limit.",
    ),
    (
        "ASYNC_ON",
        "Where tasks run: slurm, on a node of a cluster, ssh:HOST, on another host, or here, the default. devstack's functions run theirs here.",
    ),
    ("ASYNC_REMOTE_BIN", "The program on another host, for ssh:HOST. By default, async on PATH there."),
    (
        "ASYNC_JOB_DIR",
        "The directory for the folders of jobs that run on a cluster. By default, they are in the store.",
    ),
    ("ASYNC_SLURM_POLL", "How often Slurm is asked about all jobs of a store, in seconds. By default, every 30."),
    ("ASYNC_JOB_GRACE", "How late what a job on a cluster has written may be seen, in seconds. By default, 30."),
    ("ASYNC_QUIET", "1, yes or true leaves out the lines about what goes well. Logs are printed all the same."),
    (
        "ASYNC_PROGRESS",
        "off makes waits show no panel on a terminal; the default is on. devstack's functions never show one.",
    ),
    (
        "ASYNC_PTY",
        "1, yes or true makes the output of each task a terminal, as --pty does. Not for devstack's functions.",
    ),
    ("ASYNC_TIMELINE", "A file that async_print_timing(1) writes the timeline to, as a page for a browser."),
    (
        "ASYNC_PARALLEL",
        "False makes the functions run each task at once, in the script itself. By default, DEVSTACK_PARALLEL decides, and if that is \
         not set either, tasks run in parallel.",
    ),
    ("DEVSTACK_PARALLEL", "The same, where ASYNC_PARALLEL is not set. devstack's functions read only this one."),
    ("ASYNC_BIN", "The program that the functions and the completions call. By default, async on PATH."),
    ("ASYNC_FUTURE", "Set for each task: its own future. Do not change it."),
    ("PATH", "Where async-run(1) looks for the program that it is to start."),
    ("TERM", "If it is not set, or dumb, waits show no panel."),
    ("CI", "With anything but the empty text, waits show no panel."),
    ("CLICOLOR_FORCE", "Anything but the empty text and 0 turns colors on, where the output is no terminal too."),
    ("NO_COLOR", "Anything but the empty text turns colors off."),
    ("TZ", "The time zone of the times in tables."),
];

/// The subject of the page.
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
