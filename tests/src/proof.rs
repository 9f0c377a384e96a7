//! What the records of a store prove about how its tasks ran.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The records of a store by the names of their futures, live and collected ones. No name may occur twice.
#[derive(Debug)]
pub struct Records(BTreeMap<String, BTreeMap<String, String>>);

impl Records {
    /// Reads them without the code under test.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn of(store: &Path) -> Self {
        let mut records = BTreeMap::new();
        for (dir, collected) in [(store.to_owned(), false), (store.join(".collected"), true)] {
            for entry in fs::read_dir(dir).expect("a store") {
                let path = entry.expect("a file").path();
                let Some(stem) = path.file_name().and_then(|file| file.to_str()?.strip_suffix(".ini")) else {
                    continue;
                };
                let name = if collected { stem.rsplit_once('.').expect("NAME.START").0 } else { stem };
                let text = fs::read_to_string(&path).expect("a record");
                let values = text.lines().filter_map(|line| line.split_once(" = "));
                let values = values.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
                assert!(records.insert(name.to_owned(), values).is_none(), "two of {name}");
            }
        }
        Self(records)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value of a key in a record; none if it is missing.
    #[must_use]
    pub fn value(&self, name: &str, key: &str) -> Option<&str> {
        Some(self.0.get(name)?.get(key)?)
    }

    /// A time in a record, in ms.
    ///
    /// # Panics
    /// If it is missing.
    #[must_use]
    pub fn time(&self, name: &str, key: &str) -> i64 {
        let value = self.value(name, key).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("{name} has no {key}: {:#?}", self.0.get(name)))
    }

    /// The largest number of tasks that ran at once, without those that were waiting for futures which they had started
    /// themselves. All must be over.
    #[must_use]
    pub fn most_at_once(&self) -> i64 {
        // Within one ms, ends come before beginnings.
        let mut events = Vec::new();
        for name in self.0.keys() {
            let mut from = self.time(name, "run_start");
            for (start, end) in self.waits_in(name) {
                if start > from {
                    events.extend([(from, 1), (start, -1)]);
                }
                from = from.max(end);
            }
            let end = self.time(name, "end_time");
            if end > from {
                events.extend([(from, 1), (end, -1)]);
            }
        }
        events.sort_unstable();
        let mut running = 0;
        events
            .iter()
            .map(|(_, change)| {
                running += change;
                running
            })
            .max()
            .unwrap_or(0)
    }

    /// The waits of a task for its own futures, in the order of their starts.
    fn waits_in(&self, parent: &str) -> Vec<(i64, i64)> {
        let children = self.0.keys().filter(|name| self.value(name, "parent") == Some(parent));
        let mut waits: Vec<_> =
            children.map(|name| (self.time(name, "wait_start"), self.time(name, "wait_end"))).collect();
        waits.sort_unstable();
        waits
    }

    /// The names with that prefix, in the order in which their tasks started to run.
    #[must_use]
    pub fn in_order_of_starts(&self, prefix: &str) -> Vec<&str> {
        let mut names: Vec<_> = self.0.keys().map(String::as_str).filter(|name| name.starts_with(prefix)).collect();
        names.sort_by_key(|name| (self.time(name, "run_start"), self.time(name, "start_time")));
        names
    }
}
