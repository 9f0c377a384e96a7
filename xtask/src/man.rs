//! `cargo xtask man`: the man pages, from the definition of the command line.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};

/// Writes the man pages: async(1), and one for each command
#[derive(Args)]
pub(crate) struct Man {
    /// The folder for them [default: target/man]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> Result<(), String> {
        let dir = self.dir.unwrap_or_else(|| crate::root().join("target/man"));
        let write = || {
            fs::create_dir_all(&dir)?;
            pages()?.into_iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))
        };
        write().map_err(|error| format!("can't write the man pages to {}: {error}", dir.display()))
    }
}

/// Statuses and what they mean.
const STATUSES: &[(&str, &str)] = &[
    ("0", "All is well; of a wait, that the tasks have returned 0."),
    ("2", "The command line is wrong."),
    ("124", "The task was stopped because its time was over."),
    ("125", "async itself failed, and says why on standard error."),
    ("126, 127", "The program to be run can't be executed, or is not there."),
    ("128+N", "The task was killed by signal N."),
];

/// Variables and what they are for.
const VARIABLES: &[(&str, &str)] = &[
    ("ASYNC_DIR", "The store of futures. Without it a script has one of its own, and a prompt that of the user."),
    ("XDG_STATE_HOME", "Where these are, in the folder async there; ~/.local/state if it is not set."),
    ("DEST", "To devstack's functions alone: their store is the folder async there."),
    ("ASYNC_SCRIPT", "What a script is called, for --script; else it is known by its file."),
    ("ASYNC_ON_EXIT", "What becomes of what a script leaves at its end: cancel, wait, or leave."),
    ("ASYNC_JOBS", "How many tasks may run at once."),
    (
        "ASYNC_QUIET",
        "1 keeps still about what goes well: no lines about futures but those of failures. Logs are printed.",
    ),
    ("ASYNC_KEEP_RUNS", "How many earlier runs async-init(1) keeps, and of each script."),
    ("ASYNC_BIN", "The program that the functions of async-shim(1) call in place of async on PATH."),
    ("DEVSTACK_PARALLEL", "False makes those functions run each task at once, in the script itself."),
];

/// All pages, each with the name of its file.
pub(crate) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = async_cli::command()
        .disable_help_subcommand(true)
        .subcommand_value_name("command")
        .subcommand_help_heading("COMMANDS");
    command.build();
    let date = date(command.get_version().unwrap_or_default());
    let listed = command.get_subcommands().filter(|command| !command.is_hide_set());
    listed.chain([&command]).map(|command| page(command, &date)).collect()
}

/// The date of the commit in the program's version. Without one it is the empty argument, which roff takes in quotes.
fn date(version: &str) -> String {
    let commit = version.split_once('(').and_then(|(_, commit)| commit.strip_suffix(')'));
    commit.and_then(|commit| commit.split_once(' ')).map_or("\"\"", |(_, date)| date).to_owned()
}

fn page(command: &Command, date: &str) -> io::Result<(String, Vec<u8>)> {
    let source = concat!("async ", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command.clone()).date(date).source(source).manual("User Commands");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    let mut roff = Roff::new();
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
        list(&mut roff, "EXIT STATUS", STATUSES);
        list(&mut roff, "ENVIRONMENT", VARIABLES);
        examples(&mut roff, command);
    } else {
        examples(&mut roff, command);
        roff.control("SH", ["SEE ALSO"]).text([bold("async"), roman("(1)")]);
    }
    roff.to_writer(&mut text)?;
    Ok((page.get_filename(), text))
}

fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in entries {
        roff.control("TP", []).text([bold(*term)]).text([roman(*text)]);
    }
}

/// What the help of the command ends with.
fn examples(roff: &mut Roff, command: &Command) {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in examples.strip_prefix("Examples:\n\n").unwrap_or(&examples).lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
}
