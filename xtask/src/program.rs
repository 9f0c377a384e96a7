//! The program, built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{output, root, succeed, target_dir};

/// The machine's own target, as rustc calls it.
///
/// # Errors
///
/// There is no rustc.
pub fn target() -> Result<String, String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say what its host is: {about}"))
}

/// Builds the program as its developers and the tests have it, which takes the least time, and gives its path.
///
/// # Errors
///
/// It can't be built.
pub fn quick() -> Result<PathBuf, String> {
    build(&[], "debug")
}

/// Builds the program for this machine, linked to its C library, and gives its path.
///
/// # Errors
///
/// It can't be built.
pub fn optimized() -> Result<PathBuf, String> {
    build(&["--release"], "release")
}

/// Builds the program as users get it, statically linked, and gives its path.
///
/// # Errors
///
/// It can't be built.
pub fn static_for(target: &str) -> Result<PathBuf, String> {
    // Without --target the flags would hold for procedural macros too, which can't be static.
    let target_args = ["--locked", "--release", "--target", target];
    build_with(&target_args, &[target, "release"], Some(rustflags(&["-Ctarget-feature=+crt-static"])))
}

fn build(args: &[&str], folder: &str) -> Result<PathBuf, String> {
    build_with(args, &[folder], None)
}

fn build_with(args: &[&str], folders: &[&str], flags: Option<OsString>) -> Result<PathBuf, String> {
    let mut cargo = crate::cargo();
    cargo.args(["build", "--package", "async-cli"]).args(args);
    cargo.envs(flags.map(|flags| ("CARGO_ENCODED_RUSTFLAGS", flags)));
    succeed(&mut cargo)?;
    let made = target_dir()?.join(folders.iter().collect::<PathBuf>()).join("async");
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
    let remapped = home.iter().map(|home| (home.as_path(), "cargo")).chain([(root(), "async")]).map(remap);
    flags.iter().map(OsString::from).chain(remapped).collect::<Vec<_>>().join("\x1f".as_ref())
}
