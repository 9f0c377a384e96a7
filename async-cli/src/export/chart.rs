//! The contents of a picture of a run: a lane for the script, and one for each future, below the future that started
//! it.

use async_core::record::Usage;
use async_core::timing::{Run, Status, Task, TaskOutcome};
use async_core::{Target, clock::Millis, process, text};

use unicode_width::UnicodeWidthStr;

use super::axis::duration;

/// The size of the kernel's blocks, in bytes.
const BLOCK: u64 = 512;

/// A run as lanes on one axis, in ms from its start.
#[derive(Debug)]
pub(crate) struct Chart {
    /// A title of one line.
    pub(crate) title: String,
    /// When it began, for people.
    pub(crate) begin: String,
    /// The length of the axis, in ms; never 0.
    pub(crate) length: Millis,
    /// The figures of the whole run.
    pub(crate) figures: Vec<Fact>,
    /// The script's, then the futures'.
    pub(crate) lanes: Vec<Lane>,
}

/// One line of a list of facts.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) what: &'static str,
    pub(crate) value: String,
}

/// The lane of the script or of a future.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Its future, as an index into the run's; none for the script.
    pub(crate) task: Option<usize>,
    pub(crate) name: String,
    /// How deep the future is nested.
    pub(crate) depth: usize,
    pub(crate) look: LaneKind,
    /// Its whole time.
    pub(crate) whole: Span,
    /// The part before its task was allowed to run, if it was held back.
    pub(crate) queued: Option<Span>,
    /// Whether that was elsewhere, in the queue of a cluster.
    pub(crate) is_queued_elsewhere: bool,
    /// The part in which its task ran, if that was ever let go.
    pub(crate) run: Option<Span>,
    /// Whether the end of that is known.
    pub(crate) is_known: bool,
    /// What it waited for.
    pub(crate) waits: Vec<Wait>,
    pub(crate) command: String,
    /// How it ended, or its present state.
    pub(crate) status: String,
    /// How long somebody waited for it, for people; empty if nobody did.
    pub(crate) waited: String,
}

/// A stretch of time, in ms from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Millis,
    pub(crate) end: Millis,
}

/// A wait, in the lane of the waiter.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) span: Span,
    /// The lane of the awaited future.
    pub(crate) lane: usize,
    /// The name of the awaited future.
    pub(crate) of: String,
}

/// The kind of a lane. Signs and words show it, and colours only in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneKind {
    Script,
    Future(TaskOutcome),
}

impl Span {
    /// Its length, in ms.
    pub(crate) fn length(self) -> Millis {
        self.end - self.start
    }
}

impl LaneKind {
    /// The name of its sign.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Future(TaskOutcome::Succeeded) => "succeeded",
            Self::Future(TaskOutcome::Failed | TaskOutcome::Unstartable) => "failed",
            Self::Future(TaskOutcome::TimedOut) => "timeout",
            Self::Future(TaskOutcome::Lost) => "lost",
            Self::Future(TaskOutcome::Cancelled) => "cancelled",
            Self::Future(TaskOutcome::Skipped) => "skipped",
            Self::Future(TaskOutcome::Running) => "running",
            Self::Future(TaskOutcome::Queued) => "queued",
        }
    }

    /// The name of its colours.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Future(TaskOutcome::TimedOut) => "failed",
            Self::Future(TaskOutcome::Cancelled | TaskOutcome::Skipped) => "stopped",
            other => other.sign(),
        }
    }

    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Future(TaskOutcome::Succeeded) => "succeeded",
            Self::Future(TaskOutcome::Failed) => "failed",
            Self::Future(TaskOutcome::Unstartable) => "not started",
            Self::Future(TaskOutcome::TimedOut) => "timed out",
            Self::Future(TaskOutcome::Lost) => "lost",
            Self::Future(TaskOutcome::Cancelled) => "cancelled",
            Self::Future(TaskOutcome::Skipped) => "skipped",
            Self::Future(TaskOutcome::Running) => "running",
            Self::Future(TaskOutcome::Queued) => "queued",
        }
    }
}

impl Lane {
    /// When it ran, if known.
    pub(crate) fn ran(&self) -> Option<Span> {
        self.run.filter(|_| self.is_known)
    }

    /// How long it ran, for people, or how long it was held back if it never ran; none if neither.
    pub(crate) fn took(&self) -> Option<String> {
        self.ran().or(self.queued).map(|span| duration(span.length()))
    }

    /// The word beside that; none if there is nothing to say.
    pub(crate) fn remark(&self) -> Option<&'static str> {
        let silent = matches!(self.look, LaneKind::Script | LaneKind::Future(TaskOutcome::Succeeded));
        (!silent).then(|| self.look.word())
    }

    /// Whether its run did not end by itself.
    pub(crate) fn is_striped(&self) -> bool {
        matches!(self.look, LaneKind::Future(TaskOutcome::Running | TaskOutcome::Cancelled))
    }

    /// Whether its run ended badly.
    pub(crate) fn is_notched(&self) -> bool {
        matches!(self.look, LaneKind::Future(TaskOutcome::Failed | TaskOutcome::TimedOut))
    }

    /// A sentence with everything about it.
    pub(crate) fn sentence(&self) -> String {
        let queued = self.queued.map_or_else(String::new, |span| format!(", queued for {}", duration(span.length())));
        let ran = self.ran().map_or_else(String::new, |span| format!(", ran for {}", duration(span.length())));
        format!("{}: {}, started at {}{queued}{ran}", self.name, self.status, duration(self.whole.start))
    }
}

impl Wait {
    /// A sentence with everything about it.
    pub(crate) fn sentence(&self, by: &str) -> String {
        format!(
            "{by} waits for {} from {} on, for {}",
            self.of,
            duration(self.span.start),
            duration(self.span.length())
        )
    }
}

impl Chart {
    /// Lays out a run.
    pub(crate) fn of(run: &Run) -> Self {
        let length = run.length();
        let mut lanes = vec![script_lane(length)];
        let mut lane_of = vec![0; run.tasks.len()];
        for (index, depth) in nested(&run.tasks) {
            lane_of[index] = lanes.len();
            lanes.push(future_lane(run, index, depth));
        }
        for (index, task) in run.tasks.iter().enumerate() {
            if let Some(wait) = task.wait.filter(|_| !task.synchronous) {
                let by = run.waiter(index).map_or(0, |waiter| lane_of[waiter]);
                let span = Span { start: wait.start, end: wait.end };
                lanes[by].waits.push(Wait { span, lane: lane_of[index], of: printable_label(run, index) });
            }
        }
        for lane in &mut lanes {
            lane.waits.sort_by_key(|wait| (wait.span.start, wait.span.end));
        }
        Self {
            title: format!("{} in {}", text::counted(count(run.tasks.len()), "future", "futures"), duration(length)),
            begin: super::utc(run.start),
            length: length.max(1),
            figures: figures(run),
            lanes,
        }
    }

    /// The kinds of futures in the chart and the number of each, ordered by their first futures.
    pub(crate) fn looks(&self) -> Vec<(LaneKind, usize)> {
        let mut looks: Vec<(LaneKind, usize)> = Vec::new();
        for lane in self.futures() {
            match looks.iter_mut().find(|(look, _)| *look == lane.look) {
                Some((_, count)) => *count += 1,
                None => looks.push((lane.look, 1)),
            }
        }
        looks
    }

    /// The maximum width in columns of the texts beside the bars: without their remarks, and with them. All bars leave
    /// that room.
    pub(crate) fn room(&self) -> (usize, usize) {
        let took = |lane: &Lane| lane.took().map_or(0, |took| took.width());
        let remark = |lane: &Lane| lane.remark().map_or(0, |remark| 1 + remark.width());
        let most = |of: &dyn Fn(&Lane) -> usize| self.lanes.iter().map(of).max().unwrap_or(0);
        (most(&took), most(&|lane| took(lane) + remark(lane)))
    }

    /// The lanes of the futures.
    pub(crate) fn futures(&self) -> &[Lane] {
        &self.lanes[1..]
    }

    /// Whether anything was held back here.
    pub(crate) fn has_queued(&self) -> bool {
        self.lanes.iter().any(|lane| lane.queued.is_some() && !lane.is_queued_elsewhere)
    }

    /// Whether anything was held back by a cluster.
    pub(crate) fn has_queued_elsewhere(&self) -> bool {
        self.lanes.iter().any(|lane| lane.queued.is_some() && lane.is_queued_elsewhere)
    }

    /// Whether anybody waited for anything.
    pub(crate) fn has_waits(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.waits.is_empty())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The futures with their nesting depths: each directly below its starter, otherwise in the order of their starts.
fn nested(tasks: &[Task]) -> Vec<(usize, usize)> {
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    let mut stack = Vec::new();
    for (index, task) in tasks.iter().enumerate().rev() {
        match task.parent {
            Some(parent) => inside[parent].push(index),
            None => stack.push((index, 0)),
        }
    }
    let mut found = Vec::with_capacity(tasks.len());
    while let Some((index, depth)) = stack.pop() {
        found.push((index, depth));
        stack.extend(inside[index].iter().map(|&child| (child, depth + 1)));
    }
    found
}

fn script_lane(length: Millis) -> Lane {
    let whole = Span { start: 0, end: length };
    Lane {
        task: None,
        name: "script".into(),
        depth: 0,
        look: LaneKind::Script,
        whole,
        queued: None,
        is_queued_elsewhere: false,
        run: Some(whole),
        is_known: true,
        waits: Vec::new(),
        command: String::new(),
        status: "from the beginning of the run to its end".into(),
        waited: String::new(),
    }
}

/// The label in a form that suits every format of a chart.
fn printable_label(run: &Run, index: usize) -> String {
    text::printable(run.label(index).as_ref())
}

fn future_lane(run: &Run, index: usize, depth: usize) -> Lane {
    let task = &run.tasks[index];
    let outcome = task.status.outcome();
    // Nobody knows how long a lost future ran.
    let end = task.known_run_time().map_or(task.run_start, |_| task.until(run.length()));
    let queued = Span { start: task.start, end: task.run_start };
    Lane {
        task: Some(index),
        name: printable_label(run, index),
        depth,
        look: LaneKind::Future(outcome),
        whole: Span { start: task.start, end },
        queued: (task.queued() > 0).then_some(queued),
        is_queued_elsewhere: task.on.as_ref().is_some_and(|on| is_cluster(on)),
        run: task.ran().then_some(Span { start: task.run_start, end }),
        is_known: task.is_known,
        waits: Vec::new(),
        command: text::printable(task.command.as_ref()),
        status: status(&task.status) + &place(task),
        waited: task.wait.map_or_else(String::new, |_| duration(task.blocked())),
    }
}

/// Whether the engine, whose word may be followed by a job, is a cluster.
fn is_cluster(on: &str) -> bool {
    on.split(':').next().and_then(|word| word.parse().ok()).is_some_and(|target: Target| target.is_cluster())
}

/// Where it ran, behind how it ended; nothing if that was here.
fn place(task: &Task) -> String {
    match (&task.on, &task.node) {
        (None, _) => String::new(),
        (Some(on), None) => format!(", on {}", text::printable(on.as_ref())),
        (Some(on), Some(node)) => {
            format!(", on {} ({})", text::printable(node.as_ref()), text::printable(on.as_ref()))
        }
    }
}

/// How a future ended, or stands, in words.
pub(crate) fn status(status: &Status) -> String {
    let word = LaneKind::Future(status.outcome()).word();
    match (status.outcome(), status.signal, status.rc) {
        (TaskOutcome::Succeeded | TaskOutcome::Skipped, ..) | (.., None) => word.into(),
        (_, Some(signal), Some(rc)) => format!("{word}, status {rc} (killed by {})", process::signal_name(signal)),
        (_, None, Some(rc)) => format!("{word}, status {rc}"),
    }
}

/// What a future used, as far as known.
pub(crate) fn used(task: &Task) -> Vec<Fact> {
    let fact = |what, value| Fact { what, value };
    let times = |usage: &Usage| format!(" ({} user, {} system)", duration(usage.user), duration(usage.system));
    let processor = task.processor_time().map(|ms| duration(ms) + &task.usage.as_ref().map_or_else(String::new, times));
    let tree = task.samples.as_ref().map(|samples| size(samples.max_tree_resident, 1024) + " at most");
    let one = || Some(size(task.usage?.max_resident, 1024) + " at most, in one process");
    let blocks = |usage: &Usage| {
        format!("{} read, {} written", size(usage.blocks_read, BLOCK), size(usage.blocks_written, BLOCK))
    };
    let disks = task.usage.as_ref().filter(|usage| usage.blocks_read > 0 || usage.blocks_written > 0).map(blocks);
    [("Processor", processor), ("Memory", tree.or_else(one)), ("Disks", disks)]
        .into_iter()
        .filter_map(|(what, value)| Some(fact(what, value?)))
        .collect()
}

/// A number of units of so many bytes: `512 B`, `1.5 MiB`.
pub(crate) fn size(number: u64, bytes: u64) -> String {
    let bytes = number.saturating_mul(bytes);
    #[allow(clippy::cast_precision_loss, reason = "two digits of it")]
    let mut rest = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if rest < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} PiB")
}

fn figures(run: &Run) -> Vec<Fact> {
    let fact = |what, value| Fact { what, value };
    let figures = run.figures();
    let speedup = figures.speedup().map(|speedup| fact("speedup", format!("{speedup:.2}×")));
    [
        fact("elapsed", duration(figures.elapsed)),
        fact("one after another", duration(figures.serial())),
        fact("in the background", duration(figures.background)),
        fact("spent waiting", duration(figures.waited)),
    ]
    .into_iter()
    .chain(speedup)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_the_digits_that_matter() {
        let sizes =
            [(0, 1), (999, 1), (3, 512), (5000, 1024), (u64::MAX, 1024)].map(|(number, bytes)| size(number, bytes));
        assert_eq!(sizes, ["0 B", "999 B", "1.5 KiB", "4.9 MiB", "16384.0 PiB"]);
    }
}
