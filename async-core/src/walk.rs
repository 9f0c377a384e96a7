//! Walking a path from directory to directory, holding each one open, so that nobody can replace one between its check
//! and its use.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat, stat};
use nix::unistd::geteuid;

use crate::error::{Error, Result};
use crate::interruption::again;

/// How many symlinks a path may contain; the kernel has the same limit (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// The mode, less the umask, of a missing parent directory. Others may use it, but nobody whom the user has not chosen
/// may write to it.
const ABOVE: u32 = 0o775;

/// How to walk a path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk {
    /// Whether only this user, root and a group may replace the entries of each directory above the last component.
    pub guarded: bool,
    /// The mode, less the umask, for making the last component as a directory if it is missing. Makes missing parents
    /// too.
    pub make: Option<u32>,
}

/// Where a path leads.
#[derive(Debug)]
pub enum Reached {
    /// To a directory, held open for reaching its contents (`O_PATH`).
    Directory(OwnedFd),
    /// To the entry of that name in that directory, neither a directory nor a symlink. None if there is no such entry.
    Other(OwnedFd, OsString, Option<FileStat>),
}

impl Walk {
    /// Walks along a path. Follows the symlinks of this user and of root; another user's symlink is an error, wherever
    /// it is in the path.
    pub fn along(self, path: &Path) -> Result<Reached> {
        if path.as_os_str().is_empty() {
            return Err(Error::io("look at", path)(io::ErrorKind::NotFound.into()));
        }
        let mut walker = Walker { how: self, here: None, seen: PathBuf::new(), left: VecDeque::new(), links: 0 };
        walker.put_before(path);
        if path.is_relative() {
            walker.left.push_front(".".into());
        }
        while let Some(part) = walker.left.pop_front() {
            if let Some(end) = walker.step(part)? {
                return Ok(end);
            }
        }
        walker.here.map(Reached::Directory).ok_or_else(|| Error::io("look at", path)(Errno::ENOENT.into()))
    }
}

struct Walker {
    how: Walk,
    /// None before the first step, which goes to `/` or to the working directory.
    here: Option<OwnedFd>,
    /// Its path, for messages.
    seen: PathBuf,
    left: VecDeque<OsString>,
    links: usize,
}

impl Walker {
    /// Goes on to the entry of that name. Returns the end of the walk if it is no directory.
    fn step(&mut self, part: OsString) -> Result<Option<Reached>> {
        let there = self.seen.join(&part);
        match open_directory(self.at(), &part) {
            Ok(next) => {
                if self.how.guarded && !self.left.is_empty() {
                    must_be_guarded(&next, &there)?;
                }
                (self.here, self.seen) = (Some(next), there);
                Ok(None)
            }
            Err(Errno::ENOENT) => match self.how.make {
                Some(mode) => {
                    let mode = if self.left.is_empty() { mode } else { ABOVE };
                    make_directory(self.at(), &part, mode).map_err(Error::io("make the directory", &there))?;
                    self.left.push_front(part);
                    Ok(None)
                }
                None => self.end(part, None, Errno::ENOENT).map(Some).map_err(Error::io("look at", &there)),
            },
            // For a symlink the kernel may return either.
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let failed = || Error::io("look at", &there);
                let (file, found) = look_closely(self.at(), &part).map_err(failed())?;
                if !is_kind(&found, SFlag::S_IFLNK) {
                    return self.end(part, Some(found), Errno::ENOTDIR).map(Some).map_err(failed());
                }
                if !is_trusted(found.st_uid) {
                    return Err(Error::ForeignLink { path: there, owner: found.st_uid });
                }
                self.links += 1;
                let target = readlinkat(&file, "").map_err(io::Error::from);
                let target = if self.links > MOST_LINKS { Err(Errno::ELOOP.into()) } else { target };
                self.put_before(Path::new(&target.map_err(failed())?));
                Ok(None)
            }
            Err(errno) => Err(Error::io("look at", &there)(errno.into())),
        }
    }

    fn at(&self) -> BorrowedFd<'_> {
        self.here.as_ref().map_or(AT_FDCWD, AsFd::as_fd)
    }

    /// The end of the walk, if this is one; else the error.
    fn end(&mut self, part: OsString, found: Option<FileStat>, error: Errno) -> io::Result<Reached> {
        match self.here.take().filter(|_| self.left.is_empty()) {
            Some(here) => Ok(Reached::Other(here, part, found)),
            None => Err(error.into()),
        }
    }

    fn put_before(&mut self, path: &Path) {
        for component in path.components().rev().filter(|component| *component != Component::CurDir) {
            self.left.push_front(component.as_os_str().to_owned());
        }
    }
}

/// Opens a directory for reaching its contents. A symlink is an error, wherever it leads.
pub(crate) fn open_directory(at: impl AsFd, name: &OsStr) -> nix::Result<OwnedFd> {
    // Without O_DIRECTORY, the kernel would not mount an automount directory.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    loop {
        match openat(&at, name, flags, Mode::empty()) {
            Err(Errno::EINTR) => {}
            opened => return opened,
        }
    }
}

/// Makes a directory unless it exists.
pub(crate) fn make_directory(at: impl AsFd, name: &OsStr, mode: u32) -> io::Result<()> {
    match mkdirat(at, name, Mode::from_bits_truncate(mode)) {
        Err(Errno::EEXIST) => Ok(()),
        result => Ok(result?),
    }
}

/// Opens the entry of that name; a symlink itself, not its target.
fn look_closely(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<(OwnedFd, FileStat)> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = again(|| Ok(openat(at, name, flags, Mode::empty())?))?;
    let found = fstat(&file)?;
    Ok((file, found))
}

/// Checks that only this user, root or a group, which is trusted, can replace its entries, or that each entry belongs
/// to its maker (sticky bit).
fn must_be_guarded(directory: &OwnedFd, path: &Path) -> Result<()> {
    let found = fstat(directory).map_err(|errno| Error::io("look at", path)(errno.into()))?;
    if !is_trusted(found.st_uid) {
        return Err(Error::ForeignDirectory { path: path.to_owned(), owner: found.st_uid });
    }
    let (sticky, others_write) = (found.st_mode & 0o1000 != 0, found.st_mode & 0o002 != 0);
    if others_write && !sticky { Err(Error::OpenDirectory(path.to_owned())) } else { Ok(()) }
}

/// Whether paths through this owner's files are safe: this user's and root's are. So are those of the owner of `/`, who
/// could replace everything anyway; that is how root appears in a user namespace without a mapping for root.
fn is_trusted(owner: u32) -> bool {
    owner == user() || owner == 0 || stat("/").is_ok_and(|root| root.st_uid == owner)
}

/// The user id of this process.
pub(crate) fn user() -> u32 {
    static USER: LazyLock<u32> = LazyLock::new(|| geteuid().as_raw());
    *USER
}

/// Whether the file is of that kind.
#[must_use]
pub fn is_kind(found: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == kind
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The result of a walk: `/` after a directory, and `?` after a missing entry.
    fn walked(from: &Path, path: &str, make: Option<u32>) -> String {
        let walk = Walk { guarded: true, make };
        let of = |directory: OwnedFd| {
            let here = fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&directory))).unwrap();
            here.strip_prefix(from).unwrap().to_str().unwrap().to_owned()
        };
        match walk.along(&from.join(path)) {
            Ok(Reached::Directory(directory)) => of(directory) + "/",
            Ok(Reached::Other(directory, name, found)) => {
                let end = if found.is_some() { "" } else { "?" };
                format!("{}:{}{end}", of(directory), name.to_str().unwrap())
            }
            Err(Error::Io { source, .. }) => format!("{:?}", Errno::from_raw(source.raw_os_error().unwrap_or(0))),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_path_leads_where_the_kernel_has_it_lead() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().canonicalize().unwrap();
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::write(dir.join("a/file"), "").unwrap();
        for (link, target) in
            [("up", "a/b/.."), ("loop", "loop"), ("gone", "a/new"), ("here", "."), ("to-file", "a/file")]
        {
            symlink(target, dir.join(link)).unwrap();
        }
        symlink(dir.join("a/b"), dir.join("far")).unwrap();
        for (path, end) in [
            ("a/b", "a/b/"),
            ("a/./b/../b/", "a/b/"),
            ("up", "a/"),
            ("up/b", "a/b/"),
            ("far/../file", "a:file"),
            ("here/here/a", "a/"),
            ("to-file", "a:file"),
            ("a/none", "a:none?"),
            ("gone", "a:new?"),
            ("none/b", "ENOENT"),
            ("a/file/b", "ENOTDIR"),
            ("a/file/..", "ENOTDIR"),
            ("loop", "ELOOP"),
        ] {
            assert_eq!(walked(&dir, path, None), end, "{path}");
        }
        assert!(matches!(Walk::default().along(Path::new("")), Err(Error::Io { .. })));
        assert!(matches!(Walk::default().along(Path::new(".")), Ok(Reached::Directory(_))));
        assert_eq!(walked(&dir, "gone/c/d", Some(0o700)), "a/new/c/d/");
        let mode =
            |path| fs::metadata(dir.join(path)).map(|found| std::os::unix::fs::MetadataExt::mode(&found) & 0o777);
        assert_eq!((mode("a/new/c/d").unwrap(), mode("a/new").unwrap() & 0o702), (0o700, 0o700));
    }
}
