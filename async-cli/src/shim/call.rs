//! The words of a call of `async_run`, as the script gave them.

use std::ffi::OsString;

use async_core::{FutureName, Plan, Request, Store};
use clap::error::{ContextKind, ErrorKind};
use clap::{Args, FromArgMatches};

use crate::cli::{Place, Profile};
use crate::commands;
use crate::failure::Failure;
use crate::planning::{self, Planning};

/// What a call of `async_run` asks for.
#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) planning: Planning,
    pub(super) name: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

impl Call {
    /// Reads the words. devstack's functions know no options, so there the first one is the name, whatever it looks like.
    pub(crate) fn read(words: &[OsString], place: &Place) -> Result<Self, Failure> {
        if place.profile() == Profile::Standalone {
            return Self::with_options(words);
        }
        let Some((name, command)) = words.split_first() else {
            return Err(usage(to_type(place), "it has neither"));
        };
        Ok(Self { planning: Planning::default(), name: name.clone(), command: command.to_owned() })
    }

    fn with_options(words: &[OsString]) -> Result<Self, Failure> {
        let parser = clap::Command::new("async_run").no_binary_name(true).disable_help_flag(true);
        let parsed = Self::augment_args(parser).try_get_matches_from(words);
        parsed.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| {
            if error.kind() == ErrorKind::MissingRequiredArgument {
                return usage(TO_TYPE, "it has neither");
            }
            refused("async_run", &error, TO_TYPE)
        })
    }

    /// The name of the future, provided that there is a command too.
    pub(crate) fn name(&self, place: &Place) -> Result<FutureName, Failure> {
        let name = commands::name(&self.name)?;
        if self.command.is_empty() {
            return Err(usage(to_type(place), &format!("`{name}` is the name, and nothing stands behind it")));
        }
        Ok(name)
    }

    /// What the store is asked for. `shortened` says that the words are not all there.
    pub(super) fn request(&self, place: &Place, store: &Store, plan: Option<Plan>, shortened: bool) -> Request<'_> {
        Request {
            argv: &self.command,
            program: false,
            shortened,
            plan,
            parent: planning::enclosing(store),
            script: place.script(),
            cwd: std::env::current_dir().ok(),
        }
    }

    /// How many of the words come before the command.
    pub(crate) fn skip(&self, words: &[OsString]) -> usize {
        words.len() - self.command.len()
    }
}

/// The failure of a call of that function whose options are wrong.
pub(super) fn refused(function: &str, error: &clap::Error, to_type: &str) -> Failure {
    if error.kind() == ErrorKind::UnknownArgument {
        let option = error.get(ContextKind::InvalidArg).map_or_else(String::new, ToString::to_string);
        return Failure::Usage(format!(
            "{function} has no option '{option}'; a name like that goes behind --; {to_type}"
        ));
    }
    let text = error.render().to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Failure::Usage(format!("{function}: {what}; {to_type}"))
}

const TO_TYPE: &str = "type `async_run [OPTION...] NAME COMMAND [ARGUMENT...]`";

/// What to type where there are no options.
const TO_TYPE_IN_DEVSTACK: &str = "type `async_run NAME COMMAND [ARGUMENT...]`";

fn to_type(place: &Place) -> &'static str {
    if place.profile() == Profile::Standalone { TO_TYPE } else { TO_TYPE_IN_DEVSTACK }
}

fn usage(to_type: &str, what: &str) -> Failure {
    let or = "or for a function by its own name `async_runfunc FUNCTION`";
    Failure::Usage(format!("async_run needs a name and a command: {what}; {to_type}, {or}"))
}
