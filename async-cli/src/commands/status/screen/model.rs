//! The futures on the screen. A record is only read again when it has changed.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use async_core::store::Change;
use async_core::{Entry, RecordFile, Store};

use crate::commands::status::Selection;

/// The listed futures, in the order of their starts, and the selected one.
pub(super) struct Model {
    pub(super) store: Store,
    selection: Selection,
    futures: Vec<(RecordFile, Entry)>,
    unreadable: BTreeMap<RecordFile, String>,
    /// Records that changed a moment ago: a task may have released its record since.
    unsettled: HashSet<RecordFile>,
    selected: usize,
}

/// What stays of what was read before.
#[derive(Clone, Copy)]
enum Kept {
    None,
    Others,
}

impl Model {
    pub(super) fn new(store: Store, selection: Selection) -> async_core::Result<Self> {
        let mut model = Self {
            store,
            selection,
            futures: Vec::new(),
            unreadable: BTreeMap::new(),
            unsettled: HashSet::new(),
            selected: 0,
        };
        model.read_all()?;
        Ok(model)
    }

    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.futures.iter().map(|(_, entry)| entry)
    }

    /// The problem with an unreadable record, if there is one.
    pub(super) fn problem(&self) -> Option<&str> {
        self.unreadable.values().next().map(String::as_str)
    }

    pub(super) fn selected_index(&self) -> Option<usize> {
        (!self.futures.is_empty()).then_some(self.selected)
    }

    pub(super) fn selected(&self) -> Option<&Entry> {
        self.futures.get(self.selected).map(|(_, entry)| entry)
    }

    /// Selects the future that many rows below (above if negative), stopping at the ends.
    pub(super) fn select(&mut self, rows: isize) {
        let last = self.futures.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
    }

    /// Reads the changed records.
    pub(super) fn apply(&mut self, changes: &[Change]) -> async_core::Result<()> {
        if changes.contains(&Change::Anything) {
            return self.read_all();
        }
        let records: HashSet<RecordFile> = changes
            .iter()
            .filter_map(|change| if let Change::Record(file) = change { Some(file) } else { None })
            .filter(|file| self.selection.has(file))
            .cloned()
            .collect();
        self.unsettled.extend(records.iter().cloned());
        self.read(records.into_iter().collect(), Kept::Others);
        Ok(())
    }

    /// Whether the view changes without a change of the store: elapsed times, and futures whose state is in doubt.
    pub(super) fn is_moving(&self) -> bool {
        !self.unsettled.is_empty() || self.entries().any(|entry| !entry.state.is_over())
    }

    /// Looks at the futures whose state may change without a change of the record.
    pub(super) fn settle(&mut self) {
        let mut doubtful = std::mem::take(&mut self.unsettled);
        for (file, entry) in &self.futures {
            if entry.state.is_over() {
                doubtful.remove(file);
            } else if entry.record.life.is_some() || entry.record.other_host().is_some() {
                // A task that runs in a shell itself ends with that process, and what another host writes is not told.
                doubtful.insert(file.clone());
            }
        }
        if !doubtful.is_empty() {
            self.read(doubtful.into_iter().collect(), Kept::Others);
        }
    }

    /// Looks at what these futures use now, by their indices.
    pub(super) fn look_at_usage(&mut self, of: Range<usize>) {
        for (_, entry) in self.futures.get_mut(of).into_iter().flatten() {
            self.store.look_at_usage(entry);
        }
    }

    fn read_all(&mut self) -> async_core::Result<()> {
        let files = self.selection.files(&self.store)?;
        self.read(files, Kept::None);
        Ok(())
    }

    /// Reads these records, which must be distinct.
    fn read(&mut self, files: Vec<RecordFile>, kept: Kept) {
        let selected = self.futures.get(self.selected).map(|(file, _)| file.clone());
        match kept {
            Kept::None => {
                self.futures.clear();
                self.unreadable.clear();
            }
            Kept::Others => {
                let again: HashSet<&RecordFile> = files.iter().collect();
                self.futures.retain(|(file, _)| !again.contains(file));
            }
        }
        for (entry, file) in self.store.entries(&files).into_iter().zip(files) {
            self.unreadable.remove(&file);
            match entry {
                Ok(Some(entry)) => self.futures.push((file, entry)),
                Ok(None) => {}
                Err(error) => {
                    self.unreadable.insert(file, error.to_string());
                }
            }
        }
        self.futures.sort_unstable_by(|(file, a), (other, b)| a.by_start(b).then_with(|| file.cmp(other)));
        let index = selected.and_then(|selected| self.futures.iter().position(|(file, _)| *file == selected));
        self.selected = index.unwrap_or_else(|| self.selected.min(self.futures.len().saturating_sub(1)));
    }
}
