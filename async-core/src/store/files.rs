//! The files of a store, and what is done to them one at a time.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, renameat2};

use crate::error::{Error, Result};
use crate::record::{self, Line, MAX_RECORD_BYTES, Record};

/// What most records are shorter than, in bytes.
const MOST_RECORDS_BYTES: usize = 4096;

/// Renames, unless the new name is taken: then false.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => finish_move(from, to),
        // A file system without that flag: link(2) refuses a taken name just as surely.
        Err(Errno::EINVAL | Errno::ENOSYS) => link_new(from, to),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether the error means that the file system can't have a file under two names.
pub(super) fn means_no_links(error: &io::Error) -> bool {
    // FAT says EPERM.
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EMLINK))
}

fn link_new(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return finish_move(from, to),
        Err(error) => return Err(error),
    }
    let removed = remove_if_there(from);
    if removed.is_err() && are_same_file(from, to).unwrap_or(false) {
        // Not under two names.
        let _ = fs::remove_file(to);
    }
    removed.map(|_| true)
}

/// If the taken name is the file's own, because somebody was stopped between the link and the removal, removes the old
/// one. Otherwise false.
fn finish_move(from: &Path, to: &Path) -> io::Result<bool> {
    if are_same_file(from, to)? { remove_if_there(from).map(|_| true) } else { Ok(false) }
}

/// Whether both names are one file's; not if one of them is gone.
pub(super) fn are_same_file(a: &Path, b: &Path) -> io::Result<bool> {
    let look = |path| match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(identity(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (a, b) = (look(a)?, look(b)?);
    Ok(a.is_some() && a == b)
}

/// The names of all files in a directory, in no order.
pub(super) fn names_in(dir: &Path) -> Result<Vec<OsString>> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    entries.map(|entry| Ok(entry.map_err(Error::io("list", dir))?.file_name())).collect()
}

/// The same; none if there is no such directory.
pub(super) fn names_if_there(dir: &Path) -> Result<Vec<OsString>> {
    match names_in(dir) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names,
    }
}

/// Removes a file; false if there is none.
pub(super) fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        result => result.map(|()| true),
    }
}

pub(super) fn refuse_unless_regular(metadata: &Metadata, path: &Path) -> Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_symlink() {
        "a symlink"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a fifo"
    } else {
        "a special file"
    };
    Err(Error::Planted { path: path.to_owned(), what })
}

/// Opens a file of the store to read and to append; none if there is none.
pub(super) fn open_regular(path: &Path) -> Result<Option<File>> {
    Ok(open_identified(path)?.map(|(file, _)| file))
}

/// The same, with what tells it from any other.
pub(super) fn open_identified(path: &Path) -> Result<Option<(File, FileIdentity)>> {
    open_checked(OpenOptions::new().read(true).append(true), path)
}

pub(super) fn open_for_reading(path: &Path) -> Result<Option<File>> {
    Ok(open_checked(OpenOptions::new().read(true), path)?.map(|(file, _)| file))
}

fn open_checked(options: &mut OpenOptions, path: &Path) -> Result<Option<(File, FileIdentity)>> {
    // Without O_NONBLOCK, opening a planted fifo would wait for its other end.
    match options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path) {
        Ok(file) => {
            let metadata = file.metadata().map_err(Error::io("look at", path))?;
            refuse_unless_regular(&metadata, path)?;
            Ok(Some((file, identity(&metadata))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            if let Ok(metadata) = fs::symlink_metadata(path) {
                refuse_unless_regular(&metadata, path)?;
            }
            Err(Error::io("open", path)(error))
        }
    }
}

pub(super) fn read_record(file: &File, path: &Path) -> Result<Record> {
    parse_record(&read_bytes(file, path)?, path)
}

pub(super) fn parse_record(bytes: &[u8], path: &Path) -> Result<Record> {
    record::parse(bytes).map_err(|why| Error::BadRecord { path: path.to_owned(), why })
}

/// All bytes of a record; most are read with one call.
pub(super) fn read_bytes(file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = vec![0; MOST_RECORDS_BYTES];
    let mut length = 0;
    loop {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", path)(error)),
        }
        if length as u64 > MAX_RECORD_BYTES {
            let length = file.metadata().map_err(Error::io("look at", path))?.len();
            let why = format!("it has {length} bytes, and a record has {MAX_RECORD_BYTES} at most");
            return Err(Error::BadRecord { path: path.to_owned(), why });
        }
        if length < bytes.len() {
            bytes.truncate(length);
            return Ok(bytes);
        }
        bytes.resize(bytes.len() * 4, 0);
    }
}

/// Adds whole lines to a record with one write; if only a part fits, takes it back.
pub(super) fn append(mut file: &File, record: &Record, lines: &[Line]) -> io::Result<()> {
    let lines = record.addition(lines);
    let written = loop {
        match file.write(lines.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if written == lines.len() {
        return Ok(());
    }
    // Unless somebody has added to it since.
    let before = file.metadata()?.len().saturating_sub(written as u64);
    let mut end = vec![0; written];
    if file.read_exact_at(&mut end, before).is_ok() && end == lines.as_bytes()[..written] {
        file.set_len(before)?;
    }
    Err(Errno::ENOSPC.into())
}

/// Whether the open file is the one of that name; not if there is none.
pub(super) fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    is_named(identity(&file.metadata()?), path)
}

/// Whether that file is the one of that name; not if there is none.
pub(super) fn is_named(file: FileIdentity, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(identity(&named) == file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What tells a file from any other: its device and its inode.
pub(super) type FileIdentity = (u64, u64);

pub(super) fn identity(metadata: &Metadata) -> FileIdentity {
    (metadata.dev(), metadata.ino())
}
