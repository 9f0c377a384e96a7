//! The options that say how to run a future.

use std::ffi::OsString;
use std::io;
use std::thread::available_parallelism;

use async_core::clock::Millis;
use async_core::store::{INSIDE, MAX_JOBS};
use async_core::{FutureName, IfAbsent, Plan, Request, Start, Started, Store, Target, TerminalSize};
use clap::Args;
use rustix::termios::tcgetwinsize;

use crate::cli::{Context, variable};
use crate::commands;
use crate::duration;
use crate::elsewhere::On;
use crate::failure::Failure;
use crate::number;

const JOBS_HELP: &str =
    "Start when fewer than N futures run, or that share of the cores [default: $ASYNC_JOBS, else no limit]";

const PTY_HELP: &str =
    "Make its output a terminal: colors stay, and each line is logged at once [default: $ASYNC_PTY, else no]";

/// How a future is to be run.
#[derive(Args, Debug, Default)]
pub(crate) struct Planning {
    /// Start once this future has succeeded, and never if it fails (may be given several times)
    #[arg(long, value_name = "NAME")]
    after: Vec<OsString>,
    /// Start once this future has ended, however it ended (may be given several times)
    #[arg(long, value_name = "NAME")]
    after_any: Vec<OsString>,
    /// Start when fewer than N futures run, or that share of the cores
    #[arg(long, value_name = "N|PERCENT%", allow_hyphen_values = true, value_parser = jobs, help = JOBS_HELP)]
    jobs: Option<u32>,
    /// Stop it after that time, with status 124: 90s, 5m, 1h30m, or a number of seconds
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse_limit)]
    timeout: Option<Millis>,
    /// The time between SIGTERM and SIGKILL when it is stopped [default: 5s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse)]
    grace: Option<Millis>,
    /// Run it again if it fails, up to N times
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = number::parse::<u32>)]
    retry: Option<u32>,
    /// How long to wait before running it again [default: 0s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration::parse, requires = "retry")]
    retry_delay: Option<Millis>,
    /// Make its output a terminal: colors stay, and each line is logged at once
    #[arg(long, help = PTY_HELP)]
    pty: bool,
    #[command(flatten)]
    on: On,
    /// Start it only if it is neither queued nor running; otherwise start nothing, with status 122
    #[arg(long)]
    if_absent: bool,
}

/// A number of tasks, or a percentage of the cores, rounded down; at least one.
pub(crate) fn jobs(text: &str) -> Result<u32, String> {
    let wrong = || format!("it is a number from 1 to {MAX_JOBS}, or a percentage of the cores like 50%");
    let number = |text: &str| text.parse::<u32>().ok().filter(|&number| number > 0).ok_or_else(wrong);
    let jobs = match text.strip_suffix('%') {
        Some(percent) => {
            let cores = available_parallelism().map_or(1, |cores| u64::try_from(cores.get()).unwrap_or(1));
            u32::try_from(cores * u64::from(number(percent)?) / 100).map_err(|_| wrong())?.max(1)
        }
        None => number(text)?,
    };
    if jobs > MAX_JOBS { Err(wrong()) } else { Ok(jobs) }
}

impl Planning {
    /// Begins the requested future.
    pub(crate) fn begin(
        &self,
        store: &Store,
        name: &FutureName,
        request: &Request<'_>,
        start: Start,
    ) -> Result<Started, Failure> {
        let started = if self.if_absent {
            match store.begin_if_absent(name, request, start)? {
                IfAbsent::Started(started) => started,
                IfAbsent::Present(entry) => return Err(Failure::Present(entry)),
            }
        } else {
            store.begin(name, request, start)?
        };
        commands::warn_of_superseded(name, started.superseded.as_deref());
        Ok(started)
    }

    /// The size of the pseudo-terminal that the output of the task is to be, if it is to be one: that of the caller's
    /// terminal, if there is one. Fails if the plan names an engine.
    pub(crate) fn terminal(&self, context: &Context, plan: Option<&Plan>) -> Result<Option<TerminalSize>, Failure> {
        if !self.pty && !context.is_pty()? {
            return Ok(None);
        }
        if let Some(on) = plan.and_then(|plan| plan.on.as_ref()) {
            let what = format!("--pty (or ASYNC_PTY) is for a task that runs here, not on {on}");
            return Err(Failure::Usage(what));
        }
        let sizes = [tcgetwinsize(io::stderr()), tcgetwinsize(io::stdout()), tcgetwinsize(io::stdin())];
        let sizes = sizes.into_iter().flatten().map(|size| TerminalSize { rows: size.ws_row, columns: size.ws_col });
        let mut told = sizes.filter(|size| size.rows > 0 && size.columns > 0);
        Ok(Some(told.next().unwrap_or_default()))
    }

    /// The plan, if any option asks for one.
    pub(crate) fn plan(&self, context: &Context) -> Result<Option<Plan>, Failure> {
        let names = |args: &[OsString]| args.iter().map(|arg| commands::name(arg)).collect::<Result<Vec<_>, _>>();
        let on = self.on.target(context)?;
        // Of several hosts, each has as many places as the limit says.
        let places = on.as_ref().map_or(1, Target::places);
        let jobs = self.jobs.map_or_else(|| jobs_of_variable(context), |jobs| Ok(Some(jobs)))?;
        let plan = Plan {
            after: names(&self.after)?,
            after_any: names(&self.after_any)?,
            jobs: jobs.map(|jobs| jobs.saturating_mul(places).min(MAX_JOBS)),
            timeout: self.timeout,
            grace: self.grace,
            retry: self.retry,
            retry_delay: self.retry_delay,
            sbatch: on.as_ref().map_or_else(Vec::new, |_| self.on.sbatch()),
            on,
            held: false,
        };
        Ok((plan != Plan::default()).then_some(plan))
    }
}

fn jobs_of_variable(context: &Context) -> Result<Option<u32>, Failure> {
    let Some(value) = context.limit() else {
        return Ok(None);
    };
    let text = value.to_string_lossy();
    jobs(&text).map(Some).map_err(|why| Failure::Usage(format!("ASYNC_JOBS can't be `{text}`: {why}")))
}

/// The live future of that store in whose task this process runs, if any, according to the environment (see
/// [`INSIDE`]).
pub(crate) fn parent(store: &Store) -> Option<FutureName> {
    store.inside(&variable(INSIDE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share_of_the_cores() {
        assert_eq!(jobs("3"), Ok(3));
        let cores = u32::try_from(available_parallelism().unwrap().get()).unwrap();
        assert_eq!(jobs("100%"), Ok(cores));
        assert_eq!(jobs("200%"), Ok(2 * cores));
        assert_eq!(jobs("1%"), Ok(1));
        for text in ["", "0", "-1", "%", "0%", "many", "10001", "99999999999%"] {
            assert!(jobs(text).is_err(), "{text}");
        }
    }
}
