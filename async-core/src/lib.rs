//! Named futures for shell scripts: the store, process life and timing arithmetic behind the program `async`.
//!
//! A **future** is one named task: started once, finished once, collected once. Everything known about it is in a
//! **store**, a directory with a **record** (`NAME.ini`) and a **log** (`NAME.log`) for each future. There is no daemon and
//! no state outside that directory, except that a task on a cluster also has a folder that its node sees.
//!
//! # How a future lives
//!
//! * **The lock on the record is the future's life.** The process that runs the task holds an open descriptor of the
//!   record, with an exclusive `flock(2)` taken before the record appeared under its name. The lock belongs to the open
//!   file, so it survives `fork` and `exec`, and the kernel releases it when the last holder ends, however it ends.
//!   Nothing trusts a process id, and any process can wait for the lock. There are two exceptions: a task that a script's
//!   shell runs itself lives as long as that process, which the record names with its start time; and a job on a cluster
//!   goes on when no process here holds the lock.
//! * **Records only grow.** A record appears whole, by `rename`; after that each writer appends whole lines with one
//!   `O_APPEND` write. Nobody rewrites a record, so two writers never lose each other's lines.
//! * **Collecting moves, never deletes.** A collected record goes to the store's subdirectory [`store::COLLECTED`].
//!   When two processes collect at once, the rename decides.
//!
//! # What a future costs
//!
//! With the shim, `async_run` of a function and an `async_wait` after its end make 3 `clone` and 2 `execve` calls in
//! all: two `clone` calls for the background subshell and the task's own subshell, one `execve` that turns the
//! background subshell into the program that begins the future and is the task's parent, and one of each for the
//! program that collects. Waiting for a task that still runs starts the program once more. Counted with `strace -f -e
//! trace=execve,clone,clone3,fork,vfork bash SCRIPT`.
//!
//! # Example
//!
//! ```
//! use async_core::{Caller, Claim, FutureName, Permissions, Request, Start, Store, Wait};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let dir = temp.path().join("store");
//! let (store, _) = Store::init(&dir, Permissions::Private)?;
//! let name: FutureName = "fetch".parse()?;
//!
//! let started = store.begin(&name, &Request::new(&["fetch".into(), "a b".into()]), Start::InProcess(std::process::id()))?;
//! assert_eq!(started.command, "fetch a b");
//! store.finish(&name, 3)?;
//!
//! let Claim::Ready(ready) = store.claim(&name)? else { unreachable!() };
//! let outcome = ready.outcome(None);
//! assert_eq!(outcome.rc, Some(3));
//! ready.archive(&Caller::Program, Wait::none(), &outcome)?;
//! assert!(matches!(store.claim(&name)?, Claim::Unknown));
//! # Ok(())
//! # }
//! ```

mod caller;
pub mod clock;
pub mod descriptor;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod interruption;
mod launch;
mod lock;
mod name;
mod parallel;
mod plan;
pub mod process;
pub mod record;
pub mod store;
mod supervise;
pub mod text;
pub mod timing;
pub mod tree;
pub mod walk;

pub use caller::Caller;
pub use error::{Error, Result};
pub use launch::{Elsewhere, Program, Target, read_seconds};
pub use name::{FutureName, InvalidName, MAX_NAME_BYTES};
pub use plan::Plan;
pub use record::{Argument, Cause, Outcome, Record, State, Wait};
pub use store::{
    Amendment, Cancelled, Claim, End, Entry, FutureHandle, IfAbsent, Keep, Paused, Permissions, Ready, RecordFile,
    RecordId, Request, Run, ScriptKey, ScriptRun, ScriptTimes, Scripts, Start, Started, Store, StoreFile, To,
};
pub use supervise::{Begun, Files, Gated, Report, Task, TerminalSize, supervise};
