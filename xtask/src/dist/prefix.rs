//! Installing below a prefix, and uninstalling.
//!
//! A list there names the installed files with their checksums, so that an uninstall leaves changed files alone, and
//! the folders that were made for them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File as Opened};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use xtask::output;

use super::failed;
use super::files::{self, File};

/// Where the list is. Packages do not contain it: package managers keep their own lists.
const LIST: &str = "share/async/installed";

const HEAD: &str =
    "# What `cargo xtask dist --install` has put here; `cargo xtask dist --uninstall PREFIX` removes it.\n";

/// These belong to async, even if something else made them.
const OURS: [&str; 4] = ["share/async/inc", "share/async", "share/doc/async/docs", "share/doc/async"];

/// The installed files and folders, by paths below the prefix.
#[derive(Default)]
struct List {
    /// With their SHA-256.
    files: BTreeMap<String, String>,
    /// Folders that did not exist before.
    folders: BTreeSet<String>,
}

impl List {
    /// Reads the list; none if there is none.
    fn read(prefix: &Path) -> Result<Option<Self>, String> {
        let path = prefix.join(LIST);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(failed("read", &path))?,
        };
        let mut list = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let parts = line.split_once("  ").filter(|(_, path)| is_below(path));
            let (kind, path) = parts.ok_or_else(|| format!("{} is damaged: {line}", path.display()))?;
            match kind {
                "folder" => _ = list.folders.insert(path.to_owned()),
                sum => _ = list.files.insert(path.to_owned(), sum.to_owned()),
            }
        }
        Ok(Some(list))
    }

    fn write(&self, prefix: &Path) -> Result<(), String> {
        let folders = self.folders.iter().map(|path| format!("folder  {path}\n"));
        let files = self.files.iter().map(|(path, sum)| format!("{sum}  {path}\n"));
        let text: String = [HEAD.to_owned()].into_iter().chain(folders).chain(files).collect();
        files::write(&[File::new(LIST, text)], prefix)
    }
}

/// Whether a path leads to the prefix (`.`) or to something below it.
fn is_below(path: &str) -> bool {
    path == "." || Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Installs these files. Removes what an older version installed and this one does not.
pub(super) fn install(files: &[File], prefix: &Path) -> Result<(), String> {
    let before = List::read(prefix)?.unwrap_or_default();
    let mut list = List { folders: before.folders.clone(), files: BTreeMap::new() };
    for file in files {
        list.files.insert(file.path.clone(), sum_of(&file.content)?);
    }
    let paths = files.iter().map(|file| file.path.as_str()).chain([LIST]);
    list.folders.extend(paths.flat_map(folders_of).filter(|folder| !prefix.join(folder).is_dir()));
    list.write(prefix)?;
    files::write(files, prefix)?;
    let dropped = before.files.into_iter().filter(|(path, _)| !list.files.contains_key(path)).collect();
    remove(&List { files: dropped, folders: BTreeSet::new() }, prefix)
}

/// Removes what was installed there.
pub(super) fn uninstall(prefix: &Path) -> Result<(), String> {
    let Some(list) = List::read(prefix)? else {
        return Err(format!(
            "nothing is installed below {}: there is no {}",
            prefix.display(),
            prefix.join(LIST).display()
        ));
    };
    remove(&list, prefix)?;
    let path = prefix.join(LIST);
    fs::remove_file(&path).map_err(failed("remove", &path))?;
    remove_folders(list.folders.iter().map(String::as_str).chain(OURS), prefix)?;
    println!("Removed what was installed below {}", prefix.display());
    Ok(())
}

/// Removes files that are unchanged since the installation, and reports the others, which stay.
fn remove(list: &List, prefix: &Path) -> Result<(), String> {
    for (path, sum) in &list.files {
        let path = prefix.join(path);
        match sum_of_file(&path)? {
            None => {}
            Some(found) if found == *sum => fs::remove_file(&path).map_err(failed("remove", &path))?,
            Some(_) => println!("Left {}, which is not as it was installed", path.display()),
        }
    }
    Ok(())
}

/// Removes empty folders, innermost first.
fn remove_folders<'a>(folders: impl Iterator<Item = &'a str>, prefix: &Path) -> Result<(), String> {
    let mut paths: Vec<PathBuf> = folders.map(|folder| prefix.join(folder)).collect();
    paths.sort();
    for path in paths.iter().rev() {
        // Never the prefix itself, even under the name of a folder in it.
        let path: PathBuf = path.components().collect();
        match fs::remove_dir(&path) {
            Err(error)
                if !matches!(
                    error.kind(),
                    ErrorKind::NotFound
                        | ErrorKind::DirectoryNotEmpty
                        | ErrorKind::NotADirectory
                        | ErrorKind::ResourceBusy
                ) =>
            {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The folders that lead to a file, the prefix (`.`) included.
fn folders_of(path: &str) -> Vec<String> {
    let folders = Path::new(path).ancestors().skip(1);
    folders.map(|folder| if folder == Path::new("") { ".".to_owned() } else { folder.display().to_string() }).collect()
}

/// The checksum of a file; none if it does not exist, and an empty one if it is not a file.
fn sum_of_file(path: &Path) -> Result<Option<String>, String> {
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(failed("look at", path)(error)),
        Ok(found) if !found.is_file() => Ok(Some(String::new())),
        Ok(_) => sum_from(Opened::open(path).map_err(failed("read", path))?.into()).map(Some),
    }
}

fn sum_of(content: &[u8]) -> Result<String, String> {
    let mut file = tempfile::tempfile().map_err(|error| format!("can't make a temporary file: {error}"))?;
    std::io::Write::write_all(&mut file, content)
        .and_then(|()| std::io::Seek::rewind(&mut file))
        .map_err(|error| format!("can't write a temporary file: {error}"))?;
    sum_from(file.into())
}

fn sum_from(input: Stdio) -> Result<String, String> {
    let printed = output(Command::new("sha256sum").stdin(input))?;
    Ok(printed.split(' ').next().unwrap_or_default().to_owned())
}

/// Says which files went where, and what is left to do.
pub(super) fn report(files: &[File], prefix: &Path) {
    let count = |part: &str| files.iter().filter(|file| file.path.starts_with(part)).count();
    let shown = prefix.display();
    println!("\nInstalled below {shown}:");
    println!("  bin/async                 the program");
    println!("  share/man                 {} man pages: man async, man async_run, man 7 async", count(files::MAN));
    println!("  share/bash-completion, share/zsh, share/fish   completions");
    println!("  share/async/inc/async     the functions for devstack; other scripts source <(async shim)");
    println!("  share/doc/async           README, documentation, changes and licences");
    let bin = prefix.join("bin");
    match first_on_path() {
        Some(program) if program.parent() == Some(&bin) => println!("{} is on PATH.", bin.display()),
        found => {
            if let Some(other) = found {
                println!("`async` is {} by PATH, and not what was installed now.", other.display());
            }
            let quoted = quoted(&bin.display().to_string());
            println!(
                "To have it on PATH, add this line to ~/.profile, and to ~/.bashrc:\n  export PATH={quoted}:\"$PATH\""
            );
        }
    }
    println!("Completions that do not come by themselves in a new shell:");
    println!("  bash   source <(async completions bash)   in ~/.bashrc");
    println!("  zsh    source <(async completions zsh)    in ~/.zshrc, behind compinit");
    println!("  fish   async completions fish | source    in ~/.config/fish/config.fish");
    println!("To remove it all:\n  cargo xtask dist --uninstall {}", quoted(&shown.to_string()));
}

/// The program `async` that a shell finds.
fn first_on_path() -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("async")).find(|program| program.is_file())
}

/// A word, quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
