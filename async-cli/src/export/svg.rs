//! A picture of the timeline, for a README or next to the logs of a build.

use std::io;

use askama::Template;
use async_core::clock::Millis;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::RunReport;
use super::axis::{self, Tick};
use super::chart::{Chart, Lane, Span};

/// Sizes in px. A picture can't measure text, so this is the width of a column of text in any usual font.
const WIDTH: usize = 800;
const MARGIN: usize = 16;
const NAMES: usize = 190;
const TOP: usize = 88;
const ROW: usize = 24;
const NAME_COLUMN: usize = 8;
const SMALL_COLUMN: usize = 7;
const INDENT: usize = 12;
/// The gap between a bar and its text.
const LABEL: usize = 6;
const SIGN: usize = 20;

/// The deepest indentation of names; deeper ones get the same.
const DEEPEST: usize = 6;

/// From that many lanes on, there is an axis at the end too.
const TALL: usize = 25;

/// `--svg`
pub(super) struct Svg;

impl super::Exporter for Svg {
    fn export(&self, &RunReport { run, .. }: &RunReport<'_>) -> io::Result<String> {
        let chart = Chart::of(run);
        let picture = Picture {
            axis: axis_width(&chart),
            ticks: axis::ticks(chart.length, 8),
            legend: legend(&chart),
            chart: &chart,
        };
        picture.render().map_err(io::Error::other)
    }
}

#[derive(Template)]
#[template(path = "timeline.svg", escape = "html")]
struct Picture<'a> {
    chart: &'a Chart,
    /// The length of the axis, in px.
    axis: f64,
    ticks: Vec<Tick>,
    legend: Vec<Sample>,
}

/// An entry of the legend, in px from its corner.
struct Sample {
    x: usize,
    y: usize,
    class: &'static str,
    /// The sign of a kind of futures; none for a stretch of a bar, which looks like its class.
    sign: Option<&'static str>,
    text: String,
}

impl Picture<'_> {
    const LEFT: usize = MARGIN + NAMES;

    fn lanes_end(&self) -> usize {
        TOP + self.chart.lanes.len() * ROW
    }

    fn is_tall(&self) -> bool {
        self.chart.lanes.len() >= TALL
    }

    fn legend_top(&self) -> usize {
        self.lanes_end() + if self.is_tall() { 40 } else { 18 }
    }

    fn height(&self) -> usize {
        self.legend_top() + self.legend.last().map_or(0, |last| last.y) + 28
    }

    /// The position of a moment in ms.
    fn x(&self, ms: Millis) -> String {
        pixels(self.offset(ms))
    }

    /// The width of a stretch, never too narrow to see.
    fn width(&self, span: &Span) -> String {
        pixels((self.offset(span.end) - self.offset(span.start)).max(1.0))
    }

    fn offset(&self, ms: Millis) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "ms are far below 2^53")]
        let share = ms as f64 / self.chart.length as f64;
        share * self.axis
    }

    /// Whether a tick's text fits into the picture.
    fn has_room(&self, tick: &Tick) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "a few hundred px")]
        let end = self.offset(tick.at) + (tick.text.len() * SMALL_COLUMN) as f64;
        end <= self.axis
    }

    fn indent(lane: &Lane) -> usize {
        lane.depth.min(DEEPEST) * INDENT
    }

    fn name(lane: &Lane) -> String {
        at_most(&lane.name, (NAMES - SIGN - Self::indent(lane) - 6) / NAME_COLUMN)
    }

    /// The text beside a bar.
    fn label(lane: &Lane) -> String {
        let text: Vec<String> = lane.took().into_iter().chain(lane.remark().map(str::to_owned)).collect();
        text.join(" ")
    }
}

/// The length of the axis. After its end there is room for the text beside a bar.
fn axis_width(chart: &Chart) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few hundred px")]
    let width = (WIDTH - MARGIN - Picture::LEFT - LABEL - chart.room().1 * SMALL_COLUMN) as f64;
    width
}

fn pixels(px: f64) -> String {
    format!("{px:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text, or its beginning and a mark, in that many columns.
fn at_most(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn legend(chart: &Chart) -> Vec<Sample> {
    let looks = chart.looks().into_iter();
    let mut entries: Vec<_> =
        looks.map(|(look, count)| (look.class(), Some(look.sign()), format!("{} {count}", look.word()))).collect();
    if chart.has_queued() {
        entries.push(("held", None, "was queued".into()));
    }
    if chart.has_queued_elsewhere() {
        entries.push(("held elsewhere", None, "was queued on a cluster".into()));
    }
    if chart.has_waits() {
        entries.push(("wait", None, "waits".into()));
    }
    let (mut x, mut y) = (0, 0);
    let mut samples = Vec::new();
    for (class, sign, text) in entries {
        let width = 30 + text.width() * SMALL_COLUMN + 12;
        if x + width > WIDTH - 2 * MARGIN {
            (x, y) = (0, y + 20);
        }
        samples.push(Sample { x, y, class, sign, text });
        x += width;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_ends_in_a_mark_and_is_no_wider_than_its_columns() {
        assert_eq!(at_most("short", 5), "short");
        assert_eq!(at_most("longer", 5), "long…");
        assert_eq!(at_most("日本語です", 5), "日本…");
    }
}
