//! Where a run takes place, and as which user.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use super::mode::Mode;

/// The environment variable that marks the run itself; it has the path of the program under test.
const PROGRAM: &str = "ASYNC_TORTURE_PROGRAM";

/// The second user, who has no other processes, so that only the run's count.
const USER: &str = "54321";

/// Returns the program under test if the run can take place in this process. Otherwise starts another process for it,
/// with a file system that nothing else sees or as another user, and returns none.
pub(super) fn start_elsewhere(
    mode: Mode,
    build: impl FnOnce() -> Result<PathBuf, String>,
) -> Result<Option<PathBuf>, String> {
    if let Some(program) = env::var_os(PROGRAM) {
        return Ok(Some(program.into()));
    }
    let program = build()?;
    if !mode.is_want() {
        return Ok(Some(program));
    }
    if !geteuid().is_root() {
        return Err(format!("--mode {} takes root", mode.name()));
    }
    let failed = |error| format!("can't start the run: {error}");
    let copies = tempfile::tempdir().map_err(failed)?;
    fs::set_permissions(copies.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let mut command;
    if mode == Mode::Processes {
        command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    } else {
        command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
    }
    // The second user may not have access to the originals.
    let copy = |from: &Path, name: &str| {
        let to = copies.path().join(name);
        fs::copy(from, &to).map(|_| to).map_err(failed)
    };
    let own = env::current_exe().map_err(failed)?;
    command.arg(copy(&own, "trials")?).args(env::args_os().skip(1)).env(PROGRAM, copy(&program, "async")?);
    let status = command.status().map_err(failed)?;
    if status.success() { Ok(None) } else { Err(format!("torture: {status}")) }
}

/// Mounts a small disk there.
pub(super) fn mount(path: &Path) -> Result<(), String> {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs"]).arg(path);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("mount: {status}")),
        Err(error) => Err(format!("can't run mount: {error}")),
    }
}

/// The directory of the run.
pub(super) struct Stage {
    pub(super) path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Stage {
    pub(super) fn new(keep: Option<&Path>) -> Result<Self, String> {
        let Some(path) = keep else {
            let dir = tempfile::tempdir().map_err(|error| format!("can't make a temporary directory: {error}"))?;
            return Ok(Self { path: dir.path().to_owned(), temporary: Some(dir) });
        };
        let made = fs::create_dir_all(path).and_then(|()| fs::canonicalize(path));
        let path = made.map_err(|error| format!("can't make {}: {error}", path.display()))?;
        if fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(format!("{} is not empty", path.display()));
        }
        Ok(Self { path, temporary: None })
    }

    /// Leaves it in place.
    pub(super) fn keep(self) {
        let _ = self.temporary.map(tempfile::TempDir::keep);
    }
}
