//! What the help of a command ends with.

use clap::Command;

/// The examples of each command that the help lists. A line that begins with `async` is tested to be a call of it.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "init",
        "\
  # the store that the environment names
  async init

  # one of your own, which the other commands then need to be told too
  async --dir ./futures init",
    ),
    (
        "wait",
        "\
  async wait docs tests

  # whatever happens to be left
  async cleanup",
    ),
    (
        "log",
        "\
  # the end of a log, and what comes, until the task is over
  async log --follow --lines 20 docs

  # two at once, each line with its name
  async log -f docs tests

  # what the one before the newest printed
  async log --list-runs docs
  async log --run 2 docs",
    ),
    (
        "status",
        "\
  async status",
    ),
    (
        "pid",
        "\
  async pid docs

  # what it is
  ps -fp \"$(async pid docs)\"",
    ),
    (
        "cleanup",
        "\
  # fails if something can't be collected, and not because a task failed
  async cleanup",
    ),
    (
        "timing",
        "\
  # once all is collected
  async timing",
    ),
    (
        "shim",
        "\
  # in a script
  source <(async shim)

  # the file that takes the place of devstack's inc/async
  async shim --profile devstack --parallel-default true",
    ),
];

/// The command line with them.
pub(crate) fn added_to(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (name, examples)| {
        command.mut_subcommand(name, |command| command.after_help(format!("Examples:\n{examples}")))
    })
}

#[cfg(test)]
mod tests {
    use crate::command;

    /// The commands that the help lists.
    fn listed() -> Vec<clap::Command> {
        let mut command = command();
        command.build();
        let is_listed = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
        command.get_subcommands().filter(is_listed).cloned().collect()
    }

    #[test]
    fn help_fits_80_columns() {
        for mut command in listed().into_iter().chain([command()]) {
            let help = command.render_long_help().to_string();
            let wide = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{}", command.get_name());
        }
    }

    #[test]
    fn each_command_says_what_its_arguments_are() {
        for command in listed() {
            let silent: Vec<_> = command.get_arguments().filter(|arg| arg.get_help().is_none()).collect();
            assert!(silent.is_empty(), "{}: {silent:?}", command.get_name());
        }
    }

    #[test]
    fn each_command_has_examples_that_are_right() {
        for listed in listed() {
            let name = listed.get_name();
            let help = listed.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("async {name}")), "{name} has no example");
            for call in help.lines().map(str::trim).filter(|line| line.starts_with("async ")) {
                let parsed = command().try_get_matches_from(shlex::split(call).unwrap());
                assert!(parsed.is_ok(), "{call}: {}", parsed.unwrap_err());
            }
        }
    }
}
