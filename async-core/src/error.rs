//! Everything that can go wrong with a store.

use std::io;
use std::path::{Path, PathBuf};

use crate::name::InvalidName;
use crate::record::State;

/// The result of an operation on a store.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, where, and what to do about it. The text quotes paths and records as they are, so callers make it
/// [printable](crate::text::printable) before they show it on a terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a valid name for a future.
    #[error("`{name}` can't be the name of a future: {why}")]
    InvalidName {
        /// The text, made printable and cut to a readable length.
        name: String,
        /// The rule that it breaks.
        #[source]
        why: InvalidName,
    },
    /// Nothing says where the store is.
    #[error("{0}")]
    NoPlace(&'static str),
    /// Another process has begun to collect the future and does not finish.
    #[error(
        "`{0}` is being collected by another process, which has stopped reading: resume or end that one, and try \
         again"
    )]
    BeingCollected(String),
    /// The store's directory does not exist.
    #[error("there is no store at {}: `async run` makes one, and so does `async init` (in a script: async_init)", .0.display())]
    NoStore(PathBuf),
    /// The store's path is something other than a directory.
    #[error("{} is not a directory, so it can't be a store: remove it, or choose another place with ASYNC_DIR", .0.display())]
    NotADirectory(PathBuf),
    /// Another user owns the store, or a directory in it.
    #[error("{} belongs to user id {owner}, and this is user id {user}: choose another place with ASYNC_DIR", .dir.display())]
    ForeignStore {
        /// The directory.
        dir: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// Every user may write to the store, or to a directory in it.
    #[error("{} is writable by every user, who could plant files in it: run `chmod o-w` on it", .0.display())]
    OpenStore(PathBuf),
    /// Another user owns a directory above the store and could replace the store.
    #[error("the directory {} belongs to user id {owner}, who could exchange what is below it: choose another place with ASYNC_DIR", .path.display())]
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
    },
    /// Every user may replace the contents of a directory above the store.
    #[error("every user may write to the directory {}, and could exchange what is below it: run `chmod o-w` or `chmod +t` on it, or choose another place with ASYNC_DIR", .0.display())]
    OpenDirectory(PathBuf),
    /// The path leads through another user's symlink.
    #[error("{} is a symlink of user id {owner}, who could have it lead elsewhere: choose another path", .path.display())]
    ForeignLink {
        /// The symlink.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
    },
    /// The directory that should become a store contains other files.
    #[error("{} holds `{example}`, which no store has, so it is left alone: choose an empty directory with ASYNC_DIR", .dir.display())]
    NotAStore {
        /// The directory.
        dir: PathBuf,
        /// One of the files that do not belong in a store, made printable.
        example: String,
    },
    /// A future of that name is running.
    #[error("`{name}` is running already{}: wait for it first, cancel it (`async cancel {name}`), or choose another name", .pid.as_ref().map(|p| format!(" (pid {p})")).unwrap_or_default())]
    AlreadyRunning {
        /// The future.
        name: String,
        /// The process id of the running future, if known.
        pid: Option<String>,
    },
    /// There is no such live future.
    #[error("there is no future `{name}` in {}: it was never started, or has been collected", .dir.display())]
    Unknown {
        /// The name.
        name: String,
        /// The store.
        dir: PathBuf,
    },
    /// The future is not queued.
    #[error("`{name}` is {state}, and only what is queued can be changed: nothing was")]
    NotQueued {
        /// The future.
        name: String,
        /// Its state.
        state: State,
    },
    /// The future has no place in the queue, because no limit applies to it.
    #[error("`{0}` has no place in the queue, as no limit (--jobs) holds it back: nothing was changed")]
    NoPlaceInQueue(String),
    /// Each of two futures would have to come after the other.
    #[error("`{name}` can't come after `{other}`, which has to come after `{name}`: nothing was changed")]
    Circle {
        /// The future that was to come after the other.
        name: String,
        /// The other one.
        other: String,
    },
    /// A task waits for itself.
    #[error("`{0}` can't wait for itself: it would never end")]
    OwnWait(String),
    /// Two tasks wait for each other, possibly through others.
    #[error("`{name}` can't wait for `{other}`, which waits for `{name}`: neither would ever end")]
    CircularWait {
        /// The future whose task is about to wait.
        name: String,
        /// The future that it would wait for.
        other: String,
    },
    /// A stopped process is in the middle of a start or a change of the queue.
    #[error("a process that is starting a future in {}, or changing the queue, is stopped: resume or end it, and try again", .0.display())]
    QueueBusy(PathBuf),
    /// Somebody removed the record while the task ran.
    #[error("the record {} was removed while its task ran, so the result can't be kept", .0.display())]
    RecordRemoved(PathBuf),
    /// A symlink, directory or device stands where a record or log belongs, or a directory is something else.
    #[error("{} is {what}, not {wanted} of ours: it was left alone; remove it", .path.display())]
    Planted {
        /// Its path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The file is not a valid record.
    #[error("{} is not a record that can be read: {why}; look at it, then remove it", .path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The store's file system does not support locks.
    #[error("the file system of {} has no locks, without which a future can't be watched: choose a place on a local disk with ASYNC_DIR", .0.display())]
    NoLocks(PathBuf),
    /// The engine refused a task.
    #[error("can't be submitted: {0}")]
    NotSubmitted(String),
    /// A task continues on its engine, but this process has stopped attending it.
    #[error("`{0}` goes on where it runs: the next `async wait` or `async status` attends it again")]
    Unattended(String),
    /// The engine no longer knows a task that has not reported its end.
    #[error("`{0}` is lost: nobody knows its job any more, and the job has not said how it ended")]
    Gone(String),
    /// A task on an engine was asked to end, and nothing says whether it has.
    #[error(
        "`{0}` was asked to end where it runs, and nothing has been heard of it: `async status {0}` tells when that is so"
    )]
    NotConfirmed(String),
    /// A job was asked to end, and its engine does not answer.
    #[error(
        "`{name}` was asked to end, and there is no answer: it ends once there is one; if there will never be one, remove {}",
        .path.display()
    )]
    Unanswered {
        /// The name.
        name: String,
        /// Its record.
        path: PathBuf,
    },
    /// A job waits in the queue of its engine, which a pause here does not stop.
    #[error("`{name}` waits in the queue of {on}, which starts it: hold it there")]
    QueuedElsewhere {
        /// The name.
        name: String,
        /// The engine.
        on: String,
    },
    /// Only the host that runs a future can end it.
    #[error(
        "`{name}` runs on the host {host}: cancel it there; if that host is gone for good, remove {}", .path.display()
    )]
    OnAnotherHost {
        /// The name.
        name: String,
        /// The host.
        host: String,
        /// The record.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("can't {action} {}: {source}{}", .path.display(), advice(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// Whether the request could never work, as opposed to something that failed.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::InvalidName { .. } | Self::NoPlace(_))
    }

    /// For `map_err`: adds the action and the path. An error that already says more passes through.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| source.downcast().unwrap_or_else(|source| Self::Io { action, path: path.to_owned(), source })
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some room, or choose another place with ASYNC_DIR"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a place that you may write to with ASYNC_DIR"
        }
        _ => "",
    }
}
