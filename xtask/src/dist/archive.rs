//! The tarball.

use std::path::Path;
use std::process::Command;

use super::files::{self, File};
use xtask::output;

/// Packs the files into that folder, and returns the name of the archive.
pub(super) fn pack(files: &[File], target: &str, epoch: &str, dir: &Path) -> Result<String, String> {
    let architecture = target.split('-').next().unwrap_or(target);
    let folder = format!("async-{}-{architecture}", env!("CARGO_PKG_VERSION"));
    let name = format!("{folder}.tar.gz");
    let stage = tempfile::tempdir_in(dir).map_err(super::failed("make a folder in", dir))?;
    files::write(files, &stage.path().join(&folder))?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=root:0", "--group=root:0", "--format=ustar"]);
    tar.arg(format!("--mtime=@{epoch}")).args(["--use-compress-program", "gzip -9n", "--file"]).arg(dir.join(&name));
    output(tar.arg("--directory").arg(stage.path()).arg(&folder).env("LC_ALL", "C"))?;
    Ok(name)
}
