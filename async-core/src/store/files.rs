//! The files of a store, and operations on one of them.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::directory::Directory;
use crate::error::{Error, Result};
use crate::interruption::again;
use crate::record::{self, Line, MAX_RECORD_BYTES, Record};

/// Most records are shorter than this, in bytes.
const MOST_RECORDS_BYTES: usize = 4096;

/// A name in a directory of a store, and the file that has it, if any. Symlinks are never followed.
#[derive(Clone, Debug)]
pub struct StoreFile {
    directory: Directory,
    path: PathBuf,
}

impl StoreFile {
    pub(super) fn new(directory: Directory, name: &OsStr) -> Self {
        let path = directory.path().join(name);
        Self { directory, path }
    }

    /// Its path, for display.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for reading from its start; none if it is gone. Fails unless it is a regular file.
    pub fn open(&self) -> Result<Option<File>> {
        Ok(self.open_checked(OFlag::O_RDONLY)?.map(|(file, _)| file))
    }

    /// The same for reading and appending.
    pub(super) fn open_to_append(&self) -> Result<Option<File>> {
        Ok(self.open_identified()?.map(|(file, _)| file))
    }

    /// The same, with the identity of the file.
    pub(super) fn open_identified(&self) -> Result<Option<(File, FileIdentity)>> {
        self.open_checked(OFlag::O_RDWR | OFlag::O_APPEND)
    }

    fn open_checked(&self, flags: OFlag) -> Result<Option<(File, FileIdentity)>> {
        match self.open_as_is(flags, 0) {
            Ok(file) => {
                let metadata = file.metadata().map_err(Error::io("look at", &self.path))?;
                refuse_unless_regular(metadata.mode(), &self.path)?;
                Ok(Some((file, identity(&metadata))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                if let Ok(Some(found)) = self.stat() {
                    refuse_unless_regular(found.st_mode, &self.path)?;
                }
                Err(Error::io("open", &self.path)(error))
            }
        }
    }

    /// Opens it whatever it is, except a symlink; `mode`, less the umask, applies if it is made.
    pub(super) fn open_as_is(&self, flags: OFlag, mode: u32) -> io::Result<File> {
        // Without O_NONBLOCK, opening a planted fifo would wait for the other end.
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let (directory, mode) = (self.directory.opened()?, Mode::from_bits_truncate(mode));
        again(|| Ok(File::from(openat(&directory, self.name(), flags, mode)?)))
    }

    /// The file beside it with another extension.
    pub(super) fn with_extension(&self, extension: &str) -> Self {
        Self { directory: self.directory.clone(), path: self.path.with_extension(extension) }
    }

    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Whether its path still leads to it, as far as its directory is concerned.
    pub(super) fn is_in_place(&self) -> Result<bool> {
        self.directory.has_its_name().map_err(Error::io("look at", self.directory.path()))
    }

    /// The status of the file; none if there is none.
    pub(super) fn stat(&self) -> io::Result<Option<FileStat>> {
        let look = || Ok(fstatat(self.directory.opened()?, self.name(), AtFlags::AT_SYMLINK_NOFOLLOW)?);
        match look() {
            Err(error) if is_missing(&error) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Whether anything has that name.
    pub fn is_there(&self) -> Result<bool> {
        Ok(self.stat().map_err(Error::io("look at", &self.path))?.is_some())
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(self.directory.opened()?, self.name(), UnlinkatFlags::NoRemoveDir)?)
    }

    /// Removes it; false if there is none.
    pub(super) fn remove_if_there(&self) -> io::Result<bool> {
        match self.remove() {
            Err(error) if is_missing(&error) => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Renames it, replacing any file of the new name.
    pub(super) fn rename(&self, to: &Self) -> io::Result<()> {
        Ok(renameat(self.directory.opened()?, self.name(), to.directory.opened()?, to.name())?)
    }

    /// The same unless the new name is taken: then false.
    pub(super) fn rename_new(&self, to: &Self) -> io::Result<bool> {
        let (from_dir, to_dir) = (self.directory.opened()?, to.directory.opened()?);
        match renameat2(from_dir, self.name(), to_dir, to.name(), RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => Ok(true),
            Err(Errno::EEXIST) => self.finish_move(to),
            // The file system lacks that flag. link(2) refuses a taken name just as surely.
            Err(Errno::EINVAL | Errno::ENOSYS) => self.link_new(to),
            Err(errno) => Err(errno.into()),
        }
    }

    fn link_new(&self, to: &Self) -> io::Result<bool> {
        match self.link(to) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return self.finish_move(to),
            Err(error) => return Err(error),
        }
        let removed = self.remove_if_there();
        if removed.is_err() && self.is_same(to).unwrap_or(false) {
            // It must not stay under two names.
            let _ = to.remove();
        }
        removed.map(|_| true)
    }

    /// Removes the old name if the new one already belongs to the same file, because a process was stopped between the
    /// link and the removal. Otherwise false.
    fn finish_move(&self, to: &Self) -> io::Result<bool> {
        if self.is_same(to)? { self.remove_if_there().map(|_| true) } else { Ok(false) }
    }

    /// Gives it a second name.
    pub(super) fn link(&self, to: &Self) -> io::Result<()> {
        let (from_dir, to_dir) = (self.directory.opened()?, to.directory.opened()?);
        Ok(linkat(from_dir, self.name(), to_dir, to.name(), AtFlags::empty())?)
    }

    /// Whether both names belong to one file; false if either is gone.
    pub(super) fn is_same(&self, other: &Self) -> io::Result<bool> {
        self.stat()?.map_or(Ok(false), |found| other.is(identity_of(&found)))
    }

    /// Whether it is that file; false if there is none.
    pub(super) fn is(&self, file: FileIdentity) -> io::Result<bool> {
        Ok(self.stat()?.is_some_and(|found| identity_of(&found) == file))
    }

    /// Whether it is the open file.
    pub(super) fn is_open_as(&self, file: &File) -> io::Result<bool> {
        self.is(identity(&file.metadata()?))
    }
}

impl PartialEq for StoreFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for StoreFile {}

impl Hash for StoreFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

impl PartialOrd for StoreFile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StoreFile {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether the error means that the file system has no hard links.
pub(super) fn means_no_links(error: &io::Error) -> bool {
    // FAT says EPERM.
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EMLINK))
}

pub(super) fn refuse_unless_regular(mode: u32, path: &Path) -> Result<()> {
    refuse_unless(SFlag::S_IFREG, "a regular file", mode, path)
}

pub(super) fn refuse_unless_directory(found: &FileStat, path: &Path) -> Result<()> {
    refuse_unless(SFlag::S_IFDIR, "a directory", found.st_mode, path)
}

fn refuse_unless(wanted: SFlag, name: &'static str, mode: u32, path: &Path) -> Result<()> {
    let kind = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
    let what = match kind {
        _ if kind == wanted => return Ok(()),
        SFlag::S_IFREG => "a file",
        SFlag::S_IFLNK => "a symlink",
        SFlag::S_IFDIR => "a directory",
        SFlag::S_IFIFO => "a fifo",
        _ => "a special file",
    };
    Err(Error::Planted { path: path.to_owned(), what, wanted: name })
}

pub(super) fn read_record(file: &File, path: &Path) -> Result<Record> {
    parse_record(&read_bytes(file, path)?, path)
}

pub(super) fn parse_record(bytes: &[u8], path: &Path) -> Result<Record> {
    record::parse(bytes).map_err(|why| Error::BadRecord { path: path.to_owned(), why })
}

/// Reads all bytes of a record; one call suffices for most.
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

/// Adds whole lines to a record with one write; takes it back if only a part fits.
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
    // Unless another process has added to it since.
    let before = file.metadata()?.len().saturating_sub(written as u64);
    let mut end = vec![0; written];
    if file.read_exact_at(&mut end, before).is_ok() && end == lines.as_bytes()[..written] {
        file.set_len(before)?;
    }
    Err(Errno::ENOSPC.into())
}

/// Identifies a file: its device and inode.
pub(crate) type FileIdentity = (u64, u64);

pub(crate) fn identity(metadata: &Metadata) -> FileIdentity {
    (metadata.dev(), metadata.ino())
}

/// The identity from a status.
fn identity_of(found: &FileStat) -> FileIdentity {
    (found.st_dev, found.st_ino)
}
