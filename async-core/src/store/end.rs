//! The end of a task.

use std::fs::{self, File, OpenOptions};
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Store;
use super::files::{append, open_regular, read_record};
use crate::clock;
use crate::descriptor::duplicate;
use crate::error::{Error, Result};
use crate::name::FutureName;
use crate::record::Record;

impl Store {
    /// Adds the end of a task to the record of its future, which has the descriptor `fd`.
    pub fn finish_on_descriptor(&self, fd: RawFd, rc: i32) -> Result<Record> {
        let here = Path::new("/proc/self/fd").join(fd.to_string());
        let path = fs::read_link(&here).unwrap_or(here);
        let file = duplicate(fd).map_err(Error::io("use the record", &path))?;
        if file.metadata().map_err(Error::io("look at", &path))?.nlink() == 0 {
            return Err(Error::RecordRemoved(path));
        }
        // The shared descriptor may be open for writing only; reading takes another one.
        let again = OpenOptions::new().read(true).open(format!("/proc/self/fd/{fd}"));
        let record = read_record(&again.map_err(Error::io("read the record", &path))?, &path)?;
        add_end(&file, &path, record, rc)
    }

    /// Adds the end of a task to the record of the live future of that name.
    pub fn finish(&self, name: &FutureName, rc: i32) -> Result<Record> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return Err(self.unknown(name));
        };
        let record = read_record(&file, &path)?;
        add_end(&file, &path, record, rc)
    }
}

fn add_end(file: &File, path: &Path, record: Record, rc: i32) -> Result<Record> {
    let end_time = clock::wall();
    let run_time = match record.start_boot {
        Some(start) => clock::since_boot().saturating_sub(start),
        None => end_time.saturating_sub(record.start_time),
    };
    let run_time = run_time.max(0);
    append(file, &record, &format!("end_time = {end_time}\nrun_time = {run_time}\nrc = {rc}\n"))
        .map_err(Error::io("write the result to", path))?;
    Ok(Record { end_time: Some(end_time), run_time: Some(run_time), rc: Some(rc), ..record })
}
