//! What a function of the shim is told: lines in a pipe that only it and the program know of.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;

use async_core::descriptor;

use crate::failure::Failure;

/// The end of the pipe that the function reads from, until it has its answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pipe: Option<File>,
}

impl Answer {
    /// To whoever reads from the pipe with that descriptor.
    pub(crate) fn on(fd: RawFd) -> Result<Self, Failure> {
        Ok(Self { pipe: Some(descriptor::take(fd).map_err(Failure::Answer)?) })
    }

    /// Whether it has been given.
    pub(crate) fn is_given(&self) -> bool {
        self.pipe.is_none()
    }

    /// Gives it: words that bash takes as they are. Only the first one that could be given counts.
    pub(crate) fn give(&mut self, words: impl AsRef<[u8]>) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        match pipe.write_all(words.as_ref()) {
            // The shell has gone away, and needs none.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        self.pipe = None;
        Ok(())
    }
}
