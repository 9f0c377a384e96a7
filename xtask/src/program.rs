//! Builds of the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{output, root, succeed, target_dir};

/// The host's target, in rustc's terms.
///
/// # Errors
///
/// There is no rustc.
pub fn target() -> Result<String, String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(root()))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say what its host is: {about}"))
}

/// Makes a development build of the program, which takes the least time, and returns its path.
///
/// # Errors
///
/// It can't be built.
pub fn quick() -> Result<PathBuf, String> {
    build(&[], "debug")
}

/// Makes an optimized build of the program, linked to this machine's C library, and returns its path.
///
/// # Errors
///
/// It can't be built.
pub fn optimized() -> Result<PathBuf, String> {
    build(&["--release"], "release")
}

/// Makes a release build of the program, statically linked, and returns its path.
///
/// # Errors
///
/// It can't be built.
pub fn static_for(target: &str) -> Result<PathBuf, String> {
    // Without --target the flags would also apply to procedural macros, which can't be static.
    let target_args = ["--locked", "--release", "--target", target];
    // At a fixed address there is nothing to relocate at each start, which would take 1 to 2 % of a future's time.
    let flags = rustflags(&["-Ctarget-feature=+crt-static", "-Crelocation-model=static"]);
    build_with(&target_args, &[target, "release"], Some(flags))
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

/// These flags, and flags that keep this machine's paths out of the build: users don't need them, and builds on
/// different machines would differ.
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
