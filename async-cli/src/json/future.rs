//! A future, in JSON.

use async_core::clock::Millis;
use async_core::process::ProcessIdentity;
use async_core::record::{Argument, Cause, Samples, State, Usage};
use async_core::tree::TreeUsage;
use async_core::{Entry, FutureName, Paused, Plan, ScriptRun};
use serde::Serialize;

use crate::signal;

/// A list of futures.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[allow(clippy::struct_field_names, reason = "the names are the format's")]
pub(crate) struct Futures {
    /// Since when the queue is paused, in ms since the epoch. Null if it is not.
    pub(crate) queue_paused_ms: Option<Millis>,
    /// The futures, in the order of their starts.
    pub(crate) futures: Vec<Future>,
    /// The scripts that run now, the newest first, if this is the store of the prompt.
    pub(crate) scripts: Vec<Script>,
}

/// A script that runs now.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Script {
    /// The name of its file, or what `ASYNC_SCRIPT` called it.
    name: String,
    /// The process id of its shell.
    pid: u32,
    /// When it sourced the functions, in ms since the epoch.
    start_time_ms: Millis,
    /// The directory of its futures.
    store: Argument,
    /// Its futures, in the order of their starts.
    futures: Vec<Future>,
}

impl Script {
    pub(crate) fn new(run: &ScriptRun, futures: Vec<Future>) -> Self {
        let (name, store) = (run.key.name().to_owned(), run.dir().as_os_str().into());
        Self { name, pid: run.pid, start_time_ms: run.started, store, futures }
    }
}

/// What a start came to.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Start {
    /// Whether this call has started the future. If not, it was there already, queued or running, and was to be started only if
    /// it was absent.
    pub(crate) started: bool,
    #[serde(flatten)]
    pub(crate) future: Future,
}

/// Runs of futures whose logs are kept.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Runs {
    /// The runs, those of each name newest first.
    pub(crate) runs: Vec<NumberedRun>,
}

/// A run of a future.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Run"))]
pub(crate) struct NumberedRun {
    /// The number that `async log --run` takes: 1 is the newest of that name.
    pub(crate) run: usize,
    #[serde(flatten)]
    pub(crate) future: Future,
}

/// A future. What is not known of it, or does not apply, is null.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Future {
    name: String,
    state: State,
    /// Why it does not start, whatever becomes of those before it: `itself` is paused, or the whole `queue` is. Null if it is not
    /// queued, or neither is so.
    paused: Option<&'static str>,
    /// Whether it is over, and not by success: with another exit status than 0, or lost.
    failed: bool,
    /// The task's exit status; 128 + N if signal N ended it.
    #[cfg_attr(test, schemars(range(min = 0, max = 255)))]
    rc: Option<i32>,
    /// The number of the signal that ended it, if one did. A status of 137 that the task itself returned is no signal.
    signal: Option<i32>,
    /// That signal's name, as `TERM`.
    signal_name: Option<String>,
    /// Why it ended, or never started, where that was not the task's own doing.
    cause: Option<Cause>,
    /// The command on one line, control characters spelt out. That of `async run` is one that bash reads.
    command: String,
    /// The command's words exactly. Null in records of the original script, and where they are too long for a record.
    argv: Option<Vec<Argument>>,
    /// The directory that it was started in. Null in records of the original script.
    cwd: Option<Argument>,
    /// Whether the task ran in the calling shell, not in the background; then `pid` is null.
    synchronous: bool,
    /// The process that watches the task.
    pid: Option<u32>,
    /// The task's own process.
    task_pid: Option<u32>,
    /// The process id of the script whose functions started it, if some did.
    script_pid: Option<u32>,
    /// The future inside whose task it was started.
    parent: Option<String>,
    /// Where its task runs, if not here: `slurm`.
    on: Option<String>,
    /// The host that it was started on, if that is not this one: the process ids are that host's.
    host: Option<String>,
    /// The job by which that knows it, once there is one.
    job: Option<String>,
    /// The node that runs it, or has.
    node: Option<String>,
    /// Why the job has not started, in the words of what is to run it, if it is queued there.
    reason: Option<String>,
    /// When it was started, in ms since the epoch.
    start_time_ms: Millis,
    /// When its task was let go, in ms since the epoch, if it had been queued.
    run_start_ms: Option<Millis>,
    /// When its task ended, in ms since the epoch.
    end_time_ms: Option<Millis>,
    /// How long its task ran, or has run by now, in ms, by a clock that never steps.
    run_time_ms: Option<Millis>,
    /// When the wait that collected it began, in ms since the epoch.
    wait_start_ms: Option<Millis>,
    /// When that wait ended, in ms since the epoch.
    wait_end_ms: Option<Millis>,
    /// When somebody asked for it to be cancelled, in ms since the epoch.
    cancel_time_ms: Option<Millis>,
    /// How often the task was run, if more than once was allowed.
    attempts: Option<u32>,
    /// How many processes were asked to end (SIGTERM) when it was cancelled or its time was up.
    terminated: Option<u32>,
    /// How many of these had to be killed (SIGKILL).
    killed: Option<u32>,
    /// What its task used, by the kernel's accounting. Null if it has not run, runs still, or ran in the shell or elsewhere.
    usage: Option<UsageFields>,
    /// What its task used over time. Null where `usage` is, and if the task was too short to be sampled, or could not be.
    samples: Option<SamplesFields>,
    /// What its task uses at this moment, in `async status`. Null if it does not run here, or that can't be told.
    usage_now: Option<UsageNowFields>,
    /// Whether the output of its task is a pseudo-terminal (`--pty`).
    pty: bool,
    /// How much of what its task wrote to that could not be written to its log, in bytes. Null if nothing is missing.
    unlogged_bytes: Option<u64>,
    /// How long its log was, in bytes, before something made it shorter, as `>/dev/stderr` in a task does. Null if nobody
    /// saw that. A task that runs for less than 0.1 s is not watched for it, one that runs longer 10 times a second or less.
    log_cut_bytes: Option<u64>,
    /// How it was to be run, if not simply at once.
    plan: Option<PlanFields>,
    /// The file with what its task printed. Null if it has none, or a later future of the name has taken its place.
    log: Option<Argument>,
}

/// What a task used, with all processes that have ended and were waited for, in all attempts together. A future that it
/// started counts here too, once that is over and was waited for.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Usage"))]
struct UsageFields {
    /// Processor time in user mode, in ms.
    user_time_ms: Millis,
    /// Processor time in the kernel, in ms.
    system_time_ms: Millis,
    /// The most memory that any single process had resident, in KiB.
    max_resident_kib: u64,
    /// Reads from disks, in blocks of 512 bytes; what the page cache had is not counted.
    blocks_read: u64,
    /// Writes to disks, in blocks of 512 bytes, counted when the page cache takes them.
    blocks_written: u64,
}

impl From<Usage> for UsageFields {
    fn from(usage: Usage) -> Self {
        let Usage { user, system, max_resident, blocks_read, blocks_written } = usage;
        Self { user_time_ms: user, system_time_ms: system, max_resident_kib: max_resident, blocks_read, blocks_written }
    }
}

/// What the processes of a task used over time, from the moment when it was let go to its end. Futures that it started count
/// only once they are over and were waited for, with all of their processor time in that interval.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Samples"))]
struct SamplesFields {
    /// The length of an interval, in ms.
    interval_ms: Millis,
    /// The processor time in each interval, in user mode and in the kernel, in ms. The last interval may be shorter.
    cpu_ms: Vec<Millis>,
    /// How many cores the processes could use.
    cores: u32,
    /// The most memory that all processes had resident together at one of the samples, in KiB; what several of them share
    /// counts for each.
    max_tree_resident_kib: u64,
}

impl From<Samples> for SamplesFields {
    fn from(samples: Samples) -> Self {
        let Samples { interval, cpu, max_tree_resident, cores } = samples;
        Self { interval_ms: interval, cpu_ms: cpu, cores, max_tree_resident_kib: max_tree_resident }
    }
}

/// What the processes of a task use at this moment, without those of futures that it has started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "UsageNow"))]
struct UsageNowFields {
    /// The processor time so far, in user mode and in the kernel, in ms: of the processes that there are, and of those that
    /// have ended and were waited for, in all attempts together.
    cpu_time_ms: Millis,
    /// The memory that they have resident together, in KiB; what several of them share counts for each.
    resident_kib: u64,
    /// How many processes there are.
    processes: u32,
}

impl From<TreeUsage> for UsageNowFields {
    fn from(usage: TreeUsage) -> Self {
        let TreeUsage { cpu, resident, processes } = usage;
        Self { cpu_time_ms: cpu, resident_kib: resident, processes }
    }
}

/// The options that it was started with.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Plan"))]
struct PlanFields {
    /// Futures that have to succeed before the task starts.
    after: Vec<String>,
    /// Futures that have to be over before the task starts, however they end.
    after_any: Vec<String>,
    /// How many tasks may run at once, this one included.
    jobs: Option<u32>,
    /// How long it may take with all of its attempts, in ms.
    timeout_ms: Option<Millis>,
    /// How long the task has between SIGTERM and SIGKILL, in ms.
    grace_ms: Millis,
    /// How often the task is run again if it fails.
    retry: u32,
    /// How long to wait before that, in ms.
    retry_delay_ms: Millis,
}

impl From<Entry> for Future {
    fn from(entry: Entry) -> Self {
        let (failed, run_time_ms) = (entry.has_failed(), entry.run_time());
        let host = entry.record.other_host().map(str::to_owned);
        let Entry { name, record, state, log, paused, usage_now, .. } = entry;
        Self {
            name: name.into(),
            state,
            paused: paused.map(|paused| if paused == Paused::Queue { "queue" } else { "itself" }),
            failed,
            rc: record.rc,
            signal: record.signal,
            signal_name: record.signal.and_then(signal::name).map(str::to_owned),
            cause: record.cause,
            synchronous: record.is_synchronous(),
            command: async_core::text::printable(record.command.as_ref()),
            argv: record.argv,
            cwd: record.cwd,
            pid: record.pid.and_then(|pid| pid.parse().ok()),
            task_pid: record.task,
            script_pid: record.script.as_ref().map(ProcessIdentity::pid),
            parent: record.parent,
            on: record.plan.as_ref().and_then(|plan| plan.on.as_ref()).map(ToString::to_string),
            host,
            job: record.job,
            node: record.node,
            reason: record.reason.filter(|_| state == State::Queued),
            start_time_ms: record.start_time,
            run_start_ms: record.run_start.filter(|_| !record.at_once),
            end_time_ms: record.end_time,
            run_time_ms,
            wait_start_ms: record.wait_start,
            wait_end_ms: record.wait_end,
            cancel_time_ms: record.cancel_time,
            attempts: record.attempts,
            terminated: record.terminated,
            killed: record.killed,
            usage: record.usage.map(Into::into),
            samples: record.samples.map(Into::into),
            usage_now: usage_now.map(Into::into),
            pty: record.pty,
            unlogged_bytes: record.unlogged,
            log_cut_bytes: record.log_cut,
            // That the queue was paused is no wish of the caller.
            plan: record.plan.filter(|plan| *plan != Plan { held: true, ..Plan::default() }).map(Into::into),
            log: log.filter(|log| log.is_there().unwrap_or(true)).map(|log| log.path().as_os_str().into()),
        }
    }
}

impl From<Plan> for PlanFields {
    fn from(plan: Plan) -> Self {
        let names = |names: Vec<FutureName>| names.into_iter().map(Into::into).collect();
        Self {
            grace_ms: plan.grace(),
            after: names(plan.after),
            after_any: names(plan.after_any),
            jobs: plan.jobs,
            timeout_ms: plan.timeout,
            retry: plan.retry.unwrap_or(0),
            retry_delay_ms: plan.retry_delay.unwrap_or(0),
        }
    }
}
