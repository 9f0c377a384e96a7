//! `async run`: starts a program that outlives its caller.

pub(crate) mod planning;
mod supervisor;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use async_core::process::{self, Side};
use async_core::store::INSIDE;
use async_core::{Begun, Elsewhere, Entry, Files, FutureHandle, Plan, Program, Request, Store};
use clap::Args;
use nix::unistd::AccessFlags;

use self::planning::Planning;
use crate::cli::Context;
use crate::elsewhere;
use crate::failure::{Failure, warn};
use crate::json::{self, Envelope, Start};
use crate::messages::{self, About, Lines, Output};
use crate::missing_program::{Typed, what_to_type};
use crate::wait::batch::PendingBatch;
use crate::wait::collecting::WaitOptions;
use crate::wait::sleeper::Sleeper;
use crate::wait::targets;
use crate::wait::{WaitMode, Waiting};
use supervisor::{AnswerChannel, Supervisor};

const EXAMPLES: &str = "\
Examples:

  async run build -- make -j4      # goes on at once; log out if you like
  async wait build                 # prints its output, returns its status
  async run --after build test -- make test
  async run --jobs 2 --retry 3 fetch -- curl -fO https://example.org/file
  async run --timeout 10m --wait lint -- ./lint.sh
  async run --pty test -- cargo test  # in color, line by line
  async run sum -- bash -c 'cat *.txt | sort >sum'  # for a pipe, a shell
  async run --if-absent sync -- rsync -a a/ b/ || [ $? = 122 ]  # no second one
  async run --json build -- make | jq .pid
  async run --json --wait build -- make | jq '{rc, cause, run_time_ms, log}'";

/// Start a program as the future NAME, and return at once
///
/// The program runs in a session of its own, without a terminal, and its output goes to the log; with --pty, by way of a
/// terminal that is for output alone. It is started without a shell: for pipes and the like, run `bash -c '...'`. Options
/// come before the command, on either side of NAME.
///
/// Exits with 127 if there is no such program, and with 126 if it can't be executed; no future is created then. With
/// --if-absent, exits with 122 if a future of that name is queued or running: nothing is started or waited for, and in JSON
/// `started` is false. A future that has ended counts as absent, whether or not it has been waited for.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    #[command(flatten)]
    planning: Planning,
    /// Run the program in that directory
    #[arg(long, short = 'C', value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Set an environment variable; with NAME alone, pass on the one set here, which keeps its value off the command line
    /// (may be given several times)
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,
    /// Read standard input from that file; without this, standard input is empty
    #[arg(long, value_name = "FILE", default_value = "/dev/null", hide_default_value = true)]
    stdin: PathBuf,
    /// Don't report the start, nor with --wait a success
    #[arg(long, short)]
    quiet: bool,
    /// Print the future as JSON once it is started or queued, or with --wait once it is over, and nothing else; `async
    /// schema` prints its schema
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Wait for it, print its output, and exit with its status; if the wait is interrupted, the program keeps running
    #[arg(long)]
    wait: bool,
    /// The future's name
    name: OsString,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Run {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let name = super::name(&self.name)?;
        let lines = Lines::of(context, self.quiet)?;
        let variables = self.variables()?;
        let cwd = std::path::absolute(self.cwd.as_deref().unwrap_or(Path::new(".")))
            .and_then(|cwd| usable_directory(&cwd).map(|()| cwd))
            .map_err(|source| Failure::Directory { path: self.cwd.clone().unwrap_or_else(|| ".".into()), source })?;
        let plan = self.planning.plan(context)?;
        let terminal_size = self.planning.terminal(context, plan.as_ref())?;
        let elsewhere = self.elsewhere(plan.as_ref(), &variables, &cwd)?;
        // Only the engine's node knows its programs.
        let program = match &elsewhere {
            None => find(name.as_str(), &self.command, &variables, &cwd)?,
            Some(_) => PathBuf::from(&self.command[0]),
        };
        let stdin = open_input(&self.stdin)?;

        let store = context.store_to_start_in()?;
        let request = Request {
            parent: planning::parent(&store),
            plan,
            pty: terminal_size.is_some(),
            program: true,
            cwd: Some(cwd.clone()),
            ..Request::new(&self.command)
        };
        let started = match self.planning.begin(&store, &name, &request, async_core::Start::OnRecord) {
            Err(present @ Failure::Present(_)) => return self.not_started(&store, present),
            started => started?,
        };
        // Hold on to the future, as somebody may collect it before this is done.
        let told = if self.json { store.live(&name).inspect_err(|_| store.abandon(&name, started.id))? } else { None };

        let (report, answer) = io::pipe().map_err(Failure::Task)?;
        let mut command = Box::new(Command::new(program));
        command.arg0(&self.command[0]).args(&self.command[1..]).envs(variables).env(INSIDE, store.place_of(&name));
        let side = process::fork().inspect_err(|_| store.abandon(&name, started.id));
        let pid = match side.map_err(|error| Failure::Supervisor(error.to_string()))? {
            Side::Parent(child) => child,
            Side::Child => {
                drop((report, told));
                let (store, name, cwd, caller) = (&store, &name, &cwd, AnswerChannel::at(answer, self.wait));
                let files = Files { record: started.record, log: started.log };
                let (id, planned) = (started.id, started.planned);
                Supervisor { store, name, id, files, planned, command, elsewhere, terminal_size, stdin, cwd, caller }.run();
                std::process::exit(0);
            }
        };
        // Only the supervisor may hold the future's life, and only it can say whether the future has begun.
        drop((started.record, answer));
        let mut report = BufReader::new(report);
        let mut reply = String::new();
        report.read_line(&mut reply).map_err(Failure::Unheard)?;
        if !reply.starts_with("queued ") {
            report.read_to_string(&mut reply).map_err(Failure::Unheard)?;
        }
        let begun = match reply.split_once(' ') {
            Some(("started", _)) => Begun::Runs,
            Some(("queued", _)) => Begun::Queued,
            Some(("never", _)) => Begun::Never,
            // If the arguments and the environment are too long, that is the command's fault.
            Some(("failed", why)) => return Err(why_not(&self.command[0], why.trim_end())),
            Some(("refused", why)) => return Err(Failure::NotSubmitted(why.trim_end().to_owned())),
            Some(("error", why)) => return Err(Failure::Supervisor(why.trim_end().to_owned())),
            _ => return Err(Failure::Unheard(io::ErrorKind::UnexpectedEof.into())),
        };
        let lines = if self.json { Lines::Nowhere } else { lines };
        let line = |begun| {
            let text = format!("{}: {}", messages::begun(&store, &name, begun), started.command);
            messages::line(&name, Some(&pid.to_string()), &text)
        };
        lines.mention(About::Progress, &line(begun));
        // Before there are other threads, so that none of them takes a signal that it listens for.
        let sleeper = || Sleeper::new(context, None, Some(targets::go_on(context, &[name.as_str().into()])));
        let sleeper = self.wait.then(sleeper).transpose()?;
        let when_it_runs = (self.wait && begun == Begun::Queued).then(|| {
            let line = line(Begun::Runs);
            thread::Builder::new().spawn(move || say_when_it_runs(report, lines, &line))
        });
        let mut batch = PendingBatch::default();
        let waited = if let Some(sleeper) = &sleeper {
            let output = &mut Output::stdout()?;
            let options = if self.json { WaitOptions::BATCHED } else { WaitOptions::usual(lines) };
            let targets = targets::named(&[name.as_str().into()]);
            let mut waiting = Waiting::of_program(&store, output, options, targets, WaitMode::Each);
            waiting.batch = self.json.then_some(&mut batch);
            let waited = waiting.run(sleeper).map(|()| waiting.status());
            if let (Ok(_), Some(Ok(told))) = (&waited, when_it_runs) {
                // The future is over, so the other thread has finished too.
                let _ = told.join();
            }
            waited
        } else {
            Ok(0)
        };
        if let Some(live) = told {
            match tell(&store, &live, batch) {
                Err(failure) if !self.wait => warn(&failure.to_string()),
                told => told?,
            }
        }
        Ok(waited?.into())
    }

    /// The task for the engine, if it should run on one.
    fn elsewhere(
        &self,
        plan: Option<&Plan>,
        variables: &[(OsString, OsString)],
        cwd: &Path,
    ) -> Result<Option<Elsewhere>, Failure> {
        if plan.is_none_or(|plan| plan.on.is_none()) {
            return Ok(None);
        }
        let absolute =
            |path: &Path| std::path::absolute(path).map_err(|source| Failure::Input { path: path.to_owned(), source });
        let program = Program {
            argv: self.command.clone(),
            script: None,
            variables: variables.to_owned(),
            cwd: cwd.to_owned(),
            stdin: absolute(&self.stdin)?,
        };
        Ok(Some(Elsewhere { program: Some(program), shell: None, folders: elsewhere::folders()? }))
    }

    /// Says that it is there, so that nothing was started.
    fn not_started(&self, store: &Store, failure: Failure) -> Result<ExitCode, Failure> {
        match failure {
            Failure::Present(entry) if self.json => {
                let status = Failure::Present(entry.clone()).status();
                print(store, false, *entry)?;
                Ok(status.into())
            }
            failure if self.quiet => Ok(failure.status().into()),
            failure => Err(failure),
        }
    }

    fn variables(&self) -> Result<Vec<(OsString, OsString)>, Failure> {
        let split = |pair: &OsString| {
            let bytes = pair.as_encoded_bytes();
            let equals = bytes.iter().position(|&b| b == b'=').filter(|&position| position > 0);
            if let Some(position) = equals {
                return Ok((
                    OsStr::from_bytes(&bytes[..position]).into(),
                    OsStr::from_bytes(&bytes[position + 1..]).into(),
                ));
            }
            // A variable's name is not empty, and no name begins with the `=` that separates it from its value.
            let set = std::env::var_os(pair).filter(|_| !bytes.starts_with(b"="));
            set.map(|value| (pair.clone(), value)).ok_or_else(|| {
                let pair = async_core::text::printable(pair);
                Failure::Usage(format!("--env takes NAME=VALUE, or the name of a variable that is set, not `{pair}`"))
            })
        };
        self.env.iter().map(split).collect()
    }
}

fn say_when_it_runs(mut report: impl BufRead, lines: Lines, line: &str) {
    let mut reply = String::new();
    if report.read_line(&mut reply).is_ok() && reply.starts_with("started ") {
        lines.mention(About::Progress, line);
    }
}

/// Reports the future, and thereby hands it over if this command has waited for it.
fn tell(store: &Store, live: &FutureHandle, batch: PendingBatch) -> Result<(), Failure> {
    let together = batch.claim(store, false)?;
    let entry = together.entries().next().cloned().map_or_else(|| live.entry(), Ok)?;
    print(store, true, entry)?;
    together.finish()
}

fn print(store: &Store, started: bool, entry: Entry) -> Result<(), Failure> {
    let document = Start { started, future: entry.into() };
    json::print(&Envelope::new(store.dir(), document), &mut Output::stdout()?)
}

/// The program's file, as the shell would find it.
fn find(name: &str, command: &[OsString], variables: &[(OsString, OsString)], cwd: &Path) -> Result<PathBuf, Failure> {
    let program = &*command[0];
    let given = variables.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let path = given.or_else(|| std::env::var_os("PATH"));
    which::which_in(program, path, cwd).map_err(|_| {
        let is_path = program.as_encoded_bytes().contains(&b'/');
        match cwd.join(program).metadata() {
            Ok(found) if is_path && found.is_dir() => why_not(program, "it is a directory"),
            Ok(_) if is_path => why_not(program, "it is not executable"),
            _ => {
                let typed = Typed::Program { with_dashes: has_dashes_before(command) };
                let what_to_type = what_to_type(typed, name, command, cwd);
                Failure::NoProgram { program: program.to_owned(), what_to_type }
            }
        }
    })
}

/// Whether the command follows a `--`.
fn has_dashes_before(command: &[OsString]) -> bool {
    let args: Vec<OsString> = std::env::args_os().collect();
    args.len().checked_sub(command.len() + 1).is_some_and(|at| args[at] == "--")
}

/// Checks that the directory can be entered; it need not be readable.
fn usable_directory(path: &Path) -> io::Result<()> {
    if !path.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(nix::unistd::access(path, AccessFlags::X_OK)?)
}

fn why_not(program: &OsStr, why: &str) -> Failure {
    Failure::NotExecutable { program: program.to_owned(), why: why.to_owned() }
}

fn open_input(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).and_then(|file| {
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(file)
    });
    file.map_err(|source| Failure::Input { path: path.to_owned(), source })
}
