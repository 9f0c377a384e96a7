//! Running bash with the binary that was just built.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use wait_timeout::ChildExt;

use crate::LIMIT;
use crate::mark::Mark;

/// The folder with the program, which cargo builds before the tests of its package.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn binary_dir() -> &'static Path {
    static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let dir = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST").to_owned();
        assert!(dir.join("async").is_file(), "no program in {}: cargo build --workspace", dir.display());
        dir
    });
    &DIR
}

/// Copies the program.
///
/// Uses cp(1): if this process wrote the file, another test's child could inherit the open descriptor, and nothing can
/// execute a file that is open for writing.
///
/// # Panics
/// If it can't be copied.
pub fn copy_program(to: &Path) {
    let copied = Command::new("cp").arg(binary_dir().join("async")).arg(to).status();
    assert!(copied.expect("cp runs").success(), "the program can't be copied");
}

/// The bash that tests run, and its version as `5.2`.
#[derive(Clone, Debug)]
pub struct Bash {
    /// The program.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: String,
}

/// The bash on PATH, then those in `$ASYNC_TEST_BASHES`, a list with colons.
///
/// # Panics
/// If one of them does not run.
#[must_use]
pub fn bashes() -> Vec<Bash> {
    let more = std::env::var_os("ASYNC_TEST_BASHES").unwrap_or_default();
    std::iter::once(PathBuf::from("bash"))
        .chain(std::env::split_paths(&more).filter(|path| path != Path::new("")))
        .map(|path| {
            let output = Command::new(&path)
                .args(["-c", "printf %s.%s \"${BASH_VERSINFO[0]}\" \"${BASH_VERSINFO[1]}\""])
                .output()
                .unwrap_or_else(|error| panic!("{} does not run: {error}", path.display()));
            Bash { path, version: String::from_utf8(output.stdout).expect("digits") }
        })
        .collect()
}

/// A folder for one test, with an empty `$DEST` for the store `$ASYNC_DIR`, and an empty working directory.
pub struct Sandbox {
    dir: TempDir,
    bash: PathBuf,
}

/// The result of a script.
#[derive(Debug)]
pub struct Finished {
    /// Standard output, with bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// The exit status; 128 + N if a signal N ended it.
    pub status: i32,
}

impl Drop for Sandbox {
    /// Nothing outlives the test: it would disturb the next one, and keep inherited files open.
    fn drop(&mut self) {
        Mark::of_users(self.dir.path()).kill();
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new(Path::new("bash"))
    }
}

impl Sandbox {
    /// A sandbox whose scripts run under that bash.
    ///
    /// # Panics
    /// If the temporary folder can't be made.
    #[must_use]
    pub fn new(bash: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["dest", "cwd", "home"] {
            fs::create_dir(dir.path().join(name)).expect("an empty folder");
        }
        Self { dir, bash: bash.to_owned() }
    }

    /// A path in the sandbox.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The store that scripts use.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path("dest/async")
    }

    /// A command with only the parts of the tests' environment that it needs.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut path = binary_dir().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.dir.path())
            .env("LANG", "C.UTF-8")
            .env("DEST", self.path("dest"))
            .env("ASYNC_DIR", self.store())
            .env("DEVSTACK_PARALLEL", "True")
            .current_dir(self.path("cwd"))
            .stdin(Stdio::null());
        command
    }

    /// A bash command line, not run yet.
    #[must_use]
    pub fn bash(&self, script: &str) -> Command {
        let mut command = self.command(&self.bash);
        command.arg("-c").arg(script).arg("script");
        command
    }

    /// Runs a command to its end, in its own process group. Output goes to files, so that processes which a script
    /// leaves behind can't hold it up.
    ///
    /// # Panics
    /// If it can't be run, or does not end.
    pub fn finish(&self, command: &mut Command) -> Finished {
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        command
            .stdout(File::create(&out).expect("a file"))
            .stderr(File::create(&err).expect("a file"))
            .process_group(0);
        let mut child = command.spawn().expect("the command runs");
        let group = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        let ended = child.wait_timeout(LIMIT).expect("the command can be waited for");
        let _ = killpg(group, Signal::SIGKILL);
        let read = |path| String::from_utf8_lossy(&fs::read(path).expect("its output")).into_owned();
        let (stdout, stderr) = (read(out), read(err));
        let Some(status) = ended else {
            let _ = child.wait();
            panic!("it hangs: {command:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        };
        let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Finished { stdout, stderr, status }
    }

    /// Runs a bash script.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        self.finish(&mut self.bash(script))
    }
}
