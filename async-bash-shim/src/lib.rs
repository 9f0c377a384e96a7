//! The bash front-end of `async`: renders the file that scripts source.
//!
//! The template is a bash file that linters read, `async.bash` beside this one. What the profiles differ in stands at
//! its top as assignments, and rendering fills in their values and does nothing else.

#![forbid(unsafe_code)]

const TEMPLATE: &str = include_str!("async.bash");

/// How tasks behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As devstack's own `inc/async`: tasks are traced, failing commands inside a task are ignored, and nothing runs in
    /// the background unless `DEVSTACK_PARALLEL` says so.
    Devstack,
    /// For any script: a script's `set -e` and tracing hold inside its tasks as they do outside, and tasks run in the
    /// background unless `DEVSTACK_PARALLEL` says no.
    Standalone,
}

/// What is filled into the template.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "each is an assignment of its own in the file")]
pub struct Options {
    /// Whether tasks run in the background where `DEVSTACK_PARALLEL` says nothing.
    pub parallel: bool,
    /// Whether the caller's `set -e` holds inside tasks.
    pub keep_errexit: bool,
    /// Whether tasks are traced even if the caller is not.
    pub trace: bool,
    /// Whether `async_run` takes options.
    pub options: bool,
    /// Whether only the user may read records and logs.
    pub private: bool,
}

impl Options {
    /// The options of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Devstack => {
                Self { parallel: false, keep_errexit: false, trace: true, options: false, private: false }
            }
            Profile::Standalone => {
                Self { parallel: true, keep_errexit: true, trace: false, options: true, private: true }
            }
        }
    }
}

/// The text of the file to be sourced.
#[must_use]
pub fn render(options: &Options) -> String {
    let pick = |condition, yes, no| if condition { yes } else { no };
    [
        ("@parallel@", pick(options.parallel, "True", "False")),
        ("@errexit@", pick(options.keep_errexit, "kept", "ignored")),
        ("@xtrace@", pick(options.trace, "on", "kept")),
        ("@options@", pick(options.options, "read", "taken")),
        ("@permissions@", pick(options.private, "private", "umask")),
    ]
    .into_iter()
    .fold(TEMPLATE.to_owned(), |text, (key, value)| text.replacen(key, value, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_differ_in_assignments_at_the_top_and_nowhere_else() {
        let devstack = render(&Options::of(Profile::Devstack));
        let standalone = render(&Options::of(Profile::Standalone));
        let end_of_top = devstack.find("\ncase ").unwrap();
        assert_eq!(devstack.lines().count(), standalone.lines().count());
        let mut offset = 0;
        for (a, b) in devstack.lines().zip(standalone.lines()) {
            assert!(!a.contains("=\"@"), "not filled in: {a}");
            if a != b {
                assert!(a.starts_with("_ASYNC_") && a.contains('='), "{a}");
                assert!(offset < end_of_top, "{a}");
            }
            offset += a.len() + 1;
        }
    }

    #[test]
    fn the_checked_in_file_is_up_to_date() {
        let file = include_str!("../inc/async");
        assert!(file == render(&Options::of(Profile::Devstack)), "run `cargo xtask shim`");
    }
}
