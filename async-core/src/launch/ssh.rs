//! Another host, by ssh(1): the program there is the engine, and has a future of its own for each job.
//!
//! Each question is a script for the other host's sh, on the standard input of one ssh.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::process::Command;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use serde::Deserialize;

use super::command::{Said, run_with};
use super::folder::{Folder, quoted};
use super::polls::Polls;
use super::{Answer, Ask, Engine, Heard, Job, JobEnd, JobStart, Over, Stands, Submitted};
use crate::clock::Millis;

/// How old what a host has said of all jobs may be, in ms, and where there is some hurry.
const USUAL: Millis = 30_000;
const HURRY: Millis = 1000;

/// How much of a log is taken at a time, in bytes.
const PIECE: u64 = 1 << 20;

/// What ssh says when it has not got in, so that nothing has been started there.
const NOT_IN: [&str; 4] = [
    "ssh: Could not resolve hostname ",
    "ssh: connect to host ",
    "Permission denied (",
    "Host key verification failed",
];

/// What stands before an answer, and how printf(1) is told to print that.
const BEGIN: &[u8] = b"\x1easync\x1e\n";
const BEGIN_ESCAPED: &[u8] = br"\036async\036\n";
/// What stands between the parts of an answer.
const BETWEEN: &[u8] = b"\n\x1e\n";

/// The status by which a script says that the host can't run the job.
const REFUSED: i32 = 125;
/// The status of `async run --if-absent` if it is there.
const PRESENT: &str = "122";

/// Runs jobs on a host.
#[derive(Debug)]
pub(super) struct Ssh {
    host: String,
    /// The program there.
    bin: OsString,
}

/// What `async status --json` prints, as far as it matters.
#[derive(Deserialize)]
struct Status {
    futures: Vec<Future>,
}

#[derive(Deserialize)]
struct Future {
    name: String,
    state: String,
    rc: Option<u8>,
    run_time_ms: Option<Millis>,
    task_pid: Option<u32>,
    #[serde(default)]
    log_cut_bytes: Option<u64>,
}

/// A function that prints how futures stand there. Where there is no store any more, there are none: so it is after a reinstallation.
const STATUS: &[u8] = br#"stands() {
    case $("$bin" status --all --json "$@" 2>&1) in
        *'async: there is no store at '*) echo '{"futures": []}' && return ;;
    esac
    "$bin" status --all --json "$@" 2>/dev/null || [ $? = 1 ]
}
"#;

impl Future {
    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "finished" | "collected" | "lost")
    }

    fn stands(&self) -> Stands {
        match self.state.as_str() {
            "queued" => Stands::Pending("queued there".to_owned()),
            _ if self.is_over() => Stands::Over(Over::Itself),
            _ => Stands::Active,
        }
    }
}

impl Ssh {
    pub(super) fn new(host: &str, folder: &Folder) -> Self {
        let [bin] = folder.settings(["ASYNC_REMOTE_BIN"]);
        let bin = bin.filter(|name| !name.is_empty());
        Self { host: host.to_owned(), bin: bin.unwrap_or_else(|| OsString::from("async")) }
    }

    fn run(&self, script: &[u8]) -> io::Result<Said> {
        // In braces, so that one that is cut short is not begun.
        let mut text = b"{\nprintf '".to_vec();
        text.extend(BEGIN_ESCAPED);
        text.extend(b"'\nbin=");
        text.extend(quoted(&self.bin));
        text.extend(b"\ncase $bin in '~/'*) bin=$HOME/${bin#'~/'} ;; esac");
        text.extend(b"\nfolders=${XDG_STATE_HOME:-$HOME/.local/state}/async-jobs\n");
        text.extend(script);
        text.extend(b"}\n");
        let mut input = File::from(memfd_create(c"script", MFdFlags::MFD_CLOEXEC)?);
        input.write_all(&text)?;
        input.rewind()?;
        let mut command = Command::new("ssh");
        command.args(["-T", "--", &self.host, "exec /bin/sh -s"]);
        let mut said = run_with(command, input)?;
        // What the host's shell prints before that, as from its ~/.bashrc, is no answer.
        let begin = said.out.windows(BEGIN.len()).position(|window| window == BEGIN);
        said.out.drain(..begin.map_or(said.out.len(), |at| at + BEGIN.len()));
        Ok(said)
    }

    /// What the host says of all jobs.
    fn list(&self) -> io::Result<String> {
        let said = self.run(&[STATUS, b"stands && echo whole\n"].concat())?;
        let text = String::from_utf8_lossy(&said.out).into_owned();
        let list = text.strip_suffix("whole\n").filter(|list| parse(list.as_bytes()).is_some());
        list.map(str::to_owned).ok_or_else(|| io::Error::other(format!("{}: {}", self.host, said.err)))
    }

    fn polls(&self, job: &Job) -> Polls {
        let name = format!("ssh.{}", self.host.replace('/', "_"));
        Polls::of(&name, job.folder.path().parent().unwrap_or(Path::new("/")))
    }

    fn script_of_job(job: &Job, lines: &str) -> Vec<u8> {
        [format!("token={}\nfolder=$folders/$token\n", job.token).as_bytes(), lines.as_bytes()].concat()
    }
}

impl Engine for Ssh {
    fn submit(&self, job: &Job) -> Submitted {
        let (far, task) = match job.folder.far_files() {
            Ok(files) => files,
            Err(error) => return Submitted::Refused(error.to_string()),
        };
        let series = env!("CARGO_PKG_VERSION").rsplit_once('.').map_or("", |(series, _)| series);
        let mut script = Self::script_of_job(job, "");
        script.extend(
            format!(
                "refuse() {{\n    echo \"$1, on $(uname -n)\" >&2\n    exit {REFUSED}\n}}\n\
                 version=$(\"$bin\" --version 2>/dev/null) ||\n    \
                 refuse \"there is no program $bin: put it there with async ssh-setup, or have ASYNC_REMOTE_BIN name it\"\n\
                 case $version in\n    \"async {series}.\"*) ;;\n    \
                 *) refuse \"$bin is $version, and this is {series}: use the same version\" ;;\nesac\n\
                 umask 077\nmkdir -p \"$folder\" || refuse \"can't make $folder\"\n"
            )
            .bytes(),
        );
        for (name, bytes) in [("task", &task), ("run", &far)] {
            script.extend(b"printf %s ");
            script.extend(quoted(&std::os::unix::ffi::OsStringExt::from_vec(bytes.clone()) as &OsString));
            script.extend(format!(" >\"$folder/{name}\" &&\n    ").bytes());
            script.extend(format!("[ \"$(wc -c <\"$folder/{name}\")\" -eq {} ] ||\n    ", bytes.len()).bytes());
            script.extend(b"refuse \"can't write to $folder\"\n");
        }
        script.extend(
            format!(
                "\"$bin\" run --quiet --if-absent --cwd / \"$token\" -- /bin/sh \"$folder/run\"\n\
                 case $? in 0 | {PRESENT}) echo accepted ;; *) refuse \"it was not started\" ;; esac\n"
            )
            .bytes(),
        );
        match self.run(&script) {
            Ok(said) if said.out == b"accepted\n" => Submitted::Accepted(job.token.clone()),
            Ok(said) if said.status == Some(REFUSED) => Submitted::Refused(one_line(&said.err)),
            Ok(said) if said.out.is_empty() && NOT_IN.iter().any(|words| said.err.contains(words)) => {
                Submitted::Refused(one_line(&said.err))
            }
            // It may have got there, or not.
            Ok(said) => Submitted::Unknown(one_line(&said.err)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Submitted::Refused(format!("ssh: {error}")),
            Err(error) => Submitted::Unknown(format!("ssh: {error}")),
        }
    }

    fn hear(&self, job: &Job, from: u64) -> io::Result<Heard> {
        let script = Self::script_of_job(
            job,
            &format!(
                "{}stands \"$token\"\nprintf '\\n\\036\\n'\n\
                 exec 3>&1\n\
                 read=$( {{ {{ \"$bin\" log \"$token\" 2>/dev/null; echo $? >&4; }} |\n    \
                 tail -c +{} | head -c {PIECE} >&3; }} 4>&1)\n\
                 printf '\\n\\036\\n%s' \"$read\"\n",
                String::from_utf8_lossy(STATUS),
                from + 1
            ),
        );
        let said = self.run(&script)?;
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: {}", self.host, said.err));
        let (status, output, read) = parts(&said.out).ok_or_else(cut)?;
        // Where there is more, the program could not print it all.
        let is_read = (read == b"0" && said.success) || output.len() as u64 == PIECE;
        let mut heard = Heard { output: output.to_vec(), ..Heard::default() };
        let status = parse(status).ok_or_else(cut)?;
        let Some(future) = status.futures.into_iter().find(|future| future.name == job.token) else {
            return Ok(heard);
        };
        heard.log_cut = future.log_cut_bytes;
        if future.state != "queued" {
            let id = future.task_pid.map_or_else(|| job.token.clone(), |pid| pid.to_string());
            heard.start = Some(JobStart { node: self.host.clone(), id });
        }
        if let (true, Some(rc)) = (future.is_over(), future.rc) {
            // The log was asked for after that, so it is whole; how long it is shows when no more of it comes.
            let log_bytes = is_read.then_some(0);
            let run_time = future.run_time_ms.unwrap_or(0);
            heard.end = Some(JobEnd { rc, run_time, log_bytes, was_terminated: false });
        }
        Ok(heard)
    }

    fn ask(&self, job: &Job, hurry: bool) -> io::Result<Option<Answer>> {
        let kept = self.polls(job).newer_than(if hurry { HURRY } else { USUAL }, || self.list())?;
        let find = |list: String| {
            let futures = parse(list.as_bytes()).map(|status| status.futures).unwrap_or_default();
            futures.into_iter().find(|future| future.name == job.token)
        };
        Ok(kept.text.map(|list| {
            let job = find(list).map(|future| (future.name.clone(), future.stands()));
            Answer { number: kept.number, job }
        }))
    }

    fn last_answer(&self, job: &Job) -> u64 {
        self.polls(job).last().map_or(0, |kept| kept.number)
    }

    fn tell(&self, job: &Job, ask: Ask) -> io::Result<()> {
        let lines = match ask {
            Ask::Signal(signal) => format!("kill -{} \"$(\"$bin\" pid \"$token\")\"\n", name_of(signal)),
            Ask::End(grace) => format!("\"$bin\" cancel --quiet --grace {grace}ms \"$token\"\n"),
            Ask::Kill => "\"$bin\" cancel --quiet --grace 0s \"$token\"\n".to_owned(),
        };
        let said = self.run(&Self::script_of_job(job, &lines))?;
        if said.success { Ok(()) } else { Err(io::Error::other(format!("{}: {}", self.host, said.err))) }
    }

    fn clean(&self, job: &Job) {
        // What is left is a collected future, and a folder.
        let lines = "\"$bin\" wait --quiet --no-log \"$token\" >/dev/null 2>&1\nrm -rf \"$folder\"\n";
        let _ = self.run(&Self::script_of_job(job, lines));
    }
}

/// The parts of an answer to `hear`: what is printed of the future, its output, and the status of printing that.
fn parts(answer: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut separators = answer.windows(BETWEEN.len()).enumerate().filter(|(_, window)| *window == BETWEEN);
    let first = separators.next()?.0;
    // The output may have one, too.
    let last = separators.next_back()?.0;
    Some((&answer[..first], answer.get(first + BETWEEN.len()..last)?, &answer[last + BETWEEN.len()..]))
}

fn name_of(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// What a host says of futures; none if that is not what it is.
fn parse(text: &[u8]) -> Option<Status> {
    serde_json::from_slice(text).ok()
}
