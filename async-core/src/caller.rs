//! Who asks something of a store: what one script has started is not another's to take.

use nix::unistd::getppid;

use crate::process::{self, ProcessIdentity};
use crate::record::Record;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A script, by its functions: the shell that `$$` names there.
    Script(ProcessIdentity),
    /// A program, which may run in a script or in one of its tasks.
    Program,
}

impl Caller {
    /// Whether it is that script itself.
    pub(crate) fn is_script(&self, script: &ProcessIdentity) -> bool {
        matches!(self, Self::Script(this) if this == script)
    }

    /// Whether it is that script, or runs in it.
    #[must_use]
    pub fn belongs_to(&self, script: &ProcessIdentity) -> bool {
        match self {
            Self::Script(_) => self.is_script(script),
            Self::Program => process::descends_from(script),
        }
    }

    /// The script that started the future, if it is none that the caller belongs to, and may still want the result.
    #[must_use]
    pub fn other_script<'a>(&self, record: &'a Record) -> Option<&'a ProcessIdentity> {
        living_script(record).filter(|script| !self.belongs_to(script))
    }

    /// The script that started the future, if it may still want the result and is not the one that asks. A program is never
    /// that: also where it runs in the script, nobody knows whether that wanted it.
    #[must_use]
    pub(crate) fn not_this_script<'a>(&self, record: &'a Record) -> Option<&'a ProcessIdentity> {
        living_script(record).filter(|script| !self.is_script(script))
    }

    /// Who takes the result of the future, for its record: a script, or the process that has called the program, unless that
    /// is the very script that started it. None where nobody will ask, as when no script has to do with it.
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
}

/// The script that started the future, if it runs; one of which that can't be found out may.
fn living_script(record: &Record) -> Option<&ProcessIdentity> {
    record.script.as_ref().filter(|script| script.is_alive().unwrap_or(true))
}
