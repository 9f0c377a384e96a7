//! A disk that fills up soon. Mounting it needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use crate::tools::skip;

/// A file system of 256 KiB, unmounted at the end.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one there.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self::with_inodes(path, 1000)
    }

    /// The same with room for that many files and directories, including itself.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn with_inodes(path: &Path, inodes: usize) -> Self {
        fs::create_dir_all(path).expect("a folder");
        let options = format!("size=256k,mode=0755,nr_inodes={inodes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).status();
        assert!(mounted.expect("mount runs").success(), "a tmpfs is mounted");
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Whether this is root, who alone can mount it. If not, says so.
///
/// # Panics
/// As another user where `CI=true`.
#[must_use]
pub fn is_root(what: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        skip(&format!("{what} takes root: sudo -E \"$(command -v cargo)\" xtask test"));
    }
    root
}
