//! An engine's answers about all jobs, kept for all attendants of a store: one question serves them all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::command::text_of;
use crate::clock::{self, Millis};
use crate::interruption::again;

/// A stored answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The answers are numbered from 1.
    pub(super) number: u64,
    /// When the question was asked, in ms since the epoch by the asking host's clock.
    asked: Millis,
    /// None if there was no answer.
    pub(super) text: Option<String>,
}

/// The stored answers of one engine.
#[derive(Debug)]
pub(super) struct Polls {
    kept: PathBuf,
    lock: PathBuf,
}

impl Polls {
    pub(super) fn of(engine: &str, directory: &Path) -> Self {
        Self { kept: directory.join(engine), lock: directory.join(format!("{engine}.lock")) }
    }

    /// The last answer; number 0 if there is none.
    pub(super) fn last(&self) -> io::Result<Kept> {
        match File::open(&self.kept) {
            Ok(file) => Ok(parse(&text_of(file)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(error),
        }
    }

    /// The last answer unless it is older than `age` ms, else a new one. Only one attendant asks.
    pub(super) fn newer_than(&self, age: Millis, ask: impl FnOnce() -> io::Result<String>) -> io::Result<Kept> {
        let kept = self.last()?;
        if kept.is_newer_than(age) {
            return Ok(kept);
        }
        let lock = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.lock)?;
        again(|| lock.lock())?;
        // Another attendant may have asked meanwhile.
        let kept = self.last()?;
        if kept.is_newer_than(age) {
            return Ok(kept);
        }
        let asked = clock::wall();
        let answer = ask();
        let number = kept.number + u64::from(answer.is_ok());
        // Store a missing answer too, so that the others do not all ask again at once.
        let new = Kept { number, asked, text: answer.as_ref().ok().cloned() };
        self.keep(&new)?;
        answer.map(|_| new)
    }

    fn keep(&self, kept: &Kept) -> io::Result<()> {
        // Appended, because a host's name may have a dot.
        let mut new = self.kept.clone().into_os_string();
        new.push(".new");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let (word, text) = kept.text.as_ref().map_or(("none", ""), |text| ("answer", text));
        file.write_all(format!("{} {} {word}\n{text}", kept.number, kept.asked).as_bytes())?;
        fs::rename(&new, &self.kept)
    }
}

impl Kept {
    /// Other hosts' clocks may differ: an answer from the future counts as old.
    fn is_newer_than(&self, age: Millis) -> bool {
        (0..age).contains(&clock::wall().saturating_sub(self.asked))
    }
}

fn parse(text: &str) -> Kept {
    let read = || {
        let (head, rest) = text.split_once('\n')?;
        let words: Vec<&str> = head.split(' ').collect();
        let [number, asked, word] = words[..] else { return None };
        let text = (word == "answer").then(|| rest.to_owned());
        Some(Kept { number: number.parse().ok()?, asked: asked.parse().ok()?, text })
    };
    read().unwrap_or_default()
}
