//! How the view looks.

use std::ops::Range;

use async_core::{State, text};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Clear, Padding, Paragraph};

use super::app::{App, Mode};
use crate::commands::status::row::{TITLES, other_directory};
use crate::commands::status::table;
use crate::doing::Doing;

/// A short list of the keys.
const KEYS: &str = "↑↓ select   c cancel   ? help   q quit";

const HELP: &str = "\
↑ ↓  k j      one up, one down
PgUp PgDn     a page up, a page down
Home End g G  the first, the last
c             cancel the selected one
?             this list
q  Esc        quit

All futures go on when this is closed.";

/// How many lines to make before and after those in view, so that columns do not change their widths at each step.
const AROUND: usize = 100;

/// What is kept from one drawing to the next.
#[derive(Default)]
pub(super) struct View {
    colors: bool,
    /// The index of the first future in view.
    first: usize,
    /// The titles, the lines in view and around it, and the index of the first of these lines.
    table: Vec<String>,
    from: usize,
    /// The generation and width that they were made for.
    made_for: Option<(u64, u16)>,
}

impl View {
    pub(super) fn new(colors: bool) -> Self {
        Self { colors, ..Self::default() }
    }

    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, app: &mut App) {
        let count = u16::try_from(app.model.entries().len()).unwrap_or(u16::MAX);
        let [top, middle, bottom] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
        let [titles, futures, log] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(count.min((middle.height / 2).saturating_sub(1).max(1))),
            Constraint::Fill(1),
        ])
        .areas(middle);
        app.page = futures.height;
        draw_summary(frame, app, top);
        if app.model.selected().is_some() {
            self.draw_table(frame, app, titles, futures);
            draw_log(frame, app, log);
        } else {
            frame.render_widget(Paragraph::new("there are no futures").centered(), middle);
        }
        frame.render_widget(footer(app), bottom);
        if app.mode == Mode::Help {
            draw_help(frame);
        }
    }

    fn draw_table(&mut self, frame: &mut Frame<'_>, app: &mut App, titles: Rect, area: Rect) {
        let (height, count) = (usize::from(area.height).max(1), app.model.entries().len());
        let selected = app.model.selected_index().unwrap_or(0);
        let most = count.saturating_sub(height);
        self.first = self.first.clamp((selected + 1).saturating_sub(height), selected).min(most);
        self.make_table(app, titles.width, self.first..(self.first + height).min(count));
        let Some((title, lines)) = self.table.split_first() else {
            return;
        };
        frame.render_widget(Line::styled(title.as_str(), Style::new().bold()), titles);
        let columns = state_columns(title).filter(|_| self.colors);
        let visible = app.model.entries().enumerate().skip(self.first);
        for (((index, entry), line), row) in visible.zip(&lines[self.first - self.from..]).zip(area.rows()) {
            frame.render_widget(Line::raw(line.as_str()), row);
            if index == selected {
                frame.buffer_mut().set_style(row, Style::new().reversed());
            }
            if let Some(columns) = &columns {
                let state = Rect { x: columns.start, width: columns.end - columns.start, ..row };
                frame.buffer_mut().set_style(state.intersection(row), Doing::of(entry).style());
            }
        }
    }

    /// Makes the lines unless those in view exist already, so that they do not change while the user scrolls.
    fn make_table(&mut self, app: &mut App, width: u16, view: Range<usize>) {
        let made_for = Some((app.generation, width));
        let has_view = self.from <= view.start && view.end < self.from + self.table.len();
        if self.made_for == made_for && has_view {
            return;
        }
        if !has_view {
            self.from = view.start.saturating_sub(AROUND);
        }
        app.model.look_at_usage(view.clone());
        let shown = app.model.entries().skip(self.from).take(view.len() + 2 * AROUND);
        self.table = table::lines(shown, width, false);
        self.made_for = made_for;
    }
}

impl Doing {
    fn style(self) -> Style {
        Style::new().fg(match self {
            Self::Queued => Color::Yellow,
            Self::Running => Color::Cyan,
            Self::Finished => Color::Green,
            Self::Failed => Color::Red,
        })
    }
}

/// Where the states and statuses are in a table, according to its titles.
fn state_columns(titles: &str) -> Option<Range<u16>> {
    let start = titles.find(TITLES[1])?;
    let end = TITLES[3..].iter().find_map(|title| titles.find(title)).unwrap_or(titles.len());
    Some(u16::try_from(start).ok()?..u16::try_from(end).ok()?)
}

/// The store, and the number of futures of each kind.
fn draw_summary(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let count = |state: State| app.model.entries().filter(|entry| entry.state == state).count();
    let parts: Vec<String> = [State::Running, State::Queued, State::Finished, State::Lost, State::Collected]
        .map(|state| (count(state), state))
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, state)| format!("{number} {state}"))
        .collect();
    let failed = app.model.entries().filter(|entry| entry.has_failed()).count();
    let failed = if failed > 0 { format!("; {failed} failed") } else { String::new() };
    let is_paused = app.model.store.paused_since().is_ok_and(|since| since.is_some());
    let counts = parts.join(", ") + &failed + if is_paused { "; the queue is paused" } else { "" };
    let store = text::printable(app.model.store.dir().as_os_str());
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(u16::try_from(counts.len()).unwrap_or(u16::MAX))])
            .spacing(2)
            .areas(area);
    frame.render_widget(Line::styled(store, Style::new().bold()), left);
    frame.render_widget(Line::raw(counts).right_aligned(), right);
}

fn draw_log(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let (Some(entry), Some(index)) = (app.model.selected(), app.model.selected_index()) else {
        return;
    };
    let position = Line::raw(format!(" {} of {} ", index + 1, app.model.entries().len())).right_aligned();
    let mut block = Block::new().borders(Borders::TOP).title(format!(" log of {} ", entry.name));
    if let Some(directory) = other_directory(entry) {
        block = block.title(format!(" started in {directory} "));
    }
    let block = block.title(position);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if let Some(remark) = &app.tail.remark {
        let remark = text::printable(remark.as_ref());
        return frame.render_widget(Line::styled(remark, Style::new().italic()), inside);
    }
    let from = app.tail.lines.len().saturating_sub(usize::from(inside.height));
    let lines: Vec<Line<'_>> = app.tail.lines[from..].iter().map(|line| Line::raw(line.as_str())).collect();
    frame.render_widget(Text::from(lines), inside);
}

fn footer(app: &App) -> Line<'static> {
    if let Mode::Confirm(name) = &app.mode {
        return Line::styled(format!("cancel `{name}`? y/n"), Style::new().bold());
    }
    let note = app.note.as_deref().or(app.model.problem());
    Line::raw(note.map_or_else(|| KEYS.to_owned(), |note| text::printable(note.trim_end().as_ref())))
}

fn draw_help(frame: &mut Frame<'_>) {
    let block = Block::bordered().title(" keys ").padding(Padding::horizontal(1));
    let text = Text::raw(HELP);
    let size = |length: usize| Constraint::Length(u16::try_from(length).unwrap_or(u16::MAX));
    let area = frame.area().centered(size(text.width() + 4), size(text.height() + 2));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(text).block(block), area);
}
