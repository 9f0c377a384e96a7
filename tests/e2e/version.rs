//! `async --version`, and the build script behind it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_tests::root;
use async_tests::shell::Sandbox;
use async_tests::tools::is_there;

/// Standard output of a command that must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A git command that ignores all configuration.
fn git(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").args(["-c", "user.name=a", "-c", "user.email=a@b"]);
    command.args(args);
    command
}

#[test]
fn the_version_names_the_commit_where_there_is_one() {
    let sandbox = Sandbox::default();
    let version = output(sandbox.command("async").arg("--version"));
    let commit = Command::new("git")
        .args(["log", "-1", "--abbrev=7", "--format=%h %cs"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success() && root().join(".git").exists())
        .map(|output| format!(" ({})", String::from_utf8(output.stdout).unwrap().trim()));
    assert_eq!(version, format!("async {}{}\n", env!("CARGO_PKG_VERSION"), commit.unwrap_or_default()));
}

/// The build script of the program, as an executable.
fn build_script(sandbox: &Sandbox) -> PathBuf {
    let script = sandbox.path("script");
    output(
        Command::new("rustc")
            .args(["--edition", "2024", "-o"])
            .arg(&script)
            .arg(root().join("async-cli/build.rs"))
            .current_dir(root()),
    );
    script
}

#[test]
fn sources_without_git_or_inside_another_repository_have_a_version_without_a_commit() {
    if !is_there("git") {
        return;
    }
    let sandbox = Sandbox::default();
    let script = build_script(&sandbox);
    let outer = sandbox.path("outer");
    let workspace = outer.join("workspace");
    fs::create_dir_all(workspace.join("async-cli")).unwrap();
    let says = |git_is_there: bool| {
        let mut command = sandbox.command(&script);
        command.env("CARGO_MANIFEST_DIR", workspace.join("async-cli")).env("CARGO_PKG_VERSION", "1.2.3");
        if !git_is_there {
            command.env("PATH", sandbox.path("cwd"));
        }
        output(&mut command)
    };
    let plain = "cargo::rerun-if-changed=build.rs\ncargo::rustc-env=ASYNC_VERSION=1.2.3\n";
    assert_eq!(says(true), plain);

    let commit = |dir: &Path| {
        output(&mut git(dir, &["init", "-q"]));
        output(&mut git(dir, &["commit", "-q", "--allow-empty", "-m", "one"]));
        output(&mut git(dir, &["log", "-1", "--abbrev=7", "--format=%h %cs"])).trim().to_owned()
    };
    commit(&outer);
    assert_eq!(says(true), plain);

    let own = commit(&workspace);
    assert!(says(true).ends_with(&format!("=1.2.3 ({own})\n")), "{}", says(true));
    assert_eq!(says(false), plain);
}

#[test]
fn the_build_script_runs_again_for_another_commit_and_for_nothing_else() {
    if !is_there("git") {
        return;
    }
    let sandbox = Sandbox::default();
    let script = build_script(&sandbox);
    let workspace = sandbox.path("workspace");
    fs::create_dir_all(workspace.join("async-cli")).unwrap();
    output(&mut git(&workspace, &["init", "-q"]));
    output(&mut git(&workspace, &["commit", "-q", "--allow-empty", "-m", "one"]));
    let says = output(sandbox.command(&script).env("CARGO_MANIFEST_DIR", workspace.join("async-cli")));
    let watched: Vec<_> = says
        .lines()
        .filter_map(|line| line.strip_prefix("cargo::rerun-if-changed="))
        .filter(|path| *path != "build.rs")
        .collect();
    // If one of them is missing, cargo runs it every time.
    assert!(!watched.is_empty() && watched.iter().all(|path| Path::new(path).is_file()), "{says}");

    let read = || watched.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    let before = read();
    fs::write(workspace.join("file"), "").unwrap();
    output(&mut git(&workspace, &["add", "file"]));
    assert!(read() == before);
    output(&mut git(&workspace, &["commit", "-q", "-m", "two"]));
    assert!(read() != before);
}
