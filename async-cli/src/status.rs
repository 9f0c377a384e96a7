//! The exit status of a command.

/// An exit status. Unlike [`std::process::ExitCode`] it can be read, which a caller in the same process has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCode(u8);

impl ExitCode {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const FAILURE: Self = Self(1);
}

impl From<u8> for ExitCode {
    fn from(status: u8) -> Self {
        Self(status)
    }
}

impl From<ExitCode> for u8 {
    fn from(status: ExitCode) -> Self {
        status.0
    }
}
