//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::{CommandFactory as _, Parser, ValueEnum};

use crate::VERSION;
use crate::commands::Command;
use crate::context::ContextArgs;
pub(crate) use crate::context::{Context, variable};
use crate::failure::Failure;
use crate::shim::{self, Plumbing};
use crate::suggestion;

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum CommandLine {
    /// A command for people.
    Typed(Cli),
    /// A command for scripts.
    Plumbing(ContextArgs, Plumbing),
}

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

impl CommandLine {
    /// Parses a command line, which begins with the program's name.
    pub(crate) fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        if let Some(read) = shim::read(args) {
            return read.map(|(context, command)| Self::Plumbing(context, command));
        }
        Cli::read(args).map(Self::Typed)
    }

    /// Runs the command and returns its exit status.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Typed(cli) => cli.run(),
            Self::Plumbing(context, command) => {
                command.run(&Context::of(context)).unwrap_or_else(|failure| failure.report().into())
            }
        }
    }
}

impl Cli {
    fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        if let Some(cli) = Self::of_one_command(args) {
            return Ok(cli);
        }
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(args);
        let read = matches.and_then(|mut matches| {
            Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
        });
        read.map_err(
            |error| if shim::functions::call(args) { error } else { suggestion::improve(error, &command, args) },
        )
    }

    /// Parses a command line that begins with the command, using only that command's definition. None for any other
    /// command line, or a wrong one.
    pub(crate) fn of_one_command(args: &[OsString]) -> Option<Self> {
        let [_, name, args @ ..] = args else {
            return None;
        };
        let (context, command) = Command::read(name.to_str()?, args)?.ok()?;
        Some(Self { context, command })
    }

    /// The context of the command.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn context(self) -> Context {
        Context::of(self.context)
    }

    fn run(self) -> ExitCode {
        let report = match self.command {
            Command::Log(_) | Command::Status(_) | Command::Cancel(_) | Command::Timing(_) => {
                Failure::report_with_script
            }
            _ => Failure::report,
        };
        self.command.run(&Context::of(self.context)).unwrap_or_else(|failure| report(&failure).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn both(line: &str) -> [Option<String>; 2] {
        let args = words(line);
        let shown = |cli: Cli| format!("{cli:?}");
        [Cli::of_one_command(&args).map(shown), Cli::try_parse_from(&args).ok().map(shown)]
    }

    #[test]
    fn a_command_alone_reads_what_all_together_read() {
        for line in [
            "async run --dir /d --jobs 2 --after a --cwd /x --quiet name -- make -j4 --dir /other",
            "async run name make -j4",
            "async wait --dir /d --timeout 5s a b",
            "async wait --all --keep",
            "async pid --dir /d -- name",
            "async status --json",
            "async timing --what-if jobs=2 --script x.sh",
            "async shim --profile devstack",
        ] {
            let [alone, together] = both(line);
            assert!(alone.is_some(), "{line}");
            assert_eq!(alone, together, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_or_asks_for_help_is_left_to_all_together() {
        for line in
            ["async", "async run --nope", "async wait --help", "async run -h", "async wait --version", "async ps"]
        {
            assert_eq!(both(line)[0], None, "{line}");
        }
    }

    #[test]
    fn what_scripts_call_is_read_and_no_command_of_a_person() {
        for line in [
            "async supervise --for devstack/0.1.0 --dir /d --answer 12 --gate 11 --task 5 -- name make -j4 --dir /other",
            "async supervise --dir /d --answer 12 --gate 11 --task 5 --shortened -- --after a name x",
            "async begin-here --dir /d --answer 12 --shell 7 -- --jobs 2 n x",
            "async end-here --dir /d --rc 3 -- --jobs 2 name",
            "async collect --dir /d --answer 12 --report 3 --shell 9 --resume 0.1.17/18 --status 1 -- a b",
            "async collect --answer 1 --report 3 --shell 9 --cleanup --noted /a/ --ran x --waited 7",
            "async message --dir /d -- name a %command",
        ] {
            let read = CommandLine::read(&words(line));
            assert!(matches!(read, Ok(CommandLine::Plumbing(..))), "{line}: {read:?}");
            assert!(Cli::try_parse_from(words(line)).is_err(), "{line}");
        }
        for line in ["async supervise --answer", "async end-here -- x"] {
            assert_eq!(CommandLine::read(&words(line)).map_err(|error| error.exit_code()).unwrap_err(), 2, "{line}");
        }
    }
}
