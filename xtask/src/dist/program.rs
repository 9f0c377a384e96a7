//! The program as users get it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::output;

/// The machine's own target, as rustc calls it.
pub(crate) fn target() -> Result<String, String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(crate::root()))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say what its host is: {about}"))
}

/// Builds the program, statically linked, and gives its path.
pub(crate) fn build(target: &str) -> Result<PathBuf, String> {
    make("async-cli", "release", target, &["-Ctarget-feature=+crt-static"], "async")
}

fn make(package: &str, profile: &str, target: &str, flags: &[&str], file: &str) -> Result<PathBuf, String> {
    let mut cargo = crate::cargo();
    cargo.args(["build", "--quiet", "--locked", "--package", package, "--profile", profile]);
    // Without --target the flags would hold for procedural macros too, which can't be static.
    cargo.args(["--target", target]).env("CARGO_ENCODED_RUSTFLAGS", rustflags(flags));
    let status = cargo.status().map_err(|error| format!("can't start cargo: {error}"))?;
    if !status.success() {
        return Err(format!("can't build {package}: cargo ended with {status}"));
    }
    let made = crate::target_dir()?.join(target).join(profile).join(file);
    if made.is_file() { Ok(made) } else { Err(format!("cargo made no {}", made.display())) }
}

/// These, and what keeps paths of this machine out of what is made: they say nothing to its users, and would make it
/// another on each machine.
fn rustflags(flags: &[&str]) -> OsString {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let remap = |(from, to): (&Path, &str)| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push(format!("=/{to}"));
        flag
    };
    let remapped = home.iter().map(|home| (home.as_path(), "cargo")).chain([(crate::root(), "async")]).map(remap);
    flags.iter().map(OsString::from).chain(remapped).collect::<Vec<_>>().join("\x1f".as_ref())
}
