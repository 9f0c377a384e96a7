//! Whether a future's task is running, and waiting for its end.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
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

/// Whether a process holds the future's life.
pub(super) fn is_alive(file: &File, path: &Path, record: &Record) -> Result<bool> {
    if record.only_on().is_some() {
        // Only that host can tell whether it is lost; here the lock may mean nothing.
        let is_over = record.rc.is_some() || record.gone.is_some() || record.wait_end.is_some();
        return Ok(!is_over && file.metadata().map_err(Error::io("look at", path))?.nlink() > 0);
    }
    match &record.life {
        Some(life) => life.is_alive().map_err(Error::io("look at the process of", path)),
        // A task on an engine is alive even if no process attends it.
        None if record.goes_on_elsewhere() => Ok(true),
        None => lock::is_held(file).map_err(Error::io("look at the lock of", path)),
    }
}

/// Sleeps until the future's task is over: until nothing holds its life, or the shell that runs it has recorded the
/// end.
pub(super) fn wait_for_end(file: &File, path: &Path) -> Result<()> {
    let mut record = read_record(file, path)?;
    if record.only_on().is_some() {
        wait_for_host(file, path)?;
        record = read_record(file, path)?;
    }
    match record.life {
        Some(_) if record.only_on().is_some() => Ok(()),
        Some(life) => wait_for_shell(&life, file, path),
        None if record.plan.is_some_and(|plan| plan.on.is_some()) => wait_for_job(file, path),
        None => lock::wait_for_release(file).map_err(Error::io("wait for", path)),
    }
}

/// How long to sleep before looking again at a job that no process attends, or at a future of another host.
const UNATTENDED: Duration = Duration::from_secs(1);

/// Sleeps until it is over, or its job is submitted and anybody's. Its lock is only seen here if the file system has locks
/// that hold across hosts.
fn wait_for_host(file: &File, path: &Path) -> Result<()> {
    loop {
        lock::wait_for_release(file).map_err(Error::io("wait for", path))?;
        let record = read_record(file, path)?;
        if record.submission.is_some() || !is_alive(file, path, &record)? {
            return Ok(());
        }
        sleep(UNATTENDED);
    }
}

/// An attendant may be gone before the job is over: then another one takes its place.
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

/// Calls an attendant for a job that has none. Returns the record as it is after that.
pub(super) fn attended(file: &File, path: &Path, record: Record) -> Result<Record> {
    if !record.goes_on_elsewhere() || lock::is_held(file).map_err(Error::io("look at the lock of", path))? {
        return Ok(record);
    }
    // The last attendant may just have recorded the end.
    let record = read_record(file, path)?;
    if !record.goes_on_elsewhere() {
        return Ok(record);
    }
    // If no attendant can be started now, the next process that looks tries again.
    attendant::call(path);
    read_record(file, path)
}

/// The shell goes on after the task, so only the record can tell.
fn wait_for_shell(life: &ProcessIdentity, file: &File, path: &Path) -> Result<()> {
    let fail = |errno: Errno| Error::io("watch", path)(errno.into());
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(fail)?;
    // The open file, whatever name it has by now.
    let this = format!("/proc/self/fd/{}", file.as_raw_fd());
    changes.add_watch(this.as_str(), AddWatchFlags::IN_MODIFY).map_err(fail)?;
    while read_record(file, path)?.rc.is_none() && life.is_alive().map_err(Error::io("look at the process of", path))? {
        life.wait_or(changes.as_fd()).map_err(Error::io("wait for the process of", path))?;
        let _ = changes.read_events();
    }
    Ok(())
}
