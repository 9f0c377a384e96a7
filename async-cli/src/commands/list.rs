//! What all lists of commands share.

use clap::{ArgMatches, Args, Command, FromArgMatches as _, error::Error};

use crate::context::ContextArgs;

/// Declares the modules of the commands, one file each, and an enum of their arguments. A new command needs a file and
/// a line here.
macro_rules! commands {
    ($(#[$attribute:meta])* $list:ident { $($module:ident => $command:ident,)+ }) => {
        $(pub(crate) mod $module;)+

        $(#[$attribute])*
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum $list {
            $($command($module::$command),)+
        }

        impl $list {
            /// Parses the arguments of the command of that name using only its definition, which takes a tenth of the
            /// time of building all of them. None if there is no such command here.
            pub(crate) fn read(
                name: &str,
                args: &[std::ffi::OsString],
            ) -> Option<Result<(crate::context::ContextArgs, Self), clap::Error>> {
                match &*name.replace('-', "_") {
                    $(stringify!($module) => Some(
                        $crate::commands::list::read_alone(name, args).map(|(context, command)| (context, Self::$command(command))),
                    ),)+
                    _ => None,
                }
            }

            /// Runs the command and returns its exit status.
            pub(crate) fn run(
                self,
                context: &crate::context::Context,
            ) -> Result<std::process::ExitCode, crate::failure::Failure> {
                match self {
                    $(Self::$command(command) => command.run(context),)+
                }
            }
        }
    };
}
pub(crate) use commands;

/// Parses the arguments of one command.
pub(crate) fn read_alone<C: Args>(name: &str, args: &[std::ffi::OsString]) -> Result<(ContextArgs, C), Error> {
    let parser =
        Command::new("async").bin_name(format!("async {name}")).no_binary_name(true).disable_version_flag(true);
    let mut parser = C::augment_args(ContextArgs::augment_args(parser));
    let read =
        |matches: &mut ArgMatches| Ok((ContextArgs::from_arg_matches_mut(matches)?, C::from_arg_matches_mut(matches)?));
    let matches = parser.try_get_matches_from_mut(args);
    matches.and_then(|mut matches| read(&mut matches).map_err(|error: Error| error.format(&mut parser)))
}
