//! Who asks the store. One script may not take what another script has started.

use nix::unistd::getppid;

use crate::clock::Millis;
use crate::process::{self, ProcessIdentity};
use crate::record::Record;

/// The process that uses a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A script, through its shell functions: the shell that `$$` names there.
    Script(ProcessIdentity),
    /// A program. It may run in a script or in one of its tasks.
    Program,
}

impl Caller {
    /// Whether the caller is that script itself.
    pub(crate) fn is_script(&self, script: &ProcessIdentity) -> bool {
        matches!(self, Self::Script(this) if this == script)
    }

    /// Whether the caller is that script or runs in it.
    #[must_use]
    pub fn belongs_to(&self, script: &ProcessIdentity) -> bool {
        match self {
            Self::Script(_) => self.is_script(script),
            Self::Program => process::descends_from(script),
        }
    }

    /// The script that started the future, if it may still want the result and the caller does not belong to it.
    #[must_use]
    pub fn other_script<'a>(&self, record: &'a Record) -> Option<&'a ProcessIdentity> {
        living_script(record).filter(|script| !self.belongs_to(script))
    }

    /// The script that started the future, if it may still want the result and is not the caller itself. A program
    /// never counts as the script: even when it runs in the script, nothing says that the script asked for this.
    #[must_use]
    pub(crate) fn not_this_script<'a>(&self, record: &'a Record) -> Option<&'a ProcessIdentity> {
        living_script(record).filter(|script| !self.is_script(script))
    }

    /// The process to record as the one that took the future's result: the script, or the process that called the
    /// program. If that is the script that started the future, the program itself. None if no script started it.
    pub(crate) fn taker(&self, record: &Record) -> Option<ProcessIdentity> {
        match self {
            Self::Script(this) => Some(this.clone()),
            Self::Program => {
                let starter = record.script.as_ref()?;
                let parent = getppid().as_raw().unsigned_abs();
                ProcessIdentity::of(if parent == starter.pid() { std::process::id() } else { parent }).ok()
            }
        }
    }

    /// The processor time that the script and those of its children that it has waited for have used so far, in ms.
    pub(crate) fn cpu_time(&self) -> Option<Millis> {
        match self {
            Self::Script(this) => process::cpu_time(this.pid()),
            Self::Program => None,
        }
    }
}

/// The script that started the future, if it still runs. A script counts as running if nothing proves that it ended.
fn living_script(record: &Record) -> Option<&ProcessIdentity> {
    record.script.as_ref().filter(|script| script.is_alive().unwrap_or(true))
}
