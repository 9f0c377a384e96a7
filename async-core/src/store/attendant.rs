//! Starting attendants for jobs.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::{Entry, Store};
use crate::error::{Error, Result};
use crate::launch::{Elsewhere, Target};
use crate::lock;
use crate::name::FutureName;
use crate::supervise::{Files, Report, Task, supervise};

/// Starts a process that attends the future of that name in that store ([`Store::attend`]), and waits briefly until it
/// does.
type Caller = fn(&Path, &FutureName) -> io::Result<()>;

static CALLER: OnceLock<Caller> = OnceLock::new();
static CALLED: Mutex<Option<HashMap<PathBuf, Instant>>> = Mutex::new(None);

/// How long a new attendant has to begin before this process starts another.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// Sets how to start an attendant. Without this, none is started.
pub fn call_attendants_with(caller: Caller) {
    let _ = CALLER.set(caller);
}

/// Starts an attendant for the future whose record has that path.
pub(super) fn call(record: &Path) {
    let name = record.file_stem().and_then(|stem| FutureName::from_arg(stem).ok());
    let (Some(caller), Some(store), Some(name)) = (CALLER.get(), record.parent(), name) else {
        return;
    };
    if let Ok(mut called) = CALLED.lock() {
        let moments = called.get_or_insert_default();
        if moments.get(record).is_some_and(|when| when.elapsed() < ON_THE_WAY) {
            return;
        }
        moments.insert(record.to_owned(), Instant::now());
    }
    let _ = caller(store, &name);
}

impl Store {
    /// Attends the future of that name, whose job is on an engine, to its end. Returns at once if another process
    /// attends it already, or if there is no such future.
    pub fn attend(&self, name: &FutureName, report: Report<'_>) -> Result<()> {
        let named = self.record_file(name);
        let Some(file) = named.open_to_append()? else {
            return Ok(());
        };
        match lock::take_life(&file) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(()),
            taken => taken.map_err(Error::io("lock", named.path()))?,
        }
        // It may have been over before that, or the name may belong to another future by now.
        let is_it = named.is_open_as(&file).map_err(Error::io("look at", named.path()))?;
        if !is_it || !super::files::read_record(&file, named.path())?.goes_on_elsewhere() {
            return Ok(());
        }
        self.attend_with(name, file, report)
    }

    fn attend_with(&self, name: &FutureName, file: File, report: Report<'_>) -> Result<()> {
        let again = Task::Elsewhere(Elsewhere { program: None, shell: None, folders: None });
        supervise(self, name, Files { record: file, log: None }, true, again, None, report).map(drop)
    }

    /// The host of each job that is not over.
    pub(crate) fn busy_hosts(&self) -> Result<Vec<String>> {
        let entries = self.entries(&self.record_files(false)?).into_iter().filter_map(|entry| entry.ok().flatten());
        let of_jobs = entries.filter(|entry| entry.record.launch.is_some() && !entry.state.is_over());
        let host = |entry: Entry| match entry.record.plan.and_then(|plan| plan.on) {
            Some(Target::Ssh(host)) => Some(host),
            _ => None,
        };
        Ok(of_jobs.filter_map(host).collect())
    }

    /// The directory for the folders of jobs, unless the caller names another one.
    pub(crate) fn jobs_path(&self) -> PathBuf {
        self.dir().join(super::JOBS)
    }
}
