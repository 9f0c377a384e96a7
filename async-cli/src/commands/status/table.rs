//! The table for people, as wide as their terminal.

use async_core::Entry;
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

use super::row::{DIRECTORY, HERE, TITLES, USAGE, cells};
use crate::doing::Doing;

/// The columns that are cut when space is short, each with its minimum width: the name, the command, the directory.
const ELASTIC: [(usize, u16); 3] = [(0, 12), (8, 12), (DIRECTORY, 24)];

/// The columns that are dropped when space is short, in this order: what it uses, the directory, the start, the process,
/// the elapsed time, the command.
const DISPENSABLE: [&[usize]; 6] = [&USAGE, &[DIRECTORY], &[4], &[3], &[5], &[8]];

/// How much of a command to look at, in characters. No terminal is that wide.
const MAX_CHARACTERS: usize = 2000;

/// The number of blanks between two columns.
const GAP: u16 = 2;

impl Doing {
    fn color(self) -> Color {
        match self {
            Self::Queued => Color::DarkYellow,
            Self::Running => Color::DarkCyan,
            Self::Finished => Color::DarkGreen,
            Self::Failed => Color::DarkRed,
        }
    }
}

/// The lines of a table that is at most `width` columns wide, titles first. Cut cells end with `…`.
pub(super) fn lines<'a>(entries: impl Iterator<Item = &'a Entry>, width: u16, colors: bool) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        // Words are cut like everything else.
        .set_delimiter('\0');
    let entries: Vec<&Entry> = entries.collect();
    let rows: Vec<_> = entries.iter().map(|entry| cells(entry)).collect();
    let has_usage = entries.iter().any(|entry| entry.usage_now.is_some());
    let has_directory = rows.iter().any(|row| row[DIRECTORY] != HERE);
    let is_there = |column: &usize| match *column {
        DIRECTORY => has_directory,
        column => has_usage || !USAGE.contains(&column),
    };
    let columns = (0..TITLES.len()).filter(is_there).collect();
    let mut titles = Row::from(TITLES.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    titles.max_height(1);
    table.set_header(titles);
    table.style_text_only();
    if colors {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for (entry, cells) in entries.into_iter().zip(rows) {
        let color = Doing::of(entry).color();
        let mut row = Row::new();
        for (column, mut text) in cells.into_iter().enumerate() {
            if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
                text.truncate(end);
            }
            let cell = Cell::new(text);
            // The state and the status.
            row.add_cell(if matches!(column, 1 | 2) { cell.fg(color) } else { cell });
        }
        row.max_height(1);
        table.add_row(row);
    }
    arrange(&mut table, columns, width);
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn arrange(table: &mut Table, mut shown: Vec<usize>, width: u16) {
    let mut least = table.column_max_content_widths();
    for (column, enough) in ELASTIC {
        if let Some(least) = least.get_mut(column) {
            *least = (*least).min(enough);
        }
    }
    let fits = |shown: &[usize]| {
        let columns = shown.iter().map(|&column| least[column].saturating_add(GAP));
        columns.fold(0, u16::saturating_add) <= width.saturating_add(GAP)
    };
    for dispensable in DISPENSABLE {
        if !fits(&shown) {
            shown.retain(|column| !dispensable.contains(column));
        }
    }
    let fits = fits(&shown);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if shown.last() == Some(&index) { 0 } else { GAP }));
        if !shown.contains(&index) {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if index == 0 && fits {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least[0] + GAP)));
        } else if fits && ELASTIC.iter().all(|&(elastic, _)| elastic != index) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}
