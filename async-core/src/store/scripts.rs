//! The stores of scripts. Each run of a script has its own, so that two scripts, or two simultaneous runs of one, never
//! see each other's futures.
//!
//! | file | contents |
//! | --- | --- |
//! | `scripts/KEY/PID.START/` | the store of one run; START is when its path was chosen, in ms since the epoch |
//! | `scripts/KEY/PID.START/.script` | the identity of its shell, `used MS`, the processor time that the shell had used
//! when the store was made and when the script ended, and `ended MS`, when that was, in ms since the epoch |
//! | `scripts/KEY/.new.PID.START/` | a store that process PID is making |
//!
//! A script makes its store at its first use and then removes those that are too many or too old: see [`Keep`].

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};

use super::directory::Directory;
use super::files::read_bytes;
use super::{Permissions, Store};
use crate::clock::{self, Millis};
use crate::error::{Error, Result};
use crate::name::{FutureName, InvalidName};
use crate::process::{self, ProcessIdentity};

/// The subdirectory of the scripts' stores, in the prompt's store.
pub const SCRIPTS: &str = "scripts";

/// The file that names the shell whose store it is.
pub(super) const SHELL: &str = ".script";

/// The prefix of the line that says when the script ended.
const ENDED: &str = "ended ";

/// The prefix of the lines that say how much processor time the shell had used by then, children included, in ms.
const USED: &str = "used ";

/// The prefix of stores in the making.
const NEW: &str = ".new.";

/// How old an unfinished store may get, in ms. Nothing takes that long.
const MOST_TO_MAKE: Millis = 24 * 60 * 60 * 1000;

/// How many bytes of the file's name to show people.
const SHOWN_BYTES: usize = 80;

/// How often to retry making a store while another process removes its parent directory.
const TRIES: usize = 10;

/// How much to keep of scripts that are over. The newest run of each stays, and so does what a living future needs.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How many runs of each script.
    pub runs: usize,
    /// How many scripts.
    pub scripts: usize,
    /// For how long, in ms since a run started.
    pub age: Millis,
}

impl Default for Keep {
    fn default() -> Self {
        Self { runs: super::KEPT_RUNS + 1, scripts: 100, age: 30 * 24 * 60 * 60 * 1000 }
    }
}

/// Identifies the runs of one script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScriptKey(String);

impl ScriptKey {
    /// The key of the script in a file, or of the working directory for a script without a file.
    ///
    /// The end of the path is for people, and the beginning of the whole path's SHA-256 distinguishes it from others.
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        let name = path.file_name().unwrap_or(OsStr::new("root"));
        let safe = |c: char| if c.is_alphanumeric() || "._+-".contains(c) { c } else { '_' };
        let mut key: String = name.to_string_lossy().chars().map(safe).collect();
        while key.len() > SHOWN_BYTES {
            key.pop();
        }
        key = key.trim_start_matches('.').to_owned();
        key.push('.');
        for byte in &Sha256::digest(path.as_os_str().as_bytes())[..4] {
            let _ = write!(key, "{byte:02x}");
        }
        Self(key.trim_start_matches('.').to_owned())
    }

    /// A key that the user has chosen. It must be a valid name of a future.
    pub fn chosen(name: &OsStr) -> std::result::Result<Self, InvalidName> {
        Ok(Self(FutureName::from_arg(name)?.to_string()))
    }

    /// For people: without the part that distinguishes scripts of the same name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.0.rsplit_once('.') {
            Some((name, digest)) if digest.len() == 8 && digest.bytes().all(|b| b.is_ascii_hexdigit()) => name,
            _ => &self.0,
        }
    }

    /// The whole key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One run of a script.
#[derive(Clone, Debug)]
pub struct ScriptRun {
    /// The script.
    pub key: ScriptKey,
    /// The process id of its shell.
    pub pid: u32,
    /// When its path was chosen, in ms since the epoch.
    pub started: Millis,
    directory: Directory,
}

impl ScriptRun {
    /// The directory of its store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.directory.path()
    }

    /// Whether the script's shell exists, or may exist.
    #[must_use]
    pub fn is_running(&self) -> bool {
        shell_of(&self.directory).is_some_and(|shell| shell.is_alive().unwrap_or(true))
    }

    /// Opens its store.
    pub fn store(&self) -> Result<Store> {
        Store::open(self.dir(), Permissions::Private)
    }

    /// Whether anything may still need it.
    fn is_needed(&self) -> bool {
        self.is_running() || {
            let Ok(dir) = self.directory.hold() else { return true };
            let store = Store { dir, permissions: Permissions::Private };
            let lives = |name| store.look(&name).map_or(true, |found| found.is_some_and(|(_, state)| !state.is_over()));
            store.names().map_or(true, |names| names.into_iter().any(lives))
        }
    }
}

/// When a script ran, as far as known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptTimes {
    /// When it began to use its store, in ms since the epoch; none if this run is not the first in that store.
    pub start: Option<Millis>,
    /// When it ended, in ms since the epoch. None if it was killed, or is not over.
    pub end: Option<Millis>,
    /// Whether its shell still exists.
    pub is_running: bool,
    /// The processor time that it and those of its children that it had waited for had used at its start, in ms.
    pub start_cpu: Option<Millis>,
    /// The same at its end, or now if it still runs. None if it was killed.
    pub end_cpu: Option<Millis>,
}

impl ScriptTimes {
    /// The times of the script that this store belongs to, if any.
    pub(super) fn of(directory: &Directory) -> Option<Self> {
        let text = shell_file(directory)?;
        let shell: Option<ProcessIdentity> = text.lines().next()?.parse().ok();
        let is_first = super::runs::runs_in(directory).is_ok_and(|runs| runs.is_empty());
        let start = directory.path().file_name().and_then(parse_run).map(|(_, start)| start);
        // A script with traps of its own may have ended more than once.
        let end = text.lines().rev().find_map(|line| line.strip_prefix(ENDED)?.parse().ok());
        let running = shell.filter(|shell| shell.is_alive().unwrap_or(false));
        let mut used = text.lines().filter_map(|line| line.strip_prefix(USED)?.parse::<Millis>().ok());
        let start_cpu = used.next();
        let end_cpu = running.as_ref().map_or_else(|| used.next_back(), |shell| process::cpu_time(shell.pid()));
        Some(Self {
            start: start.filter(|_| is_first),
            end: end.filter(|_| running.is_none()),
            is_running: running.is_some(),
            start_cpu: start_cpu.filter(|_| is_first),
            end_cpu,
        })
    }
}

impl Store {
    /// When the script that this store belongs to ran; none if it belongs to no script.
    #[must_use]
    pub fn script_times(&self) -> Option<ScriptTimes> {
        ScriptTimes::of(&self.dir)
    }

    /// Records that the script has ended now, if this is its store.
    pub fn note_end_of(&self, script: &ProcessIdentity) -> Result<()> {
        if shell_of(&self.dir).as_ref() != Some(script) {
            return Ok(());
        }
        let file = self.dir.file(SHELL);
        let Some(mut open) = file.open_to_append()? else {
            return Ok(());
        };
        let lines = format!("{}{ENDED}{}\n", used(script), clock::wall());
        open.write_all(lines.as_bytes()).map_err(Error::io("write to", file.path()))
    }
}

/// The line that says how much processor time that shell has used so far; nothing if that can't be told.
fn used(shell: &ProcessIdentity) -> String {
    process::cpu_time(shell.pid()).map_or_else(String::new, |ms| format!("{USED}{ms}\n"))
}

/// The shell that the store belongs to, if it is a script's.
fn shell_of(directory: &Directory) -> Option<ProcessIdentity> {
    shell_file(directory)?.lines().next()?.parse().ok()
}

fn shell_file(directory: &Directory) -> Option<String> {
    let named = directory.file(SHELL);
    let bytes = read_bytes(&named.open().ok()??, named.path()).ok()?;
    String::from_utf8(bytes).ok()
}

/// The stores of all scripts of a user.
#[derive(Clone, Debug)]
pub struct Scripts {
    /// The prompt's store, which contains them.
    prompt: PathBuf,
}

impl Scripts {
    /// The scripts' stores inside the prompt's store.
    #[must_use]
    pub fn beside(prompt: PathBuf) -> Self {
        Self { prompt }
    }

    /// The stores that a run's store belongs to, judging by its path.
    #[must_use]
    pub fn of_run(dir: &Path) -> Option<Self> {
        parse_run(dir.file_name()?)?;
        let scripts = dir.parent()?.parent()?;
        let prompt = scripts.parent().filter(|_| scripts.file_name() == Some(OsStr::new(SCRIPTS)))?;
        Some(Self::beside(prompt.to_owned()))
    }

    /// Where to put the store of a run that begins now, for the shell with that process id.
    #[must_use]
    pub fn place(&self, key: &ScriptKey, pid: u32) -> PathBuf {
        self.prompt.join(SCRIPTS).join(key.as_str()).join(format!("{pid}.{}", clock::wall()))
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<ScriptRun>> {
        let scripts = match Directory::open(&self.prompt) {
            Err(Error::NoStore(_)) => return Ok(Vec::new()),
            prompt => prompt?.subdirectory(SCRIPTS),
        };
        let mut runs = Vec::new();
        for name in scripts.names_if_there()? {
            runs.extend(runs_of(&scripts, &name)?);
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.started));
        Ok(runs)
    }

    /// Opens the store of a run, or makes it at the path from [`Self::place`], for its shell.
    pub fn open_or_make(
        &self,
        dir: &Path,
        permissions: Permissions,
        shell: &ProcessIdentity,
        keep: Keep,
    ) -> Result<Store> {
        match Store::open(dir, permissions) {
            Err(Error::NoStore(_)) => {}
            store => return store,
        }
        let (Some(run), Some(key)) = (dir.file_name(), dir.parent().and_then(Path::file_name)) else {
            return Err(Error::NoStore(dir.to_owned()));
        };
        let mode = permissions.of_directories();
        let prompt = Directory::open_or_make(&self.prompt, mode)?;
        let scripts = prompt.subdirectory(SCRIPTS);
        let runs = scripts.subdirectory(key);
        let mut tries = 1;
        while let Err(error) =
            scripts.make(mode).and_then(|()| runs.make(mode)).and_then(|()| make(&runs, run, mode, shell))
        {
            // Another process has just removed the last run of that script.
            let is_gone = matches!(&error, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound);
            if !is_gone || tries == TRIES {
                return Err(error);
            }
            tries += 1;
        }
        let store = Store::open_or_make(dir, permissions)?;
        // The next process removes what can't be removed now.
        let _ = self.tidy(keep, clock::wall());
        Ok(store)
    }

    /// Removes stores that are too many or too old.
    fn tidy(&self, keep: Keep, now: Millis) -> Result<()> {
        let scripts = Directory::open(&self.prompt)?.subdirectory(SCRIPTS).held_if_fit();
        let mut known = Vec::new();
        for name in scripts.names_if_there()? {
            let runs = runs_of(&scripts, &name)?;
            known.push((runs.first().map(|run| run.started), name, runs));
        }
        known.sort_by_key(|(newest, ..)| std::cmp::Reverse(*newest));
        for (index, (_, name, runs)) in known.into_iter().enumerate() {
            let most = if index < keep.scripts { keep.runs } else { 0 };
            let over = |(index, run): &(usize, ScriptRun)| *index >= most || now - run.started > keep.age;
            for (_, run) in runs.into_iter().enumerate().filter(over).filter(|(_, run)| !run.is_needed()) {
                let _ = run.directory.remove_all();
            }
            let script = scripts.subdirectory(&name);
            for unfinished in script.names_if_there()?.into_iter().filter(|name| is_unfinished(name, now)) {
                let _ = script.subdirectory(unfinished).remove_all();
            }
            let _ = script.remove_if_empty();
        }
        Ok(())
    }
}

/// Completes the store of a run before giving it its name.
fn make(runs: &Directory, run: &OsStr, mode: u32, shell: &ProcessIdentity) -> Result<()> {
    let new = runs.subdirectory(format!("{NEW}{}.{}", std::process::id(), clock::wall()));
    new.make(mode)?;
    let file = new.file(SHELL);
    let written = file
        .open_as_is(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, 0o600)
        .and_then(|mut open| open.write_all(format!("{shell}\n{}", used(shell)).as_bytes()));
    let placed = written.map_err(Error::io("write", file.path())).and_then(|()| {
        match new.as_file().rename(&runs.file(run)) {
            // Another process of this script has made it meanwhile.
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
                new.remove_all().map_err(Error::io("remove", new.path()))
            }
            renamed => renamed.map_err(Error::io("make the directory", &runs.path().join(run))),
        }
    });
    if placed.is_err() {
        let _ = new.remove_all();
    }
    placed
}

/// The runs in the directory of a script, newest first.
fn runs_of(scripts: &Directory, key: &OsStr) -> Result<Vec<ScriptRun>> {
    let Ok(known) = ScriptKey::chosen(key) else {
        return Ok(Vec::new());
    };
    let script = scripts.subdirectory(key);
    let names = match script.names_if_there() {
        // Something else has that name.
        Err(Error::Planted { .. }) => Vec::new(),
        names => names?,
    };
    let mut runs: Vec<ScriptRun> = names.into_iter().filter_map(|name| run_of(&script, &known, &name)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.started));
    Ok(runs)
}

fn run_of(script: &Directory, key: &ScriptKey, name: &OsString) -> Option<ScriptRun> {
    let (pid, started) = parse_run(name)?;
    Some(ScriptRun { key: key.clone(), pid, started, directory: script.subdirectory(name) })
}

/// The earlier runs of the same script, newest first; none if it is no script's store.
pub(super) fn runs_before(store: &Directory) -> Result<Vec<(Millis, Directory)>> {
    let path = store.path().to_owned();
    let (Some((_, started)), Some(script)) = (path.file_name().and_then(parse_run), path.parent()) else {
        return Ok(Vec::new());
    };
    if !store.file(SHELL).is_there()? {
        return Ok(Vec::new());
    }
    let script = Directory::open(script)?;
    let before = |name: OsString| {
        let (_, start) = parse_run(&name).filter(|(_, start)| *start < started)?;
        Some((start, script.subdirectory(name)))
    };
    let mut runs: Vec<_> = script.names()?.into_iter().filter_map(before).collect();
    runs.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
    Ok(runs)
}

/// Parses `PID.START`.
fn parse_run(name: &OsStr) -> Option<(u32, Millis)> {
    let (pid, started) = name.to_str()?.split_once('.')?;
    Some((pid.parse().ok()?, started.parse().ok()?))
}

fn is_unfinished(name: &OsStr, now: Millis) -> bool {
    let new = name.to_str().and_then(|name| parse_run(name.strip_prefix(NEW)?.as_ref()));
    new.is_some_and(|(_, started)| now - started > MOST_TO_MAKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_one_name_have_keys_of_their_own() {
        let keys = ["/a/backup.sh", "/b/backup.sh", "/a/x/backup.sh"].map(|path| ScriptKey::of_path(Path::new(path)));
        assert!(keys.iter().all(|key| key.name() == "backup.sh"), "{keys:?}");
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
        assert_eq!(keys[0], ScriptKey::of_path(Path::new("/a/backup.sh")));
    }

    #[test]
    fn every_path_has_a_key_that_is_the_name_of_a_file() {
        let long = format!("/{}", "ü".repeat(120));
        for path in ["/", "/.", "/a/.hidden", "/a/...", "/a/-x", "/a/two words\n", "/a/\u{202e}", &long] {
            let key = ScriptKey::of_path(Path::new(path));
            assert!(ScriptKey::chosen(key.as_str().as_ref()).is_ok(), "{path}: {key:?}");
        }
        let bytes = ScriptKey::of_path(Path::new(OsStr::from_bytes(b"/a/\xff")));
        assert_eq!(bytes.name(), "_");
    }

    #[test]
    fn a_chosen_name_is_taken_as_it_is_unless_it_is_none() {
        let name = |key: &str| ScriptKey::chosen(key.as_ref()).map(|key| key.name().to_owned());
        assert_eq!(name("nightly"), Ok("nightly".into()));
        assert_eq!(name("nightly.run"), Ok("nightly.run".into()));
        assert!(name("a/b").is_err() && name("..").is_err() && name("").is_err());
    }

    #[test]
    fn what_a_running_script_has_used_so_far_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let shell = ProcessIdentity::of(std::process::id()).unwrap();
        std::fs::write(dir.path().join(SHELL), format!("{shell}\n{USED}0\n")).unwrap();
        while process::cpu_time(shell.pid()).unwrap() < 50 {
            std::hint::spin_loop();
        }
        let times = ScriptTimes::of(&Directory::open(dir.path()).unwrap()).unwrap();
        assert!(times.is_running && times.end.is_none() && times.end_cpu >= Some(50), "{times:?}");
    }
}
