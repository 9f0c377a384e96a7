//! Where measurements take place: folders of their own, and scripts with nothing of the caller's environment.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_bash_shim::{Options, Profile, render};
use tempfile::TempDir;
use wait_timeout::ChildExt;

use super::crowd::Crowd;

/// How long a command may take before it counts as hung.
const LIMIT: Duration = Duration::from_secs(300);

/// The file with the functions of the standalone profile.
const STANDALONE: &str = "standalone.bash";

/// The folder of a run of the bench.
pub(crate) struct Place {
    dir: TempDir,
    /// How many futures one measurement uses.
    pub(crate) futures: usize,
    log_mib: u64,
    log: OnceCell<PathBuf>,
    crowds: RefCell<BTreeMap<(usize, bool), Crowd>>,
    kept: RefCell<Vec<TempDir>>,
}

impl Place {
    pub(crate) fn make(parent: Option<&Path>, futures: usize, log_mib: u64) -> Result<Self, String> {
        let dir = parent.map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        let dir = dir.map_err(|e| format!("can't make a temporary folder: {e}"))?;
        fs::create_dir(dir.path().join("home"))
            .and_then(|()| fs::write(dir.path().join(STANDALONE), render(&Options::of(Profile::Standalone))))
            .map_err(|e| format!("can't fill {}: {e}", dir.path().display()))?;
        Ok(Self { dir, futures, log_mib, log: OnceCell::new(), crowds: RefCell::default(), kept: RefCell::default() })
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The output of `async shim`.
    pub(crate) fn standalone(&self) -> PathBuf {
        self.dir.path().join(STANDALONE)
    }

    /// An empty folder, for one measurement.
    pub(crate) fn fresh(&self) -> Result<TempDir, String> {
        tempfile::tempdir_in(self.dir.path()).map_err(|e| format!("can't make a temporary folder: {e}"))
    }

    /// Keeps a folder until the end of the run. For minutes after many files were removed, ext4 makes new ones more
    /// slowly (it does not reuse their inodes so soon), which would count against the contender that makes the most
    /// files.
    pub(crate) fn keep(&self, folder: TempDir) {
        self.kept.borrow_mut().push(folder);
    }

    /// A program with only the parts of the caller's environment that it needs, and `dest` as its folder.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, dest: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path().join("home"))
            .env("LANG", "C.UTF-8")
            .env("DEST", dest)
            .env("ASYNC_DIR", dest.join("async"))
            .env("DEVSTACK_PARALLEL", "True")
            .current_dir(dest)
            .stdin(Stdio::null());
        command
    }

    /// One of the bench's scripts.
    pub(crate) fn script(&self, name: &str, dest: &Path) -> Command {
        let mut command = self.command("bash", dest);
        command.arg(script(name));
        command
    }

    /// How long a command takes. It has to succeed; its output goes to a file.
    pub(crate) fn time(&self, command: &mut Command) -> Result<Duration, String> {
        let path = self.dir.path().join("output");
        let make = || {
            // Processes of the previous command may still write to their own file.
            let _ = fs::remove_file(&path);
            let output = File::create(&path)?;
            Ok::<_, std::io::Error>((output.try_clone()?, output))
        };
        let (out, err) = make().map_err(|e| format!("can't make {}: {e}", path.display()))?;
        command.stdout(out).stderr(err);
        let start = Instant::now();
        let mut child = command.spawn().map_err(|e| format!("can't run {command:?}: {e}"))?;
        let status = child.wait_timeout(LIMIT);
        let elapsed = start.elapsed();
        let what = match status {
            Ok(Some(status)) if status.success() => return Ok(elapsed),
            Ok(Some(status)) => status.to_string(),
            Ok(None) => {
                let _ = child.kill().and_then(|()| child.wait());
                format!("no end in {} s", LIMIT.as_secs())
            }
            Err(error) => error.to_string(),
        };
        let output = fs::read(&path).unwrap_or_default();
        let last = String::from_utf8_lossy(&output[output.len().saturating_sub(1000)..]).into_owned();
        Err(format!("{command:?} failed, {what}:\n{last}"))
    }

    /// The last line of the last timed command's output.
    pub(crate) fn last_line(&self) -> String {
        let output = fs::read_to_string(self.dir.path().join("output")).unwrap_or_default();
        output.lines().last().unwrap_or_default().to_owned()
    }

    /// A file with a large log, which must be put back after use.
    pub(crate) fn log(&self) -> Result<&Path, String> {
        if self.log.get().is_none() {
            let path = self.dir.path().join("large.log");
            write_log(&path, self.log_mib).map_err(|e| format!("can't write {}: {e}", path.display()))?;
            let _ = self.log.set(path);
        }
        self.log.get().map(PathBuf::as_path).ok_or_else(|| "the log is gone".into())
    }

    /// The folder of that crowd, which stays there as long as this place.
    pub(crate) fn crowd(&self, count: usize, finished: bool) -> Result<PathBuf, String> {
        let mut crowds = self.crowds.borrow_mut();
        if let Some(crowd) = crowds.get(&(count, finished)) {
            return Ok(crowd.dest().to_owned());
        }
        let dest = self.fresh()?;
        let crowd = Crowd::gather(dest, count, finished)?;
        let dest = crowd.dest().to_owned();
        crowds.insert((count, finished), crowd);
        Ok(dest)
    }
}

/// The path of that script.
pub(crate) fn script(name: &str) -> PathBuf {
    xtask::root().join("xtask/trials/bench").join(name)
}

fn write_log(path: &Path, mib: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for line in 0..mib << 14 {
        // 64 bytes.
        writeln!(out, "{line:>17} what a task says goes to its log, line by line")?;
    }
    out.into_inner()?.sync_all()
}
