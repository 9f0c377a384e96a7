//! Help for a user whose program does not exist.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use async_core::text::shell_line;

use crate::suggestion::NAME_MISSING;

/// The way a future is started, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Typed {
    /// `async run NAME -- COMMAND`. A user who types the `--` knows that a name goes before it.
    Program { with_dashes: bool },
    /// `async_run NAME COMMAND`
    Function,
}

impl Typed {
    /// The command line that starts that command as a future of that name.
    pub(crate) fn line<S: AsRef<OsStr>>(self, name: &str, command: &[S]) -> String {
        let command = shell_line(command);
        let name = shell_line(&[name]);
        match self {
            Self::Program { .. } => format!("async run {name} -- {command}"),
            Self::Function => format!("async_run {name} {command}"),
        }
    }
}

/// What to type instead, if the words after the future's `name` show what the user meant. `cwd` is the calling
/// directory.
pub(crate) fn what_was_meant(typed: Typed, name: &str, command: &[OsString], cwd: &Path) -> Option<String> {
    let word = command.first()?.to_str()?;
    let all = |first: &[&str], rest: &[OsString]| -> Vec<OsString> {
        first.iter().map(OsString::from).chain(rest.iter().cloned()).collect()
    };
    let assignments = command.iter().take_while(|word| word.to_str().is_some_and(is_assignment)).count();
    if (1..command.len()).contains(&assignments) {
        let line = typed.line(name, &all(&["env"], command));
        return Some(format!("it sets a variable; type `{line}`"));
    }
    if matches!(typed, Typed::Program { with_dashes: false } | Typed::Function) && which::which(name).is_ok() {
        return Some(name_missing(typed, &all(&[name], command)));
    }
    let script = cwd.join(word);
    if !word.contains('/') && script.is_file() {
        let is_executable = which::which(&script).is_ok();
        let path = format!("./{word}");
        let line = if is_executable { all(&[&path], &command[1..]) } else { all(&["bash", word], &command[1..]) };
        return Some(format!("for the file in this directory type `{}`", typed.line(name, &line)));
    }
    None
}

/// The message that the name is missing, with a command line that uses the program's name.
pub(crate) fn name_missing(typed: Typed, command: &[OsString]) -> String {
    let Some(name) = command.first().and_then(|program| Path::new(program).file_name()) else {
        return NAME_MISSING.to_owned();
    };
    format!("is the name missing? Type `{}`", typed.line(&name.to_string_lossy(), command))
}

/// Whether a shell takes the word for a variable assignment.
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name.starts_with(|c: char| !c.is_ascii_digit())
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// Builtins of bash that most systems have no program for.
const BUILTINS: &str = " . : alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown \
                        enable eval exec exit export fc fg getopts hash help history jobs let local logout mapfile popd \
                        pushd read readarray readonly return set shift shopt source suspend times trap type typeset ulimit \
                        umask unalias unset wait ";

/// What to type instead of the missing program of the future `name`, with these arguments.
pub(crate) fn what_to_type(typed: Typed, name: &str, command: &[OsString], cwd: &Path) -> String {
    let Some(program) = command.first() else {
        return String::new();
    };
    let text = program.to_string_lossy();
    // Options are not programs. In a program's place, they belong to the word that was taken for the name.
    if text.starts_with('-') {
        let all: Vec<OsString> = std::iter::once(name.into()).chain(command.iter().cloned()).collect();
        return name_missing(typed, &all);
    }
    if let Some(meant) = what_was_meant(typed, name, command, cwd) {
        return meant;
    }
    let run = |options: &str, command: &[&OsStr]| format!("async run {options}{name} -- {}", shell_line(command));
    let in_script = format!("a script that has `source <(async shim)`, and there `async_run {name} {text}`");
    if is_exported_function(&text) {
        return format!("it is a function of the shell, and needs {in_script}");
    }
    if let ("cd", [_, dir, ..]) = (&*text, command) {
        let dir = shell_line(&[dir]);
        return format!(
            "it is a shell builtin, not a program; to run a program there, type `async run --cwd {dir} {name} -- PROGRAM`"
        );
    }
    if BUILTINS.contains(&format!(" {text} ")) {
        let line = shell_line(command);
        let line = run("", &["bash".as_ref(), "-c".as_ref(), line.as_ref()]);
        return format!("it is a shell builtin, not a program: type `{line}`");
    }
    if is_command_line(&text) {
        let line = run("", &["bash".as_ref(), "-c".as_ref(), program]);
        return format!("that is one word; for a whole command line type `{line}`");
    }
    let is_name = text.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let or_function = if is_name { format!("; a function of the shell needs {in_script}") } else { String::new() };
    format!("check the name, or PATH{or_function}")
}

/// Whether a word is more than a program's name.
pub(crate) fn is_command_line(word: &str) -> bool {
    word.contains(|c: char| c.is_whitespace() || ";|&<>()$`".contains(c))
}

/// As bash writes it to the environment. No other process can know a shell's other functions.
fn is_exported_function(name: &str) -> bool {
    std::env::var_os(format!("BASH_FUNC_{name}%%")).is_some()
}
