//! `async collect`: the question of `async_wait` and `async_cleanup`, repeated until nothing is left to wait for.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::RawFd;
use std::process::ExitCode;
use std::str::FromStr;

use async_core::clock::Millis;
use async_core::{FutureName, Store};
use clap::Args;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use super::answer::Answer;
use super::rounds::{Asked, Word};
use crate::cli::{Context, Profile};
use crate::commands::may_take;
use crate::commands::run::planning;
use crate::exit_code::FAILED;
use crate::failure::Failure;
use crate::messages::{self, About, Lines, Output};
use crate::wait::collecting::{
    Collecting, Functions, Awaited, Position, Resumed, Step, WaitOptions, WaitSummary, taken,
};
use crate::wait::panel::Panel;
use crate::wait::started::{tell_of_failed_starts, tell_of_missing, without_calls_for};

/// Collects the futures that are over, in order, up to the first that still runs or fails
///
/// The report goes to --report. The script is answered eight lines: `done`, or `wait` if it is to wait and to ask again, or `list`
/// if all that it waits for is done and it is to say what it has started; the status; the sums of how long what was collected has run, and was waited for, in ms; the process to wait for, and when its
/// future began, in ms since the epoch; a word to ask again with; and what of --noted still holds.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Collect {
    /// The pipe that the script reads the answer from
    #[arg(long, value_name = "FD", default_value_t = -1)]
    answer: RawFd,
    /// The descriptor that the report goes to
    #[arg(long, value_name = "FD", default_value_t = -1)]
    report: RawFd,
    /// The process id of the shell that asks
    #[arg(long, value_name = "PID", default_value_t)]
    shell: u32,
    /// How long all that was collected before has run
    #[arg(long, value_name = "MS", default_value = "0")]
    ran: Sum,
    /// How long it was waited for
    #[arg(long, value_name = "MS", default_value = "0")]
    waited: Sum,
    /// The word of the answer before
    #[arg(long, value_name = "WORD")]
    resume: Option<Resume>,
    /// What the shell's own wait has seen since
    #[arg(long)]
    status: Option<i32>,
    /// Sleep until that one is over, and do nothing else
    #[arg(long, requires = "resume")]
    block: bool,
    /// What the script has noted of futures that were not collected since: `/NAME/` of what did not start, where there may be
    /// other words among the names, and `/=NAME/` of what did. For a slash in a word stands a character 1.
    #[arg(long, value_name = "/NAME/=NAME/...", default_value = "")]
    noted: OsString,
    /// How many futures the shell remembers, with one word more
    #[arg(long, value_name = "N", default_value_t)]
    remembered: usize,
    /// What the answer `list` asks for: after a first word, SHELL-START/NAME of each
    #[arg(long, value_name = "WORD", num_args = 1..)]
    started: Vec<OsString>,
    /// All live futures, with a warning for each
    #[arg(long)]
    cleanup: bool,
    /// What `async_wait` was given: names, and in the standalone profile options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// A sum of times in a variable of the script, in ms. Anything else counts as zero.
#[derive(Clone, Copy, Debug)]
struct Sum(Millis);

impl FromStr for Sum {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse().unwrap_or(0)))
    }
}

/// The word from the previous answer.
#[derive(Clone, Debug)]
enum Resume {
    InOrder(InOrder),
    Rounds(Box<Word>),
}

impl FromStr for Resume {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|word| Self::Rounds(Box::new(word))).or_else(|_| text.parse().map(Self::InOrder))
    }
}

/// Where to continue a wait that takes the names in order, up to the first that fails.
#[derive(Clone, Debug)]
struct InOrder {
    /// The position in the list of names.
    from: Position,
    /// When the wait for that future began, in ms since the epoch.
    since: Millis,
    /// In a cleanup, the name of that future, and the status so far.
    cleanup: Option<(FutureName, u8)>,
}

impl fmt::Display for InOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.from, self.since)?;
        if let Some((name, rc)) = &self.cleanup {
            write!(f, "/{rc}/")?;
            name.as_str().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        Ok(())
    }
}

impl FromStr for InOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('/');
            let from = parts.next()?.parse().ok()?;
            let since = parts.next()?.parse().ok()?;
            let cleanup = match (parts.next(), parts.next()) {
                (Some(rc), Some(name)) => {
                    let byte = |at| u8::from_str_radix(name.get(at..at + 2)?, 16).ok();
                    let bytes: Option<Vec<u8>> = (0..name.len()).step_by(2).map(byte).collect();
                    Some((String::from_utf8(bytes?).ok()?.parse().ok()?, rc.parse().ok()?))
                }
                _ => None,
            };
            Some(Self { from, since, cleanup })
        };
        parse().ok_or("it is no word of an answer")
    }
}

/// How much of the script's notes to keep, in bytes. A pipe has 64 KiB.
const MAX_NOTED_BYTES: usize = 30_000;

/// The limit for the rest, and for everything together, in bytes.
const MAX_TEXT_BYTES: usize = 60_000;
const MAX_BYTES: usize = 65_000;

/// How far the wait got: the future to wait for, or none when done.
type Found = Result<Option<(Awaited, InOrder)>, Failure>;

/// The part of an answer that differs between answers.
enum Reply {
    Done(u8),
    List,
    Wait { rc: u8, pid: Option<String>, started: String, word: String },
}

impl Collect {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = context.store()?;
        let functions = Functions { context, noted: &self.noted };
        if self.block {
            // This process only sleeps for its shell, which may be gone already.
            let panel = Panel::of_shell(context, self.shell)?;
            let signal = if panel.is_some() { Signal::SIGTERM } else { Signal::SIGKILL };
            set_pdeathsig(signal).map_err(|errno| Failure::Task(errno.into()))?;
            if getppid().as_raw().cast_unsigned() != self.shell {
                return Ok(ExitCode::SUCCESS);
            }
            return self.sleep(context, &store, functions, panel).map(|()| ExitCode::SUCCESS);
        }
        let mut answer = Answer::on(self.answer)?;
        let mut output = Output::descriptor(self.report)?;
        let mut collecting = self.collecting(&store, &mut output, functions);
        // Parsed once, because this runs for each future. In devstack, all words are names.
        let asked = (context.profile() == Profile::Standalone).then(|| Asked::read(&self.words, self.cleanup));
        let (asked, refused) = match asked.transpose() {
            Ok(asked) => (asked, None),
            Err(failure) => (None, Some(failure)),
        };
        let reply = match (&self.resume, refused, &asked) {
            _ if !self.started.is_empty() => {
                tell_of_missing(&store, context.script().as_ref(), &self.started, &self.noted).map(Reply::Done)
            }
            (Some(Resume::InOrder(_)), ..) | (_, None, None) => self.in_order(functions, &mut collecting),
            (_, Some(failure), _) => Err(failure),
            (Some(Resume::Rounds(word)), None, Some(asked)) => {
                self.in_rounds(context, asked, &mut collecting, Some(word))
            }
            (None, None, Some(asked)) => self.in_rounds(context, asked, &mut collecting, None),
        };
        let WaitSummary { background, waited, .. } = collecting.summary;
        let background = self.ran.0.saturating_add(background);
        let waited = self.waited.0.saturating_add(waited);
        // Everything collected before a failure still counts.
        let reply = reply.unwrap_or_else(|failure| Reply::Done(failure.report()));
        let (reply, is_told) = self.with_what_is_missing(asked.as_ref(), reply);
        let (what, rc, next) = match reply {
            Reply::Done(rc) => ("done", rc, "0\n0\n-".to_owned()),
            Reply::List => ("list", 0, "0\n0\n-".to_owned()),
            Reply::Wait { rc, pid, started, word } => {
                // The shell gets a number, even if something else wrote the record.
                let pid = pid.and_then(|pid| pid.parse::<u32>().ok()).unwrap_or(0);
                ("wait", rc, format!("{pid}\n{started}\n{word}"))
            }
        };
        // A future that was started after all, and collected, is there for any later wait.
        let mut noted = if is_told { Vec::new() } else { self.noted.clone().into_encoded_bytes() };
        for name in &collecting.collected {
            noted = without_calls_for(&without(&noted, &format!("/={name}/")), name);
        }
        let mut text = format!("{what}\n{rc}\n{background}\n{waited}\n{next}\n").into_bytes();
        // The shell only reads after this process has ended, so everything has to fit into the pipe.
        if text.len() > MAX_TEXT_BYTES {
            return Err(Failure::Usage(format!("{} are too many futures to wait for at once", self.words.len())));
        }
        noted.truncate(MAX_NOTED_BYTES.min(MAX_BYTES - text.len()));
        text.extend(noted.into_iter().map(|byte| if byte == b'\n' { b' ' } else { byte }).chain(*b"\n"));
        answer.give(&text).map_err(Failure::Answer)?;
        Ok(ExitCode::SUCCESS)
    }

    /// If something could not start, or is gone, a wait for everything that the script has started fails, unless
    /// another failure ends it. This is reported once; returns whether it reported something that could not start.
    fn with_what_is_missing(&self, asked: Option<&Asked>, reply: Reply) -> (Reply, bool) {
        let (Reply::Done(rc), Some(asked)) = (&reply, asked.filter(|asked| asked.is_for_all())) else {
            return (reply, false);
        };
        let rc = *rc;
        let has_all = self.started.is_empty() && asked.takes_all();
        if rc == 0 && has_all && self.remembered > 1 {
            return (Reply::List, false);
        }
        let has_failed = tell_of_failed_starts(&self.noted) > 0;
        (Reply::Done(if rc == 0 && has_failed { FAILED } else { rc }), has_failed)
    }

    fn collecting<'a>(&'a self, store: &'a Store, output: &'a mut Output, functions: Functions<'a>) -> Collecting<'a> {
        Collecting {
            store,
            words: &self.words,
            output,
            shell: Some(self.shell),
            functions: Some(functions),
            parent: planning::parent(store),
            options: WaitOptions::usual(Lines::AmongLogs),
            began: None,
            has_limit: false,
            summary: WaitSummary::default(),
            collected: Vec::new(),
        }
    }

    /// A wait for one name after another, as in the original.
    fn in_order(&self, functions: Functions<'_>, collecting: &mut Collecting<'_>) -> Result<Reply, Failure> {
        let found = if self.cleanup { self.clean_up(functions, collecting)? } else { self.wait(collecting)? };
        let rc = collecting.summary.rc;
        Ok(found.map_or(Reply::Done(rc), |(Awaited { pid, from, .. }, resume)| {
            let started = from.started().unwrap_or(0).to_string();
            Reply::Wait { rc, pid, started, word: resume.to_string() }
        }))
    }

    fn in_rounds(
        &self,
        context: &Context,
        asked: &Asked,
        collecting: &mut Collecting<'_>,
        word: Option<&Word>,
    ) -> Result<Reply, Failure> {
        Ok(match asked.round(context, collecting, word, self.status)? {
            Err(rc) => Reply::Done(rc),
            Ok(answer) => {
                Reply::Wait { rc: 0, pid: answer.pid, started: answer.started, word: answer.word.to_string() }
            }
        })
    }

    /// Sleeps until the shell should ask again.
    fn sleep(
        &self,
        context: &Context,
        store: &Store,
        functions: Functions<'_>,
        panel: Option<Panel>,
    ) -> Result<(), Failure> {
        match &self.resume {
            Some(Resume::Rounds(word)) => {
                let mut output = Output::stdout()?;
                let collecting = self.collecting(store, &mut output, functions);
                Asked::read(&self.words, self.cleanup)?.block(context, collecting, word, panel)
            }
            Some(Resume::InOrder(resume)) => {
                let name = self.pending(store, functions, resume)?;
                name.map_or(Ok(()), |name| Ok(store.block(&name)?))
            }
            None => Ok(()),
        }
    }

    /// The future that the last answer named.
    fn pending(
        &self,
        store: &Store,
        functions: Functions<'_>,
        resume: &InOrder,
    ) -> Result<Option<FutureName>, Failure> {
        match resume {
            InOrder { cleanup: Some((name, _)), .. } => Ok(Some(name.clone())),
            InOrder { from, .. } => Collecting::name_at(store, Some(functions), &self.words, *from),
        }
    }

    fn in_order_from(&self) -> Option<&InOrder> {
        match &self.resume {
            Some(Resume::InOrder(resume)) => Some(resume),
            _ => None,
        }
    }

    fn resumed(&self) -> Resumed {
        let since = self.in_order_from().map(|resume| resume.since);
        Resumed { since, status: self.status, asked: since.is_some() }
    }

    fn wait(&self, collecting: &mut Collecting<'_>) -> Found {
        let from = self.in_order_from().map(|resume| resume.from).unwrap_or_default();
        let pending = collecting.run(from, self.resumed())?;
        Ok(pending.map(|pending| {
            let resume = InOrder { from: pending.from, since: pending.since, cleanup: None };
            (pending, resume)
        }))
    }

    /// Goes through the live futures by name. One that can't be collected does not prevent the others.
    fn clean_up(&self, functions: Functions<'_>, collecting: &mut Collecting<'_>) -> Found {
        let (mut at, mut status) = match self.in_order_from().and_then(|resume| resume.cleanup.clone()) {
            Some((name, status)) => (Some(name), status),
            None => (None, 0),
        };
        let mut resumed = at.is_some().then(|| self.resumed());
        let names = collecting.store.names()?;
        for name in names {
            let resumed = match at.as_ref().map(|at| name.cmp(at)) {
                Some(std::cmp::Ordering::Less) => continue,
                Some(std::cmp::Ordering::Equal) => resumed.take(),
                _ => None,
            };
            if resumed.is_none() && at.as_ref() == Some(&name) {
                continue;
            }
            if resumed.is_none() && !may_take(&collecting.caller(), collecting.store, &name) {
                continue;
            }
            let expected = resumed.and_then(|_| self.in_order_from()?.from.started());
            if resumed.is_none() {
                collecting.say(About::Progress, &messages::uncollected(&name))?;
            }
            at = Some(name.clone());
            match collecting.step(&name, expected, resumed.unwrap_or_default()) {
                Ok(Step::StillRuns { pid, started, since, .. }) => {
                    let from = Position::of(started);
                    let resume = InOrder { from, since, cleanup: Some((name, status)) };
                    return Ok(Some((Awaited { from, pid, since }, resume)));
                }
                Ok(Step::Collected { .. }) if collecting.summary.rc != 0 => {
                    collecting.say_that_it_stops(name.as_str())?;
                }
                Ok(Step::NotThere) if resumed.is_none() => collecting.not_waiting_for(name.as_str().as_ref())?,
                Ok(_) => {}
                Err(failure) => status = failure.report(),
            }
        }
        for name in functions.names_started().filter(|name| !collecting.collected.contains(name)) {
            // A future that the store does not know may belong to another store.
            if collecting.store.read(&name)?.is_none()
                && let Some((kept, false)) = collecting.kept_of(functions, &name)?
            {
                status = taken(&name, &kept).report();
            }
        }
        collecting.summary.rc = status;
        Ok(None)
    }
}

/// The notes without `that`, which stands between two slashes; the second slash may also begin the next note.
fn without(noted: &[u8], that: &str) -> Vec<u8> {
    let mut left = Vec::with_capacity(noted.len());
    let mut rest = noted;
    while let Some((first, others)) = rest.split_first() {
        if rest.starts_with(that.as_bytes()) {
            rest = &rest[that.len() - 1..];
        } else {
            left.push(*first);
            rest = others;
        }
    }
    left
}
