//! The bash front-end of `async`: renders the file that scripts source.
//!
//! The template is `async.bash` beside this file. Each profile's file contains only what that profile needs; the
//! linters read the rendered files.

#![forbid(unsafe_code)]

use askama::Template;

/// How tasks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As in devstack's own `inc/async`: tasks are traced, failing commands inside a task are ignored, and tasks run in
    /// the background unless `DEVSTACK_PARALLEL` says no.
    Devstack,
    /// For any script: the script's `set -e` and tracing work inside its tasks as they do outside, and tasks run in the
    /// background unless `ASYNC_PARALLEL` or `DEVSTACK_PARALLEL` says no.
    Standalone,
}

/// The options of a rendered file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How tasks behave.
    pub profile: Profile,
    /// Whether tasks run in the background if no variable says so.
    pub parallel: bool,
    /// The store, as a word of bash, for the standalone profile only; without it a variable names the store, or each
    /// script has its own.
    pub dir: Option<String>,
}

impl Options {
    /// The default options of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        Self { profile, parallel: true, dir: None }
    }
}

/// The template and its values.
#[derive(Template)]
#[template(path = "async.bash", escape = "none")]
struct File<'a> {
    devstack: bool,
    profile: &'a str,
    /// The condition under which the script's variables make tasks run in the background.
    parallel_setting: &'a str,
    /// The arguments that name the store, if one is given.
    named_store: String,
    /// The arguments of the `async shim` that renders this file.
    arguments: String,
    /// The condition under which a task runs in the background.
    in_background: &'a str,
    version: &'a str,
}

/// Renders the file.
///
/// # Panics
/// Never: the template is checked at compile time.
#[must_use]
pub fn render(options: &Options) -> String {
    let Options { profile, parallel, ref dir } = *options;
    let devstack = profile == Profile::Devstack;
    let profile_argument = if devstack { " --profile devstack" } else { "" };
    let parallel_argument = if parallel { "" } else { " --parallel-default false" };
    let dir_argument = dir.as_ref().map_or_else(String::new, |dir| format!(" --dir {dir}"));
    let variable = if devstack { "${DEVSTACK_PARALLEL-}" } else { "${ASYNC_PARALLEL:-${DEVSTACK_PARALLEL-}}" };
    // As in devstack's trueorfalse: anything else stands for the default.
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
        // A rendered template ends without a newline.
        + "\n"
}
