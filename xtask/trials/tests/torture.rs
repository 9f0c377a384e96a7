//! A short run of `cargo xtask torture`.

use std::env;
use std::iter;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_tests::small_disk::is_root;

#[test]
#[ignore = "in the full set"]
fn nothing_is_lost_torn_or_reported_twice_while_processes_are_killed() {
    let more = env::var_os("ASYNC_TEST_BASHES").unwrap_or_default();
    let more: Vec<PathBuf> = env::split_paths(&more).filter(|bash| bash != Path::new("")).collect();
    for bash in iter::once(None).chain(more.iter().map(Some)) {
        // Its shells are the bash that is found first.
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(bash) = bash {
            symlink(bash, folder.path().join("bash")).expect("a link");
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = iter::once(folder.path().to_owned()).chain(env::split_paths(&path));
        let output = Command::new(env!("CARGO_BIN_EXE_trials"))
            .args(["torture", "--futures", "150", "--seed", "1"])
            .env("PATH", env::join_paths(folders).expect("folders"))
            .output()
            .expect("trials runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{bash:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.ends_with("torture: ok\n"), "{bash:?}: {text}");
    }
}

#[test]
#[ignore = "in the full set"]
fn nor_while_something_is_missing_or_others_clear_and_cancel() {
    for mode in ["init", "cancel", "disk", "processes"] {
        if ["disk", "processes"].contains(&mode) && !is_root(&format!("--mode {mode}")) {
            continue;
        }
        let mut torture = Command::new(env!("CARGO_BIN_EXE_trials"));
        let output = torture.args(["torture", "--futures", "100", "--seed", "1", "--mode", mode]).output();
        let output = output.expect("trials runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{mode}: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.ends_with("torture: ok\n"), "{mode}: {text}");
    }
}
