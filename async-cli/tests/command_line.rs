//! What the program and each of its commands say of themselves.

use assert_cmd::cargo::cargo_bin_cmd;
use async_cli::command;
use clap::{Arg, Command};

/// The commands that the help lists.
fn listed() -> Vec<Command> {
    let mut command = command();
    command.build();
    let is_listed = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    command.get_subcommands().filter(is_listed).cloned().collect()
}

/// What the help of a command ends with, as it was written.
fn ending(command: &Command) -> String {
    command.get_after_help().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn help_fits_80_columns() {
    for mut command in listed().into_iter().chain([command()]) {
        // Lines that are too long are broken, which is fine for prose and not for examples.
        let help = ending(&command) + "\n" + &command.render_long_help().to_string();
        let wide = help.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{}", command.get_name());
    }
}

#[test]
fn each_argument_is_explained() {
    for command in listed() {
        let silent: Vec<_> = command.get_arguments().filter(|arg| arg.get_help().is_none()).map(Arg::get_id).collect();
        assert!(silent.is_empty(), "{}: {silent:?}", command.get_name());
    }
}

#[test]
fn each_command_has_examples_that_are_right() {
    for listed in listed() {
        let (name, help) = (listed.get_name(), ending(&listed));
        let examples = help.strip_prefix("Examples:\n\n").unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(examples.contains(&format!("async {name}")), "{name} is not in its own examples");
        for line in examples.lines().map(str::trim).filter(|line| line.starts_with("async ")) {
            let words = shlex::split(line).unwrap();
            let own =
                words.iter().take_while(|word| !["|", "||", "&&"].contains(&word.as_str()) && !word.starts_with('>'));
            let parsed = command().try_get_matches_from(own);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn help_goes_to_standard_output_and_wrong_usage_to_standard_error() {
    for listed in listed() {
        let name = listed.get_name();
        let help = cargo_bin_cmd!("async").args([name, "--help"]).assert().success().stderr("").get_output().clone();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("Usage: async {name}")) && help.contains("Examples:\n"), "{help}");
        let wrong = cargo_bin_cmd!("async").args([name, "--no-such-option"]).assert().code(2).stdout("");
        let wrong = String::from_utf8(wrong.get_output().stderr.clone()).unwrap();
        assert!(wrong.contains("--no-such-option"), "{wrong}");
    }
    let nothing = cargo_bin_cmd!("async").assert().code(2).stdout("").get_output().clone();
    assert!(String::from_utf8(nothing.stderr).unwrap().contains("Usage: async "));
}

#[test]
fn the_version_is_that_of_the_library() {
    cargo_bin_cmd!("async").arg("--version").assert().success().stdout(format!("async {}\n", async_cli::VERSION));
}

#[test]
fn the_schema_is_json() {
    let printed = cargo_bin_cmd!("async").arg("schema").assert().success().get_output().clone();
    let schema: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(schema["$defs"]["FuturesDocument"].is_object(), "{schema:#}");
}
