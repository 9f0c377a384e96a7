//! The files of a run, and the bash script of each of its shells.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use async_bash_shim::{Options, Profile};
use nix::sys::stat::Mode as Permissions;

use super::mode::Mode;
use super::place;
use super::plan::{Plan, Shell, Step};

const FUNCTIONS: &str = include_str!("shell.bash");

/// The script beside the shells.
const RIVAL: &str = include_str!("rival.bash");

/// What the run suffers besides the kills.
const ADVERSARY: &str = include_str!("adversary.bash");

/// How many processes the user of all shells may have, if there is a limit, and how many of them something else takes
/// now and then. A shell needs three or four for each running future.
const MOST_PROCESSES: u32 = 100;
const TAKEN: u32 = 90;

/// The environment variable that every process of a run has, and no other process.
pub(crate) const MARK: &str = "ASYNC_TORTURE";
/// The environment variable with the index of the shell that a process descends from.
pub(crate) const SHELL: &str = "ASYNC_TORTURE_SHELL";

/// The environment variable with the number of the step that a supervisor belongs to.
pub(crate) const STEP: &str = "ASYNC_TORTURE_STEP";

/// The directory of one run.
pub(crate) struct Scene {
    dir: PathBuf,
    /// The program under test.
    pub(crate) program: PathBuf,
    mode: Mode,
}

impl Scene {
    /// Writes all files that the shells need.
    pub(crate) fn set_up(dir: &Path, program: PathBuf, plan: &Plan, mode: Mode) -> io::Result<Self> {
        let scene = Self { dir: dir.to_owned(), program, mode };
        if mode == Mode::Disk {
            fs::create_dir(scene.disk())?;
            place::mount(&scene.disk()).map_err(io::Error::other)?;
        }
        fs::write(dir.join("adversary.bash"), ADVERSARY)?;
        fs::write(dir.join("functions"), FUNCTIONS)?;
        fs::write(dir.join("rival.bash"), RIVAL)?;
        fs::write(scene.shim(false), async_bash_shim::render(&Options::of(Profile::Standalone)))?;
        fs::write(scene.shim(true), async_bash_shim::render(&Options::of(Profile::Devstack)))?;
        nix::unistd::mkfifo(&dir.join("silence"), Permissions::S_IRWXU)?;
        for (index, shell) in plan.shells.iter().enumerate() {
            fs::create_dir_all(scene.outputs(index))?;
            fs::write(scene.script(index), render(shell))?;
        }
        Ok(scene)
    }

    /// The store.
    pub(crate) fn store(&self) -> PathBuf {
        self.disk().join("store")
    }

    /// The folder with the store.
    fn disk(&self) -> PathBuf {
        if self.mode == Mode::Disk { self.dir.join("disk") } else { self.dir.clone() }
    }

    /// The store, or a copy that survives the run: a disk does not.
    pub(crate) fn kept_store(&self) -> PathBuf {
        if self.mode != Mode::Disk {
            return self.store();
        }
        let kept = self.dir.join("store");
        let copied = Command::new("cp").arg("-a").arg(self.store()).arg(&kept).status();
        if copied.is_ok_and(|status| status.success()) { kept } else { self.store() }
    }

    /// The event log of a shell.
    pub(crate) fn event_log(&self, shell: usize) -> PathBuf {
        self.dir.join(format!("shell-{shell}.event_log"))
    }

    /// The directory with the outputs of a shell's steps.
    pub(crate) fn outputs(&self, shell: usize) -> PathBuf {
        self.dir.join(format!("shell-{shell}"))
    }

    fn script(&self, shell: usize) -> PathBuf {
        self.dir.join(format!("shell-{shell}.bash"))
    }

    fn shim(&self, devstack: bool) -> PathBuf {
        self.dir.join(if devstack { "shim.devstack" } else { "shim.standalone" })
    }

    /// The command that runs a shell.
    pub(crate) fn bash(&self, index: usize, shell: &Shell, mark: &str) -> io::Result<Command> {
        let noise = fs::File::options().create(true).append(true).open(self.outputs(index).join("noise"))?;
        let mut command = if self.mode == Mode::Processes {
            let mut command = Command::new("prlimit");
            command.arg(format!("--nproc={MOST_PROCESSES}")).arg("bash");
            command
        } else {
            Command::new("bash")
        };
        // What it has no room for on a full disk, it says in the log, which other tests look at.
        let terminal = shell.terminal && self.mode != Mode::Disk;
        command
            .arg(self.script(index))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("ASYNC_BIN", &self.program)
            .env("ASYNC_DIR", self.store())
            // Futures of a killed shell must be accounted for, not cancelled with it.
            .env("ASYNC_ON_EXIT", "leave")
            .env("DEVSTACK_PARALLEL", "True")
            .env(MARK, mark)
            .env(SHELL, index.to_string())
            .env("TORTURE_SHIM", self.shim(shell.devstack))
            .env("TORTURE_SILENCE", self.dir.join("silence"))
            .env("TORTURE_DIARY", self.event_log(index))
            .env("TORTURE_OUT", self.outputs(index))
            .env("ASYNC_PTY", if terminal { "1" } else { "" })
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(noise.try_clone()?)
            .stderr(noise);
        Ok(command)
    }

    /// The command that runs the script beside the shells, which is never killed.
    pub(crate) fn rival(&self) -> io::Result<Command> {
        self.beside("rival", &[])
    }

    /// The command for what the run suffers besides the kills, if anything.
    pub(crate) fn adversary(&self) -> io::Result<Option<Command>> {
        if self.mode == Mode::Kills { Ok(None) } else { self.beside("adversary", &[self.mode.name()]).map(Some) }
    }

    fn beside(&self, script: &str, args: &[&str]) -> io::Result<Command> {
        let output = fs::File::options().create(true).append(true).open(self.output_of(script))?;
        let mut command = Command::new("bash");
        command
            .arg(self.dir.join(format!("{script}.bash")))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("ASYNC_BIN", &self.program)
            .env("ASYNC_DIR", self.store())
            .env("ASYNC_ON_EXIT", "leave")
            .env("ASYNC_KEEP_RUNS", "1000000")
            .env("TORTURE_SHIM", self.shim(false))
            .env("TORTURE_OVER", self.over())
            .env("TORTURE_SILENCE", self.dir.join("silence"))
            .env("TORTURE_OUT", self.dir.join(script))
            .env("TORTURE_PROCESSES", TAKEN.to_string())
            .env("TORTURE_BALLAST", self.disk().join("ballast"))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(command)
    }

    /// The output of a script beside the shells: `rival` or `adversary`.
    pub(crate) fn output_of(&self, script: &str) -> PathBuf {
        self.dir.join(format!("{script}.out"))
    }

    /// A file that appears once the shells are done.
    pub(crate) fn over(&self) -> PathBuf {
        self.dir.join("over")
    }

    /// A call of the program under test.
    pub(crate) fn call(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env("ASYNC_DIR", self.store()).stdin(Stdio::null());
        command
    }
}

/// The text of a shell's script.
fn render(shell: &Shell) -> String {
    let mut text = String::from("source ./functions\n");
    if shell.limited {
        text.push_str("export ASYNC_JOBS=3\n");
    }
    for (number, step) in shell.steps.iter().enumerate() {
        // Writing to a String can't fail.
        let _ = match step {
            Step::Start(task) => writeln!(
                text,
                "start {number} '{}' {} {} {} {}",
                task.name, task.token, task.lines, task.pause, task.ending
            ),
            Step::Wait { manner, names } => writeln!(text, "collect {number} {manner} '{}'", names.join("' '")),
            Step::Cancel { name } => writeln!(text, "cancel {number} '{name}'"),
            Step::Kill { key, name } => writeln!(text, "murder {number} {key} '{name}'"),
        };
    }
    text.push_str("note end\n");
    text
}

/// A hash of the whole plan (FNV-1a of all scripts).
pub(crate) fn fingerprint(plan: &Plan) -> u64 {
    plan.shells
        .iter()
        .flat_map(|shell| render(shell).into_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_depends_on_the_seed_alone() {
        let of = |seed| fingerprint(&Plan::generate(seed, 200, 8));
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn a_script_is_a_line_for_each_step() {
        let plan = Plan::generate(1, 20, 8);
        let text = render(&plan.shells[0]);
        assert_eq!(
            text.lines().count(),
            plan.shells[0].steps.len() + 2 + usize::from(plan.shells[0].limited),
            "{text}"
        );
        assert!(text.contains("\nstart ") && text.contains("\ncollect ") && text.ends_with("\nnote end\n"), "{text}");
    }
}
