//! The command line of `async`: what each command does, and what it says.

pub mod awk;
mod cli;
mod commands;
mod completing;
mod context;
mod doing;
mod duration;
mod elsewhere;
mod escapes;
mod exit_code;
mod export;
mod failure;
mod format;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod json;
mod kernel_copy;
mod man;
mod messages;
mod missing_program;
mod number;
mod script_option;
mod shim;
mod signal;
mod standard_output;
mod suggestion;
mod wait;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use cli::CommandLine;

/// The version, with the commit that it was built from, if known.
pub const VERSION: &str = env!("ASYNC_VERSION");

/// Runs a command line, which begins with the program's name, and returns the exit status.
///
/// Wrong usage, `--help` and `--version` end the process, as usual with clap.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The program can report an error but not its death. This only fails if the signal would not come anyway.
    let _ = async_core::process::outlive_file_size_limit();
    async_core::store::call_attendants_with(elsewhere::call_attendant);
    let args: Vec<OsString> = args.into_iter().collect();
    if let Err(failure) = shim::rendering::check_series(&args) {
        return failure.report().into();
    }
    match CommandLine::read(&args) {
        Ok(line) => line.run(),
        Err(error) => match shim::functions::wrong_call(&error, &args) {
            Some(failure) => failure.report().into(),
            None => shown(error, &args).exit(),
        },
    }
}

/// The same error for the same arguments made printable: clap quotes them as they are.
fn shown(error: clap::Error, args: &[OsString]) -> clap::Error {
    let printable: Vec<OsString> = args.iter().map(|arg| async_core::text::printable(arg).into()).collect();
    if printable == args {
        return error;
    }
    CommandLine::read(&printable).err().unwrap_or_else(|| {
        // Only the bytes that were made printable were wrong.
        let text = error.render().to_string();
        let lines: Vec<String> = text.lines().map(|line| async_core::text::printable(line.as_ref())).collect();
        clap::Error::raw(error.kind(), lines.join("\n").trim_start_matches("error: ").to_owned() + "\n")
    })
}

/// The definition of the command line, for man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn no_error_has_what_a_terminal_acts_on() {
        // A tab, because clap drops other control characters unless it prints to a terminal.
        for line in ["wait", "status", "run t", "collect --answer 1 --report 3 --shell 9"] {
            for odd in [&b"--x\t"[..], b"--x\t\xff", b"--resum\xff\t", b"-\xff\t"] {
                let args: Vec<OsString> = ["async"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
                let args = [&args[..], &[OsString::from_vec(odd.to_vec())]].concat();
                // The last command takes any UTF-8 for a name.
                let Err(error) = CommandLine::read(&args) else { continue };
                let error = shown(error, &args);
                assert!(!error.to_string().contains('\t'), "{args:?}: {error}");
                assert_eq!(error.exit_code(), 2);
            }
        }
    }
}
