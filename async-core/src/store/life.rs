//! Whether a future's task runs, and waiting until it does not.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::attendant;
use super::files::read_record;
use crate::error::{Error, Result};
use crate::lock;
use crate::process::ProcessIdentity;
use crate::record::Record;

/// Whether somebody holds the life of a future.
pub(super) fn is_alive(file: &File, path: &Path, record: &Record) -> Result<bool> {
    match &record.life {
        Some(life) => life.is_alive().map_err(Error::io("look at the process of", path)),
        // What an engine has lives, whether or not somebody attends it.
        None if record.goes_on_elsewhere() => Ok(true),
        None => lock::is_held(file).map_err(Error::io("look at the lock of", path)),
    }
}

/// Sleeps until the task of a future is over: until nobody holds its life, or the shell that runs it says so.
pub(super) fn wait_for_end(file: &File, path: &Path) -> Result<()> {
    let record = read_record(file, path)?;
    match record.life {
        Some(life) => wait_for_shell(&life, file, path),
        None if record.plan.is_some_and(|plan| plan.on.is_some()) => wait_for_job(file, path),
        None => lock::wait_for_release(file).map_err(Error::io("wait for", path)),
    }
}

/// How long to sleep until somebody attends what goes on elsewhere.
const UNATTENDED: Duration = Duration::from_secs(1);

/// The one who attends the job may be gone before it is over: then another one does.
fn wait_for_job(file: &File, path: &Path) -> Result<()> {
    loop {
        lock::wait_for_release(file).map_err(Error::io("wait for", path))?;
        let record = attended(file, path, read_record(file, path)?)?;
        if !record.goes_on_elsewhere() {
            return Ok(());
        }
        if !lock::is_held(file).map_err(Error::io("look at the lock of", path))? {
            sleep(UNATTENDED);
        }
    }
}

/// Has a future attended whose job goes on without anybody who listens to it. Gives what its record says then.
pub(super) fn attended(file: &File, path: &Path, record: Record) -> Result<Record> {
    if !record.goes_on_elsewhere() || lock::is_held(file).map_err(Error::io("look at the lock of", path))? {
        return Ok(record);
    }
    // The last one may just have recorded the end.
    let record = read_record(file, path)?;
    if !record.goes_on_elsewhere() {
        return Ok(record);
    }
    // If nobody can be had for it now, it is still there for the next one who asks.
    attendant::call(path);
    read_record(file, path)
}

/// The shell goes on after the task, so it is the record that tells.
fn wait_for_shell(life: &ProcessIdentity, file: &File, path: &Path) -> Result<()> {
    let fail = |errno: Errno| Error::io("watch", path)(errno.into());
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(fail)?;
    // The open file, whatever its name is by now.
    let this = format!("/proc/self/fd/{}", file.as_raw_fd());
    changes.add_watch(this.as_str(), AddWatchFlags::IN_MODIFY).map_err(fail)?;
    while read_record(file, path)?.rc.is_none() && life.is_alive().map_err(Error::io("look at the process of", path))? {
        life.wait_or(changes.as_fd()).map_err(Error::io("wait for the process of", path))?;
        let _ = changes.read_events();
    }
    Ok(())
}
