//! Writing a file so that nobody ever reads half of it, also in a directory that others may write to.
//!
//! The path is walked from directory to directory, each held open, so that nobody can exchange one between a look and its use.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

/// How many symlinks a path may have, as for the kernel (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// The mode that a new file is asked for with; an old one's bits beyond that are not kept.
const MODE: u32 = 0o666;

/// Puts a whole file in its place at once: a new one, beside what is there, takes its name. Of a file of this user's own, its
/// permissions are kept. What is there and no file is refused, and so is what is reached through a symlink of another user;
/// symlinks of this user and of root are followed.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let (dir, name) = place_of(path)?;
    let mode = match look(&dir, &name)? {
        None => None,
        Some(found) if kind(&found) != SFlag::S_IFREG => {
            return Err(io::Error::other("there is something else than a file; standard output is -"));
        }
        Some(found) => (found.st_uid == geteuid().as_raw()).then_some(found.st_mode & MODE),
    };
    let (mut file, temporary) = make_beside(&dir)?;
    let written = file
        .write_all(text)
        .and_then(|()| mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode))))
        .and_then(|()| Ok(renameat(&dir, temporary.as_os_str(), &dir, name.as_os_str())?));
    if written.is_err() {
        let _ = unlinkat(&dir, temporary.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    written
}

/// A new file in that directory, and its name. The name has no ending, so that nothing that collects such files takes it for one.
fn make_beside(dir: &OwnedFd) -> io::Result<(File, OsString)> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    for number in 0.. {
        let name = OsString::from(format!(".async-{}-{number}", std::process::id()));
        match openat(dir, name.as_os_str(), flags, Mode::from_bits_truncate(MODE)) {
            Err(Errno::EEXIST) => {}
            made => return Ok((File::from(made?), name)),
        }
    }
    unreachable!("the numbers have no end")
}

/// The directory of a file, and its name there, which is no symlink's.
fn place_of(path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let mut dir = open_dir(AT_FDCWD, OsStr::new("."))?;
    let mut left = VecDeque::new();
    put_before(&mut left, path);
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == "/" {
            dir = open_dir(AT_FDCWD, &part)?;
            continue;
        }
        let found = look(&dir, &part)?;
        match found {
            Some(found) if kind(&found) == SFlag::S_IFLNK => {
                links += 1;
                if links > MOST_LINKS || ![0, geteuid().as_raw()].contains(&found.st_uid) {
                    return Err(io::Error::other("there is a symlink of another user in the path"));
                }
                put_before(&mut left, &PathBuf::from(readlinkat(&dir, part.as_os_str())?));
            }
            _ if left.is_empty() => return Ok((dir, part)),
            _ => dir = open_dir(&dir, &part)?,
        }
    }
    Err(Errno::EISDIR.into())
}

fn put_before(left: &mut VecDeque<OsString>, path: &Path) {
    for component in path.components().rev().filter(|component| *component != Component::CurDir) {
        left.push_front(component.as_os_str().to_owned());
    }
}

/// What has that name in a directory, itself if it is a symlink; none if nothing has.
fn look(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<FileStat>> {
    match fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

/// Fails if a symlink has taken its place since it was looked at.
fn open_dir(at: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}
