//! `async complete`: the question of a shell's completion.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Context;
use crate::completing::{Candidate, Shell, Typed, candidates};
use crate::failure::Failure;
use crate::messages::Output;
use crate::script_option;

/// Prints the words that may follow what was typed, a line each
///
/// For bash, each is quoted, and cut down to what readline puts in the place of the word. For the others it is the bare
/// word, a tab, and what it means.
#[derive(Args, Debug)]
#[command(hide = true)]
pub(crate) struct Complete {
    #[arg(value_enum)]
    shell: Shell,
    /// From bash `COMP_WORDBREAKS` and the line up to the cursor, from the others the words up to the cursor
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Complete {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let words: Vec<String> = self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let typed = match (self.shell, words.as_slice()) {
            (Shell::Bash, [breaks, line]) => Typed::parse(line, breaks),
            (Shell::Bash, _) => return Err(Failure::Usage("bash's line is to be one word".into())),
            (Shell::Zsh | Shell::Fish, words) => Typed::from_words(words),
        };
        let line = |Candidate { value, help }: Candidate| match self.shell {
            Shell::Bash => typed.replacement(&value).map(|text| text + "\n"),
            Shell::Zsh | Shell::Fish => Some(format!("{value}\t{help}\n")),
        };
        let scripts = script_option::names(context);
        // If a script is named, the futures come from its store.
        let store = match typed.option("--script") {
            Some(script) => script_option::store(context, script).ok(),
            None => context.at(typed.directory()).store().ok(),
        };
        let lines: String = candidates(&typed, store.as_ref(), &scripts).into_iter().filter_map(line).collect();
        Output::stdout()?.print(&lines)?;
        Ok(ExitCode::SUCCESS)
    }
}
