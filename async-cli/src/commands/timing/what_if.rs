//! Changes to a run, as the command line writes them.

use async_core::clock::Millis;
use async_core::timing::{Change, Length, Run, Shift};

use crate::commands::run::planning;
use crate::duration;
use crate::failure::Failure;

/// The possible changes, for the help.
macro_rules! changes {
    () => {
        "  jobs=4            no more than 4 tasks run at once; jobs=none: no limit
  cores=8           the tasks share 8 cores
  start:NAME=-30s   it is started 30 s earlier; or +30s, first
  wait:NAME=+30s    it is waited for 30 s later; or -30s, first, last
  run:NAME=50%      its task takes half as long; or 90s, -30s, +30s
  parallel          what ran in the shell itself runs in the background;
                    parallel:NAME: that one does"
    };
}
pub(super) use changes;

/// The error for anything else.
const NO_CHANGE: &str = concat!("a change is one of\n\n", changes!());

/// The longest that a task may become, in percent of its old length.
const MAX_PERCENT: u32 = 100_000;

/// One change, as written.
#[derive(Clone, Debug)]
pub(super) struct WhatIf {
    pub(super) text: String,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Jobs(Option<u32>),
    Cores(u32),
    Parallel,
    /// To each future of that name.
    Each(String, Kind),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Background,
    Start(Shift),
    Wait(Shift),
    Run(Length),
}

/// Parses a change.
pub(super) fn parse(text: &str) -> Result<WhatIf, String> {
    let wanted = match text.split_once(':') {
        None if text == "parallel" => Wanted::Parallel,
        Some(("parallel", name)) if !name.is_empty() => Wanted::Each(name.to_owned(), Kind::Background),
        _ => {
            // A name may contain these signs too.
            let (what, value) = text.rsplit_once('=').ok_or_else(|| NO_CHANGE.to_owned())?;
            match what.split_once(':').unwrap_or((what, "")) {
                ("jobs", "") => Wanted::Jobs(jobs(value)?),
                ("cores", "") => Wanted::Cores(planning::jobs(value)?),
                ("start", name) if !name.is_empty() => Wanted::Each(name.to_owned(), Kind::Start(shift(value, false)?)),
                ("wait", name) if !name.is_empty() => Wanted::Each(name.to_owned(), Kind::Wait(shift(value, true)?)),
                ("run", name) if !name.is_empty() => Wanted::Each(name.to_owned(), Kind::Run(length(value)?)),
                _ => return Err(NO_CHANGE.to_owned()),
            }
        }
    };
    Ok(WhatIf { text: text.to_owned(), wanted })
}

fn jobs(value: &str) -> Result<Option<u32>, String> {
    if value == "none" { Ok(None) } else { planning::jobs(value).map(Some).map_err(|why| why + ", or none") }
}

/// A signed duration, if it is one.
fn signed(value: &str) -> Option<Result<Millis, String>> {
    match value.split_at_checked(1)? {
        ("-", length) => Some(duration::parse(length).map(|length| -length)),
        ("+", length) => Some(duration::parse(length)),
        _ => None,
    }
}

fn shift(value: &str, may_be_last: bool) -> Result<Shift, String> {
    match value {
        "first" => return Ok(Shift::First),
        "last" if may_be_last => return Ok(Shift::Last),
        _ => {}
    }
    signed(value).unwrap_or_else(|| Err("say -30s for 30 s earlier, +30s for 30 s later".to_owned())).map(Shift::By)
}

fn length(value: &str) -> Result<Length, String> {
    if let Some(percent) = value.strip_suffix('%') {
        let percent = percent.parse().ok().filter(|&percent| percent <= MAX_PERCENT);
        return percent.map(Length::Percent).ok_or_else(|| format!("a percentage is 0% to {MAX_PERCENT}%"));
    }
    match signed(value) {
        Some(by) => by.map(Length::By),
        None => duration::parse(value).map(Length::Exactly),
    }
}

impl WhatIf {
    /// The changes for that run.
    pub(super) fn changes(&self, run: &Run) -> Result<Vec<Change>, Failure> {
        let (name, kind) = match &self.wanted {
            Wanted::Jobs(jobs) => return Ok(vec![Change::Jobs(*jobs)]),
            Wanted::Cores(_) if run.cores().is_none() => {
                let why = "none of its tasks ran for long enough to tell what it used";
                return Err(Failure::Usage(format!("{}: {why}", self.text)));
            }
            Wanted::Cores(cores) => return Ok(vec![Change::Cores(*cores)]),
            Wanted::Parallel => return Ok(vec![Change::Parallel]),
            Wanted::Each(name, kind) => (name, *kind),
        };
        let tasks = run.find(name);
        if tasks.is_empty() {
            return Err(Failure::Usage(format!("{}: this run has no future `{name}`", self.text)));
        }
        let change = |task| match kind {
            Kind::Background => Change::Background(task),
            Kind::Start(shift) => Change::Start(task, shift),
            Kind::Wait(shift) => Change::Wait(task, shift),
            Kind::Run(length) => Change::Run(task, length),
        };
        Ok(tasks.into_iter().map(change).collect())
    }
}

/// How to write a change.
pub(super) fn text(change: Change, run: &Run) -> String {
    let shift = |shift: Shift| match shift {
        Shift::By(by) => signed_text(by),
        Shift::First => "first".to_owned(),
        Shift::Last => "last".to_owned(),
    };
    match change {
        Change::Jobs(jobs) => format!("jobs={}", jobs.map_or_else(|| "none".to_owned(), |jobs| jobs.to_string())),
        Change::Cores(cores) => format!("cores={cores}"),
        Change::Parallel => "parallel".to_owned(),
        Change::Background(task) => format!("parallel:{}", run.label(task)),
        Change::Start(task, to) => format!("start:{}={}", run.label(task), shift(to)),
        Change::Wait(task, to) => format!("wait:{}={}", run.label(task), shift(to)),
        Change::Run(task, Length::Percent(percent)) => format!("run:{}={percent}%", run.label(task)),
        Change::Run(task, Length::By(by)) => format!("run:{}={}", run.label(task), signed_text(by)),
        Change::Run(task, Length::Exactly(ms)) => format!("run:{}={}s", run.label(task), async_core::text::seconds(ms)),
    }
}

fn signed_text(ms: Millis) -> String {
    format!("{}{}s", if ms < 0 { '-' } else { '+' }, async_core::text::seconds(ms.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_change_is_refused_with_what_would_be_one() {
        for text in ["", "jobs", "start:=-1s", "stop:a=1s", "start=-1s", "parallel:"] {
            assert!(parse(text).unwrap_err().contains("start:NAME=-30s"), "{text}");
        }
        for (text, why) in [
            ("jobs=0", "or none"),
            ("start:a=30s", "say -30s"),
            ("start:a=last", "say -30s"),
            ("wait:a=", "say -30s"),
            ("start:a=-x", "90s"),
            ("run:a=-5%", "percentage"),
            ("run:a=100001%", "percentage"),
            ("run:a=", "90s"),
        ] {
            assert!(parse(text).unwrap_err().contains(why), "{text}: {}", parse(text).unwrap_err());
        }
    }

    #[test]
    fn what_a_change_is_written_as_is_read_back() {
        let run = Run::default();
        for text_of in ["jobs=4", "jobs=none", "parallel"] {
            assert_eq!(text(parse(text_of).unwrap().changes(&run).unwrap()[0], &run), text_of);
        }
        let name = |text: &str| match parse(text).unwrap().wanted {
            Wanted::Each(name, kind) => (name, format!("{kind:?}")),
            other => panic!("{other:?}"),
        };
        assert_eq!(name("start:a:b=c=-1.5s"), ("a:b=c".to_owned(), "Start(By(-1500))".to_owned()));
        assert_eq!(name("run:a=1m"), ("a".to_owned(), "Run(Exactly(60000))".to_owned()));
        assert_eq!(name("wait:a=last"), ("a".to_owned(), "Wait(Last)".to_owned()));
        assert_eq!(name("parallel:a=b"), ("a=b".to_owned(), "Background".to_owned()));
    }
}
