//! Running tasks elsewhere: what a launcher is, and which there are.
//!
//! A future whose task runs elsewhere has a supervisor here as any other has, its **attendant**: that holds the record's lock,
//! hands the task to an engine as a **job**, and copies what the job prints. Only the job says how it ended; the engine only
//! says that it is over; and no answer is no news. An attendant that is gone is replaced by whoever looks next.

mod command;
mod folder;
mod polls;
mod slurm;
mod ssh;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::record::{Argument, Cause};
use crate::supervise::Gated;

pub(crate) use folder::Folder;
use slurm::Slurm;
use ssh::Ssh;

/// Where a task runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// On a node of the cluster that this host submits to.
    Slurm,
    /// On that host, as ssh(1) knows it.
    Ssh(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "slurm" {
            return Ok(Self::Slurm);
        }
        let host = text.strip_prefix("ssh:").ok_or("it is `here`, `slurm` or `ssh:HOST`")?;
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == ',';
        match host {
            "" => Err("behind `ssh:` stands no host".to_owned()),
            _ if host.starts_with('-') || host.contains(is_odd) => Err("that is no name of a host".to_owned()),
            _ => Ok(Self::Ssh(host.to_owned())),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slurm => f.write_str("slurm"),
            Self::Ssh(host) => write!(f, "ssh:{host}"),
        }
    }
}

impl Target {
    /// What submits there; `options` are the caller's for that engine.
    pub(crate) fn launcher(&self, options: &[String]) -> Box<dyn Launcher> {
        match self {
            Self::Slurm => Box::new(Slurm::new(options)),
            Self::Ssh(host) => Box::new(Ssh::new(host)),
        }
    }
}

/// What an engine has a job do, once or more often.
#[derive(Debug)]
pub struct Program {
    /// The program and its arguments, unless there is a script.
    pub argv: Vec<OsString>,
    /// What bash is to run.
    pub script: Option<Vec<u8>>,
    /// What it has in its environment beside what the engine and this process give it.
    pub variables: Vec<(OsString, OsString)>,
    /// Where it works.
    pub cwd: PathBuf,
    /// What it reads.
    pub stdin: PathBuf,
}

/// A task that is to run elsewhere.
#[derive(Debug)]
pub struct Elsewhere {
    /// What it runs; none for one that was submitted before, and is only attended again.
    pub program: Option<Program>,
    /// The shell whose task it is, if it is one's: it has said what it is.
    pub shell: Option<Gated>,
    /// The directory in which its job gets a folder, if not in the store.
    pub folders: Option<PathBuf>,
}

/// How a record names the job of a future: what an engine is told, and where the two sides meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) folder: Argument,
    pub(crate) token: String,
}

/// One attempt that may have been submitted: it is recorded before that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    pub(crate) attempt: u32,
    /// How much of the future's log is not this attempt's, in bytes.
    pub(crate) log_from: u64,
}

/// One attempt of one future, as launchers know it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The future's name, for listings of the engine.
    pub(crate) name: String,
    pub(crate) folder: Folder,
    /// What the engine keeps of it, and no other job has.
    pub(crate) token: String,
    pub(crate) attempt: u32,
}

impl Job {
    /// The attempt of the job that a record names.
    pub(crate) fn new(name: &str, launch: &Launch, attempt: u32) -> Self {
        let folder = OsString::from(launch.folder.clone());
        let token = format!("{}.{attempt}", launch.token);
        Self { name: name.to_owned(), folder: Folder::at(Path::new(&folder)), token, attempt }
    }
}

/// What came of handing a job over.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// The engine has it, by that id.
    Accepted(String),
    /// The engine has said that it does not take it, and why.
    Refused(String),
    /// It may have it: what it said is not known.
    Unknown(String),
}

/// What a job itself has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) start: Option<JobStart>,
    pub(crate) end: Option<JobEnd>,
    /// What it has printed behind the place that was asked for, or some of that.
    pub(crate) output: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobStart {
    pub(crate) node: String,
    pub(crate) id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobEnd {
    pub(crate) rc: u8,
    /// How long it ran, in ms, by a clock of its node that never steps.
    pub(crate) run_time: Millis,
    /// How much it had printed by then, in bytes.
    pub(crate) log_bytes: u64,
}

/// What an engine says of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It has not begun, for that reason.
    Pending(String),
    /// It runs, or comes to its end.
    Active,
    /// It is over. Whether by success is nothing that it can say.
    Over(Over),
}

/// How an engine says that a job is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// By itself, as far as is known.
    Itself,
    For(Cause),
}

/// An answer of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Which answer it is: a question that was put after answer N was given has N + 2 at the latest.
    pub(crate) number: u64,
    /// None if it knows no such job.
    pub(crate) job: Option<(String, Stands)>,
}

/// What is asked of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// To take that signal, if it runs.
    Signal(Signal),
    /// To end, within so many ms: it is asked to if it runs, and is not to start.
    End(Millis),
    /// To be no more.
    Kill,
}

/// What runs tasks elsewhere. All of it may block, for a minute or so, and is called by a thread of its own.
pub(crate) trait Launcher: Send + Sync {
    /// Hands a job over. The folder is ready.
    fn submit(&self, job: &Job) -> Submitted;

    /// What the job has said by now, and printed behind that byte. An error is no news.
    fn hear(&self, job: &Job, from: u64) -> io::Result<Heard>;

    /// What the engine says, asked with all other jobs of the store, and not too often unless there is some hurry. An error, or
    /// none if it did not answer when it was asked last, is no news.
    fn ask(&self, job: &Job, hurry: bool) -> io::Result<Option<Answer>>;

    /// Which of the answers was the last one.
    fn last_answer(&self, job: &Job) -> u64;

    /// Has the job hear that. It is certain that no other one does.
    fn tell(&self, job: &Job, ask: Ask) -> io::Result<()>;

    /// Removes what a job that has ended has left there.
    fn clean(&self, _job: &Job) {}
}

/// How long to listen for what may be late after an engine has said that a job is over, or that it knows none, in ms:
/// `ASYNC_JOB_GRACE`, in seconds.
pub(crate) fn grace() -> Millis {
    seconds("ASYNC_JOB_GRACE", 30)
}

fn seconds(variable: &str, usual: Millis) -> Millis {
    let set = std::env::var(variable).ok().and_then(|text| text.parse::<Millis>().ok());
    set.filter(|seconds| (0..=86400).contains(seconds)).unwrap_or(usual) * 1000
}
