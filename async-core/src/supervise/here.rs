//! Tasks on this host, as children of their supervisor.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use super::events::Event;
use super::launcher::{Caller, Launcher};
use super::relay::Relays;
use super::terminal::Terminal;
use super::{FAILED, Gated, NOT_EXECUTABLE, NOT_FOUND, Supervisor, TIMED_OUT};
use crate::error::{Error, Result};
use crate::process::{self, ProcessIdentity};
use crate::record::{Cause, Line};
use crate::store::End;

/// Runs a task here.
pub(super) enum Here {
    /// The function that the supervisor has, and what it does before it runs.
    Function {
        commands: String,
    },
    Program(Box<Command>),
}

impl Launcher for Here {
    fn is_child(&self) -> bool {
        true
    }

    fn enter(&mut self, supervisor: &mut Supervisor<'_>, log: &File) -> Result<()> {
        match self {
            Self::Function { commands } => {
                let Some(mut gated) = supervisor.function.take() else { return Ok(()) };
                supervisor.adopt(gated.pid());
                // If this fails, a reader waits longer than necessary.
                if let Ok((relays, taking)) = Relays::of(&gated, log) {
                    supervisor.events.relay(relays);
                    *commands = taking;
                }
                // The wait for its turn may be longer than the script.
                if supervisor.plan.may_queue() && !commands.is_empty() {
                    // If its process is gone, that is how the task ends.
                    let _ = gated.prepare(&std::mem::take(commands));
                }
                supervisor.function = Some(gated);
            }
            Self::Program(command) => {
                supervisor.record.add(&[Line::Pid(std::process::id().to_string())])?;
                let path = supervisor.store.log_path(supervisor.name);
                let output = || log.try_clone().map(Stdio::from).map_err(Error::io("use", &path));
                command.stdout(output()?).stderr(output()?);
                process::start_without_inherited_signals(command);
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        supervisor: &mut Supervisor<'_>,
        number: u32,
        more: bool,
        log: &File,
        caller: &mut Caller<'_>,
    ) -> Result<End> {
        if let Err(error) = supervisor.open_terminal(log) {
            supervisor.end_child();
            let path = supervisor.store.log_path(supervisor.name);
            if !caller.is_told {
                return Err(Error::io("open a terminal for", &path)(error));
            }
            return Ok(supervisor.unstartable(log, FAILED, &format!("there is no terminal for it: {error}")));
        }
        if let Err(error) = self.start(supervisor, log, number, more, caller) {
            supervisor.end_child();
            if !caller.is_told {
                caller.fail(&error);
                return Err(match self {
                    Self::Program(command) => Error::io("start the program", command.get_program().as_ref())(error),
                    Self::Function { .. } => {
                        Error::io("start the task of", &supervisor.store.log_path(supervisor.name))(error)
                    }
                });
            }
            let rc = match self {
                Self::Function { .. } => FAILED,
                Self::Program(_) if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
                Self::Program(_) => NOT_EXECUTABLE,
            };
            return Ok(supervisor.unstartable(log, rc, &error.to_string()));
        }
        if !supervisor.has_started {
            supervisor.has_started = true;
            supervisor.events.sample_from(supervisor.run_start, supervisor.store.log_path(supervisor.name));
        }
        let end = supervisor.wait_for_child();
        supervisor.drain_terminal();
        end
    }

    fn may_repeat(&self, end: &End) -> bool {
        end.cause.is_none()
    }

    fn clear(&mut self, supervisor: &mut Supervisor<'_>) -> Result<()> {
        // Its process id may be another's by now.
        (supervisor.rc, supervisor.child) = (None, None);
        Ok(())
    }
}

impl Here {
    /// Starts the task once; `more` says whether another attempt may follow. A function may only run once the caller
    /// knows of its start.
    fn start(
        &mut self,
        supervisor: &mut Supervisor<'_>,
        log: &File,
        number: u32,
        more: bool,
        caller: &mut Caller<'_>,
    ) -> io::Result<()> {
        let pid = match (&mut *self, &mut supervisor.function) {
            (Self::Program(command), _) => {
                if let Some(terminal) = &supervisor.terminal {
                    command.stdout(terminal.side_of_the_task()?).stderr(terminal.side_of_the_task()?);
                }
                let spawned = process::with_patience(|| command.spawn());
                spawned.map_err(|error| explained(error, command.get_program()))?.id()
            }
            (Self::Function { .. }, Some(gated)) if number > 1 => gated.take_spare()?,
            (Self::Function { .. }, Some(gated)) => gated.pid(),
            (Self::Function { .. }, None) => return Err(Errno::ESRCH.into()),
        };
        supervisor.adopt(pid);
        // A function's first process existed before the record.
        if number > 1 || supervisor.function.is_none() {
            let process = supervisor.terminal.as_ref().map_or(Ok(None), |_| ProcessIdentity::if_tellable(pid))?;
            let lines: Vec<Line> = [Line::Task(pid)].into_iter().chain(process.map(Line::TaskProcess)).collect();
            supervisor.record.add(&lines).map_err(io::Error::other)?;
        }
        let Some(gated) = &mut supervisor.function else {
            // The task runs, whether or not the caller can be told.
            let _ = caller.runs();
            return Ok(());
        };
        let output = supervisor.terminal.as_ref().map_or(log, Terminal::output);
        let commands = match self {
            Self::Function { commands } => std::mem::take(commands),
            Self::Program(_) => String::new(),
        };
        let order = gated.order(output, more, &supervisor.store.place_of(supervisor.name), &commands)?;
        caller.runs()?;
        match gated.open(&order) {
            // Something has killed its process, and that is how the task ended.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            opened => opened,
        }
    }
}

impl Supervisor<'_> {
    /// Waits for the task like its shell would.
    fn wait_for_child(&mut self) -> Result<End> {
        let deadline = self.deadline();
        loop {
            // Before each sleep: the child may have ended before its signal was blocked.
            if let Some(rc) = self.reap() {
                return Ok(End { rc, ..End::default() });
            }
            match self.next(&[], deadline)? {
                Event::TimeUp => {
                    let ended = Some(self.end_tree(self.plan.grace())?);
                    // What is not waited for does not count in its usage.
                    self.reap();
                    return Ok(End { rc: TIMED_OUT, cause: Some(Cause::Timeout), ended, ..End::default() });
                }
                Event::Signal(Signal::SIGCONT) | Event::ScriptGone => {
                    if let Some(grace) = self.cancelled() {
                        return self.cancel(grace);
                    }
                }
                Event::Signal(signal) => self.pass_on(signal),
                Event::Woken(_) | Event::LogCut(_) | Event::Relayed => {}
            }
        }
    }

    /// Ends the spare process of a function if there will be no other attempt.
    pub(super) fn dismiss_spare(&mut self) {
        let running = self.child;
        if let Some(Ok(spare)) = self.function.as_mut().map(Gated::take_spare) {
            self.adopt(spare);
            if let Some(spare) = self.child.filter(|spare| Some(*spare) != running) {
                let _ = kill(spare, Signal::SIGKILL);
                let _ = waitpid(spare, None);
            }
            self.child = running;
        }
    }

    /// The end of a task that can't be started, whose caller has gone on. The log says why.
    pub(super) fn unstartable(&self, log: &File, rc: i32, why: &str) -> End {
        self.say(log, &format!("can't be started: {why}"));
        End { rc, cause: Some(Cause::Unstartable), ..End::default() }
    }
}

/// Explains why a program did not start. The missing file may also be a script's interpreter.
fn explained(error: io::Error, program: &OsStr) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound && Path::new(program).exists() {
        return io::Error::other("the interpreter that its first line names is not there");
    }
    error
}
