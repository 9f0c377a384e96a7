//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use async_core::{Error, Permissions, Store};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    begin::Begin, block::Block, cancel::Cancel, cleanup::Cleanup, collect::Collect, end::End, guard::Guard, init::Init,
    live::Live, message::Message, pid::Pid, run::Run, shim::Shim, status::Status, timing::Timing, wait::Wait,
    watch::Watch,
};
use crate::failure::Failure;

/// Named futures for shell scripts: start slow work under a name, go on, wait for the name later.
#[derive(Debug, Parser)]
#[command(name = "async", version = env!("ASYNC_VERSION"), max_term_width = 80, after_help = EXAMPLE)]
pub(crate) struct Cli {
    #[command(flatten)]
    place: Place,
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

/// Where the store is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The store of futures
    #[arg(long, global = true, value_name = "DIR", help = STORE_HELP)]
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

impl Place {
    /// The store's directory.
    pub(crate) fn dir(&self) -> Result<PathBuf, Error> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(dir) = self.dir.clone().or_else(|| set("ASYNC_DIR")) {
            return Ok(dir);
        }
        if std::env::var_os("DEST").is_some_and(|dest| dest.is_empty()) {
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
        match self.permissions {
            PermissionsArg::Private => Permissions::Private,
            PermissionsArg::Umask => Permissions::Umask,
        }
    }

    /// The same as an option's value.
    pub(crate) fn permissions_name(&self) -> &'static str {
        match self.permissions {
            PermissionsArg::Private => "private",
            PermissionsArg::Umask => "umask",
        }
    }

    /// Opens the store.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.dir()?, self.permissions())?)
    }
}

/// Each command is one file in `commands`.
#[derive(Debug, Subcommand)]
enum Command {
    Run(Run),
    Init(Init),
    Wait(Wait),
    Status(Status),
    Pid(Pid),
    Cancel(Cancel),
    Cleanup(Cleanup),
    Timing(Timing),
    Shim(Shim),
    // Plumbing: only the shim calls these.
    Begin(Begin),
    Watch(Watch),
    End(End),
    Collect(Collect),
    Block(Block),
    Guard(Guard),
    Live(Live),
    Message(Message),
}

impl Cli {
    /// Runs the command; the exit status is the command's.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let place = &self.place;
        match self.command {
            Command::Run(command) => command.run(place),
            Command::Cancel(command) => command.run(place),
            Command::Guard(command) => command.run(place),
            Command::Init(command) => command.run(place),
            Command::Wait(command) => command.run(place),
            Command::Status(command) => command.run(place),
            Command::Pid(command) => command.run(place),
            Command::Cleanup(command) => command.run(place),
            Command::Timing(command) => command.run(place),
            Command::Shim(command) => command.run(),
            Command::Begin(command) => command.run(place),
            Command::Watch(command) => command.run(place),
            Command::End(command) => command.run(place),
            Command::Collect(command) => command.run(place),
            Command::Block(command) => command.run(place),
            Command::Live(command) => command.run(place),
            Command::Message(command) => command.run(place),
        }
    }
}
