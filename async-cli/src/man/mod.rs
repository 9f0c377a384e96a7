//! The man pages: of the program and each of its commands, of each function for scripts, and of what they have in
//! common.
//!
//! Options and their values come from the definition of the command line.

mod common;
mod functions;

use std::io;

use clap::{Arg, ArgAction, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// A page.
pub(crate) struct Page {
    /// Its path in a folder of man pages: `man1/async-run.1`.
    pub(crate) path: String,
    pub(crate) text: Vec<u8>,
}

/// All of them.
pub(crate) fn pages() -> io::Result<Vec<Page>> {
    let mut command = crate::command()
        .disable_help_subcommand(true)
        .subcommand_value_name("command")
        .subcommand_help_heading("COMMANDS");
    command.build();
    let listed = command.get_subcommands().filter(|command| !command.is_hide_set());
    let mut pages = listed.chain([&command]).map(of_command).collect::<io::Result<Vec<_>>>()?;
    for function in functions::all() {
        pages.push(page("1", &function.command, &[italic(function.operands)], |_| {})?);
    }
    pages.push(page("7", &common::command(), &[], common::sections)?);
    Ok(pages)
}

fn of_command(command: &Command) -> io::Result<Page> {
    page("1", command, &operands(command), |roff| {
        if command.has_subcommands() {
            common::statuses(roff);
        }
    })
}

/// A page with sections of its own between its options and its examples.
fn page(section: &str, command: &Command, operands: &[Inline], own: impl Fn(&mut Roff)) -> io::Result<Page> {
    let man = Man::new(command.clone())
        .section(section)
        .date(date(crate::VERSION))
        .source(concat!("async ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    if section == "1" {
        let mut roff = Roff::new();
        synopsis(&mut roff, command, operands);
        roff.to_writer(&mut text)?;
    }
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    own(&mut roff);
    examples(&mut roff, command);
    see_also(&mut roff, command.get_name(), section);
    roff.to_writer(&mut text)?;
    Ok(Page { path: format!("man{section}/{}", man.get_filename()), text })
}

/// The date of the commit in the program's version. Without a commit it is an empty argument, which roff wants in
/// quotes.
fn date(version: &str) -> &str {
    let commit = version.split_once('(').and_then(|(_, commit)| commit.strip_suffix(')'));
    commit.and_then(|commit| commit.split_once(' ')).map_or("\"\"", |(_, date)| date)
}

/// The synopsis: the name, the options with the names of their values, and what follows them.
fn synopsis(roff: &mut Roff, command: &Command, operands: &[Inline]) {
    let options = || command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set());
    let (valued, switches): (Vec<_>, Vec<_>) = options().partition(|option| option.get_action().takes_values());
    let mut line = vec![bold(command.get_bin_name().unwrap_or(command.get_name())), roman(" ")];
    for part in switches.into_iter().chain(valued).map(option) {
        line.extend(part);
        line.push(roman(" "));
    }
    line.extend_from_slice(operands);
    // Neither justify nor hyphenate, and indent further lines.
    roff.control("SH", ["SYNOPSIS"]).control("ad", ["l"]).control("nh", []).control("HP", []).text(line);
    roff.control("hy", []).control("ad", []);
}

/// An option as it is typed: `[--after NAME]...`, `[-q|--quiet]`, `[--html[=FILE]]`, `[--history [NAME]]`.
fn option(option: &Arg) -> Vec<Inline> {
    let mut parts = Vec::new();
    let is_required = option.is_required_set();
    parts.extend((!is_required).then(|| roman("[")));
    parts.extend(option.get_short().map(|short| bold(format!("-{short}"))));
    parts.extend((option.get_short().is_some() && option.get_long().is_some()).then(|| roman("|")));
    parts.extend(option.get_long().map(|long| bold(format!("--{long}"))));
    if option.get_action().takes_values() {
        let value = italic(values(option));
        let may_lack = option.get_num_args().is_some_and(|count| count.min_values() == 0);
        let sign = match (option.is_require_equals_set(), may_lack) {
            (true, true) => "[=",
            (true, false) => "=",
            (false, true) => " [",
            (false, false) => " ",
        };
        parts.extend([roman(sign), value]);
        parts.extend(may_lack.then(|| roman("]")));
    }
    parts.extend((!is_required).then(|| roman("]")));
    if matches!(option.get_action(), ArgAction::Append | ArgAction::Count) {
        parts.push(roman("..."));
    }
    parts
}

/// The names of an argument's values.
fn values(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some(names) => names.join(" "),
        None => arg.get_id().as_str().to_uppercase(),
    }
}

/// What follows the options of a command.
fn operands(command: &Command) -> Vec<Inline> {
    let mut parts = Vec::new();
    for arg in command.get_positionals().filter(|arg| !arg.is_hide_set()) {
        let is_last = arg.is_trailing_var_arg_set();
        let (before, behind) = if arg.is_required_set() { ("", "") } else { ("[", "]") };
        let many = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
        parts.extend([
            roman(if is_last { "-- " } else { "" }),
            roman(before),
            italic(values(arg)),
            roman(format!("{behind}{many} ")),
        ]);
    }
    if command.has_subcommands() {
        parts.extend([italic("COMMAND"), roman(" [...]")]);
    }
    parts
}

/// The examples at the end of the command's help.
fn examples(roff: &mut Roff, command: &Command) {
    let Some(examples) = command.get_after_help().map(ToString::to_string) else { return };
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples.strip_prefix("Examples:\n\n").unwrap_or(&examples).lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
}

fn see_also(roff: &mut Roff, name: &str, section: &str) {
    let pages = [("async", "1"), ("async_run", "1"), ("async_wait", "1"), ("async", "7")];
    let mut line = Vec::new();
    for (page, of) in pages.into_iter().filter(|page| *page != (name, section)) {
        line.extend([roman(if line.is_empty() { "" } else { ", " }), bold(page), roman(format!("({of})"))]);
    }
    roff.control("SH", ["SEE ALSO"]).text(line);
}
