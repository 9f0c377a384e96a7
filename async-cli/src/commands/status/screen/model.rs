//! The futures on the screen. A record is read again only when it has changed.

use std::collections::{BTreeMap, BTreeSet};

use async_core::store::Change;
use async_core::{Entry, RecordFile, State, Store};

use crate::commands::status::Selection;

/// The futures that are listed, in the order of their starts, and the one that is selected.
pub(super) struct Model {
    pub(super) store: Store,
    selection: Selection,
    futures: Vec<(RecordFile, Entry)>,
    unreadable: BTreeMap<RecordFile, String>,
    /// Those that changed a moment ago: a task may have let go of its record since.
    unsettled: BTreeSet<RecordFile>,
    selected: usize,
}

impl Model {
    pub(super) fn new(store: Store, selection: Selection) -> async_core::Result<Self> {
        let mut model = Self {
            store,
            selection,
            futures: Vec::new(),
            unreadable: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            selected: 0,
        };
        model.read_all()?;
        Ok(model)
    }

    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.futures.iter().map(|(_, entry)| entry)
    }

    /// What is wrong with a record that can't be read, if there is one.
    pub(super) fn problem(&self) -> Option<&str> {
        self.unreadable.values().next().map(String::as_str)
    }

    pub(super) fn selected_index(&self) -> Option<usize> {
        (!self.futures.is_empty()).then_some(self.selected)
    }

    pub(super) fn selected(&self) -> Option<&Entry> {
        self.futures.get(self.selected).map(|(_, entry)| entry)
    }

    /// Selects the one that is so many rows below, or above if negative, or the last or first one there.
    pub(super) fn select(&mut self, rows: isize) {
        let last = self.futures.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
    }

    /// Reads what has changed.
    pub(super) fn apply(&mut self, changes: &[Change]) -> async_core::Result<()> {
        if changes.contains(&Change::Anything) {
            return self.read_all();
        }
        let records: BTreeSet<&RecordFile> = changes
            .iter()
            .filter_map(|change| if let Change::Record(file) = change { Some(file) } else { None })
            .filter(|file| self.selection.has(file))
            .collect();
        self.unsettled.extend(records.iter().map(|&file| file.clone()));
        self.read(records);
        Ok(())
    }

    /// Looks at those whose state may be another one without a change of the record.
    pub(super) fn settle(&mut self) {
        // One that runs in a shell itself ends with the process.
        let in_shells = self.futures.iter().filter(|(_, entry)| entry.record.life.is_some());
        let mut doubtful: BTreeSet<_> = in_shells.map(|(file, _)| file.clone()).collect();
        doubtful.append(&mut self.unsettled);
        let is_over = |file: &RecordFile| {
            let entry = self.futures.iter().find(|(other, _)| other == file).map(|(_, entry)| entry.state);
            matches!(entry, Some(State::Finished | State::Lost | State::Collected))
        };
        doubtful.retain(|file| !is_over(file));
        self.read(&doubtful);
    }

    fn read_all(&mut self) -> async_core::Result<()> {
        let mut files = self.store.record_files(self.selection.collected)?;
        files.retain(|file| self.selection.has(file));
        let gone: Vec<_> =
            self.futures.iter().map(|(file, _)| file).filter(|file| !files.contains(file)).cloned().collect();
        self.unreadable.retain(|file, _| files.contains(file));
        self.read(files.iter().chain(&gone));
        Ok(())
    }

    fn read<'a>(&mut self, files: impl IntoIterator<Item = &'a RecordFile>) {
        let selected = self.futures.get(self.selected).map(|(file, _)| file.clone());
        for file in files {
            let place = self.futures.iter().position(|(other, _)| other == file);
            self.unreadable.remove(file);
            match (self.store.entry(file), place) {
                (Ok(Some(entry)), Some(place)) => self.futures[place].1 = entry,
                (Ok(Some(entry)), None) => self.futures.push((file.clone(), entry)),
                (Ok(None), place) => {
                    place.map(|place| self.futures.remove(place));
                }
                (Err(error), place) => {
                    place.map(|place| self.futures.remove(place));
                    self.unreadable.insert(file.clone(), error.to_string());
                }
            }
        }
        self.futures.sort_by(|(_, a), (_, b)| a.by_start(b));
        let place = selected.and_then(|selected| self.futures.iter().position(|(file, _)| *file == selected));
        self.selected = place.unwrap_or_else(|| self.selected.min(self.futures.len().saturating_sub(1)));
    }
}
