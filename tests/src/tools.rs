//! Requirements of some tests that not everybody meets: programs, and being root.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// The file by which `cargo xtask test` counts skipped tests, one line each.
const SKIPPED: &str = "ASYNC_TEST_SKIPPED";

/// Whether a program from the Debian package of the same name is installed. If not, says how to get it.
///
/// # Panics
/// If it is missing where `CI=true`: there the tests that need it must not be skipped.
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
        skip(&format!("{program} is missing: apt-get install {package}"));
    }
    there
}

/// Says that a test, or a part of it, is skipped, and how to avoid that.
///
/// # Panics
/// Where `CI=true`: a gate must not pass because a tool is missing.
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{reason}");
    skip_even_in_ci(reason);
}

/// The same for requirements that a gate can't meet either.
pub fn skip_even_in_ci(reason: &str) {
    eprintln!("skipped: {reason}");
    // Test harnesses know only passed and failed, and print nothing about a test that passes.
    let Some(list) = std::env::var_os(SKIPPED) else { return };
    let line = format!("{}: {reason}\n", thread::current().name().unwrap_or("a test"));
    let file = OpenOptions::new().append(true).open(&list);
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        eprintln!("can't write {}: {error}", list.display());
    }
}
