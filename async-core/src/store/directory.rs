//! The directories of a store. Everything in one is reached through its descriptor: once it is open and checked,
//! replacing the directory at its path changes nothing that is used.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::files::{StoreFile, refuse_unless_directory};
use crate::error::{Error, Result};
use crate::interruption::again;
use crate::walk::{Reached, Walk, make_directory, open_directory, user};

/// A directory that this user owns and that not everyone may write to. Nothing in any other directory is used.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// None if each use opens and checks it anew.
    held: Option<Arc<OwnedFd>>,
    /// The parent directory, and the name in it; none for the store's own directory.
    within: Option<(Arc<Directory>, Arc<OsStr>)>,
    /// For messages and callers that need the location.
    path: Arc<Path>,
}

/// The descriptor of a directory.
pub(super) enum Opened<'a> {
    Held(BorrowedFd<'a>),
    New(OwnedFd),
}

impl AsFd for Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Held(held) => *held,
            Self::New(new) => new.as_fd(),
        }
    }
}

impl Directory {
    /// Opens the directory of a store.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::reach(path, None)
    }

    /// The same, but makes a missing directory with that mode less the umask, and any missing parents.
    pub(super) fn open_or_make(path: &Path, mode: u32) -> Result<Self> {
        Self::reach(path, Some(mode))
    }

    fn reach(path: &Path, make: Option<u32>) -> Result<Self> {
        let opened = match (Walk { guarded: true, make }).along(path) {
            Ok(Reached::Directory(opened)) => opened,
            Ok(Reached::Other(_, _, Some(_))) => return Err(Error::NotADirectory(path.to_owned())),
            Ok(Reached::Other(_, _, None)) => return Err(Error::NoStore(path.to_owned())),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::NotADirectory(path.to_owned()));
            }
            Err(Error::Io { source, .. }) if make.is_none() && source.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoStore(path.to_owned()));
            }
            Err(error) => return Err(error),
        };
        must_be_ours(&opened, path)?;
        Ok(Self { held: Some(Arc::new(opened)), within: None, path: path.into() })
    }

    /// The subdirectory of that name, whether or not it exists. Each use opens and checks it anew.
    pub(super) fn subdirectory(&self, name: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        Self { held: None, within: Some((Arc::new(self.clone()), name.into())), path: self.path.join(name).into() }
    }

    /// Opens the directory once for all later uses.
    pub(super) fn hold(&self) -> io::Result<Self> {
        let held = match self.opened()? {
            Opened::Held(_) => self.held.clone(),
            Opened::New(new) => Some(Arc::new(new)),
        };
        Ok(Self { held, ..self.clone() })
    }

    /// The same for reading many of its files. If it can't be opened, each use reports why.
    pub(super) fn held_if_fit(self) -> Self {
        self.hold().unwrap_or(self)
    }

    /// Whether a held directory still has its name.
    pub(super) fn has_its_name(&self) -> io::Result<bool> {
        let (Some(held), Some((above, name))) = (&self.held, &self.within) else {
            return Ok(true);
        };
        let this = fstat(held)?;
        above.file(name).is((this.st_dev, this.st_ino))
    }

    /// The descriptor through which to reach its contents.
    pub(super) fn opened(&self) -> io::Result<Opened<'_>> {
        let (above, name) = match (&self.held, &self.within) {
            (Some(held), _) => return Ok(Opened::Held(held.as_fd())),
            (None, Some((above, name))) => (above, name),
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let opened = open_directory(above.opened()?, name).map_err(|errno| match self.as_file().stat() {
            Ok(Some(found)) => {
                refuse_unless_directory(&found, &self.path).err().map_or_else(|| errno.into(), io::Error::other)
            }
            _ => errno.into(),
        })?;
        must_be_ours(&opened, &self.path).map_err(io::Error::other)?;
        Ok(Opened::New(opened))
    }

    /// The descriptor, if held, for callers that close all others.
    pub(super) fn held(&self) -> Option<BorrowedFd<'_>> {
        self.held.as_ref().map(AsFd::as_fd)
    }

    /// Makes it with that mode, less the umask, unless it exists.
    pub(super) fn make(&self, mode: u32) -> Result<()> {
        let make = || match &self.within {
            None => Ok(()),
            Some((above, name)) => make_directory(above.opened()?, name, mode),
        };
        make().map_err(Error::io("make the directory", &self.path))
    }

    /// The file of that name in it.
    pub(super) fn file(&self, name: impl AsRef<OsStr>) -> StoreFile {
        StoreFile::new(self.clone(), name.as_ref())
    }

    /// The directory itself, as an entry in its parent.
    pub(super) fn as_file(&self) -> StoreFile {
        self.within.as_ref().map_or_else(|| self.file("."), |(above, name)| above.file(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its status.
    pub(super) fn stat(&self) -> io::Result<FileStat> {
        Ok(fstat(self.opened()?)?)
    }

    /// The names of all its entries, in no order.
    pub(super) fn names(&self) -> Result<Vec<OsString>> {
        self.list().map_err(Error::io("list", &self.path))
    }

    /// The same; none if the directory is missing.
    pub(super) fn names_if_there(&self) -> Result<Vec<OsString>> {
        match self.list() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names.map_err(Error::io("list", &self.path)),
        }
    }

    fn list(&self) -> io::Result<Vec<OsString>> {
        let opened = self.opened()?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut listing = again(|| Ok(Dir::openat(&opened, ".", flags, Mode::empty())?))?;
        let mut names = Vec::new();
        for entry in listing.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Removes it with all its contents; it need not exist.
    pub(super) fn remove_all(&self) -> io::Result<()> {
        let Some((above, name)) = &self.within else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let emptied = self.hold().and_then(|held| held.remove_contents());
        let removed = emptied.and_then(|()| Ok(unlinkat(above.opened()?, &**name, UnlinkatFlags::RemoveDir)?));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Removes it if it is empty.
    pub(super) fn remove_if_empty(&self) -> io::Result<()> {
        let (above, name) = self.within.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        Ok(unlinkat(above.opened()?, &**name, UnlinkatFlags::RemoveDir)?)
    }

    fn remove_contents(&self) -> io::Result<()> {
        for name in self.list()? {
            match self.file(&name).remove_if_there() {
                Err(error) if error.kind() == io::ErrorKind::IsADirectory => self.subdirectory(&name).remove_all()?,
                removed => drop(removed?),
            }
        }
        Ok(())
    }
}

fn must_be_ours(opened: &OwnedFd, path: &Path) -> Result<()> {
    let found = fstat(opened).map_err(|errno| Error::io("look at", path)(errno.into()))?;
    let user = user();
    if found.st_uid != user {
        return Err(Error::ForeignStore { dir: path.to_owned(), owner: found.st_uid, user });
    }
    if found.st_mode & 0o002 != 0 {
        return Err(Error::OpenStore(path.to_owned()));
    }
    Ok(())
}
