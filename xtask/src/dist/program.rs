//! The program as users get it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::output;

/// The machine's own target, as rustc calls it.
pub(super) fn target() -> Result<String, String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(crate::root()))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say what its host is: {about}"))
}

/// Builds the program, statically linked, and gives its path.
pub(super) fn build(target: &str) -> Result<PathBuf, String> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    // No paths of this machine in the program: they say nothing to its users, and make each machine's another.
    for (path, name) in cargo_home.iter().map(|home| (home.as_path(), "cargo")).chain([(crate::root(), "async")]) {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(path);
        flags.push(format!("=/{name}"));
    }
    let mut cargo = crate::cargo();
    cargo.args(["build", "--quiet", "--locked", "--release", "--package", "async-cli"]);
    // Without --target the flags would hold for procedural macros too, which can't be static.
    cargo.args(["--target", target]).env("CARGO_ENCODED_RUSTFLAGS", flags);
    let status = cargo.status().map_err(|error| format!("can't start cargo: {error}"))?;
    if !status.success() {
        return Err(format!("can't build the program async: cargo ended with {status}"));
    }
    let program = crate::target_dir()?.join(target).join("release/async");
    if program.is_file() { Ok(program) } else { Err(format!("cargo made no {}", program.display())) }
}
