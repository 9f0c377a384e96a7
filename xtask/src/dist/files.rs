//! The files to install, and their paths.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{failed, licences};
use xtask::output;

/// The folder of the man pages, with a folder for each section.
pub(super) const MAN: &str = "share/man";
const SECTIONS: [&str; 2] = ["man1", "man7"];
/// The folder for documentation.
pub(super) const DOC: &str = "share/doc/async";
/// The folder where zsh looks for completions below /usr/local.
pub(super) const ZSH: &str = "share/zsh/site-functions";

/// A file to install.
#[derive(Clone)]
pub(super) struct File {
    /// Its path below the prefix.
    pub(super) path: String,
    pub(super) content: Vec<u8>,
}

impl File {
    pub(super) fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: content.into() }
    }

    /// Files in a folder `bin` are programs.
    fn mode(&self) -> u32 {
        if self.path.split('/').rev().nth(1) == Some("bin") { 0o755 } else { 0o644 }
    }
}

/// All files, including the program at that path.
pub(super) fn collect(program: &Path, target: &str) -> Result<Vec<File>, String> {
    let read = |path: &Path| fs::read(path).map_err(failed("read", path));
    let completion = |shell| output(Command::new(program).args(["completions", shell]));
    let mut files = vec![
        File::new("bin/async", read(program)?),
        File::new("share/async/inc/async", read(&xtask::root().join("async-bash-shim/inc/async"))?),
        File::new("share/bash-completion/completions/async", completion("bash")?),
        File::new(format!("{ZSH}/_async"), completion("zsh")?),
        File::new("share/fish/vendor_completions.d/async.fish", completion("fish")?),
        File::new(format!("{DOC}/THIRD-PARTY-LICENSES"), licences::of_others(target)?),
    ];
    for name in ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        files.push(File::new(format!("{DOC}/{name}"), read(&xtask::root().join(name))?));
    }
    files.extend(all_in(&xtask::root().join("docs"), &format!("{DOC}/docs"))?);
    let pages = tempfile::tempdir().map_err(|error| format!("can't make a temporary folder: {error}"))?;
    output(Command::new(program).arg("man").arg(pages.path()))?;
    for section in SECTIONS {
        files.extend(all_in(&pages.path().join(section), &format!("{MAN}/{section}"))?);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// All files of a folder, for the folder at `path`.
fn all_in(folder: &Path, path: &str) -> Result<Vec<File>, String> {
    let listed =
        fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed("list", folder))?;
    let file = |entry: &fs::DirEntry| {
        let content = fs::read(entry.path()).map_err(failed("read", &entry.path()))?;
        Ok(File::new(format!("{path}/{}", entry.file_name().display()), content))
    };
    listed.iter().map(file).collect()
}

/// Writes files below a folder. Each one replaces an older one atomically, so the older one may be in use.
pub(super) fn write(files: &[File], below: &Path) -> Result<(), String> {
    for file in files {
        let path = below.join(&file.path);
        let folder = path.parent().unwrap_or(below);
        make_folders(below, folder)?;
        let new = folder.join(".async-new");
        let written = OpenOptions::new().write(true).create(true).truncate(true).open(&new).and_then(|mut opened| {
            opened.write_all(&file.content)?;
            opened.set_permissions(Permissions::from_mode(file.mode()))?;
            fs::rename(&new, &path)
        });
        written.map_err(failed("write", &path))?;
    }
    Ok(())
}

/// Makes missing folders, readable for all whatever the umask.
fn make_folders(below: &Path, folder: &Path) -> Result<(), String> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder != below
        && let Some(parent) = folder.parent()
    {
        make_folders(below, parent)?;
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)))
        .map_err(failed("make", folder))
}
