//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_core::{Error, Permissions, Store};
use clap::FromArgMatches as _;
use clap::{ArgMatches, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::VERSION;
use crate::commands::{
    begin::Begin, block::Block, builtin::Builtin, cancel::Cancel, cleanup::Cleanup, collect::Collect,
    complete::Complete, completions::Completions, end::End, fork::ForkOff, guard::Guard, init::Init,
    launched::Launched, live::Live, log::Log, message::Message, pid::Pid, probe::Probe, run::Run, schema::Schema,
    shim::Shim, status::Status, timing::Timing, wait::Wait, watch::Watch,
};
use crate::failure::Failure;
use crate::io::Io;
use crate::messages::Output;
use crate::status::ExitCode;

/// Named futures for shell scripts: start slow work under a name, go on, wait for the name later.
#[derive(Debug, Parser)]
#[command(name = "async", version = VERSION, max_term_width = 80, after_help = EXAMPLE)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: PlaceArgs,
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

const STORE_HELP: &str = "The store of futures [default: $ASYNC_DIR, else $DEST/async, else $XDG_STATE_HOME/async]";

/// What is said of the place of the store.
#[derive(Args, Clone, Debug)]
struct PlaceArgs {
    /// The store of futures
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help = STORE_HELP)]
    dir: Option<PathBuf>,
    /// Who may read what is made in the store
    #[arg(long, global = true, hide = true, value_enum, default_value_t)]
    permissions: PermissionsArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum PermissionsArg {
    #[default]
    Private,
    Umask,
}

/// Where a command works: its store, and its surroundings.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    args: PlaceArgs,
    io: &'a Io,
}

impl Place<'_> {
    /// The same with the store in that directory, if there is one.
    pub(crate) fn at(&self, dir: Option<PathBuf>) -> Self {
        let mut args = self.args.clone();
        args.dir = dir.or(args.dir);
        Self { args, io: self.io }
    }

    /// The store's directory.
    pub(crate) fn dir(&self) -> Result<PathBuf, Error> {
        let set = |name| self.variable(name).map(PathBuf::from);
        if let Some(dir) = self.args.dir.clone().or_else(|| set("ASYNC_DIR")) {
            return Ok(dir);
        }
        if (self.io.variable)("DEST").is_some_and(|dest| dest.is_empty()) {
            return Err(Error::NoPlace("DEST is set but empty, so the store would be /async: set DEST or ASYNC_DIR"));
        }
        set("DEST")
            .or_else(|| set("XDG_STATE_HOME"))
            .or_else(|| set("HOME").map(|home| home.join(".local/state")))
            .map(|parent| parent.join("async"))
            .ok_or(Error::NoPlace(
                "none of ASYNC_DIR, DEST, XDG_STATE_HOME and HOME is set: say with --dir where the store is",
            ))
    }

    pub(crate) fn permissions(&self) -> Permissions {
        match self.args.permissions {
            PermissionsArg::Private => Permissions::Private,
            PermissionsArg::Umask => Permissions::Umask,
        }
    }

    /// The same as an option's value.
    pub(crate) fn permissions_name(&self) -> &'static str {
        match self.args.permissions {
            PermissionsArg::Private => "private",
            PermissionsArg::Umask => "umask",
        }
    }

    /// Opens the store.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.dir()?, self.permissions())?)
    }

    /// A variable of whoever calls, unless it is empty.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        (self.io.variable)(name).filter(|value| !value.is_empty())
    }

    /// Standard output.
    pub(crate) fn stdout(&self) -> Result<Output, Failure> {
        Output::stdout(self.io)
    }
}

/// What reads one command's arguments, and what makes the command of what was read.
type Reader = (fn() -> clap::Command, fn(&mut ArgMatches) -> Result<Command, clap::Error>);

/// The command of that name, alone, if it is one of those that are called for each future.
fn reader(name: &str) -> Option<Reader> {
    fn of<C: Args>() -> clap::Command {
        let parser = clap::Command::new("async").no_binary_name(true).disable_version_flag(true);
        C::augment_args(PlaceArgs::augment_args(parser))
    }
    fn read<C: Args>(matches: &mut ArgMatches) -> Result<C, clap::Error> {
        C::from_arg_matches_mut(matches)
    }
    Some(match name {
        "run" => (of::<Run>, |matches| read(matches).map(Command::Run)),
        "wait" => (of::<Wait>, |matches| read(matches).map(Command::Wait)),
        "begin" => (of::<Begin>, |matches| read(matches).map(Command::Begin)),
        "fork" => (of::<ForkOff>, |matches| read(matches).map(Command::ForkOff)),
        "launched" => (of::<Launched>, |matches| read(matches).map(Command::Launched)),
        "watch" => (of::<Watch>, |matches| read(matches).map(Command::Watch)),
        "end" => (of::<End>, |matches| read(matches).map(Command::End)),
        "collect" => (of::<Collect>, |matches| read(matches).map(Command::Collect)),
        "block" => (of::<Block>, |matches| read(matches).map(Command::Block)),
        "live" => (of::<Live>, |matches| read(matches).map(Command::Live)),
        "message" => (of::<Message>, |matches| read(matches).map(Command::Message)),
        "pid" => (of::<Pid>, |matches| read(matches).map(Command::Pid)),
        _ => return None,
    })
}

/// The parsers made so far. A program makes one; a shell and its subshells use them again and again.
static PARSERS: Mutex<BTreeMap<String, clap::Command>> = Mutex::new(BTreeMap::new());

/// Makes up what a shell's subshells need, so that not each of them has to.
pub(crate) fn prepare_guest() {
    let args = ["async", "fork", "--record", "0", "--log", "0", "--", "name"].map(OsString::from);
    drop(Cli::of_one_command(&args));
}

/// Each command is one file in `commands`.
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
    Cleanup(Cleanup),
    Timing(Timing),
    Shim(Shim),
    Completions(Completions),
    Schema(Schema),
    // Plumbing: only the shim and the completions call these.
    Begin(Begin),
    Watch(Watch),
    End(End),
    Collect(Collect),
    Block(Block),
    Builtin(Builtin),
    #[command(name = "fork")]
    ForkOff(ForkOff),
    Guard(Guard),
    Launched(Launched),
    Live(Live),
    Message(Message),
    Probe(Probe),
    Complete(Complete),
}

impl Cli {
    /// Reads a command line that is about one future, the command first. Only that command's options are made up for it, which
    /// is a tenth of the work of making up all. None if it is another command line, or a wrong one.
    pub(crate) fn of_one_command(args: &[OsString]) -> Option<Self> {
        let [_, name, args @ ..] = args else {
            return None;
        };
        let name = name.to_str()?;
        let (parser, command) = reader(name)?;
        let mut parsers = PARSERS.lock().unwrap_or_else(PoisonError::into_inner);
        let parser = parsers.entry(name.to_owned()).or_insert_with(parser);
        let mut matches = parser.try_get_matches_from_mut(args).ok()?;
        drop(parsers);
        let place = PlaceArgs::from_arg_matches_mut(&mut matches).ok()?;
        Some(Self { place, command: command(&mut matches).ok()? })
    }

    /// Runs the command in somebody else's process, if it is one that waits for no task and is no parent of one.
    pub(crate) fn run_as_guest(self, io: &Io) -> Result<ExitCode, Failure> {
        let place = &Place { args: self.place, io };
        match self.command {
            // In a shell that runs its tasks itself, it waits for what they come after.
            Command::Begin(command) if !command.may_wait() => command.run(place),
            Command::Launched(command) => command.run(place),
            Command::End(command) => command.run(place),
            Command::Collect(command) => command.run(place),
            Command::Init(command) => command.run(place),
            Command::Live(command) => command.run(place),
            Command::Message(command) => command.run(place),
            Command::Pid(command) => command.run(place),
            Command::Probe(command) => command.run(place),
            Command::ForkOff(command) if let Some(fork) = io.fork => command.run(place, fork),
            _ => Err(Failure::Usage("this command is for the program async, not for a shell".into())),
        }
    }

    /// Runs the command; the exit status is the command's.
    pub(crate) fn run(self, io: &Io) -> Result<ExitCode, Failure> {
        let place = &Place { args: self.place, io };
        match self.command {
            Command::Run(command) => command.run(place),
            Command::Cancel(command) => command.run(place),
            Command::Guard(command) => command.run(place),
            Command::Init(command) => command.run(place),
            Command::Wait(command) => command.run(place),
            Command::Log(command) => command.run(place),
            Command::Status(command) => command.run(place),
            Command::Pid(command) => command.run(place),
            Command::Cleanup(command) => command.run(place),
            Command::Timing(command) => command.run(place),
            Command::Shim(command) => command.run(place),
            Command::Completions(command) => command.run(place),
            Command::Schema(command) => command.run(place),
            Command::Begin(command) if !command.leaves_open() => command.run(place),
            Command::Begin(_) | Command::ForkOff(_) | Command::Launched(_) => {
                Err(Failure::Usage("this command is for a shell, not for the program async".into()))
            }
            Command::Watch(command) => command.run(place),
            Command::End(command) => command.run(place),
            Command::Collect(command) => command.run(place),
            Command::Block(command) => command.run(place),
            Command::Builtin(command) => command.run(place),
            Command::Live(command) => command.run(place),
            Command::Message(command) => command.run(place),
            Command::Probe(command) => command.run(place),
            Command::Complete(command) => command.run(place),
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
            "async begin --dir /d --permissions umask --fd 12 --id .1.2 -- name make -j4 --dir /other",
            "async begin --dir /d --permissions private --process 7 --after=a --jobs=2 --owner 3 -- n x",
            "async watch --dir /d --permissions private --fd 12 --gate 11 --id .1.2 --task 5 --planned -- name",
            "async end --dir /d --rc 3 --pid 7 -- name",
            "async collect --dir /d --report 3 --shell 9 --from 0.1.17 --since 18 --status 1 -- a b",
            "async block --dir /d -- name",
            "async begin --dir /d --permissions umask --open -- name make -j4",
            "async fork --dir /d --permissions umask --record 10 --log 11 -- name",
            "async launched --dir /d --permissions umask --record 10 --log 11 --pid 5 -- name -j4",
            "async run --dir /d --jobs 2 --after a --cwd /x --quiet name -- make -j4 --dir /other",
            "async run name make -j4",
            "async wait --dir /d --timeout 5s a b",
            "async wait --all --keep",
            "async live --dir /d",
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
            "async begin --fd",
            "async begin --help",
            "async begin --fd 1 -- x",
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
