//! The functions that `async shim` prints, one page each.

use clap::{Args, Command};

use crate::commands::run::planning::Planning;
use crate::commands::wait::Wanted;

/// A function, with its options.
pub(super) struct Function {
    pub(super) command: Command,
    /// What follows the options.
    pub(super) operands: &'static str,
}

impl Function {
    fn new(
        name: &'static str,
        operands: &'static str,
        about: &'static str,
        more: &str,
        examples: &'static str,
    ) -> Self {
        let long_about = format!("{about}.\n\n{more}\n\n{SOURCED}");
        let command = Command::new(name).disable_help_flag(true).about(about).long_about(long_about);
        Self { command: command.after_help(examples), operands }
    }

    /// Adds these arguments. Those that are not options are in the operands already.
    fn with(mut self, args: impl Fn(Command) -> Command) -> Self {
        self.command = args(self.command).mut_args(|arg| {
            let is_operand = arg.is_positional();
            arg.hide(is_operand)
        });
        self
    }
}

const SOURCED: &str = "It is one of the functions that source <(async shim) defines in a script for bash; async-shim(1) prints them. \
The statuses and variables of all are in async(7).";

/// All of them, in the order in which a script uses them.
pub(super) fn all() -> Vec<Function> {
    vec![
        Function::new(
            "async_init",
            "",
            "Clear what earlier runs left in the store",
            "A script has a store of its own, and needs no init, unless ASYNC_DIR names one.",
            "export ASYNC_DIR=/srv/builds/store\nsource <(async shim)\nasync_init",
        ),
        Function::new(
            "async_run",
            "NAME COMMAND [ARGUMENT...]",
            "Start a function of the script, or a program, as a future",
            "It returns at once; async_wait(1) waits for that name. The task has the script's functions, variables and options as they \
             are at that moment, and its output goes to a log of its own. The options come before the command, on either side of the name. \
             devstack's functions know none.",
            "async_run db start_database\nasync_run --after db --timeout 5m schema load_schema\nasync_run --retry 3 mirror curl -fO \"$url\"\n\
             async_wait db schema mirror",
        )
        .with(Planning::augment_args),
        Function::new(
            "async_runfunc",
            "FUNCTION [ARGUMENT...]",
            "Start a function of the script as a future of the same name",
            "The same as async_run(1) with the function's name as the future's name.",
            "async_runfunc start_database --fresh\nasync_wait start_database",
        ),
        Function::new(
            "async_inner",
            "NAME COMMAND [ARGUMENT...]",
            "Start a future and wait until its task is over",
            "It is one of devstack's functions alone (async shim --profile devstack), where the original has it. The future is there \
             to be waited for by async_wait(1).",
            "async_inner db start_database\nasync_wait db",
        ),
        Function::new(
            "async_wait",
            "[NAME...]",
            "Wait for futures, print their logs, and return the first status that is not 0",
            "They are waited for in that order, also after one has failed. Without names, that is all that this script has started and \
             not waited for. One that was waited for before has its status again, without its log. devstack's functions know no \
             options, and stop at the first that failed.",
            "async_wait docs tests || echo \"failed with status $?\"\nname=$(async_wait --any --no-log docs tests)\nasync_wait --timeout 5m",
        )
        .with(Wanted::augment_args),
        Function::new(
            "async_cleanup",
            "",
            "Wait for all futures that have not been waited for, with a warning for each",
            "It prints their logs, and returns the first status that is not 0.",
            "async_cleanup || echo \"something failed\"",
        ),
        Function::new(
            "async_print_timing",
            "",
            "Print how much time was saved",
            "It prints nothing where tasks do not run in the background. With ASYNC_TIMELINE=FILE it writes a page for a browser too, \
             as async timing --html FILE does. async-timing(1) has more.",
            "ASYNC_TIMELINE=run.html async_print_timing",
        ),
        Function::new(
            "async_end",
            "",
            "Do now what the end of the script does with what is left",
            "That is what ASYNC_ON_EXIT says, else to cancel it. For scripts that set a trap on EXIT of their own. It returns the \
             status that the script is to end with, if it is not 0.",
            "trap 'async_end || exit $?' EXIT",
        ),
        Function::new(
            "async_pidof",
            "NAME",
            "Print the process id of a future",
            "It is that of the process that lives as long as the future does.",
            "kill -USR1 \"$(async_pidof server)\"",
        ),
        Function::new(
            "async_log",
            "NAME MESSAGE...",
            "Print a line about a future",
            "In the message, %command stands for the command of the future. The line goes to standard error, like all lines about futures.",
            "async_log docs 'still busy with %command'",
        ),
    ]
}
