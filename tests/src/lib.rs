//! What the end-to-end tests share: real bash, the real binary, and scenarios.

pub mod another_user;
pub mod browser;
pub mod cluster;
pub mod counting;
pub mod deviations;
pub mod fault;
pub mod fixtures;
pub mod mark;
pub mod markdown;
pub mod other_host;
pub mod paused_script;
pub mod proof;
pub mod scenario;
pub mod shell;
pub mod small_disk;
pub mod strace;
pub mod sweep;
pub mod terminal;
pub mod tools;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// How long anything may take before it counts as hung, on a machine that has much else to do too.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The folder of this crate.
#[must_use]
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the workspace.
///
/// # Panics
/// Never: this crate is a member of a workspace.
#[must_use]
pub fn root() -> &'static Path {
    here().parent().expect("a member of a workspace")
}

/// The original script, where there is one: `$ASYNC_ORIGINAL`, else the copy that stands beside the project for its
/// developers.
#[must_use]
pub fn original() -> Option<PathBuf> {
    let given = std::env::var_os("ASYNC_ORIGINAL").map(PathBuf::from);
    let beside = root().parent().map(|parent| parent.join("shared/original/async.bash"));
    given.or(beside).filter(|path| path.is_file())
}

/// Holds what is seen against the snapshot of that name, in the folder of that name.
///
/// # Panics
/// If they differ.
#[track_caller]
pub fn assert_like_snapshot(folder: &str, name: &str, seen: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(here().join("snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, seen));
}

/// Sleeps until something is so, which no test can be told of.
///
/// # Panics
/// If it does not come to be so.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(1));
    }
}

/// That many values, the same in each run: for tests that hand them to another program all at once.
///
/// # Panics
/// If the strategy has none.
#[must_use]
pub fn generated<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value").current()).collect()
}
