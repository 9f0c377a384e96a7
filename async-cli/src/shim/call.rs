//! The words of a call of `async_run`, as the script gave them.

use std::ffi::OsString;

use async_core::text;
use async_core::{FutureName, Plan, Request, Store};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, FromArgMatches};

use crate::cli::{Context, Profile};
use crate::commands;
use crate::commands::run::planning::{self, Planning};
use crate::failure::Failure;
use crate::missing_program::{Typed, is_command_line, what_was_meant};
use crate::suggestion::options_like;

/// What the script says about a call of `async_run`, besides its words.
#[derive(Args, Debug)]
pub(crate) struct Origin {
    /// What the shell can run, as `y` or `n`: a function `command_not_found_handle`, and each word from the second on. Then the
    /// line of the script, and its file.
    #[arg(long, hide = true, allow_hyphen_values = true, value_name = "y|n... LINE FILE")]
    at: Option<OsString>,
}

impl Origin {
    /// Parses the words, and refuses a command that can't run.
    pub(super) fn read(&self, words: &[OsString], context: &Context) -> Result<Call, Failure> {
        context.check_parallel()?;
        context.on_exit()?;
        let call = Call::read(words, context)?;
        self.check(&call, words, context)?;
        Ok(call)
    }

    /// The failure, with the call's location in the script if the call is wrong.
    pub(super) fn at(&self, failure: Failure) -> Failure {
        let at = self.at.as_ref().filter(|_| failure.is_of_the_call()).map(|at| text::printable(at));
        let mut parts = at.iter().flat_map(|at| at.splitn(3, ' ').skip(1));
        match (parts.next(), parts.next()) {
            (Some(line), Some(file)) => {
                Failure::At { place: format!("{file}: line {line}"), failure: Box::new(failure) }
            }
            _ => failure,
        }
    }

    /// Whether the shell has said that it can't run the word at that index.
    fn lacks(&self, index: usize) -> bool {
        let mask = self.at.as_ref().map_or(&[][..], |at| at.as_encoded_bytes());
        let mask = mask.split(|&byte| byte == b' ').next().unwrap_or_default();
        index > 0 && mask.first() == Some(&b'n') && mask.get(index) == Some(&b'n')
    }

    /// Checks that the shell can run the command. A word that it has not checked may exist.
    fn check(&self, call: &Call, words: &[OsString], context: &Context) -> Result<(), Failure> {
        let Some(command) = call.command.first().filter(|_| self.lacks(call.skip(words))) else {
            return Ok(());
        };
        let name = commands::name(&call.name)?;
        let word = command.to_string_lossy();
        let cwd = std::env::current_dir().unwrap_or_default();
        let meant = what_was_meant(Typed::Function, name.as_str(), &call.command, &cwd);
        if let (true, None) = (word.starts_with('-'), &meant) {
            let option = word.split('=').next().unwrap_or_default();
            return Err(no_option("async_run", &parser(), option, to_type(context)));
        }
        let what_to_type = if let Some(meant) = meant {
            meant
        } else if is_command_line(&word) {
            let line = Typed::Function.line(name.as_str(), &["bash".as_ref(), "-c".as_ref(), command.as_os_str()]);
            format!("that is one word; for a whole command line type `{line}`")
        } else {
            "check the name, or PATH".to_owned()
        };
        Err(Failure::NoCommand { name: name.to_string(), command: command.clone(), what_to_type })
    }
}

fn parser() -> clap::Command {
    Call::augment_args(clap::Command::new("async_run").no_binary_name(true).disable_help_flag(true))
}

/// A parsed call of `async_run`.
#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) planning: Planning,
    pub(super) name: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

impl Call {
    /// Parses the words. devstack's functions have no options, so there the first word is always the name.
    pub(crate) fn read(words: &[OsString], context: &Context) -> Result<Self, Failure> {
        if context.profile() == Profile::Standalone {
            return Self::with_options(words);
        }
        let Some((name, command)) = words.split_first() else {
            return Err(usage(to_type(context), "it has neither"));
        };
        Ok(Self { planning: Planning::default(), name: name.clone(), command: command.to_owned() })
    }

    fn with_options(words: &[OsString]) -> Result<Self, Failure> {
        let parsed = parser().try_get_matches_from(words);
        parsed.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| {
            if error.kind() == ErrorKind::MissingRequiredArgument {
                return usage(TO_TYPE, "it has neither");
            }
            refused("async_run", &parser(), &error, TO_TYPE)
        })
    }

    /// The name of the future, if there is a command too.
    pub(crate) fn name(&self, context: &Context) -> Result<FutureName, Failure> {
        let name = commands::name(&self.name)?;
        if self.command.is_empty() {
            return Err(usage(to_type(context), &format!("`{name}` is the name, and nothing stands behind it")));
        }
        Ok(name)
    }

    /// The request to the store. `shortened` says that some words are missing or cut.
    pub(super) fn request(&self, context: &Context, store: &Store, plan: Option<Plan>, shortened: bool) -> Request<'_> {
        Request {
            argv: &self.command,
            program: false,
            pty: false,
            shortened,
            plan,
            parent: planning::parent(store),
            script: context.script(),
            cwd: std::env::current_dir().ok(),
        }
    }

    /// How many of the words come before the command.
    pub(crate) fn skip(&self, words: &[OsString]) -> usize {
        words.len() - self.command.len()
    }
}

/// The failure of a call of that function with wrong options.
pub(super) fn refused(function: &str, parser: &clap::Command, error: &clap::Error, to_type: &str) -> Failure {
    if error.kind() == ErrorKind::UnknownArgument {
        let option = error.get(ContextKind::InvalidArg).map_or_else(String::new, ToString::to_string);
        return no_option(function, parser, &option, to_type);
    }
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Failure::Usage(format!("{function}: {what}; {to_type}"))
}

/// Options of `async run` that `async_run` lacks, because its task belongs to the script, each with what to type
/// instead.
const OF_PROGRAM: [(&[&str], &str); 6] = [
    (&["-q", "--quiet"], "set ASYNC_QUIET=1"),
    (&["--wait"], "type `async_wait NAME` after it"),
    (&["-C", "--cwd"], "have a function `cd` there and run it"),
    (&["-e", "--env"], "type `async_run NAME env VARIABLE=VALUE COMMAND`, or set it in a function"),
    (&["--stdin"], "have a function that reads from the file"),
    (&["--json"], "type `async status --json`"),
];

fn no_option(function: &str, parser: &clap::Command, option: &str, to_type: &str) -> Failure {
    let of_program = || match (function, option) {
        ("async_wait", "--json") => Some("type `async wait --json NAME`"),
        ("async_run", _) => {
            OF_PROGRAM.iter().find(|(options, _)| options.contains(&option)).map(|(_, instead)| *instead)
        }
        _ => None,
    };
    let instead = options_like(parser, option).or_else(|| of_program().map(str::to_owned));
    let instead = instead.unwrap_or_else(|| format!("a name like that goes behind --; {to_type}"));
    Failure::Usage(format!("{function} has no option '{option}'; {instead}"))
}

const TO_TYPE: &str = "type `async_run [OPTION...] NAME COMMAND [ARGUMENT...]`";

/// What to type for functions without options.
const TO_TYPE_IN_DEVSTACK: &str = "type `async_run NAME COMMAND [ARGUMENT...]`";

fn to_type(context: &Context) -> &'static str {
    if context.profile() == Profile::Standalone { TO_TYPE } else { TO_TYPE_IN_DEVSTACK }
}

fn usage(to_type: &str, what: &str) -> Failure {
    let or = "or for a function by its own name `async_runfunc FUNCTION`";
    Failure::Usage(format!("async_run needs a name and a command: {what}; {to_type}, {or}"))
}
