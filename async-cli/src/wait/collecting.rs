//! Collecting by name, as `async_wait` does: one future after another, until one fails.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;

use async_core::clock::{self, Millis};
use async_core::store::COLLECTING_TIMEOUT;
use async_core::{Caller, Claim, FutureName, Outcome, Ready, Record, Store, Wait, text};

use crate::cli::{Context, Profile};
use crate::commands;
use crate::escapes::Filter;
use crate::failure::{Failure, warn};
use crate::format;
use crate::messages::{self, About, Lines, Output};
use crate::wait::dump;
use crate::wait::started::{calls, wants_only_if_absent};

/// The result so far.
#[derive(Debug, Default)]
pub(crate) struct WaitSummary {
    /// The exit status of the last one; 125 if it is unknown.
    pub(crate) rc: u8,
    /// Their total run time, in ms.
    pub(crate) background: Millis,
    /// The time spent waiting for them, in ms.
    pub(crate) waited: Millis,
    /// The ones that did not succeed.
    pub(crate) failed: Vec<Failed>,
}

/// A future that did not succeed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) name: FutureName,
    /// Its exit status, or a substitute; none if it could not be waited for.
    pub(crate) rc: Option<u8>,
    /// What happened to it, for a person: `with status 3`.
    pub(crate) how: String,
}

/// What to do with a future that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitOptions {
    /// Where to print the lines about it.
    pub(crate) lines: Lines,
    /// Whether to print its log.
    pub(crate) log: bool,
    /// Whether to keep it for a later wait.
    pub(crate) keep: bool,
}

impl WaitOptions {
    /// The options of `async_wait`.
    pub(crate) fn usual(lines: Lines) -> Self {
        Self { lines, log: true, keep: false }
    }

    /// For a batch: nothing is printed or collected yet.
    pub(crate) const BATCHED: Self = Self { lines: Lines::Nowhere, log: false, keep: true };
}

/// A position in the list of names: the argument, the name in it if it stands for several, and the start (ms since the
/// epoch) of the future that had that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    argument: usize,
    word: usize,
    started: Option<Millis>,
}

impl Position {
    /// The only argument, for a future with that start.
    pub(crate) fn of(started: Millis) -> Self {
        Self { started: Some(started), ..Self::default() }
    }

    /// The start of the future at that position, in ms since the epoch, if one was found.
    pub(crate) fn started(self) -> Option<Millis> {
        self.started
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.argument, self.word)?;
        self.started.map_or(Ok(()), |started| write!(f, ".{started}"))
    }
}

impl FromStr for Position {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let argument = parts.next()?.parse().ok()?;
            let word = parts.next()?.parse().ok()?;
            let started = parts.next().map(str::parse).transpose().ok()?;
            Some(Self { argument, word, started })
        };
        parse().ok_or("a position is ARGUMENT.WORD or ARGUMENT.WORD.STARTED")
    }
}

/// A future that must end first.
#[derive(Debug)]
pub(crate) struct Awaited {
    /// Its position in the list of names.
    pub(crate) from: Position,
    /// The process that runs it, as recorded.
    pub(crate) pid: Option<String>,
    /// When the wait for it began, in ms since the epoch.
    pub(crate) since: Millis,
}

/// The functions of a waiting script.
#[derive(Clone, Copy)]
pub(crate) struct Functions<'a> {
    pub(crate) context: &'a Context,
    /// Their notes on futures that were not collected since: `/NAME/` for one that did not start, and `/=NAME/` for one
    /// that did, where that matters.
    pub(crate) noted: &'a OsStr,
}

impl Functions<'_> {
    /// Whether arguments are names, and anything else is an error. In devstack they mean what they mean to the
    /// original.
    fn knows_names(&self) -> bool {
        self.context.profile() == Profile::Standalone
    }

    /// Whether the script has used that name for a future that did not start.
    fn has_not_started(&self, name: &OsStr) -> bool {
        // The standalone functions write this for a slash.
        let without_slashes = name.as_encoded_bytes().iter().map(|&byte| if byte == b'/' { 1 } else { byte });
        self.have_noted("/", name) || self.have_noted("/", &OsString::from_vec(without_slashes.collect()))
    }

    /// Whether the script has used that name for a future that started.
    fn has_started(&self, name: &OsStr) -> bool {
        self.have_noted("/=", name)
    }

    /// The names that the script has used for futures that started.
    pub(crate) fn names_started(&self) -> impl Iterator<Item = FutureName> {
        let noted = self.noted.to_str().unwrap_or_default();
        noted.split('/').filter_map(|name| name.strip_prefix('=')?.parse().ok())
    }

    /// Whether the script may have wanted to start it only if absent: a call has both words.
    fn has_found_there(&self, name: &OsStr) -> bool {
        calls(self.noted.as_encoded_bytes()).any(|call| wants_only_if_absent(call, name.as_encoded_bytes()))
    }

    fn have_noted(&self, before: &str, name: &OsStr) -> bool {
        let note = [before.as_bytes(), name.as_encoded_bytes(), b"/"].concat();
        self.noted.as_encoded_bytes().windows(note.len()).any(|it| it == note)
    }
}

/// A wait for several names. It can stop while one of them is running, and continue later.
pub(crate) struct Collecting<'a> {
    pub(crate) store: &'a Store,
    /// The names, as on the command line.
    pub(crate) words: &'a [OsString],
    pub(crate) output: &'a mut Output,
    /// The asking shell, if any: its own wait may know the status of a future that left no result.
    pub(crate) shell: Option<u32>,
    /// The asking functions, if any. A future that their script has started and somebody else has taken is an error.
    pub(crate) functions: Option<Functions<'a>>,
    /// The parent future, in whose task this happens. It donates its slot to an awaited one.
    pub(crate) parent: Option<FutureName>,
    pub(crate) options: WaitOptions,
    /// When the wait began, in ms since the epoch, if that was before this name's turn.
    pub(crate) began: Option<Millis>,
    /// Whether the wait may end before the awaited future does.
    pub(crate) has_limit: bool,
    pub(crate) summary: WaitSummary,
    /// The names of those that have left the live ones.
    pub(crate) collected: Vec<FutureName>,
}

/// What the wait knew of the current future when it stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resumed {
    /// When the wait began, in ms since the epoch; its waiting line has been printed.
    pub(crate) since: Option<Millis>,
    /// The status that the shell's own wait saw.
    pub(crate) status: Option<i32>,
    /// Whether the shell knew which process to wait for.
    pub(crate) asked: bool,
}

/// The result for one name.
pub(crate) enum Step {
    NotThere,
    Collected {
        started: Millis,
        since: Millis,
    },
    /// Its task is running; or it `is_over`, and its shell may know more about that, or another process has it.
    StillRuns {
        pid: Option<String>,
        started: Millis,
        since: Millis,
        is_over: bool,
    },
}

impl Collecting<'_> {
    /// The same for a while, with nothing collected yet.
    pub(crate) fn reborrow(&mut self) -> Collecting<'_> {
        Collecting {
            store: self.store,
            words: self.words,
            output: &mut *self.output,
            shell: self.shell,
            functions: self.functions,
            parent: self.parent.clone(),
            options: self.options,
            began: self.began,
            has_limit: self.has_limit,
            summary: WaitSummary::default(),
            collected: Vec::new(),
        }
    }

    /// Collects from that position on. Returns the first future that is still running, or none when done.
    pub(crate) fn run(&mut self, from: Position, mut resumed: Resumed) -> Result<Option<Awaited>, Failure> {
        let mut expected = from.started;
        for (argument, given) in self.words.iter().enumerate().skip(from.argument) {
            let first = if argument == from.argument { from.word } else { 0 };
            let names = names_in(self.store, self.functions, given, first, expected)?;
            for (word, text) in names.iter().enumerate().skip(first) {
                let resumed = std::mem::take(&mut resumed);
                let expected = expected.take();
                let step = match FutureName::from_arg(text) {
                    Ok(name) => self.step(&name, expected, resumed)?,
                    Err(_) => Step::NotThere,
                };
                match step {
                    Step::NotThere => self.is_not_there(text, expected)?,
                    Step::Collected { .. } => {}
                    Step::StillRuns { pid, started, since, .. } => {
                        let from = Position { argument, word, started: Some(started) };
                        return Ok(Some(Awaited { from, pid, since }));
                    }
                }
                if self.summary.rc != 0 {
                    self.say_that_it_stops(&text::printable_command(self.words))?;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// The name at that position in the words, if it is one.
    pub(crate) fn name_at(
        store: &Store,
        functions: Option<Functions<'_>>,
        words: &[OsString],
        at: Position,
    ) -> Result<Option<FutureName>, Failure> {
        let Some(given) = words.get(at.argument) else {
            return Ok(None);
        };
        let names = names_in(store, functions, given, at.word, at.started)?;
        Ok(names.get(at.word).and_then(|name| FutureName::from_arg(name).ok()))
    }

    /// Handles one name. If `expected` gives a start, a future with another start is not the one: somebody has
    /// collected the first, and another has its name now.
    pub(crate) fn step(
        &mut self,
        name: &FutureName,
        expected: Option<Millis>,
        resumed: Resumed,
    ) -> Result<Step, Failure> {
        let claim = self.store.claim_for(name, self.shell)?;
        let record = match &claim {
            Claim::Unknown => return Ok(Step::NotThere),
            Claim::Running(record) | Claim::BeingCollected(record) => record,
            Claim::Ready(ready) => ready.record(),
        };
        if expected.is_none() {
            self.must_not_be_replaced(name, record)?;
        }
        let started = record.start_time;
        if expected.is_some_and(|expected| expected != started) {
            return Ok(Step::NotThere);
        }
        let since = if let Some(since) = resumed.since {
            since
        } else {
            if let Claim::Running(_) = claim {
                self.must_end(name)?;
            }
            if self.options.lines.are_heard(About::Progress) {
                let (command, others) = (messages::command(record), self.others(name)?);
                let text = format!("Waiting for completion of {command} ({others} other jobs running)");
                self.say(About::Progress, &messages::record_line(name, record, &text))?;
            }
            self.began.unwrap_or_else(clock::wall)
        };
        match claim {
            Claim::Unknown => Ok(Step::NotThere),
            Claim::Running(record) => {
                self.donate_to(name)?;
                Ok(Step::StillRuns { pid: record.pid, started, since, is_over: false })
            }
            Claim::BeingCollected(record) => {
                let over = record.end_time.unwrap_or(since).max(since);
                if self.shell.is_none() || clock::length(clock::wall() - over) >= COLLECTING_TIMEOUT {
                    return Err(async_core::Error::BeingCollected(name.to_string()).into());
                }
                // The shell's own wait would report the end of its child, which belongs to the first future.
                Ok(Step::StillRuns { pid: None, started, since, is_over: false })
            }
            Claim::Ready(ready)
                if self.shell.is_some() && !ready.record().is_synchronous() && ready.is_lost() && !resumed.asked =>
            {
                Ok(Step::StillRuns { pid: ready.record().pid.clone(), started, since, is_over: true })
            }
            Claim::Ready(ready) => {
                self.hand_over(name, ready, since, resumed.status)?;
                Ok(Step::Collected { started, since })
            }
        }
    }

    /// How many other futures are running. The original counts all records, including the awaited future's.
    fn others(&self, name: &FutureName) -> Result<String, Failure> {
        if self.options.lines == Lines::AmongLogs {
            return Ok(self.store.live_count()?.to_string());
        }
        let (count, may_be_more) = self.store.running_beside(name)?;
        Ok(if may_be_more { format!("at least {count}") } else { count.to_string() })
    }

    /// Donates the waiting task's slot, if there is one, to a future that is held back.
    pub(crate) fn donate_to(&self, name: &FutureName) -> Result<(), Failure> {
        let Some(inside) = &self.parent else {
            return Ok(());
        };
        self.store.refuse_own_wait(inside, name)?;
        Ok(self.store.donate(inside, name, self.waiter())?)
    }

    /// Checks that the awaited future does not itself wait for the task of this wait.
    fn must_end(&self, name: &FutureName) -> Result<(), Failure> {
        let Some(inside) = &self.parent else {
            return Ok(());
        };
        if self.has_limit {
            return Ok(self.store.refuse_own_wait(inside, name)?);
        }
        Ok(self.store.note_wait(inside, name, self.waiter())?)
    }

    fn waiter(&self) -> u32 {
        self.shell.unwrap_or_else(std::process::id)
    }

    /// The caller. Most waits do not need it, so it is found only when it matters.
    pub(crate) fn caller(&self) -> Caller {
        self.functions.map_or(Caller::Program, |functions| functions.context.caller())
    }

    /// Reports a name without a live future, or an invalid name. A wait may already have begun, for the future with the
    /// start `expected`.
    pub(crate) fn is_not_there(&mut self, text: &OsStr, expected: Option<Millis>) -> Result<(), Failure> {
        if let (Ok(name), true) = (FutureName::from_arg(text), expected.is_some()) {
            return self.has_been_collected(&name, expected);
        }
        if let Some(functions) = self.functions.filter(|functions| !functions.knows_names()) {
            return self.is_not_there_as_in_the_original(functions, text);
        }
        let (name, kept) = self.kept(text)?;
        self.tell_again(&name, &kept)
    }

    /// A collected future of a name without a live one: as in bash's own wait, it returns its status again.
    pub(crate) fn kept(&self, text: &OsStr) -> Result<(FutureName, Record), Failure> {
        if self.functions.is_some_and(|functions| functions.has_not_started(text)) {
            return Err(Failure::NotStarted(text.to_owned()));
        }
        let name = commands::name(text)?;
        let kept = match self.functions {
            Some(functions) => self.kept_of(functions, &name)?,
            None => self.store.last_collected(&name)?.map(|kept| (kept, true)),
        };
        match kept {
            Some((kept, false)) => Err(taken(&name, &kept)),
            // A future that the script has cleared away does not count.
            Some((kept, true)) if kept.wait_end.is_some() => Ok((name, kept)),
            _ => Err(self.store.unknown(&name).into()),
        }
    }

    fn is_not_there_as_in_the_original(&mut self, functions: Functions<'_>, text: &OsStr) -> Result<(), Failure> {
        if functions.has_not_started(text) {
            return Err(Failure::NotStarted(text.to_owned()));
        }
        let Ok(name) = FutureName::from_arg(text) else {
            return self.not_waiting_for(text);
        };
        match self.kept_of(functions, &name)? {
            Some((kept, false)) => Err(taken(&name, &kept)),
            None if functions.has_started(text) => Err(Failure::removed(&name, self.store)),
            _ => self.not_waiting_for(text),
        }
    }

    /// The record of the last future of that name that concerns the script, and whether the script itself collected it.
    pub(crate) fn kept_of(
        &self,
        functions: Functions<'_>,
        name: &FutureName,
    ) -> Result<Option<(Record, bool)>, Failure> {
        let Some(script) = functions.context.script() else {
            // Nothing tells one caller from another.
            return Ok(self.store.last_kept(name, None)?.map(|kept| (kept, true)));
        };
        let kept = self.store.last_of(&script, name)?;
        Ok(kept.map(|kept| {
            let is_ours = kept.taken_by.as_ref() == Some(&script);
            (kept, is_ours)
        }))
    }

    /// Once begun, a wait never ends as if the future had not existed: it gets the status that its collector recorded.
    pub(crate) fn has_been_collected(&mut self, name: &FutureName, started: Option<Millis>) -> Result<(), Failure> {
        match self.store.last_kept(name, started)? {
            Some(kept) => self.tell_again(name, &kept),
            None => Err(self.store.unknown(name).into()),
        }
    }

    /// Reports the end of a future that was collected before.
    fn tell_again(&mut self, name: &FutureName, kept: &Record) -> Result<(), Failure> {
        let outcome = kept.outcome(None, clock::wall());
        let text = format!("collected before: {}, with result {}", messages::command(kept), messages::result(&outcome));
        self.say(About::end(outcome.rc), &messages::record_line(name, kept, &text))?;
        self.count(name, &outcome);
        Ok(())
    }

    /// Checks that this future, if somebody else started it, has not replaced the script's own future of that name.
    pub(crate) fn must_not_be_replaced(&self, name: &FutureName, live: &Record) -> Result<(), Failure> {
        let Some(functions) = self.functions else {
            return Ok(());
        };
        let Some(script) = functions.context.script() else {
            return Ok(());
        };
        if live.script.as_ref() == Some(&script) {
            return Ok(());
        }
        let text = name.as_str().as_ref();
        if functions.has_not_started(text) && (live.script.is_some() || functions.has_found_there(text)) {
            return Err(Failure::NotStarted(name.as_str().into()));
        }
        match self.store.last_of(&script, name)? {
            Some(kept) if kept.taken_by.as_ref() != Some(&script) => Err(taken(name, &kept)),
            _ => Ok(()),
        }
    }

    pub(crate) fn not_waiting_for(&mut self, name: &OsStr) -> Result<(), Failure> {
        let name = text::printable(name);
        self.say(
            About::Failure,
            &format!("Not waiting for async task {name} that we never started or has already been waited for\n"),
        )
    }

    pub(crate) fn say_that_it_stops(&mut self, because: &str) -> Result<(), Failure> {
        self.say(About::Failure, &format!("Stopping async wait due to error: {because}\n"))
    }

    pub(crate) fn say(&mut self, about: About, line: &str) -> Result<(), Failure> {
        self.options.lines.say_beside(self.output, about, line)
    }

    /// Prints log and result, then moves the future out of the live ones.
    fn hand_over(
        &mut self,
        name: &FutureName,
        mut ready: Ready<'_>,
        since: Millis,
        shell_status: Option<i32>,
    ) -> Result<(), Failure> {
        let mut passed_on = None;
        if !ready.record().is_synchronous() && self.options.log {
            match ready.log()? {
                Some(log) => {
                    let failed = |source| Failure::Log { name: name.to_string(), source };
                    if ready.record().pty {
                        let mut filter = Filter::new(self.output.has_colors());
                        self.output.pass_on_through(&mut filter, &log).map_err(failed)?;
                        self.output.write_all(&filter.finish()).map_err(failed)?;
                    } else {
                        self.output.pass_on(&log).map_err(failed)?;
                    }
                    passed_on = Some(log);
                }
                None if !ready.record().has_log => {}
                None => warn(&format!("the log of `{name}` is gone: {}", self.store.log_path(name).display())),
            }
        }
        let outcome = ready.outcome(shell_status);
        let wait = Wait { start: since, end: clock::wall().max(since) };
        let command = messages::command(ready.record());
        let text = format!("finished {command} with result {}", messages::result(&outcome));
        self.say(About::end(outcome.rc), &messages::record_line(name, ready.record(), &text))?;
        if outcome.lost {
            self.say(About::Failure, &messages::record_line(name, ready.record(), &messages::lost(ready.record())))?;
        }
        if let Some(bytes) = ready.record().unlogged {
            let text =
                format!("{bytes} bytes of what it has printed are missing in its log, which could not be written");
            self.say(About::Failure, &messages::record_line(name, ready.record(), &text))?;
        }
        if outcome.rc != Some(0) && self.functions.is_some_and(|functions| !functions.knows_names()) {
            dump::print(self.store, name, &outcome, passed_on);
        }
        if !self.options.keep {
            ready.archive(&self.caller(), wait, &outcome)?;
            self.collected.push(name.clone());
        }
        self.count(name, &outcome);
        self.summary.background = self.summary.background.saturating_add(outcome.run_time.unwrap_or(0));
        self.summary.waited = self.summary.waited.saturating_add(wait.end.saturating_sub(wait.start));
        Ok(())
    }

    fn count(&mut self, name: &FutureName, outcome: &Outcome) {
        self.summary.rc = outcome.rc.map_or(125, |rc| u8::try_from(rc).unwrap_or(125));
        if self.summary.rc != 0 {
            self.summary.failed.push(Failed {
                name: name.clone(),
                rc: Some(self.summary.rc),
                how: messages::failed(outcome),
            });
        }
    }
}

/// The names that an argument stands for. The original splits arguments at blanks, so in devstack an argument that
/// names no future stands for several names; `word` is beyond 0 only if an earlier call found that.
fn names_in(
    store: &Store,
    functions: Option<Functions<'_>>,
    given: &OsStr,
    word: usize,
    expected: Option<Millis>,
) -> Result<Vec<OsString>, Failure> {
    let is_one = || -> Result<bool, Failure> {
        let is_noted = functions.is_some_and(|functions| {
            functions.knows_names() || functions.has_not_started(given) || functions.has_started(given)
        });
        let Ok(name) = FutureName::from_arg(given) else {
            return Ok(is_noted);
        };
        // The awaited future may have been collected meanwhile.
        let is_kept = || expected.map_or(Ok(false), |_| Ok::<_, Failure>(store.last_kept(&name, expected)?.is_some()));
        Ok(is_noted || store.read(&name)?.is_some() || is_kept()?)
    };
    match given.to_str().filter(|text| text.contains(char::is_whitespace)) {
        Some(text) if word > 0 || !is_one()? => Ok(text.split_whitespace().map(OsString::from).collect()),
        _ => Ok(vec![given.to_owned()]),
    }
}

/// The failure of a wait for the script's own future that somebody else has taken.
pub(crate) fn taken(name: &FutureName, kept: &Record) -> Failure {
    let how = match (kept.wait_end, &kept.taken_by) {
        (Some(end), Some(taker)) => format!("process {} has collected it at {}", taker.pid(), format::moment(end)),
        (Some(end), None) => format!("somebody has collected it at {}", format::moment(end)),
        (None, _) => "a later future has its name".to_owned(),
    };
    Failure::Taken { name: name.to_string(), how }
}
