//! The program's answer to a function of the shim: lines in a pipe that only the two know.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;

use async_core::descriptor;

use crate::failure::Failure;

/// The write end of the pipe that the function reads, until the answer is given.
#[derive(Debug)]
pub(crate) struct Answer {
    pipe: Option<File>,
}

impl Answer {
    /// An answer for the reader of the pipe with that descriptor.
    pub(crate) fn on(fd: RawFd) -> Result<Self, Failure> {
        Ok(Self { pipe: Some(descriptor::take(fd).map_err(Failure::Answer)?) })
    }

    /// Whether the answer has been given.
    pub(crate) fn is_given(&self) -> bool {
        self.pipe.is_none()
    }

    /// Gives the answer: words that bash takes as they are. Only the first successful call counts.
    pub(crate) fn give(&mut self, words: impl AsRef<[u8]>) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        match pipe.write_all(words.as_ref()) {
            // The shell is gone and needs no answer.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        self.pipe = None;
        Ok(())
    }
}
