//! What a shell remembers of the futures that it has started, beyond what their store knows.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use async_core::clock::{self, Millis};
use async_core::process::ProcessIdentity;
use async_core::{FutureName, Record, State, Store, text};

use crate::exit_code::FAILED;
use crate::failure::{Failure, warn};
use crate::messages;
use crate::wait::collecting::taken;

/// A future that a shell has started and remembers as `SHELL-START/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Started {
    /// In ms since the epoch.
    start: Millis,
    name: FutureName,
}

/// What stands before START where nothing was started.
const REFUSED: &str = "refused ";

impl Started {
    /// The text for the shell to remember.
    pub(crate) fn to_text(start: Millis, name: &FutureName) -> String {
        format!("{start}/{name}")
    }

    /// The same for a start that was refused now.
    pub(crate) fn refused_to_text(name: &str) -> String {
        format!("{REFUSED}{}/{name}", clock::wall())
    }

    /// None unless the word has that form.
    fn parse(word: &OsStr) -> Option<Self> {
        let (_, text) = word.to_str()?.split_once('-')?;
        Self::parse_text(text)
    }

    /// The same for one that was refused.
    fn parse_refused(word: &OsStr) -> Option<Self> {
        let (_, text) = word.to_str()?.split_once('-')?;
        Self::parse_text(text.strip_prefix(REFUSED)?)
    }

    fn parse_text(text: &str) -> Option<Self> {
        let (start, name) = text.split_once('/')?;
        Some(Self { start: start.parse().ok()?, name: name.parse().ok()? })
    }
}

/// Reports each future that has left the store and whose result the script never got, unless it is known to be a
/// success, and each start that was refused and not repeated.
///
/// Returns the exit status of the first of them, or 0 if there is none.
pub(crate) fn tell_of_missing(
    store: &Store,
    script: Option<&ProcessIdentity>,
    words: &[OsString],
    noted: &OsStr,
) -> Result<u8, Failure> {
    let started: Vec<Started> = words.iter().filter_map(|word| Started::parse(word)).collect();
    let mut status = 0;
    for refused in words.iter().filter_map(|word| Started::parse_refused(word)) {
        let is_repeated = started.iter().any(|later| later.name == refused.name && later.start >= refused.start);
        let is_noted = calls(noted.as_encoded_bytes()).any(|call| has(call, refused.name.as_str().as_bytes()));
        if !is_repeated && !is_noted {
            warn(&format!("`async_run {} ...` has started nothing", refused.name));
            status = FAILED;
        }
    }
    if started.is_empty() {
        return Ok(status);
    }
    // All at once: to look for each one among everything that is kept would take quadratic time.
    let entries = store.entries(&store.record_files(true)?).into_iter().filter_map(|entry| entry.ok().flatten());
    let known: HashMap<Started, (bool, Box<Record>)> = entries
        .map(|entry| {
            let started = Started { start: entry.record.start_time, name: entry.name.clone() };
            (started, (entry.state != State::Collected, entry.record))
        })
        .collect();
    for one in &started {
        let missing = match known.get(one) {
            Some((true, _)) => None,
            Some((false, record)) => missing(&one.name, record, script),
            // An init may have moved it to an earlier run.
            None => match store.last_kept(&one.name, Some(one.start))? {
                Some(record) => missing(&one.name, &record, script),
                None => {
                    Some(store.read(&one.name).err().map_or_else(|| Failure::removed(&one.name, store), Failure::from))
                }
            },
        };
        if let Some(missing) = missing {
            let rc = missing.report();
            status = if status == 0 { rc } else { status };
        }
    }
    Ok(status)
}

/// What to report about a future that is not live any more.
fn missing(name: &FutureName, record: &Record, script: Option<&ProcessIdentity>) -> Option<Failure> {
    let is_collected = record.wait_end.is_some();
    if is_collected && (script.is_none() || record.taken_by.as_ref() == script) {
        return None;
    }
    if is_collected {
        return Some(taken(name, record));
    }
    let outcome = record.outcome(None, clock::wall());
    if outcome.rc == Some(0) {
        return None;
    }
    Some(Failure::Superseded { name: name.to_string(), how: messages::failed(&outcome), rc: outcome.rc })
}

/// The calls in a script's notes, each with the slashes around it.
pub(crate) fn calls(noted: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = noted;
    std::iter::from_fn(move || {
        // A call ends where the next one begins.
        let end = rest.windows(2).position(|pair| pair == b"//").map_or(rest.len(), |at| at + 1);
        let (call, others) = rest.split_at(end);
        rest = others;
        (!call.is_empty()).then_some(call)
    })
}

fn has(call: &[u8], wanted: &[u8]) -> bool {
    call.split(|&byte| byte == b'/').any(|word| word == wanted)
}

/// Whether a call may have wanted to start a future of that name only if absent.
pub(crate) fn wants_only_if_absent(call: &[u8], name: &[u8]) -> bool {
    has(call, b"--if-absent") && has(call, name)
}

/// The notes without calls for that name, which has been collected: a call that was refused is remembered apart, and
/// `--if-absent` wants no more than that it is there.
pub(crate) fn without_calls_for(noted: &[u8], name: &FutureName) -> Vec<u8> {
    let name = name.as_str().as_bytes();
    let is_for =
        |call: &[u8]| call.split(|&byte| byte == b'/').nth(1) == Some(name) || wants_only_if_absent(call, name);
    calls(noted).filter(|call| !is_for(call)).flatten().copied().collect()
}

/// Reports each call that the script has noted as having started nothing (`/WORD/WORD/`), and returns their number.
pub(crate) fn tell_of_failed_starts(noted: &OsStr) -> usize {
    // The functions write this for a slash.
    let word = |word: &str| text::printable(word.replace('\x01', "/").as_ref());
    let call = |call: &[u8]| {
        String::from_utf8_lossy(call).trim_matches('/').split('/').map(word).collect::<Vec<_>>().join(" ")
    };
    let calls = calls(noted.as_encoded_bytes()).map(call);
    let failed: Vec<String> = calls.filter(|call| !call.is_empty() && !call.contains("--if-absent")).collect();
    for call in &failed {
        warn(&format!("`async_run {call}` has started nothing"));
    }
    failed.len()
}
