//! What is said to somebody whose program is not there.

use std::ffi::{OsStr, OsString};

use async_core::text::shell_line;

use crate::suggestion::NAME_MISSING;

/// Builtins of bash that most systems have no program for.
const BUILTINS: &str = " . : alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown \
                        enable eval exec exit export fc fg getopts hash help history jobs let local logout mapfile popd \
                        pushd read readarray readonly return set shift shopt source suspend times trap type typeset ulimit \
                        umask unalias unset wait ";

/// What to type instead, after the name of a program that is not there: that of the future `name`, with these arguments.
pub(crate) fn what_to_type(name: &str, command: &[OsString]) -> String {
    let Some(program) = command.first() else {
        return String::new();
    };
    let text = program.to_string_lossy();
    // Options are no programs. In the place of one they are those of what was taken for the name.
    if text.starts_with('-') {
        return NAME_MISSING.to_owned();
    }
    let run = |options: &str, command: &[&OsStr]| format!("async run {options}{name} -- {}", shell_line(command));
    let in_script = format!("a script that has `source <(async shim)`, and there `async_run {name} {text}`");
    if is_exported_function(&text) {
        return format!("it is a function of the shell, and needs {in_script}");
    }
    if let ("cd", [_, dir, ..]) = (&*text, command) {
        let dir = shell_line(&[dir]);
        return format!(
            "it is the shell's own, and no program; to have one run there, type `async run --cwd {dir} {name} -- PROGRAM`"
        );
    }
    if BUILTINS.contains(&format!(" {text} ")) {
        let line = shell_line(command);
        let line = run("", &["bash".as_ref(), "-c".as_ref(), line.as_ref()]);
        return format!("it is the shell's own, and no program: type `{line}`");
    }
    if is_command_line(&text) {
        let line = run("", &["bash".as_ref(), "-c".as_ref(), program]);
        return format!("it is one word; for a whole command line type `{line}`");
    }
    let is_name = text.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let or_function = if is_name { format!("; a function of the shell needs {in_script}") } else { String::new() };
    format!("check the name, or PATH{or_function}")
}

/// Whether a word is more than a program's name.
pub(crate) fn is_command_line(word: &str) -> bool {
    word.contains(|c: char| c.is_whitespace() || ";|&<>()$`".contains(c))
}

/// As bash has it in the environment. Other functions nobody outside of their shell can know.
fn is_exported_function(name: &str) -> bool {
    std::env::var_os(format!("BASH_FUNC_{name}%%")).is_some()
}
