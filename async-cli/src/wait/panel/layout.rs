//! How a panel looks: a row for each future, in columns.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use async_core::clock::Millis;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::rows::{Picture, Row};
use crate::doing::Doing;
use crate::format;

/// From how many columns on there are bars, and how long they are.
const BARS: [(u16, usize); 2] = [(100, 16), (60, 8)];

/// The part of the width that names may take, and how wide they may be in any case, in columns.
const NAMES_PART: usize = 4;
const NAMES: usize = 12;

/// The least room for a remark, in columns.
const REMARK: usize = 6;

/// The phases of the spinner, with one more that is not used.
const SPINNER: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ";

/// Done, in between, and to do.
const BAR: &str = "━╸─";

/// Arranges rows. The n-th bar belongs to the n-th row, whichever future that is.
pub(super) struct Layout {
    sheet: Sheet,
    all: MultiProgress,
    bars: Vec<ProgressBar>,
    has_colors: bool,
}

/// The widths of the columns; 0 where there is none.
#[derive(Clone, Copy)]
struct Widths {
    name: usize,
    elapsed: usize,
    bar: usize,
    usual: usize,
    remark: usize,
}

impl Layout {
    pub(super) fn new(has_colors: bool) -> Self {
        let sheet = Sheet::default();
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(sheet.clone())));
        Self { sheet, all, bars: Vec::new(), has_colors }
    }

    /// The lines of a panel that is so many columns wide.
    pub(super) fn lines(&mut self, picture: &Picture, columns: u16) -> Vec<String> {
        let Picture { rows, rest } = picture;
        self.sheet.lock().columns = columns;
        for bar in self.bars.drain(self.bars.len().min(rows.len())..) {
            self.all.remove(&bar);
        }
        self.bars.resize_with(rows.len(), || self.all.add(ProgressBar::no_length()));
        let widths = Widths::of(rows, columns);
        for (bar, row) in self.bars.iter().zip(rows) {
            bar.set_style(self.style(row, widths));
            bar.update(|state| {
                state.set_len(row.usual.unwrap_or(0).unsigned_abs());
                state.set_pos(row.usual.map_or(0, |usual| row.elapsed.unwrap_or(0).min(usual)).unsigned_abs());
            });
        }
        let mut lines = if rows.is_empty() { Vec::new() } else { self.sheet.lock().lines.clone() };
        lines.extend(rest.as_ref().map(|rest| cut(&format!("  {rest}"), columns.into())));
        lines
    }

    fn style(&self, row: &Row, widths: Widths) -> ProgressStyle {
        let Widths { name, elapsed, bar, usual, remark } = widths;
        let mark = match row.doing {
            Doing::Failed => "✗",
            Doing::Running => "{spinner}",
            Doing::Queued => "·",
            Doing::Finished => "✓",
        };
        let mut template = format!("{} {{name:{name}}}", self.in_color(row.doing.look(), mark));
        // Writing to a String can't fail.
        if elapsed > 0 {
            let _ = write!(template, "  {{elapsed:>{elapsed}}}");
        }
        if bar > 0 && row.usual.is_some() {
            let bar = self.in_color(AnsiColor::Cyan.on_default(), &format!("{{bar:{bar}}}"));
            let _ = write!(template, "  {bar} {{usual:{usual}}}");
        } else if bar > 0 {
            let _ = write!(template, "  {}", " ".repeat(bar + 1 + usual));
        }
        if remark > 0 {
            let _ = write!(template, "  {}", self.in_color(row.doing.look_of_remark(), "{remark}"));
        }
        // The template is a constant but for widths.
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let cells = [
            ("name", cut(&row.name, name)),
            ("elapsed", time(row.elapsed)),
            ("usual", usually(row.usual)),
            ("remark", cut(&row.remark, remark)),
        ];
        let style = style.tick_chars(SPINNER).progress_chars(BAR);
        cells.into_iter().fold(style, |style, (key, text)| {
            style.with_key(key, move |_: &_, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&text);
            })
        })
    }

    fn in_color(&self, style: Style, text: &str) -> String {
        if self.has_colors { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

impl Doing {
    fn look(self) -> Style {
        match self {
            Self::Failed => AnsiColor::Red,
            Self::Running => AnsiColor::Cyan,
            Self::Queued => AnsiColor::Yellow,
            Self::Finished => AnsiColor::Green,
        }
        .on_default()
    }

    fn look_of_remark(self) -> Style {
        match self {
            Self::Failed => self.look(),
            Self::Running | Self::Queued | Self::Finished => Style::new().dimmed(),
        }
    }
}

impl Widths {
    fn of(rows: &[Row], columns: u16) -> Self {
        let widest = |text: fn(&Row) -> String| rows.iter().map(|row| text(row).width()).max().unwrap_or(0);
        let all = usize::from(columns);
        let mut left = all;
        // The width of a column if there is room for it, after two blanks, or the mark and a blank.
        let mut take = |width: usize, least: usize| {
            let room = left.saturating_sub(2);
            let width = if width == 0 || room < least { 0 } else { width.min(room) };
            left -= if width > 0 { width + 2 } else { 0 };
            width
        };
        let name = widest(|row| row.name.clone()).min((all / NAMES_PART).max(NAMES));
        let name = take(name, 1);
        let elapsed = widest(|row| time(row.elapsed));
        let elapsed = take(elapsed, elapsed);
        let usual = widest(|row| usually(row.usual));
        let bar = BARS.iter().find(|(least, _)| columns >= *least && usual > 0).map_or(0, |(_, bar)| *bar);
        let both = if bar > 0 { bar + 1 + usual } else { 0 };
        let bar = if take(both, both) > 0 { bar } else { 0 };
        Self { name, elapsed, bar, usual, remark: take(usize::MAX, REMARK) }
    }
}

fn time(elapsed: Option<Millis>) -> String {
    elapsed.map_or_else(String::new, format::duration)
}

fn usually(usual: Option<Millis>) -> String {
    usual.map_or_else(String::new, |usual| format!("~{}", format::duration(usual)))
}

/// What indicatif has drawn last, as lines.
#[derive(Clone, Debug, Default)]
struct Sheet(Arc<Mutex<Drawn>>);

#[derive(Debug, Default)]
struct Drawn {
    lines: Vec<String>,
    is_whole: bool,
    columns: u16,
}

impl Sheet {
    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every picture is drawn from its first line on, so where the cursor was does not matter.
impl TermLike for Sheet {
    fn width(&self) -> u16 {
        self.lock().columns
    }

    fn height(&self) -> u16 {
        u16::MAX
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut drawn = self.lock();
        if std::mem::take(&mut drawn.is_whole) {
            drawn.lines.clear();
        }
        // The blanks that fill a line up, and the way to its beginning, come as texts of their own.
        if !text.trim().is_empty() {
            drawn.lines.push(text.trim_end().to_owned());
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.lock().is_whole = true;
        Ok(())
    }
}

/// As much of the text as fits into that many columns, with a mark if it was cut.
fn cut(text: &str, columns: usize) -> String {
    let mut used = 0;
    // Where the text ends if the mark has to follow.
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return format!("{}{}", &text[..end], if columns > 0 { "…" } else { "" });
        }
        if used < columns {
            end = at + c.len_utf8();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, doing: Doing, seconds: Millis, usual: Option<Millis>, remark: &str) -> Row {
        let (name, remark) = (name.to_owned(), remark.to_owned());
        Row { name, doing, elapsed: Some(seconds * 1000), usual: usual.map(|usual| usual * 1000), remark }
    }

    fn rows() -> Picture {
        let rows = vec![
            row("docs", Doing::Running, 65, Some(130), "chapter 7 of a book with a long title"),
            row("日本語 with a long name", Doing::Queued, 5, None, "queued after docs"),
            row("lint", Doing::Failed, 3, None, "failed with status 2"),
            row("new", Doing::Running, 4, None, ""),
            row("late", Doing::Running, 40, Some(20), "more"),
        ];
        Picture { rows, rest: Some("… and 5 more: 5 queued".to_owned()) }
    }

    #[test]
    fn columns_are_aligned_and_given_up_one_after_the_other() {
        let mut layout = Layout::new(false);
        assert_eq!(
            layout.lines(&rows(), 80),
            [
                "⠙ docs                  1m 05s  ━━━━╸─── ~2m 10s  chapter 7 of a book with a lo…",
                "· 日本語 with a long …      5s                    queued after docs",
                "✗ lint                      3s                    failed with status 2",
                "⠙ new                       4s",
                "⠙ late                     40s  ━━━━━━━━ ~20s     more",
                "  … and 5 more: 5 queued",
            ]
        );
        let lines = layout.lines(&rows(), 40);
        assert_eq!(
            lines[..3],
            [
                "⠹ docs          1m 05s  chapter 7 of a …",
                "· 日本語 with…      5s  queued after do…",
                "✗ lint              3s  failed with sta…"
            ]
        );
        for columns in [1, 2, 5, 13, 20, 59, 60, 61, 99, 100, 400] {
            for line in layout.lines(&rows(), columns) {
                assert!(line.width() <= columns.into(), "{columns}: {line}");
            }
        }
    }

    #[test]
    fn rows_come_and_go() {
        let mut layout = Layout::new(false);
        for count in [3, 1, 0, 5] {
            let mut picture = rows();
            picture.rest = None;
            picture.rows.truncate(count);
            assert_eq!(layout.lines(&picture, 80).len(), count);
        }
    }

    #[test]
    fn only_with_colors_are_there_colors() {
        assert!(Layout::new(true).lines(&rows(), 80)[2].starts_with("\x1b[31m✗\x1b[0m lint"));
        assert!(!Layout::new(false).lines(&rows(), 80).concat().contains('\x1b'));
    }

    #[test]
    fn a_text_is_cut_to_columns_not_to_characters() {
        for (text, columns, wanted) in [
            ("hello", 5, "hello"),
            ("hello", 4, "hel…"),
            ("hello", 1, "…"),
            ("hello", 0, ""),
            ("", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 2, "…"),
            ("größer", 5, "größ…"),
        ] {
            assert_eq!(cut(text, columns), wanted, "{text} {columns}");
        }
    }
}
