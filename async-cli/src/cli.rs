//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::{ArgMatches, Args, Parser, Subcommand, ValueEnum};

use crate::VERSION;
use crate::commands::{
    cancel::Cancel,
    cleanup::Cleanup,
    complete::Complete,
    completions::Completions,
    init::Init,
    log::Log,
    man::Man,
    pause::{Pause, Resume},
    pid::Pid,
    queue::Queue,
    run::Run,
    schema::Schema,
    shim::Shim,
    status::Status,
    timing::Timing,
    wait::Wait,
};
use crate::context::ContextArgs;
pub(crate) use crate::context::{Context, variable};
use crate::failure::Failure;
use crate::shim::{
    begin_here::BeginHere, collect::Collect, end_here::EndHere, end_script::EndScript, message::Message,
    settle::Settle, supervise::Supervise,
};

/// Named futures for shell scripts: start slow work under a name, go on, wait for the name later.
#[derive(Debug, Parser)]
#[command(name = "async", version = VERSION, max_term_width = 80, after_help = EXAMPLE)]
pub(crate) struct Cli {
    #[command(flatten)]
    context: ContextArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
In a script:

  source <(async shim)        # defines async_init, async_run, async_wait, ...
  async_init
  async_run docs make docs    # goes on at once
  make program
  async_wait docs             # prints its log, returns its status
  async_print_timing          # how much time this saved";

/// What the functions of the shim are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// As devstack's own inc/async: traced, failing commands inside a task ignored
    Devstack,
    /// For any script: `set -e` holds inside tasks
    #[default]
    Standalone,
}

impl From<Profile> for async_bash_shim::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Devstack => Self::Devstack,
            Profile::Standalone => Self::Standalone,
        }
    }
}

/// What reads one command's arguments, and what makes the command of what was read.
type Reader = (fn() -> clap::Command, fn(&mut ArgMatches) -> Result<Command, clap::Error>);

/// The command of that name, alone, if it is one of those that are called for each future.
fn reader(name: &str) -> Option<Reader> {
    fn of<C: Args>() -> clap::Command {
        let parser = clap::Command::new("async").no_binary_name(true).disable_version_flag(true);
        C::augment_args(ContextArgs::augment_args(parser))
    }
    fn read<C: Args>(matches: &mut ArgMatches) -> Result<C, clap::Error> {
        C::from_arg_matches_mut(matches)
    }
    Some(match name {
        "run" => (of::<Run>, |matches| read(matches).map(Command::Run)),
        "wait" => (of::<Wait>, |matches| read(matches).map(Command::Wait)),
        "supervise" => (of::<Supervise>, |matches| read(matches).map(Command::Supervise)),
        "begin-here" => (of::<BeginHere>, |matches| read(matches).map(Command::BeginHere)),
        "end-here" => (of::<EndHere>, |matches| read(matches).map(Command::EndHere)),
        "collect" => (of::<Collect>, |matches| read(matches).map(Command::Collect)),
        "settle" => (of::<Settle>, |matches| read(matches).map(Command::Settle)),
        "message" => (of::<Message>, |matches| read(matches).map(Command::Message)),
        "pid" => (of::<Pid>, |matches| read(matches).map(Command::Pid)),
        _ => return None,
    })
}

/// Each command is one file, in `commands` or `shim`.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Run),
    Init(Init),
    Wait(Wait),
    Log(Log),
    #[command(visible_alias = "ps")]
    Status(Status),
    Pid(Pid),
    Cancel(Cancel),
    Queue(Queue),
    Pause(Pause),
    Resume(Resume),
    Cleanup(Cleanup),
    Timing(Timing),
    Shim(Shim),
    Completions(Completions),
    Schema(Schema),
    Man(Man),
    // Plumbing: only the shim and the completions call these.
    Supervise(Supervise),
    BeginHere(BeginHere),
    EndHere(EndHere),
    Collect(Collect),
    EndScript(EndScript),
    Settle(Settle),
    Message(Message),
    Complete(Complete),
}

impl Cli {
    /// Reads a command line that is about one future, the command first. Only that command's options are made up for it, which
    /// is a tenth of the work of making up all. None if it is another command line, or a wrong one.
    pub(crate) fn of_one_command(args: &[OsString]) -> Option<Self> {
        let [_, name, args @ ..] = args else {
            return None;
        };
        let (parser, command) = reader(name.to_str()?)?;
        let mut matches = parser().try_get_matches_from(args).ok()?;
        let context = ContextArgs::from_arg_matches_mut(&mut matches).ok()?;
        Some(Self { context, command: command(&mut matches).ok()? })
    }

    /// Where the command works.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn context(self) -> Context {
        Context::of(self.context)
    }

    /// Runs the command; the exit status is the command's.
    pub(crate) fn run(self) -> ExitCode {
        let report = match self.command {
            Command::Log(_) | Command::Status(_) | Command::Cancel(_) | Command::Timing(_) => {
                Failure::report_with_script
            }
            _ => Failure::report,
        };
        self.try_run().unwrap_or_else(|failure| report(&failure).into())
    }

    fn try_run(self) -> Result<ExitCode, Failure> {
        let context = &Context::of(self.context);
        match self.command {
            Command::Run(command) => command.run(context),
            Command::Cancel(command) => command.run(context),
            Command::EndScript(command) => command.run(context),
            Command::Settle(command) => command.run(context),
            Command::Queue(command) => command.run(context),
            Command::Pause(command) => command.run(context),
            Command::Resume(command) => command.run(context),
            Command::Init(command) => command.run(context),
            Command::Wait(command) => command.run(context),
            Command::Log(command) => command.run(context),
            Command::Status(command) => command.run(context),
            Command::Pid(command) => command.run(context),
            Command::Cleanup(command) => command.run(context),
            Command::Timing(command) => command.run(context),
            Command::Shim(command) => command.run(context),
            Command::Completions(command) => command.run(),
            Command::Schema(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Supervise(command) => command.run(context),
            Command::BeginHere(command) => command.run(context),
            Command::EndHere(command) => command.run(context),
            Command::Collect(command) => command.run(context),
            Command::Message(command) => command.run(context),
            Command::Complete(command) => command.run(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(line: &str) -> [Option<String>; 2] {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let shown = |cli: Cli| format!("{cli:?}");
        [Cli::of_one_command(&args).map(shown), Cli::try_parse_from(&args).ok().map(shown)]
    }

    #[test]
    fn a_command_alone_reads_what_all_together_read() {
        for line in [
            "async supervise --for devstack/0.1.0 --dir /d --answer 12 --gate 11 --task 5 -- name make -j4 --dir /other",
            "async supervise --dir /d --answer 12 --gate 11 --task 5 --shortened -- --after a name x",
            "async begin-here --dir /d --answer 12 --shell 7 -- --jobs 2 n x",
            "async end-here --dir /d --rc 3 -- --jobs 2 name",
            "async collect --dir /d --answer 12 --report 3 --shell 9 --resume 0.1.17/18 --status 1 -- a b",
            "async collect --answer 1 --report 3 --shell 9 --cleanup --noted /a/ --ran x --waited 7",
            "async run --dir /d --jobs 2 --after a --cwd /x --quiet name -- make -j4 --dir /other",
            "async run name make -j4",
            "async wait --dir /d --timeout 5s a b",
            "async wait --all --keep",
            "async message --dir /d -- name a %command",
            "async pid --dir /d -- name",
        ] {
            let [alone, together] = both(line);
            assert!(alone.is_some(), "{line}");
            assert_eq!(alone, together, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_or_not_the_shims_is_left_to_all_together() {
        for line in [
            "async",
            "async supervise --answer",
            "async collect --help",
            "async end-here -- x",
            "async run --nope",
            "async wait --help",
            "async run -h",
            "async wait --version",
            "async status",
        ] {
            assert_eq!(both(line)[0], None, "{line}");
        }
    }
}
