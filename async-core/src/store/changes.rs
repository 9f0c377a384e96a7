//! Change notifications for a store, by inotify(7).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::directory::Directory;
use super::list::RecordFile;
use super::order::ORDER;
use super::{COLLECTED, Store};
use crate::error::{Error, Result};
use crate::name::FutureName;

/// A change in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A record came, went or grew, or the process that held it let it go.
    Record(RecordFile),
    /// The log of that name grew or was replaced.
    Log(FutureName),
    /// Too much changed to tell.
    Anything,
}

/// The changes in a store from the moment this was made.
#[derive(Debug)]
pub struct Changes {
    inotify: Inotify,
    store: Store,
    dir: WatchDescriptor,
    collected: Option<(WatchDescriptor, Directory)>,
    wants_collected: bool,
}

impl Store {
    /// Starts listening for changes to live futures, and to the collected ones if asked for.
    pub fn changes(&self, wants_collected: bool) -> Result<Changes> {
        let fail = |errno: Errno| Error::io("watch", self.dir())(errno.into());
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).map_err(fail)?;
        // Readers must not open records for writing, or each look would count as a change.
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF;
        let dir = watch(&inotify, &self.dir, flags).map_err(Error::io("watch", self.dir()))?;
        let mut changes = Changes { inotify, store: self.clone(), dir, collected: None, wants_collected };
        changes.watch_collected()?;
        Ok(changes)
    }
}

impl Changes {
    /// Sleeps until something changes.
    pub fn wait(&mut self) -> Result<Vec<Change>> {
        let fail = |errno: Errno| Error::io("watch", self.store.dir())(errno.into());
        let events = loop {
            match self.inotify.read_events() {
                Err(Errno::EINTR) => {}
                events => break events.map_err(fail)?,
            }
        };
        let mut changes = Vec::new();
        for event in events {
            changes.extend(self.change(&event)?);
        }
        Ok(changes)
    }

    fn change(&mut self, event: &InotifyEvent) -> Result<Option<Change>> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Ok(Some(Change::Anything));
        }
        let is_of_dir = event.wd == self.dir;
        let Some(name) = &event.name else {
            // An event of the directory itself. If the collected ones' directory moves or goes away, the parent's
            // events show it.
            return if is_of_dir { Err(Error::NoStore(self.store.dir().to_owned())) } else { Ok(None) };
        };
        if is_of_dir && name == COLLECTED {
            self.watch_collected()?;
            return Ok(self.wants_collected.then_some(Change::Anything));
        }
        if is_of_dir && name == ORDER {
            return Ok(Some(Change::Anything));
        }
        if is_of_dir {
            let log = || Some(Change::Log(name.to_str()?.strip_suffix(".log")?.parse().ok()?));
            return Ok(RecordFile::live(name).map(Change::Record).or_else(log));
        }
        if let Some((_, directory)) = self.collected.as_ref().filter(|(watched, _)| event.wd == *watched) {
            return Ok(RecordFile::collected(directory, name).map(Change::Record));
        }
        // An event of collected futures that belong to an earlier run by now.
        Ok(None)
    }

    /// Watches the directory that has that name now.
    fn watch_collected(&mut self) -> Result<()> {
        if !self.wants_collected {
            return Ok(());
        }
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVE | AddWatchFlags::IN_DELETE;
        let named = self.store.collected_dir();
        let watched = named.hold().and_then(|held| Ok((watch(&self.inotify, &held, flags)?, held)));
        self.collected = match watched {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            watched => Some(watched.map_err(Error::io("watch", named.path()))?),
        };
        Ok(())
    }
}

/// Watches the open directory or, without `/proc`, whatever has its path: that suffices to say when to look.
fn watch(inotify: &Inotify, directory: &Directory, flags: AddWatchFlags) -> io::Result<WatchDescriptor> {
    let opened = directory.opened()?;
    let this = format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd());
    match inotify.add_watch(this.as_str(), flags) {
        Err(Errno::ENOENT) => Ok(inotify.add_watch(directory.path(), flags)?),
        watched => Ok(watched?),
    }
}
