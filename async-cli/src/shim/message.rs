//! `async message`: prints a line about a future, as `async_log` does.

use std::ffi::OsString;
use std::process::ExitCode;

use async_core::text;
use clap::Args;

use crate::cli::Context;
use crate::commands;
use crate::failure::Failure;
use crate::messages::{self, About, Lines};

/// Prints a message about a future; `%command` in it stands for the future's command
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Message {
    /// The name, then the message
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Message {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let Some((name, message)) = self.words.split_first() else {
            return Err(Failure::Usage("async_log needs a name; type `async_log NAME MESSAGE`".into()));
        };
        let name = commands::name(name)?;
        let store = context.store()?;
        let Some(record) = store.read(&name)? else {
            return Err(store.unknown(&name).into());
        };
        let text = text::printable_command(message).replace("%command", &messages::command(&record));
        Lines::of(context, false)?.say(About::Progress, &messages::record_line(&name, &record, &text))?;
        Ok(ExitCode::SUCCESS)
    }
}
