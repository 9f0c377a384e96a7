//! Futures whose tasks run on engines: their options on the command line, and their attendants.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use async_core::{FutureName, Plan, Target, read_seconds};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::{Context, variable};
use crate::failure::Failure;

const ON_HELP: &str =
    "Run it on `slurm`, `ssh:HOST`, one of `ssh:HOST,ssh:HOST`, or `here` [default: $ASYNC_ON, else here]";

/// What a caller asks for.
#[derive(Args, Debug, Default)]
pub(crate) struct On {
    /// Run it there: `slurm` for a node of the cluster, or `here`
    #[arg(long, value_name = "WHERE", value_parser = read_where, help = ON_HELP)]
    on: Option<Where>,
    /// Options of sbatch for one that runs on Slurm, in one word: '-p long -c 4' (may be given several times)
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, value_parser = words)]
    sbatch: Vec<Words>,
}

/// Where a task runs.
#[derive(Clone, Debug)]
enum Where {
    Here,
    At(Target),
}

/// Words as a shell splits them.
#[derive(Clone, Debug)]
struct Words(Vec<String>);

fn read_where(text: &str) -> Result<Where, String> {
    if text == "here" { Ok(Where::Here) } else { text.parse().map(Where::At) }
}

/// Refuses options of sbatch(1) that make a job more than one task.
fn words(text: &str) -> Result<Words, String> {
    let words = shlex::split(text).ok_or("a quote in it has no end")?;
    if words.iter().any(|word| word.starts_with("--ar") || has_flag(word, 'a')) {
        return Err("an array of jobs is more than one task: start a future for each".to_owned());
    }
    if words.iter().any(|word| word.starts_with("--wa") && "--wait".starts_with(word.as_str()) || has_flag(word, 'W')) {
        return Err("a start waits for nothing: wait for the future, with `async wait`".to_owned());
    }
    Ok(Words(words))
}

/// The options of sbatch that take no value, as letters and as words.
const LETTERS: &str = "HhkOQsuVvW";
const WORDS: [&str; 17] = [
    "--contiguous",
    "--exclusive",
    "--get-user-env",
    "--hold",
    "--ignore-pbs",
    "--nice",
    "--no-kill",
    "--no-requeue",
    "--overcommit",
    "--oversubscribe",
    "--propagate",
    "--quiet",
    "--reboot",
    "--requeue",
    "--spread-job",
    "--use-min-nodes",
    "--verbose",
];

/// Whether a word is that option of one letter, alone or behind others that take no value.
fn has_flag(word: &str, flag: char) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    letters.trim_start_matches(|letter| letter != flag && LETTERS.contains(letter)).starts_with(flag)
}

/// The first word that is neither an option nor the value of one.
fn stray(words: &[String]) -> Option<&str> {
    let takes_value = |word: &String| match word.strip_prefix("--") {
        Some(name) => !name.contains('=') && !WORDS.contains(&word.as_str()),
        None => {
            word.starts_with('-') && word.trim_start_matches('-').trim_start_matches(|c| LETTERS.contains(c)).len() == 1
        }
    };
    let is_value = |index: usize| index > 0 && takes_value(&words[index - 1]);
    let stray = words.iter().enumerate().find(|(index, word)| !word.starts_with('-') && !is_value(*index));
    stray.map(|(_, word)| word.as_str())
}

impl On {
    /// The engine that runs the task, if it does not run here.
    pub(crate) fn target(&self, context: &Context) -> Result<Option<Target>, Failure> {
        let at = match &self.on {
            Some(at) => at.clone(),
            None => match context.on() {
                Some(text) => {
                    let text = text.to_string_lossy();
                    read_where(&text).map_err(|why| Failure::Usage(format!("ASYNC_ON can't be `{text}`: {why}")))?
                }
                None => Where::Here,
            },
        };
        if let Some(stray) = stray(&self.sbatch()) {
            let why = format!("`{stray}` in --sbatch is no option, and sbatch would take it for the job");
            return Err(Failure::Usage(why));
        }
        let Where::At(target) = at else { return Ok(None) };
        for name in ["ASYNC_SLURM_POLL", "ASYNC_JOB_GRACE"] {
            let Some(value) = variable(name) else { continue };
            let value = value.to_string_lossy();
            if read_seconds(&value).is_none() {
                return Err(Failure::Usage(format!(
                    "{name} has to be a number of seconds, up to a day, not `{value}`"
                )));
            }
        }
        Ok(Some(target))
    }

    /// The options for sbatch, each as one word.
    pub(crate) fn sbatch(&self) -> Vec<String> {
        self.sbatch.iter().flat_map(|words| words.0.clone()).collect()
    }
}

/// The directory for the folders of jobs, if the environment names one; the nodes must see it too.
pub(crate) fn folders() -> Result<Option<PathBuf>, Failure> {
    match variable("ASYNC_JOB_DIR").map(PathBuf::from) {
        Some(path) if path.is_relative() => {
            Err(Failure::Usage(format!("ASYNC_JOB_DIR has to be an absolute path, not `{}`", path.display())))
        }
        path => Ok(path),
    }
}

/// Fails if the plan names an engine: the script's own shell can't run a task there.
pub(crate) fn must_be_here(plan: Option<&Plan>) -> Result<(), Failure> {
    if plan.is_none_or(|plan| plan.on.is_none()) {
        return Ok(());
    }
    let what = "a task that is to run elsewhere can't be run by the script itself, as ASYNC_PARALLEL=false has it";
    Err(Failure::Usage(what.to_owned()))
}

/// How long to wait until a new attendant attends the job.
const ON_THE_WAY: Timespec = Timespec { tv_sec: 3, tv_nsec: 0 };

/// Starts a process that attends a job, and waits briefly until it has read the job's reports.
pub(crate) fn call_attendant(store: &Path, name: &FutureName) -> io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("async").args([
        "attend".as_ref(),
        "--dir".as_ref(),
        store.as_os_str(),
        "--".as_ref(),
        OsStr::new(name.as_str()),
    ]);
    let (mut told, end) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(end).stderr(Stdio::null()).current_dir("/").process_group(0);
    let mut child = command.spawn()?;
    drop(command);
    child.wait()?;
    let mut ready = [PollFd::from_borrowed_fd(told.as_fd(), PollFlags::IN)];
    if poll(&mut ready, Some(&ON_THE_WAY)).is_ok_and(|count| count > 0) {
        let _ = told.read(&mut [0]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_no_task() {
        for text in ["--array=1-3", "-a 1-3", "-p x --array 2", "--arr=1-2", "-Qa 1", "-QW", "--wai", "-a1"] {
            assert!(words(text).is_err(), "{text}");
        }
        for text in ["-p long --account=a", "-A a", "-Hp a", "--mem 4G -c 4", "-c4", "--wait-all-nodes=1"] {
            assert!(words(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_word_that_sbatch_would_take_for_the_job_is_refused() {
        let stray_in = |text: &str| stray(&words(text).expect("words").0).map(str::to_owned);
        for text in ["x", "-p long x", "--mem=4G x", "-c4 x", "--exclusive x", "-H x", "x -c 1", "-Hp long x"] {
            assert_eq!(stray_in(text).as_deref(), Some("x"), "{text}");
        }
        for text in ["", "-p long", "--mem 4G", "-Hp long -c 4", "--exclusive --nice -c 1", "-J job -t 60"] {
            assert_eq!(stray_in(text), None, "{text}");
        }
        assert!(words("'a").is_err());
    }
}
