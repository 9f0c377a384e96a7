//! Running tasks on engines: the trait of an engine, and its implementations.
//!
//! A future whose task runs on an engine has a supervisor here like any other, its **attendant**. The attendant holds
//! the record's lock, submits the task to the engine as a **job**, and copies the job's output. Only the job says how
//! it ended; the engine only says that it is over; and no answer is no news. If an attendant is gone, the next process
//! that looks at the future starts another.

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
use std::sync::Arc;

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
    /// On a node of the Slurm cluster to which this host submits.
    Slurm,
    /// On that host, as ssh(1) knows it.
    Ssh(String),
    /// On the one of those hosts that has the fewest tasks when the task may start.
    AnyOf(Vec<String>),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "slurm" {
            return Ok(Self::Slurm);
        }
        let mut hosts = text.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        Ok(if hosts.len() == 1 { Self::Ssh(hosts.remove(0)) } else { Self::AnyOf(hosts) })
    }
}

/// The host in `ssh:HOST`.
fn host(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("ssh:").ok_or("it is `here`, `slurm`, `ssh:HOST` or `ssh:HOST,ssh:HOST`")?;
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    match host {
        "" => Err("there is no host after `ssh:`".to_owned()),
        _ if host.starts_with('-') || host.contains(is_odd) => Err("that is not the name of a host".to_owned()),
        _ => Ok(host.to_owned()),
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
            Self::AnyOf(hosts) => {
                let hosts: Vec<String> = hosts.iter().map(|host| format!("ssh:{host}")).collect();
                f.write_str(&hosts.join(","))
            }
        }
    }
}

impl Target {
    /// Whether it is a cluster, whose nodes see this host's files, and which has a queue of its own.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Slurm)
    }

    /// How many places it has for each that a limit allows.
    #[must_use]
    pub fn places(&self) -> u32 {
        match self {
            Self::AnyOf(hosts) => u32::try_from(hosts.len()).unwrap_or(u32::MAX),
            _ => 1,
        }
    }

    /// The engine for that launch; `options` come from the caller. None if a host is still to be chosen.
    pub(crate) fn engine(&self, options: &[String], launch: &Launch) -> Option<Arc<dyn Engine>> {
        match self {
            Self::Slurm => Some(Arc::new(Slurm::new(options, &launch.folder()))),
            Self::Ssh(host) => Some(Arc::new(Ssh::new(host, &launch.folder()))),
            Self::AnyOf(_) => None,
        }
    }
}

/// What a job runs, in each of its attempts.
#[derive(Debug)]
pub struct Program {
    /// The program and its arguments, unless there is a script.
    pub argv: Vec<OsString>,
    /// The script for bash.
    pub script: Option<Vec<u8>>,
    /// Its variables, in addition to those of the engine and this process.
    pub variables: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its standard input.
    pub stdin: PathBuf,
}

/// A task for an engine.
#[derive(Debug)]
pub struct Elsewhere {
    /// What it runs; none for a job that was submitted before and only needs another attendant.
    pub program: Option<Program>,
    /// The shell of a function's task, which has sent its snapshot; none for a program.
    pub shell: Option<Gated>,
    /// The directory for its job's folder, if that is not in the store.
    pub folders: Option<PathBuf>,
}

/// How a record refers to the job of a future: its token on the engine, and its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) folder: Argument,
    pub(crate) token: String,
}

impl Launch {
    fn folder(&self) -> Folder {
        Folder::at(Path::new(&OsString::from(self.folder.clone())))
    }
}

/// An attempt that may have been submitted. The record gets it before the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submission {
    pub(crate) attempt: u32,
    /// How much of the future's log comes from earlier attempts, in bytes.
    pub(crate) log_from: u64,
}

/// One attempt of one future, as engines know it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The future's name, for listings of the engine.
    pub(crate) name: String,
    pub(crate) folder: Folder,
    /// A unique token that the engine keeps with the job.
    pub(crate) token: String,
    pub(crate) attempt: u32,
}

impl Job {
    /// An attempt of a record's job.
    pub(crate) fn new(name: &str, launch: &Launch, attempt: u32) -> Self {
        let token = format!("{}.{attempt}", launch.token);
        Self { name: name.to_owned(), folder: launch.folder(), token, attempt }
    }
}

/// The result of a submission.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// The engine has accepted the job, with that id.
    Accepted(String),
    /// The engine has refused the job, for that reason.
    Refused(String),
    /// The engine may have the job; its answer is unknown.
    Unknown(String),
}

/// A job's own reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) start: Option<JobStart>,
    pub(crate) end: Option<JobEnd>,
    /// Its output from the requested byte on, or the beginning of that.
    pub(crate) output: Vec<u8>,
    /// How long its output was, in bytes, before something made it shorter, if that is known.
    pub(crate) log_cut: Option<u64>,
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
    /// The size of its output at the end, in bytes; none if its output can't be read.
    pub(crate) log_bytes: Option<u64>,
    /// Whether it was sent SIGTERM. The task may have ended for that, with any status.
    pub(crate) was_terminated: bool,
}

/// The state of a job, according to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It has not started, for that reason.
    Pending(String),
    /// It is running or ending.
    Active,
    /// It is over. The engine can not say whether it succeeded.
    Over(Over),
}

/// How a job ended, according to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// By itself, as far as is known.
    Itself,
    For(Cause),
}

/// An answer of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The number of the answer. A question asked after answer N gets answer N + 2 at the latest.
    pub(crate) number: u64,
    /// None if the engine knows no such job.
    pub(crate) job: Option<(String, Stands)>,
}

/// A request to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Deliver that signal, if the job is running.
    Signal(Signal),
    /// To end, within so many ms: it is asked to if it runs, and is not to start.
    End(Millis),
    /// To be no more.
    Kill,
}

/// What runs jobs. Every method may block for about a minute, so callers use a thread of its own.
pub(crate) trait Engine: Send + Sync {
    /// Submits a job. Its folder is ready.
    fn submit(&self, job: &Job) -> Submitted;

    /// The job's reports so far, and its output from that byte on. An error is no news.
    fn hear(&self, job: &Job, from: u64) -> io::Result<Heard>;

    /// The engine's answer. One question covers all jobs of the store and is not repeated too often unless there is a
    /// `hurry`. An error, or none if the last question got no answer, is no news.
    fn ask(&self, job: &Job, hurry: bool) -> io::Result<Option<Answer>>;

    /// The number of the last answer.
    fn last_answer(&self, job: &Job) -> u64;

    /// Sends the request to the job, and certainly to no other.
    fn tell(&self, job: &Job, ask: Ask) -> io::Result<()>;

    /// Removes what a job that has ended has left there.
    fn clean(&self, _job: &Job) {}
}

/// How long to wait for late reports of a job after the engine has said that it is over or unknown, in ms. The variable
/// `ASYNC_JOB_GRACE` has it in seconds.
pub(crate) fn grace() -> Millis {
    seconds("ASYNC_JOB_GRACE", 30)
}

fn seconds(variable: &str, usual: Millis) -> Millis {
    std::env::var(variable).ok().and_then(|text| read_seconds(&text)).unwrap_or(usual) * 1000
}

/// The number of seconds, up to a day, that the text of such a variable says.
#[must_use]
pub fn read_seconds(text: &str) -> Option<i64> {
    text.parse().ok().filter(|seconds| (0..=86_400).contains(seconds))
}
