//! What the shells say that they have done.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::plan::Token;

/// The result of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A future was started.
    Started,
    /// No future was started: the exit status, and the program's complaints.
    Refused { rc: i32, why: String },
    /// A wait returned: its exit status, and the program's complaints.
    Waited { rc: i32, why: String },
    /// A cancel returned: the same.
    Cancelled { rc: i32, why: String },
    /// A step without a result.
    Done,
}

/// The event log of a shell: shorter if it was killed, never wrong.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    pub(crate) entries: BTreeMap<usize, Entry>,
    /// The tasks whose processes the shell sent a SIGKILL.
    pub(crate) kills: Vec<Token>,
    /// Whether the shell reached the end of its script.
    pub(crate) ended: bool,
}

impl EventLog {
    /// Reads an event log; one that is not there is empty.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("can't read {}: {error}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut event_log = Self::default();
        for line in text.lines() {
            if line == "end" {
                event_log.ended = true;
            } else {
                event_log.add(line).ok_or_else(|| format!("what does the event_log mean by `{line}`?"))?;
            }
        }
        Ok(event_log)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (step, rest) = line.split_once(' ')?;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let said = || {
            let (rc, why) = rest.split_once(' ')?;
            Some((rc.parse().ok()?, why.to_owned()))
        };
        let entry = match word {
            "started" => Entry::Started,
            "refused" => said().map(|(rc, why)| Entry::Refused { rc, why })?,
            "waited" => said().map(|(rc, why)| Entry::Waited { rc, why })?,
            "cancelled" => said().map(|(rc, why)| Entry::Cancelled { rc, why })?,
            "done" => Entry::Done,
            "kills" => {
                self.kills.extend(Token::parse(rest));
                return Some(());
            }
            _ => return None,
        };
        self.entries.insert(step.parse().ok()?, entry);
        Some(())
    }

    /// The step in which a shell was killed.
    pub(crate) fn cut_step(&self) -> usize {
        self.entries.last_key_value().map_or(0, |(last, _)| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diary_is_read_and_says_where_it_was_cut() {
        let text = "0 started\n1 refused 125 async: `a b` is running\n2 kills token-0-4\n2 done\n3 waited 0 \n";
        let event_log = EventLog::parse(text).unwrap();
        assert_eq!(event_log.entries[&1], Entry::Refused { rc: 125, why: "async: `a b` is running".into() });
        assert_eq!(event_log.entries[&3], Entry::Waited { rc: 0, why: String::new() });
        assert_eq!(event_log.kills, [Token { shell: 0, step: 4 }]);
        assert_eq!((event_log.ended, event_log.cut_step()), (false, 4));
        assert!(EventLog::parse("4 danced\n").is_err());
    }
}
