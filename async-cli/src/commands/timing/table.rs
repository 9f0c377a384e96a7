//! A run as a table: when each future started, how long it ran, and what it cost to wait for it.

use std::cmp::Reverse;

use async_core::clock::Millis;
use async_core::process;
use async_core::timing::{Run, Status, Task, TaskOutcome};
use clap::ValueEnum;
use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

use super::figures;

const TITLES: [&str; 9] = ["NAME", "START", "QUEUED", "RUN", "CPU", "MEMORY", "BLOCKED", "SLACK", "STATUS"];

/// The indices of the columns that only exist if something was queued, and if anything is known for them.
const QUEUED: usize = 2;
const CPU: usize = 4;
const MEMORY: usize = 5;

/// The minimum width of a name, in columns.
const LEAST_NAME: u16 = 8;

/// Names of that width stay whole if other columns can give way.
const ENOUGH_NAME: u16 = 20;

/// What the futures are sorted by; nested ones stay below theirs.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Sort {
    /// Earliest first
    #[default]
    Start,
    /// Longest first
    Run,
    /// Longest blocked first
    Blocked,
    /// Longest slack first
    Slack,
    /// By name
    Name,
}

/// The table, at most that many columns wide.
pub(super) fn table(run: &Run, sort: Sort, width: u16, colors: bool) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        // Cut names instead of wrapping them at blanks.
        .set_delimiter('\0');
    if colors {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let figure = |ms: Option<Millis>| ms.map_or_else(|| "-".to_owned(), |ms| figures::fixed(ms, run.length()));
    let has_queued = run.tasks.iter().any(|task| task.queued() > 0);
    let has_usage = run.tasks.iter().any(|task| task.usage.is_some());
    let columns: Vec<usize> = (0..TITLES.len())
        .filter(|&column| match column {
            QUEUED => has_queued,
            CPU | MEMORY => has_usage,
            _ => true,
        })
        .collect();
    let row = |cells| row(cells, &columns);
    table.set_header(row(TITLES.map(|title| Cell::new(title).add_attribute(Attribute::Bold))));
    for (task, depth) in order(run, sort) {
        let label = async_core::text::printable(run.label(task).as_ref());
        let task = &run.tasks[task];
        let status = Cell::new(status(task)).fg(color(task.status.outcome()));
        table.add_row(row([
            Cell::new(format!("{}{label}", "  ".repeat(depth))),
            Cell::new(figure(Some(task.start))),
            Cell::new(figure(Some(task.queued()))),
            Cell::new(figure(task.known_run_time())),
            Cell::new(figure(task.usage.map(|usage| usage.cpu()))),
            Cell::new(task.max_resident().map_or_else(|| "-".to_owned(), crate::format::memory)),
            Cell::new(figure(Some(task.blocked()))),
            Cell::new(figure(task.slack())),
            status,
        ]));
    }
    // Overlapping times count once, as in all other views.
    let figures = run.figures();
    let slack = run.tasks.iter().filter_map(Task::slack).sum();
    table.add_row(row([
        Cell::new(async_core::text::counted(u32::try_from(run.tasks.len()).unwrap_or(u32::MAX), "future", "futures")),
        Cell::new(""),
        Cell::new(figure(Some(run.tasks.iter().map(Task::queued).sum()))),
        Cell::new(figure(Some(figures.background))),
        Cell::new(figure(Some(run.tasks.iter().filter_map(|task| task.usage).map(|usage| usage.cpu()).sum()))),
        Cell::new(""),
        Cell::new(figure(Some(figures.waited))),
        Cell::new(figure(Some(slack))),
        Cell::new(format!("in {}", figures::fixed(figures.elapsed, run.length()))),
    ]));
    arrange(&mut table, &columns, width);
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn row(cells: [Cell; TITLES.len()], columns: &[usize]) -> Row {
    let mut row = Row::new();
    for (column, cell) in cells.into_iter().enumerate() {
        let is_figure = (1..TITLES.len() - 1).contains(&column);
        if columns.contains(&column) {
            row.add_cell(cell.set_alignment(if is_figure { CellAlignment::Right } else { CellAlignment::Left }));
        }
    }
    row.max_height(1);
    row
}

/// In a narrow table, memory and processor time give way to names.
fn arrange(table: &mut Table, columns: &[usize], width: u16) {
    let widths = table.column_max_content_widths();
    let name = widths[0].min(ENOUGH_NAME);
    let mut hidden = Vec::new();
    let others = |hidden: &[usize]| {
        let shown = columns.iter().zip(&widths).skip(1).filter(|(column, _)| !hidden.contains(*column));
        shown.map(|(_, width)| width.saturating_add(2)).fold(0, u16::saturating_add)
    };
    for column in [MEMORY, CPU] {
        if columns.contains(&column) && others(&hidden).saturating_add(name) > width {
            hidden.push(column);
        }
    }
    let others = others(&hidden);
    let last = widths.len() - 1;
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        if hidden.contains(&columns[index]) {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if index == 0 {
            let room = width.saturating_sub(others).max(LEAST_NAME) + 2;
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room)));
        } else {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// How a future ended, or its present state, and whether it was parallel at all.
pub(super) fn status(task: &Task) -> String {
    let word = word(&task.status);
    if task.synchronous { word + ", not parallel" } else { word }
}

/// How a future ended, or stands.
pub(super) fn word(status: &Status) -> String {
    match (status.outcome(), status.rc, status.signal) {
        (TaskOutcome::Succeeded, ..) => "ok".to_owned(),
        (TaskOutcome::Failed, _, Some(number)) => format!("killed by {}", process::signal_name(number)),
        (TaskOutcome::Failed, Some(rc), None) => format!("failed with {rc}"),
        (TaskOutcome::Failed, None, _) => "failed".to_owned(),
        (TaskOutcome::Queued, ..) => "queued".to_owned(),
        (TaskOutcome::Running, ..) => "running".to_owned(),
        (TaskOutcome::Cancelled, ..) => "cancelled".to_owned(),
        (TaskOutcome::TimedOut, ..) => "its time was up".to_owned(),
        (TaskOutcome::Skipped, ..) => "skipped".to_owned(),
        (TaskOutcome::Unstartable, ..) => "can't be started".to_owned(),
        (TaskOutcome::Lost, ..) => "lost".to_owned(),
    }
}

fn color(outcome: TaskOutcome) -> Color {
    match outcome {
        TaskOutcome::Succeeded => Color::DarkGreen,
        TaskOutcome::Running => Color::DarkCyan,
        TaskOutcome::Queued | TaskOutcome::Skipped | TaskOutcome::Cancelled => Color::DarkYellow,
        TaskOutcome::Failed | TaskOutcome::TimedOut | TaskOutcome::Unstartable | TaskOutcome::Lost => Color::DarkRed,
    }
}

/// The futures, each followed by those that were started inside it, with their depths.
fn order(run: &Run, sort: Sort) -> Vec<(usize, usize)> {
    let mut inside = vec![Vec::new(); run.tasks.len()];
    let mut outermost = Vec::new();
    for (index, task) in run.tasks.iter().enumerate() {
        match task.parent {
            Some(parent) => &mut inside[parent],
            None => &mut outermost,
        }
        .push(index);
    }
    let arranged = |mut tasks: Vec<usize>| {
        let of = |&task: &usize| &run.tasks[task];
        match sort {
            Sort::Start => tasks.sort_by_key(|task| of(task).start),
            Sort::Run => tasks.sort_by_key(|task| Reverse(of(task).run_time)),
            Sort::Blocked => tasks.sort_by_key(|task| Reverse(of(task).blocked())),
            Sort::Slack => tasks.sort_by_key(|task| Reverse(of(task).slack())),
            Sort::Name => tasks.sort_by(|a, b| of(a).name.cmp(&of(b).name)),
        }
        tasks
    };
    let mut ordered = Vec::with_capacity(run.tasks.len());
    let mut next: Vec<(usize, usize)> = arranged(outermost).into_iter().rev().map(|task| (task, 0)).collect();
    while let Some((task, depth)) = next.pop() {
        ordered.push((task, depth));
        let below = arranged(std::mem::take(&mut inside[task]));
        next.extend(below.into_iter().rev().map(|task| (task, depth + 1)));
    }
    ordered
}
