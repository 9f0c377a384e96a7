//! `cargo xtask dist`: what users install.

mod archive;
mod deb;
mod files;
mod licences;
mod prefix;

use std::fs;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use clap::Args;
use xtask::{output, program};

/// Builds the program and packs it with all that belongs to it: a tarball, and a package for Debian
///
/// That is the shim, man pages and completions. The program is linked statically, so a start loads no libraries. The same sources make the same files, whose time is `SOURCE_DATE_EPOCH`, else the commit's.
#[derive(Args)]
pub(crate) struct Dist {
    /// The folder for what is made [default: target/dist]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Pack nothing, install it all below PREFIX, such as /usr/local or ~/.local
    #[arg(long, value_name = "PREFIX", conflicts_with = "dir")]
    install: Option<PathBuf>,
    /// Remove what was installed below PREFIX, but for files that were changed since; build nothing
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["dir", "install"])]
    uninstall: Option<PathBuf>,
}

impl Dist {
    pub(crate) fn run(self) -> Result<(), String> {
        let from_here = |path: &Path| absolute(path).map_err(|error| format!("can't use {}: {error}", path.display()));
        if let Some(prefix) = self.uninstall {
            return prefix::uninstall(&from_here(&prefix)?);
        }
        let target = program::target()?;
        let program = program::static_for(&target)?;
        let files = files::collect(&program, &target)?;
        if let Some(prefix) = self.install {
            let prefix = from_here(&prefix)?;
            prefix::install(&files, &prefix)?;
            prefix::report(&files, &prefix);
            return Ok(());
        }

        let dir = self.dir.unwrap_or_else(|| xtask::root().join("target/dist"));
        let dir = from_here(&dir)?;
        fs::create_dir_all(&dir).map_err(failed("make", &dir))?;
        let epoch = epoch()?;
        let mut made = vec![archive::pack(&files, &target, &epoch, &dir)?];
        if output(Command::new("dpkg-deb").arg("--version")).is_ok() {
            made.push(deb::pack(&files, &target, &epoch, &dir)?);
        } else {
            eprintln!("xtask: there is no package for Debian, as there is no dpkg-deb here: apt-get install dpkg");
        }
        let sums = output(Command::new("sha256sum").arg("--").args(&made).current_dir(&dir))?;
        let path = dir.join("SHA256SUMS");
        fs::write(&path, sums).map_err(failed("write", &path))?;
        for name in made.iter().map(String::as_str).chain(["SHA256SUMS"]) {
            println!("{}", dir.join(name).display());
        }
        Ok(())
    }
}

/// The time stamp of all packed files, in seconds since the epoch: `SOURCE_DATE_EPOCH`, else the commit's, else that of
/// the lock file, which an unpacked tarball of the sources keeps.
fn epoch() -> Result<String, String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--no-show-signature", "--format=%ct"]).current_dir(xtask::root());
    match git.output() {
        Ok(output) if output.status.success() && xtask::root().join(".git").exists() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        _ => {
            let lock = xtask::root().join("Cargo.lock");
            output(Command::new("stat").args(["--format", "%Y", "--"]).arg(lock)).map(|text| text.trim().to_owned())
        }
    }
}

/// For `map_err`: adds the action and the path.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> String {
    move |error| format!("can't {action} {}: {error}", path.display())
}
