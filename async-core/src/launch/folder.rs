//! The folder of a job: both sides see in it what to run and what became of it.
//!
//! | file | contents |
//! | --- | --- |
//! | `run` | the job's script, which takes the number of the attempt as its argument |
//! | `task` | the script for bash, if the task is a script's function |
//! | `environment` | the environment for submissions |
//! | `job.N` | the engine's script for attempt N |
//! | `status.N` | made before attempt N is submitted; only its job writes to it |
//! | `log.N` | the output of that job |
//!
//! A job without its folder does not run, so a future that has ended here does not start again there.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;

use super::command::text_of;
use super::{Heard, JobEnd, JobStart, Program};
use crate::clock::Millis;

/// How much of a log to read at a time, in bytes.
const PIECE: u64 = 1 << 20;

/// The folder of one future's job.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder with that path.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes a new folder of that name in a directory, and the directory if it is missing.
    pub(crate) fn make(within: &Path, name: &str) -> io::Result<Self> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        private.recursive(true).create(within)?;
        let directory = fs::metadata(within)?;
        let wrong = if directory.uid() != geteuid().as_raw() {
            Some("belongs to another user")
        } else if directory.mode() & 0o1002 == 0o002 {
            Some("may be written to by everybody")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let what = format!("{} {wrong}", within.display());
            return Err(io::Error::other(what));
        }
        let path = within.join(name);
        private.recursive(false).create(&path)?;
        Ok(Self { path })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the files for all attempts of a job.
    pub(crate) fn fill(&self, program: &Program) -> io::Result<()> {
        if let Some(script) = &program.script {
            self.write("task", script)?;
        }
        self.write("run", &run_script(&self.path, program))?;
        self.write("far", &far_script(program))?;
        let mut environment = Vec::new();
        let is_set = |name: &OsStr| program.variables.iter().any(|(set, _)| set == name);
        // A future that the task starts runs beside the task, unless it asks for an engine itself.
        let inherited = std::env::vars_os().filter(|(name, _)| !is_set(name) && name != "ASYNC_ON");
        for (name, value) in inherited.chain(program.variables.iter().cloned()) {
            environment.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
        }
        self.write("environment", &environment)
    }

    /// Prepares the folder for an attempt.
    pub(crate) fn make_ready(&self, attempt: u32) -> io::Result<()> {
        self.write(&format!("log.{attempt}"), b"")?;
        self.write(&format!("status.{attempt}"), b"")
    }

    /// What another host is given, which does not see this folder: what it is to run, and the task of a shell, if it is one's.
    pub(super) fn far_files(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let task = match fs::read(self.file("task")) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            task => task?,
        };
        Ok((fs::read(self.file("far"))?, task))
    }

    /// The environment in which the folder was made.
    pub(super) fn environment(&self) -> io::Result<Vec<(OsString, OsString)>> {
        let bytes = fs::read(self.file("environment"))?;
        let pair = |entry: &[u8]| {
            // A leading `=` is part of the name, as in variables that only a shell uses.
            let equals = entry.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_owned());
            Some((text(&entry[..equals]), text(&entry[equals + 1..])))
        };
        Ok(bytes.split(|&byte| byte == 0).filter_map(pair).collect())
    }

    /// Variables of the process that started the job, which hold for all that attend it.
    pub(super) fn settings<const N: usize>(&self, names: [&str; N]) -> [Option<OsString>; N] {
        let variables = self.environment();
        names.map(|name| match &variables {
            Ok(variables) => variables.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone()),
            Err(_) => std::env::var_os(name),
        })
    }

    /// The job's reports on that attempt, and its output from that byte on.
    pub(super) fn hear(&self, attempt: u32, from: u64) -> io::Result<Heard> {
        // This makes NFS refresh its cached view of the directory.
        fs::read_dir(&self.path)?.for_each(drop);
        let mut heard = said(&text_of(File::open(self.file(&format!("status.{attempt}")))?)?);
        let mut log = File::open(self.file(&format!("log.{attempt}")))?;
        heard.log_cut = Some(from).filter(|from| log.metadata().is_ok_and(|metadata| metadata.len() < *from));
        log.seek(SeekFrom::Start(from))?;
        log.take(PIECE).read_to_end(&mut heard.output)?;
        Ok(heard)
    }

    /// Removes it with all its contents.
    pub(crate) fn remove(&self) {
        // It may be gone already, or a job may write to it at this moment.
        let _ = fs::remove_dir_all(&self.path);
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.file(name);
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        // The file must be on disk before the other side hears of it.
        file.sync_all()
    }
}

/// Parses a status file. Ignores everything but complete lines of ours.
fn said(text: &str) -> Heard {
    let mut heard = Heard::default();
    let mut began = None;
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["start", node, id, _restarts, uptime] => {
                heard.start = Some(JobStart { node: node.to_owned(), id: id.to_owned() });
                began = hundredths(uptime);
                // Earlier lines were about another run.
                heard.end = None;
            }
            ["rc", rc, uptime, log_bytes, ref more @ ..] if heard.start.is_some() => {
                let was_terminated = match more {
                    [] => false,
                    ["TERM"] => true,
                    _ => continue,
                };
                if let (Ok(rc), Some(ended), Ok(log_bytes)) = (rc.parse(), hundredths(uptime), log_bytes.parse()) {
                    let run_time = began.map_or(0, |began| (ended - began).max(0));
                    heard.end = Some(JobEnd { rc, run_time, log_bytes: Some(log_bytes), was_terminated });
                    break;
                }
            }
            _ => {}
        }
    }
    heard
}

/// Parses seconds with two decimals into ms.
fn hundredths(text: &str) -> Option<Millis> {
    let (seconds, part) = text.split_once('.')?;
    let part: Millis = if part.len() == 2 { part.parse().ok()? } else { return None };
    Some(seconds.parse::<Millis>().ok()? * 1000 + part * 10)
}

/// The text, quoted for a shell.
pub(super) fn quoted(text: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in text.as_bytes() {
        match byte {
            b'\'' => quoted.extend(br"'\''"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// What becomes the task, in place of the sh that runs it.
fn task_lines(program: &Program) -> Vec<u8> {
    let mut words = Vec::new();
    if let Some(script) = &program.script {
        // bash would run the beginning of a truncated script.
        let length = script.len();
        words.extend(format!("[ \"$(wc -c <\"$_async_folder/task\")\" -eq {length} ] ||\n        ").bytes());
        words.extend(b"{ _async_fail \"what it is to run is not whole\"; exit 125; }\n    unset BASH_ENV\n    ");
    }
    let (plain, odd): (Vec<_>, Vec<_>) = program.variables.iter().partition(|(name, _)| is_shell_name(name));
    // Exported, because everyone can read the arguments of env(1).
    for (name, value) in plain {
        words.extend([b"export ", name.as_bytes(), b"=", &quoted(value), b"\n    "].concat());
    }
    words.extend(b"exec");
    if !odd.is_empty() {
        words.extend(b" env");
        for (name, value) in odd {
            words.push(b' ');
            words.extend(quoted(OsStr::from_bytes(&[name.as_bytes(), b"=", value.as_bytes()].concat())));
        }
    }
    if program.script.is_some() {
        words.extend(b" bash \"$_async_folder/task\"");
    }
    for word in &program.argv {
        words.push(b' ');
        words.extend(quoted(word));
    }
    words
}

/// Whether a shell can have a variable of that name.
fn is_shell_name(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && !name[0].is_ascii_digit() && name.iter().all(is_part)
}

/// Where the task works, what it reads, and its umask.
fn settings(program: &Program) -> Vec<u8> {
    let mask = umask(Mode::empty());
    umask(mask);
    let mut script = b"_async_cwd=".to_vec();
    script.extend(quoted(program.cwd.as_os_str()));
    script.extend(b"\n_async_stdin=");
    script.extend(quoted(program.stdin.as_os_str()));
    script.extend(format!("\numask {:04o}\n", mask.bits()).as_bytes());
    script
}

/// What the job runs. Any sh will do.
fn run_script(folder: &Path, program: &Program) -> Vec<u8> {
    let mut script =
        b"# Run by the job of an async future. Only what it writes to its status says how it ended.\n_async_folder="
            .to_vec();
    script.extend(quoted(folder.as_os_str()));
    script.push(b'\n');
    script.extend(settings(program));
    script.extend(RUN_BEGINS);
    script.extend(task_lines(program));
    script.extend(RUN_ENDS);
    script
}

/// What another host's program runs.
fn far_script(program: &Program) -> Vec<u8> {
    let mut script = b"# The task of an async future of another host\n_async_folder=${0%/*}\n".to_vec();
    script.extend(settings(program));
    script.extend(FAR);
    script.extend(task_lines(program));
    script.push(b'\n');
    script
}

const FAR: &[u8] = br#"_async_fail() {
    echo "async: $1, on $(uname -n)" >&2
}
cd -- "$_async_cwd" || { _async_fail "the working directory can't be used: $_async_cwd"; exit 125; }
exec <"$_async_stdin" || exit 125
    "#;

// All names are ours, so that no exported variable of the task's changes.
const RUN_BEGINS: &[u8] = br#"_async_status=$_async_folder/status.$1
_async_log=$_async_folder/log.$1
_async_node=${SLURMD_NODENAME:-$(uname -n)}
_async_fail() {
    echo "async: $1, on $_async_node" >&2
}
[ -z "${SLURM_ARRAY_JOB_ID-}" ] || { _async_fail "an array of jobs is more than one task"; exit 125; }
[ -f "$_async_status" ] || { _async_fail "the job's folder is not there: $_async_folder"; exit 125; }
# One that was requeued after it has said how it ended does not run again.
while read -r _async_word _async_rest; do
    [ "$_async_word" != rc ] || { _async_fail "it has ended before"; exit 125; }
done <"$_async_status"
read -r _async_uptime _async_rest </proc/uptime
printf 'start %s %s %s %s\n' "$_async_node" "${SLURM_JOB_ID:-0}" "${SLURM_RESTART_COUNT:-0}" "$_async_uptime" \
    >>"$_async_status" || { _async_fail "can't write to $_async_status"; exit 125; }
# Signals are the task's; this waits for it. SIGTERM may be the engine's order to end.
_async_told=
trap '_async_told=" TERM"' TERM
trap : HUP INT QUIT USR1 USR2
# What this shell itself remarks is not the task's.
exec 3>&2 2>/dev/null
(
    exec 2>&3 3>&-
    cd -- "$_async_cwd" || { _async_fail "the working directory can't be used: $_async_cwd"; exit 125; }
    exec <"$_async_stdin" || exit 125
    "#;

const RUN_ENDS: &[u8] = br#"
)
_async_rc=$?
read -r _async_uptime _async_rest </proc/uptime
_async_bytes=$(wc -c <"$_async_log")
exec 2>&3
printf 'rc %s %s %s%s\n' "$_async_rc" "$_async_uptime" "$((_async_bytes))" "$_async_told" >>"$_async_status" ||
    { _async_fail "can't write to $_async_status"; exit 125; }
exit "$_async_rc"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn end(rc: u8, run_time: Millis, log_bytes: u64) -> JobEnd {
        JobEnd { rc, run_time, log_bytes: Some(log_bytes), was_terminated: false }
    }

    #[test]
    fn only_whole_lines_that_are_ours_say_something() {
        let start = "start node1 7 0 100.00\n";
        let heard = |rest: &str| said(&format!("{start}{rest}")).end;
        assert_eq!(heard("rc 0 101.25 12\n"), Some(end(0, 1250, 12)));
        let told = JobEnd { was_terminated: true, ..end(0, 1250, 12) };
        assert_eq!(heard("rc 0 101.25 12 TERM\n"), Some(told));
        for rest in [
            "",
            "rc 0 101.25 12",
            "rc 0\n",
            "rc 0 101.25\n",
            "rc  101.25 12\n",
            "rc 256 101.25 1\n",
            "rc -1 101.25 1\n",
            "rc 0 101 1\n",
            "rc 0 101.25 x\n",
            "rc 0 101.25 1 1\n",
            "rc 0 101.25 1 TERM TERM\n",
            "\0\0\0\0\n",
            "RC 0 101.25 1\n",
            " rc 0 101.25 1\n",
        ] {
            assert_eq!(heard(rest), None, "{rest:?}");
        }
        assert_eq!(said("rc 0 101.25 12\n"), Heard::default(), "nothing ends that has not begun");
    }

    #[test]
    fn what_an_earlier_run_of_a_job_has_begun_is_not_its_end() {
        let heard = said("start node1 7 0 100.00\nstart node2 7 1 5.00\nrc 3 6.00 0\n");
        assert_eq!(heard.start, Some(JobStart { node: "node2".into(), id: "7".into() }));
        assert_eq!(heard.end, Some(end(3, 1000, 0)));
    }

    #[test]
    fn the_first_end_is_the_end() {
        let heard = said("start node1 7 0 100.00\nrc 143 101.00 0\nstart node1 7 1 102.00\nrc 0 103.00 0\n");
        assert_eq!(heard.end.map(|end| end.rc), Some(143));
    }
}
