//! The package for Debian and its derivatives.

use std::path::Path;
use std::process::Command;

use super::failed;
use super::files::{self, DOC, File, MAN, ZSH};
use xtask::output;

/// The shell that the functions need.
const BASH: &str = "bash (>= 4.4)";

/// Packs the files into that folder, and returns the name of the package.
pub(super) fn pack(files: &[File], target: &str, epoch: &str, dir: &Path) -> Result<String, String> {
    let architecture = architecture(target)?;
    // Cargo's pre-release `1.0.0-rc.1`, which comes before 1.0.0, is `1.0.0~rc.1` in Debian.
    let version = env!("CARGO_PKG_VERSION").replace('-', "~");
    let name = format!("async_{version}_{architecture}.deb");

    let mut files: Vec<File> = files.iter().cloned().map(at_home).collect();
    files.push(File::new(format!("usr/{DOC}/copyright"), COPYRIGHT));
    let stage = tempfile::tempdir_in(dir).map_err(failed("make a folder in", dir))?;
    // Not the temporary folder itself, which only its owner can read.
    let tree = stage.path().join("tree");
    files::write(&files, &tree)?;
    let is_packed = |path: &str| path.contains(MAN) || path.ends_with("/changelog");
    let (packed, others): (Vec<_>, Vec<_>) =
        files.iter().map(|file| file.path.clone()).partition(|path| is_packed(path));
    output(Command::new("gzip").arg("-9n").args(&packed).current_dir(&tree))?;
    let mut paths: Vec<_> = packed.into_iter().map(|path| path + ".gz").chain(others).collect();
    paths.sort();
    let sums = output(Command::new("md5sum").args(&paths).current_dir(&tree))?;
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    // The program itself is static.
    let control = control(&version, architecture, bytes.div_ceil(1024), BASH);
    files::write(&[File::new("DEBIAN/control", control), File::new("DEBIAN/md5sums", sums)], &tree)?;

    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(dir.join(&name));
    output(build.env("SOURCE_DATE_EPOCH", epoch))?;
    Ok(name)
}

/// Debian's name for a target's architecture.
fn architecture(target: &str) -> Result<&'static str, String> {
    match target.split('-').next().unwrap_or_default() {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        "armv7" => Ok("armhf"),
        "i686" => Ok("i386"),
        "powerpc64le" => Ok("ppc64el"),
        "riscv64gc" => Ok("riscv64"),
        "s390x" => Ok("s390x"),
        other => Err(format!("what Debian calls {other} is not known here: add it to {}", file!())),
    }
}

/// Moves a file to its place in Debian.
fn at_home(file: File) -> File {
    let path = match file.path.as_str() {
        path if path.starts_with(ZSH) => path.replace(ZSH, "share/zsh/vendor-completions"),
        path if path.ends_with("/CHANGELOG.md") => format!("{DOC}/changelog"),
        path => path.to_owned(),
    };
    File::new(format!("usr/{path}"), file.content)
}

/// The address can't exist: the developers have none, and Debian requires one.
fn control(version: &str, architecture: &str, kib: usize, needed: &str) -> String {
    format!(
        "Package: async
Version: {version}
Architecture: {architecture}
Maintainer: the async developers <async@localhost.invalid>
Installed-Size: {kib}
Depends: {needed}
Suggests: bash-completion
Section: utils
Priority: optional
Description: named futures for shell scripts
 A script starts slow work under a name, goes on, and waits for the name later.
 Nothing of the task's output mixes with the script's: it goes to a log of its
 own and comes out whole at the wait, which returns the task's exit status.
 .
 There is no daemon and no configuration, and it works for shell functions of
 the running script.
"
    )
}

const COPYRIGHT: &str = "\
Copyright 2026 the async developers

async is licensed under either of the MIT license (LICENSE-MIT in this folder)
or the Apache License, Version 2.0 (/usr/share/common-licenses/Apache-2.0), as
you choose.

The licenses of what others wrote and what is part of the program are in
THIRD-PARTY-LICENSES in this folder.
";
