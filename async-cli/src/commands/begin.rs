//! `async begin`: the start of `async_run`, before the shell forks.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, IntoRawFd};

use async_core::{FutureName, Request, Start, State, Store, descriptor, text};
use clap::Args;

use crate::cli::Place;
use crate::failure::{Failure, warn};
use crate::planning::{self, Planning};
use crate::status::ExitCode;

/// Makes the record and the log of a new future; prints the command as the messages show it
///
/// With --retry, `RETRIES SECONDS ` stands before it: how often to run it again, and how long to wait before that.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Begin {
    /// The open, empty new record whose lock is to be the future's life
    #[arg(long, requires = "id")]
    fd: Option<i32>,
    /// What that record's file name in the store ends with
    #[arg(long, requires = "fd")]
    id: Option<OsString>,
    /// Have this process, which is the shell, keep record and log open; their descriptors stand before the command
    #[arg(long, conflicts_with_all = ["fd", "process"])]
    open: bool,
    /// The process that runs the task itself, in place of --fd
    #[arg(long, conflicts_with = "fd")]
    process: Option<u32>,
    /// The future inside whose task this happens
    #[arg(long)]
    inside: Option<OsString>,
    /// The script that has it cancelled when it ends
    #[arg(long)]
    owner: Option<u32>,
    #[command(flatten)]
    planning: Planning,
    /// The command is not all there
    #[arg(long)]
    shortened: bool,
    /// The name, then the command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Begin {
    pub(crate) fn run(self, place: &Place) -> Result<ExitCode, Failure> {
        let begun = self.begin(place);
        if begun.is_err()
            && let Some(id) = &self.id
            && let Ok(store) = place.store()
        {
            store.forget_beginning(id);
        }
        begun
    }

    /// Whether it may have to wait for other futures.
    pub(crate) fn may_wait(&self) -> bool {
        self.process.is_some() && self.planning.has_dependencies()
    }

    /// Whether it leaves descriptors open.
    pub(crate) fn leaves_open(&self) -> bool {
        self.open
    }

    fn begin(&self, place: &Place) -> Result<ExitCode, Failure> {
        let Some((name, command)) = self.words.split_first() else {
            return Err(Failure::Usage("async_run needs a name and a command".into()));
        };
        let name = super::name(name)?;
        let start = match (self.fd, &self.id, self.process) {
            _ if self.open => Start::OnRecord,
            (Some(fd), Some(id), _) => Start::OnDescriptor { fd, id },
            (_, _, Some(pid)) => Start::InProcess(pid),
            _ => return Err(why_the_shell_has_no_record(place)),
        };
        let store = place.store()?;
        let plan = self.planning.plan(place)?;
        if let (Start::InProcess(_), Some(plan)) = (&start, &plan)
            && let Some(why) = store.wait_for_plan(plan)?
        {
            return Err(Failure::Skipped { name: name.to_string(), why });
        }
        let attempts = plan.as_ref().and_then(|plan| Some((plan.retry?, plan.retry_delay.unwrap_or(0))));
        let request = Request {
            argv: command,
            program: false,
            shortened: self.shortened,
            plan,
            parent: planning::enclosing(place, self.inside.as_ref(), &store),
            owner: planning::owner(place, self.owner),
        };
        if self.open {
            return begin_open(place, &store, &name, &request);
        }
        // Before the future is there, so that a failure leaves none. The shell shows it only if all went well.
        let attempts = attempts.map_or_else(String::new, |(retry, delay)| format!("{retry} {} ", text::seconds(delay)));
        let text = format!("{attempts}{}", text::command_line(command, self.shortened));
        place.stdout()?.print(&text)?;
        if let Start::OnDescriptor { id, .. } = &start {
            store.make_gate(id)?;
        }
        let started = store.begin(&name, &request, &start)?;
        warn_of_superseded(&name, started.superseded);
        Ok(ExitCode::SUCCESS)
    }
}

/// Begins a future whose record and log this process keeps open, for the subshell that is to run the task.
fn begin_open(place: &Place, store: &Store, name: &FutureName, request: &Request<'_>) -> Result<ExitCode, Failure> {
    let started = store.begin(name, request, &Start::OnRecord)?;
    let (Some(log), record) = (started.log, started.record) else { unreachable!("only a synchronous future has none") };
    let told = descriptor::out_of_the_way(record)
        .and_then(|record| Ok((record, descriptor::out_of_the_way(log)?)))
        .map_err(Failure::Descriptors)
        .and_then(|(record, log)| {
            place.stdout()?.print(&format!("{} {} {}", record.as_raw_fd(), log.as_raw_fd(), started.command))?;
            Ok((record, log))
        });
    let (record, log) = told.inspect_err(|_| store.abandon(name))?;
    // The shell closes them.
    let _ = (record.into_raw_fd(), log.into_raw_fd());
    warn_of_superseded(name, started.superseded);
    Ok(ExitCode::SUCCESS)
}

/// Says that a future of that name was never collected.
pub(crate) fn warn_of_superseded(name: &FutureName, superseded: Option<State>) {
    match superseded {
        None => {}
        Some(State::Lost) => warn(&format!("`{name}` was started before and lost; what is left of it was kept")),
        Some(_) => warn(&format!("`{name}` was started before and never waited for; its result and log were kept")),
    }
}

/// The shell could not open a record, and its own message is nothing for a user.
fn why_the_shell_has_no_record(place: &Place) -> Failure {
    match place.store().and_then(|store| Ok(store.probe()?)) {
        Err(failure) => failure,
        Ok(()) => Failure::Shell,
    }
}
