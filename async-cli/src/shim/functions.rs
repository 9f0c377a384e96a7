//! Messages about wrong calls of a function, whose user knows nothing of the command behind it.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};

use crate::failure::Failure;

/// The functions that pass on their arguments unchanged, by command, each with what to type.
const FUNCTIONS: [(&str, &str); 5] = [
    ("init", "async_init"),
    ("end-script", "async_end"),
    ("timing", "async_print_timing"),
    ("pid", "async_pidof NAME"),
    ("message", "async_log NAME MESSAGE"),
];

/// Whether a function calls: functions identify themselves right after the command.
pub(crate) fn call(args: &[OsString]) -> bool {
    args.get(2).is_some_and(|option| option == "--for")
}

/// The failure of the function that called the program with these arguments, if one did.
pub(crate) fn wrong_call(error: &clap::Error, args: &[OsString]) -> Option<Failure> {
    let (_, usage) = FUNCTIONS.iter().find(|(name, _)| call(args) && args[1] == *name)?;
    let function = usage.split(' ').next().unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::MissingRequiredArgument => "needs a name".to_owned(),
        ErrorKind::UnknownArgument => {
            let word = error.get(ContextKind::InvalidArg).map_or_else(String::new, ToString::to_string);
            format!("does not take '{word}'")
        }
        _ => return None,
    };
    Some(Failure::Usage(format!("{function} {what}; type `{usage}`")))
}
