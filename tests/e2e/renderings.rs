//! Each rendering of the functions, for readers and for linters.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use async_bash_shim::{Options, Profile, render};
use async_tests::root;
use async_tests::shell::Sandbox;
use async_tests::tools::{is_there, is_there_from};

/// The most lines that a reader should have to read, including comments, and the most columns.
const DEVSTACK_LINES: usize = 220;
const STANDALONE_LINES: usize = 300;
const COLUMNS: usize = 110;

/// Calls the test with each rendering.
fn in_each_rendering(test: impl Fn(&Options, &str)) {
    for profile in [Profile::Devstack, Profile::Standalone] {
        for parallel in [true, false] {
            let mut options = Options::of(profile);
            options.parallel = parallel;
            test(&options, &render(&options));
        }
    }
    let options = Options { dir: Some("'/srv/a store'".to_owned()), ..Options::of(Profile::Standalone) };
    test(&options, &render(&options));
}

#[test]
fn each_can_be_read_in_ten_minutes_and_says_what_made_it() {
    in_each_rendering(|options, text| {
        let most = if options.profile == Profile::Devstack { DEVSTACK_LINES } else { STANDALONE_LINES };
        assert!(text.lines().count() <= most, "{options:?}: {} lines", text.lines().count());
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > COLUMNS).collect();
        assert!(wide.is_empty(), "{options:?}: {wide:#?}");
        let made_by = concat!(", version ", env!("CARGO_PKG_VERSION"), ".");
        assert!(text.lines().take(10).any(|line| line.contains(made_by)), "{options:?}: {text}");
        assert!(!text.contains("#{%") && !text.contains("@{"), "{options:?}: {text}");
    });
}

#[test]
fn each_is_what_the_program_prints_with_the_arguments_that_it_names() {
    in_each_rendering(|_, text| {
        let arguments = text.split("\"async shim").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let sandbox = Sandbox::default();
        let printed = sandbox.run(&format!("async shim{arguments}"));
        assert!(printed.stdout == text, "async shim{arguments}: {printed}");
    });
}

#[test]
fn the_file_in_the_repository_is_the_one_for_devstack() {
    let text = fs::read_to_string(root().join("async-bash-shim/inc/async")).unwrap();
    assert!(text == render(&Options::of(Profile::Devstack)), "inc/async is out of date: run `cargo xtask shim`");
}

/// Runs a linter on the renderings that it applies to.
fn lint(command: &[&str], is_for: impl Fn(&Options) -> bool) {
    in_each_rendering(|options, text| {
        if !is_for(options) {
            return;
        }
        let sandbox = Sandbox::default();
        let file = sandbox.path("async.bash");
        fs::write(&file, text).unwrap();
        let output = Command::new(command[0]).args(&command[1..]).arg(Path::new(&file)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{options:?}: {said}");
    });
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if is_there("shellcheck") {
        lint(&["shellcheck", "--shell=bash"], |_| true);
    }
}

#[test]
fn shfmt_leaves_each_as_it_is() {
    if is_there("shfmt") {
        lint(&["shfmt", "-i", "4", "-ci", "-d"], |_| true);
    }
}

#[test]
fn bashate_takes_what_is_for_devstack() {
    if is_there_from("bashate", "python3-bashate") {
        lint(&["bashate", "-iE006", "-eE005,E042"], |options| options.profile == Profile::Devstack);
    }
}
