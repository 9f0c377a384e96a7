//! Slurm, through its own programs.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use super::command::{Said, run};
use super::folder::{Folder, quoted};
use super::polls::Polls;
use super::{Answer, Ask, Engine, Heard, Job, Over, Stands, Submitted, seconds};
use crate::clock::Millis;
use crate::process::Boot;
use crate::record::Cause;

/// How old Slurm's answer may be when there is a hurry, in ms.
const HURRY: Millis = 1000;

/// What Slurm's programs say when they do not know whether the controller has heard them.
const UNHEARD: [&str; 8] =
    ["contact", "connect", "socket", "timed out", "zero bytes", "transport", "communication", "try again"];

/// What sbatch says where it does not find out which controller to ask, so that nothing has been submitted.
const NO_CLUSTER: [&str; 4] = [
    "entry for --cluster",
    "remove --cluster",
    "could not establish a configuration source",
    "unable to process configuration file",
];

/// The fields to ask for after the id.
const FIELDS: &str = "|%T|%r|%N|%k";

/// Submits jobs to Slurm.
#[derive(Debug)]
pub(super) struct Slurm {
    /// Options for sbatch.
    options: Vec<String>,
    /// The variables that say which cluster is the usual one.
    cluster: [(&'static str, Option<OsString>); 2],
    /// The clusters that may have the job, if the submission names any.
    clusters: Vec<String>,
}

impl Slurm {
    pub(super) fn new(options: &[String], folder: &Folder) -> Self {
        let [conf, server, for_sbatch, for_all] =
            folder.settings(["SLURM_CONF", "SLURM_CONF_SERVER", "SBATCH_CLUSTERS", "SLURM_CLUSTERS"]);
        let cluster = [("SLURM_CONF", conf), ("SLURM_CONF_SERVER", server)];
        let set = for_sbatch.or(for_all).map(|set| set.to_string_lossy().into_owned());
        let named = clusters(options).map(str::to_owned).or(set);
        let clusters = named.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
        Self { options: options.to_owned(), cluster, clusters: clusters.map(str::to_owned).collect() }
    }

    fn sbatch(&self, job: &Job) -> io::Result<Said> {
        let mut command = Command::new("sbatch");
        command.env_clear().envs(job.folder.environment()?.into_iter().filter(|(name, _)| is_for_a_job(name)));
        let log = job.folder.file(&format!("log.{}", job.attempt));
        let to_log = |option: &str| {
            let mut option = OsString::from(option);
            option.push(unexpanded(&log));
            option
        };
        // The last of two equal options wins.
        command.args(&self.options).args(["--parsable", "--no-requeue", "--open-mode=append", "--chdir=/"]);
        if !self.clusters.is_empty() {
            command.arg(format!("--clusters={}", self.clusters.join(",")));
        }
        command.arg(format!("--comment={}", job.token)).arg(format!("--job-name={}", job.name));
        command.arg(to_log("--output=")).arg(to_log("--error="));
        command.arg(job.folder.file(&format!("job.{}", job.attempt)));
        run(command)
    }

    /// The present answers of the controllers about all jobs of this user.
    fn squeue(&self) -> io::Result<String> {
        if self.clusters.is_empty() {
            return self.squeue_of(None);
        }
        self.clusters.iter().map(|cluster| self.squeue_of(Some(cluster))).collect()
    }

    fn squeue_of(&self, cluster: Option<&str>) -> io::Result<String> {
        let mut command = self.own("squeue");
        command.args(["--me", "--states=all", "--noheader", "--array", "--format"]);
        match cluster {
            None => command.arg(format!("%i{FIELDS}")),
            // The id is then as in the answer of sbatch.
            Some(name) => command.arg(format!("%i;{name}{FIELDS}")).arg(format!("--clusters={name}")),
        };
        let said = run(command)?;
        if !said.success {
            return Err(io::Error::other(format!("squeue: {}", said.err)));
        }
        let text = String::from_utf8_lossy(&said.out).into_owned();
        let is_heading = |line: &&str| cluster.is_some() && (line.is_empty() || line.starts_with("CLUSTER: "));
        // Something else than a list does not begin like one. A comment may be of several lines.
        if text.lines().find(|line| !is_heading(line)).is_none_or(|line| fields(line).is_some()) {
            Ok(text)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "squeue has answered with something else than a list"))
        }
    }

    fn scancel(&self, id: &str, options: &[&str]) -> io::Result<()> {
        let mut command = self.own("scancel");
        let (number, cluster) = id.split_once(';').map_or((id, None), |(number, cluster)| (number, Some(cluster)));
        command.args(options).args(cluster.map(|name| format!("--clusters={name}"))).arg(number);
        let said = run(command)?;
        if said.success { Ok(()) } else { Err(io::Error::other(format!("scancel: {}", said.err))) }
    }

    fn polls(&self, job: &Job) -> Polls {
        // The answers of each cluster are kept for themselves. Hosts that share a store may be of different ones.
        let host = Boot::current().ok().and_then(Boot::host).unwrap_or_default();
        let [(_, conf), _] = &self.cluster;
        let conf = conf.as_ref().map(|conf| format!(".{}", conf.display())).unwrap_or_default();
        let cluster = [&[format!("slurm.{host}{conf}")], &self.clusters[..]].concat();
        let name = cluster.join(".").replace('/', "_");
        Polls::of(&file_name(name), job.folder.path().parent().unwrap_or(Path::new("/")))
    }

    /// One of Slurm's programs, for the job's cluster, and without the variables that set a person's defaults for it.
    fn own(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if !is_for_a_job(&name) || name.as_encoded_bytes().starts_with(b"SBATCH_") {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.cluster {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }
}

impl Engine for Slurm {
    fn submit(&self, job: &Job) -> Submitted {
        if self.clusters.iter().any(|name| name == "all") {
            return Submitted::Refused("name the clusters that may have the job, in place of `all`".to_owned());
        }
        let stub = stub(job.folder.path(), job.attempt);
        let said = match job.folder.write(&format!("job.{}", job.attempt), &stub).and_then(|()| self.sbatch(job)) {
            Ok(said) => said,
            // The program has not even started.
            Err(error) => return Submitted::Refused(format!("sbatch: {error}")),
        };
        let answer = String::from_utf8_lossy(&said.out).trim().to_owned();
        if said.success && is_id(&answer) {
            return Submitted::Accepted(answer);
        }
        let err = said.err.lines().collect::<Vec<_>>().join("; ");
        let why = if err.is_empty() { format!("sbatch has answered `{answer}`") } else { err };
        let lower = why.to_lowercase();
        if !said.success && NO_CLUSTER.iter().any(|words| lower.contains(words)) {
            return Submitted::Refused(why);
        }
        let is_unheard = said.success || said.cut || UNHEARD.iter().any(|words| lower.contains(words));
        // The job may have been accepted after all: the lost answer may have been to an earlier try.
        match self.squeue().map(|list| find(&list, &job.token)) {
            Ok(Some((id, _))) => Submitted::Accepted(id),
            Ok(None) if !is_unheard => Submitted::Refused(why),
            Ok(None) | Err(_) => Submitted::Unknown(why),
        }
    }

    fn hear(&self, job: &Job, from: u64) -> io::Result<Heard> {
        let mut heard = job.folder.hear(job.attempt, from)?;
        // The job itself knows its number alone.
        if let (Some(start), [cluster]) = (&mut heard.start, &self.clusters[..]) {
            start.id = format!("{};{cluster}", start.id);
        }
        Ok(heard)
    }

    fn ask(&self, job: &Job, hurry: bool) -> io::Result<Option<Answer>> {
        let usual = seconds("ASYNC_SLURM_POLL", 30);
        let age = if hurry { usual.min(HURRY) } else { usual };
        let kept = self.polls(job).newer_than(age, || self.squeue())?;
        Ok(kept.text.map(|list| Answer { number: kept.number, job: find(&list, &job.token) }))
    }

    fn last_answer(&self, job: &Job) -> u64 {
        self.polls(job).last().map_or(0, |kept| kept.number)
    }

    fn tell(&self, job: &Job, ask: Ask) -> io::Result<()> {
        // Slurm reuses ids, so look for the id that has the token now.
        let Some((id, stands)) = find(&self.squeue()?, &job.token) else {
            return Ok(());
        };
        let send = |signal: Signal| {
            let name = signal.as_str().trim_start_matches("SIG");
            self.scancel(&id, &["--full", "--signal", name])
        };
        match (ask, stands) {
            (_, Stands::Over(_)) | (Ask::Signal(_), Stands::Pending(_)) => Ok(()),
            (Ask::Signal(signal), Stands::Active) => send(signal),
            (Ask::End(_) | Ask::Kill, Stands::Pending(_)) => self.scancel(&id, &[]),
            // Slurm's own cancel has a grace period of its own; this one leaves it to us.
            (Ask::End(_), Stands::Active) => send(Signal::SIGTERM).and_then(|()| send(Signal::SIGCONT)),
            (Ask::Kill, Stands::Active) => {
                let killed = send(Signal::SIGKILL);
                self.scancel(&id, &[]).and(killed)
            }
        }
    }
}

/// A name that is too long for a file's ends in a number that stands for the rest.
fn file_name(name: String) -> String {
    if name.len() <= 200 {
        return name;
    }
    let mut whole = DefaultHasher::new();
    name.hash(&mut whole);
    let start: String = name.chars().take(40).collect();
    format!("{start}.{:016x}", whole.finish())
}

/// Whether a submission keeps that variable: it does not belong to a surrounding job, and does not change the
/// submission.
fn is_for_a_job(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let is_setting = matches!(name, b"SLURM_CONF" | b"SLURM_CONF_SERVER" | b"SLURM_JWT");
    let is_of_a_job =
        [&b"SLURM_"[..], b"SLURMD_", b"SRUN_", b"SQUEUE_", b"SCANCEL_"].iter().any(|of| name.starts_with(of));
    is_setting || !(is_of_a_job || matches!(name, b"SBATCH_WAIT" | b"SBATCH_ARRAY_INX"))
}

/// The path of a file, escaped so that Slurm replaces nothing in it.
fn unexpanded(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes =
        path.as_os_str().as_bytes().iter().flat_map(|&byte| if byte == b'%' { vec![byte; 2] } else { vec![byte] });
    OsString::from_vec(bytes.collect())
}

/// Whether it is the id of a job, of a named cluster or not: `12;east` or `12`.
fn is_id(text: &str) -> bool {
    let (number, cluster) = text.split_once(';').unwrap_or((text, "-"));
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !cluster.is_empty()
}

/// The clusters that options of sbatch name. The last of several such options holds.
fn clusters(options: &[String]) -> Option<&str> {
    let named = |(index, option): (usize, &String)| {
        let next = || options.get(index + 1).map(String::as_str);
        match option.as_str() {
            "-M" | "--cluster" | "--clusters" => next(),
            _ => ["--clusters=", "--cluster=", "-M"].iter().find_map(|start| options[index].strip_prefix(start)),
        }
    };
    options.iter().enumerate().filter_map(named).next_back()
}

/// The fields of a line of the list.
fn fields(line: &str) -> Option<(&str, &str, &str, &str)> {
    let mut fields = line.splitn(5, '|');
    let (id, state, reason) = (fields.next()?, fields.next()?, fields.next()?);
    let (_nodes, comment) = (fields.next()?, fields.next()?);
    let is_state = !state.is_empty() && state.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let starts_as_id = id.starts_with(|c: char| c.is_ascii_digit());
    (starts_as_id && is_state).then_some((id, state, reason, comment))
}

/// The job with the token; preferably one that is not over.
fn find(list: &str, token: &str) -> Option<(String, Stands)> {
    let with_token = list.lines().filter_map(fields).filter(|(id, .., comment)| *comment == token && is_id(id));
    let found = with_token.map(|(id, state, reason, _)| (id.to_owned(), stands(state, reason)));
    found.min_by_key(|(_, stands)| matches!(stands, Stands::Over(_)))
}

/// The meaning of Slurm's word for a state. An unknown word is not an end.
fn stands(state: &str, reason: &str) -> Stands {
    Stands::Over(match state {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT" => {
            return Stands::Pending(reason.to_owned());
        }
        "TIMEOUT" | "DEADLINE" => Over::For(Cause::Timeout),
        "CANCELLED" | "REVOKED" => Over::For(Cause::Cancelled),
        "OUT_OF_MEMORY" => Over::For(Cause::Memory),
        "NODE_FAIL" | "BOOT_FAIL" => Over::For(Cause::Node),
        "PREEMPTED" => Over::For(Cause::Preempted),
        "COMPLETED" | "FAILED" => Over::Itself,
        _ => return Stands::Active,
    })
}

/// The script for sbatch. Slurm copies it to a place where others may read it, so it only names the folder.
fn stub(folder: &Path, attempt: u32) -> Vec<u8> {
    let mut script = b"#!/bin/sh\n# The job of an async future\n_async_folder=".to_vec();
    script.extend(quoted(folder.as_os_str()));
    script.extend(
        br#"
_async_tries=0
# It may be seen here later than where it was made.
until [ -r "$_async_folder/run" ]; do
    _async_tries=$((_async_tries + 1))
    [ "$_async_tries" -le 10 ] ||
        { echo "async: the job's folder is not there: $_async_folder, on $(uname -n)" >&2; exit 125; }
    sleep 1
    ls "$_async_folder/.." >/dev/null
done
exec /bin/sh "$_async_folder/run" "#,
    );
    script.extend(format!("{attempt}\n").bytes());
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_found_by_its_token_alone() {
        let list = "7|PENDING|Priority||async-1.1\n8|RUNNING|None|node1|async-2.1\n9|COMPLETED|None|node1|a|b\n";
        assert_eq!(find(list, "async-1.1"), Some(("7".into(), Stands::Pending("Priority".into()))));
        assert_eq!(find(list, "async-2.1"), Some(("8".into(), Stands::Active)));
        assert_eq!(find(list, "a|b").map(|(id, _)| id), Some("9".into()));
        assert_eq!(find(list, "async-2"), None);
    }

    #[test]
    fn a_job_of_a_named_cluster_has_it_in_its_id() {
        let list =
            "CLUSTER: east\n7;east|PENDING|Priority||async-1.1\n\nCLUSTER: west\n7;west|RUNNING|None|n|async-2.1\n";
        assert_eq!(find(list, "async-2.1"), Some(("7;west".into(), Stands::Active)));
        assert!(is_id("7;west") && !is_id("7;") && !is_id(";west") && !is_id("7_1;west"));
    }

    #[test]
    fn answers_of_different_clusters_are_kept_in_different_files() {
        let [one, other] = ["east", "west"].map(|cluster| file_name(format!("slurm.{}.{cluster}", "ü".repeat(200))));
        assert!(one != other && one.len() < 200, "{one} {other}");
        assert_eq!(file_name("slurm.host".into()), "slurm.host");
    }

    #[test]
    fn the_options_name_the_clusters() {
        let of = |text: &str| clusters(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()).map(str::to_owned);
        for text in ["-M a,b", "-Ma,b", "--clusters=a,b", "--cluster a,b", "-M c -p x --clusters=a,b"] {
            assert_eq!(of(text).as_deref(), Some("a,b"), "{text}");
        }
        for text in ["-p x", "--cluster-constraint=a", "-c 4", "--mem=4G"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_states_that_are_ends_are_ends() {
        for state in
            ["RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING", "STAGE_OUT", "SIGNALING", "RESIZING", "NEW_ONE"]
        {
            assert_eq!(stands(state, ""), Stands::Active, "{state}");
        }
        assert_eq!(stands("COMPLETED", ""), Stands::Over(Over::Itself));
        assert_eq!(stands("NODE_FAIL", ""), Stands::Over(Over::For(Cause::Node)));
    }

    #[test]
    fn what_is_no_line_of_the_list_is_garbage() {
        for line in ["", "slurm_load_jobs error: x", "1|running|x|y|z", "1|RUNNING|x|y", "x|RUNNING|a|b|c"] {
            assert_eq!(fields(line), None, "{line}");
        }
        assert!(fields("12_4|RUNNING|None|node1|(null)").is_some());
    }

    #[test]
    fn a_submission_is_not_of_the_job_around_it() {
        for name in ["SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "SLURMD_NODENAME", "SBATCH_ARRAY_INX", "SCANCEL_STATE"] {
            assert!(!is_for_a_job(name.as_ref()), "{name}");
        }
        for name in ["SLURM_CONF", "SBATCH_PARTITION", "PATH", "SLURMX"] {
            assert!(is_for_a_job(name.as_ref()), "{name}");
        }
    }
}
