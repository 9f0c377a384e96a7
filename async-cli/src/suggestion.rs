//! What the user may have meant by an unknown word.

use std::ffi::OsString;
use std::path::Path;

use async_core::{FutureName, Permissions, Store};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, Error};

use crate::failure::quoted;
use crate::missing_program::{Typed, name_missing};

/// The least similarity of two names that are alike, by the Jaro-Winkler measure: 0 for nothing in common, 1 for equal.
const ALIKE: f64 = 0.8;

/// What the user may have meant by the name of no future, as a question: several live futures of that store, or the one
/// with the most similar name.
pub(crate) fn name_meant(name: &str, dir: &Path) -> Option<String> {
    let names = Store::open(dir, Permissions::default()).ok()?.names().ok()?;
    let is_live = |name: &&str| names.iter().any(|other| other.as_str() == *name);
    let parts: Vec<&str> = name.split([',', ' ']).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 && parts.iter().all(is_live) {
        let parts = parts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        return Some(format!("did you mean {}? Each has to be a word, or an option, of its own", quoted(&parts)));
    }
    let alike = most_alike(name, names.iter().map(FutureName::as_str))?;
    Some(format!("did you mean `{alike}`?"))
}

/// The name most similar to this one, if any is similar.
pub(crate) fn most_alike<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<String> {
    others
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|&(alike, _)| alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other.to_owned())
}

/// The help for an `async run` without a name.
pub(crate) const NAME_MISSING: &str = "is the name missing? It goes first: async run [OPTIONS] NAME -- COMMAND";

/// The help for an `async run` with another word that is not an option.
const ORDER: &str = "options and the name go first, the command after `--`: async run [OPTIONS] NAME -- COMMAND";

/// Commands of other programs, each with what to type here.
const OF_OTHERS: [(&[&str], &str); 10] = [
    (&["stop", "kill", "abort", "terminate", "rm", "remove"], "cancel NAME"),
    (&["list", "ls", "jobs", "show", "info"], "status"),
    (&["top", "watch"], "status --watch"),
    (&["start", "exec", "spawn", "add", "submit"], "run NAME -- COMMAND"),
    (&["logs", "tail", "cat", "output"], "log NAME"),
    (&["join", "await", "attach"], "wait NAME"),
    (&["hold"], "pause"),
    (&["unpause", "continue", "release"], "resume"),
    (&["stats", "report", "summary"], "timing"),
    (&["version"], "--version"),
];

/// Makes clap's error suggest only what helps, in a line or two if possible.
pub(crate) fn improve(mut error: Error, command: &Command, args: &[OsString]) -> Error {
    hide_the_hidden(&mut error, command);
    // The error lists all values already.
    error.remove(ContextKind::SuggestedValue);
    // A word that begins with a dash is hardly ever a value.
    error.remove(ContextKind::Suggested);
    let parsed = command.clone().ignore_errors(true).try_get_matches_from(args).ok();
    let (name, matches) = parsed.as_ref().and_then(ArgMatches::subcommand).unzip();
    let tip = match (error.kind(), name) {
        (ErrorKind::InvalidSubcommand, _) => {
            let tip = invalid(&error, ContextKind::InvalidSubcommand).and_then(|word| of_others(&word, args));
            if tip.is_some() {
                error.remove(ContextKind::SuggestedSubcommand);
            }
            tip
        }
        (ErrorKind::UnknownArgument, _) if error.get(ContextKind::SuggestedArg).is_none() => {
            let called = name.and_then(|name| command.find_subcommand(name)).unwrap_or(command);
            let word = invalid(&error, ContextKind::InvalidArg).unwrap_or_default();
            let of_command = (name == Some("run")).then(|| option_of_command(&word, matches, args)).flatten();
            of_command
                .or_else(|| options_like(called, &word))
                .or_else(|| (name == Some("run")).then(|| ORDER.to_owned()))
        }
        // Without any word everything is missing, and clap has said so.
        (ErrorKind::MissingRequiredArgument, Some("run")) => {
            let name = matches.and_then(|matches| matches.try_get_one::<OsString>("name").ok().flatten());
            name.map(|name| match which::which(name) {
                Ok(_) => name_missing(Typed::Program { with_dashes: false }, std::slice::from_ref(name)),
                Err(_) => NAME_MISSING.to_owned(),
            })
        }
        _ => None,
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    in_short(error)
}

/// The wrong word.
fn invalid(error: &Error, kind: ContextKind) -> Option<String> {
    error.get(kind).map(ToString::to_string)
}

fn of_others(word: &str, args: &[OsString]) -> Option<String> {
    if word == "kill" && args.iter().any(|arg| ["-9", "-KILL", "-SIGKILL"].iter().any(|option| arg == option)) {
        return Some("type `async cancel --grace 0 NAME`".to_owned());
    }
    let (_, command) = OF_OTHERS.iter().find(|(words, _)| words.contains(&word))?;
    Some(format!("type `async {command}`"))
}

/// What to type if an option of the command comes after its program, which was taken for the future's name.
fn option_of_command(option: &str, matches: Option<&ArgMatches>, args: &[OsString]) -> Option<String> {
    let name = matches?.try_get_one::<OsString>("name").ok()??;
    let at = args.iter().skip(2).position(|arg| arg.to_string_lossy().starts_with(option))? + 2;
    let from = args[..at].iter().rposition(|arg| arg == name).filter(|&from| from > 1)?;
    if args.iter().any(|arg| arg == "--") || which::which(name).is_err() {
        return None;
    }
    Some(name_missing(Typed::Program { with_dashes: false }, &args[from..]))
}

/// The options of the command that a one-letter option may stand for.
pub(crate) fn options_like(command: &Command, given: &str) -> Option<String> {
    let letter = given.strip_prefix('-').filter(|rest| rest.chars().count() == 1)?.to_ascii_lowercase();
    let is_like =
        |option: &&Arg| !option.is_hide_set() && option.get_long().is_some_and(|long| long.starts_with(&letter));
    let mut like: Vec<&Arg> = command.get_arguments().filter(is_like).collect();
    // Most options that have a letter elsewhere also have a value.
    if like.iter().any(|option| option.get_action().takes_values()) {
        like.retain(|option| option.get_action().takes_values());
    }
    let like: Vec<String> = like.into_iter().filter_map(Arg::get_long).map(|long| format!("`--{long}`")).collect();
    (!like.is_empty()).then(|| format!("type {} for `{given}`", like.join(" or ")))
}

/// Shortens clap's error to a line or two: what is wrong, and what to type, or where to read that.
fn in_short(error: Error) -> Error {
    use ErrorKind::{InvalidSubcommand, UnknownArgument, ValueValidation};
    let kind = error.kind();
    if !matches!(kind, InvalidSubcommand | UnknownArgument | ValueValidation) {
        return error;
    }
    let text = error.to_string();
    let is_long = |line: &&str| line.trim().is_empty() || line.starts_with("Usage: ");
    let mut lines: Vec<&str> = text.lines().filter(|line| !is_long(line)).collect();
    if lines.len() > 2 {
        lines.retain(|line| !line.starts_with("For more information"));
    }
    Error::raw(kind, lines.join("\n").trim_start_matches("error: ").to_owned() + "\n")
}

/// Removes commands that are hidden in the help from clap's suggestions.
fn hide_the_hidden(error: &mut Error, command: &Command) {
    let is_hidden = |name: &String| command.find_subcommand(name).is_some_and(Command::is_hide_set);
    if let Some(ContextValue::Strings(names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let names: Vec<_> = names.into_iter().filter(|name| !is_hidden(name)).collect();
        if !names.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(names));
        }
    }
}
