//! The bash front-end of `async`: renders the file that scripts source.
//!
//! The template is `async.bash` beside this file. Each profile's file holds what that profile needs and nothing else; the
//! linters read what is rendered.

#![forbid(unsafe_code)]

use askama::Template;

/// How tasks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As devstack's own `inc/async`: tasks are traced, failing commands inside a task are ignored, and tasks run in the
    /// background unless `DEVSTACK_PARALLEL` says no.
    Devstack,
    /// For any script: a script's `set -e` and tracing hold inside its tasks as they do outside, and tasks run in the
    /// background unless `ASYNC_PARALLEL` or `DEVSTACK_PARALLEL` says no.
    Standalone,
}

/// What a file to be sourced is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How tasks behave.
    pub profile: Profile,
    /// Whether tasks run in the background where no variable says so.
    pub parallel: bool,
    /// The store, as a word of bash, for the standalone profile alone; without it a variable says it, or each script has one
    /// of its own.
    pub dir: Option<String>,
}

impl Options {
    /// The options of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        Self { profile, parallel: true, dir: None }
    }
}

/// The file, with what it is filled in with.
#[derive(Template)]
#[template(path = "async.bash", escape = "none")]
struct File<'a> {
    devstack: bool,
    profile: &'a str,
    /// The condition on which the variables of the script want tasks to run in the background.
    parallel_setting: &'a str,
    /// What the program is told of a store that is named.
    named_store: String,
    /// What `async shim` is called with to make it.
    arguments: String,
    /// The condition on which a task runs in the background.
    in_background: &'a str,
    version: &'a str,
}

/// The text of the file to be sourced.
///
/// # Panics
/// Never: the template is checked when this is compiled.
#[must_use]
pub fn render(options: &Options) -> String {
    let Options { profile, parallel, ref dir } = *options;
    let devstack = profile == Profile::Devstack;
    let profile_argument = if devstack { " --profile devstack" } else { "" };
    let parallel_argument = if parallel { "" } else { " --parallel-default false" };
    let dir_argument = dir.as_ref().map_or_else(String::new, |dir| format!(" --dir {dir}"));
    let variable = if devstack { "${DEVSTACK_PARALLEL-}" } else { "${ASYNC_PARALLEL:-${DEVSTACK_PARALLEL-}}" };
    // As devstack's trueorfalse has it: what is neither stands for the default.
    let parallel_setting = if parallel {
        format!("[[ {variable} != @(0|[nN]o|NO|[fF]alse|FALSE) ]]")
    } else {
        format!("[[ {variable} = @(1|[yY]es|YES|[tT]rue|TRUE) ]]")
    };
    let in_background = if devstack { "[[ ${DEVSTACK_PARALLEL-} = True ]]" } else { &*parallel_setting };
    File {
        devstack,
        profile: if devstack { "devstack" } else { "standalone" },
        parallel_setting: &parallel_setting,
        named_store: dir.as_ref().map_or_else(|| r#"${ASYNC_DIR:+"--dir=$ASYNC_DIR"}"#.to_owned(), |dir| format!("--dir {dir}")),
        arguments: format!(" shim{profile_argument}{parallel_argument}{dir_argument}"),
        in_background,
        version: env!("CARGO_PKG_VERSION"),
    }
    .render()
    .expect("text can be written to memory")
        // Templates end without one.
        + "\n"
}
