//! Programs that some tests need and not everybody has.

use std::process::{Command, Stdio};

/// Whether a program of a Debian package of its name is there. If not, says how to get it.
///
/// # Panics
/// Without it where `CI=true`: there the tests that need it must not be skipped.
#[must_use]
pub fn is_there(program: &str) -> bool {
    is_there_from(program, program)
}

/// The same for a program of another package.
///
/// # Panics
/// Likewise.
#[must_use]
pub fn is_there_from(program: &str, package: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null());
    let there = command.output().is_ok_and(|output| output.status.success());
    if !there {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!ci, "{program} is missing: apt-get install {package}");
        eprintln!("skipped, because {program} is missing: apt-get install {package}");
    }
    there
}
