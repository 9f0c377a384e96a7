//! What a command meets outside the store: its standard output, and the variables of whoever calls it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::rc::Rc;

use async_core::process::Side;

/// The surroundings of a command: a process of its own, or somebody else's.
#[derive(Debug)]
pub struct Io {
    pub(crate) variable: fn(&str) -> Option<OsString>,
    pub(crate) kept: Option<Rc<RefCell<Vec<u8>>>>,
    pub(crate) fork: Option<Fork>,
}

/// Makes a process two.
pub type Fork = fn() -> io::Result<Side>;

impl Io {
    /// Those of a program: the variables are its environment.
    #[must_use]
    pub fn of_program() -> Self {
        Self::of_guest(|name| std::env::var_os(name))
    }

    /// Those of a guest in a process that has variables of its own.
    #[must_use]
    pub fn of_guest(variable: fn(&str) -> Option<OsString>) -> Self {
        Self { variable, kept: None, fork: None }
    }

    /// Those of a guest who may become two, as a shell's background subshell may.
    #[must_use]
    pub fn forking(self, fork: Option<Fork>) -> Self {
        Self { fork, ..self }
    }

    /// Keeps for the caller what goes to standard output otherwise.
    #[must_use]
    pub fn keeping_output(self) -> Self {
        Self { kept: Some(Rc::default()), ..self }
    }

    /// What was kept.
    #[must_use]
    pub fn into_output(self) -> Vec<u8> {
        self.kept.map(|kept| kept.take()).unwrap_or_default()
    }
}
