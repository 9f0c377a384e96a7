//! What determines the length of a run, and what could make it shorter, in words.

use std::fmt::Write;

use async_core::clock::Millis;
use async_core::text::{counted, printable, seconds as exact};
use async_core::timing::{Advice, Change, Figures, Moved, Run, Shift, Stretch, Summary, Task};

use super::analysis::Prediction;
use super::figures::{fixed, percent, seconds, tenths};
use super::what_if;

/// How many names to list before counting the rest.
const LISTED: usize = 4;

/// How much of sharing cores to tell of, in ms.
const LEAST_SHARED: Millis = 100;

/// A task that used less than this part of a core was waiting rather than computing, in percent.
const WAITING: Millis = 10;

/// How much of a name to show, in characters.
const MAX_NAME: usize = 40;

/// The figures of a run.
pub(super) fn summary(figures: &Figures) -> String {
    let speedup = figures.speedup().map(|speedup| format!("{speedup:.2}"));
    let mut text = in_words([figures.background - figures.waited, figures.elapsed, figures.serial()].map(tenths), speedup);
    if figures.shared >= LEAST_SHARED {
        let _ = writeln!(text, " Without sharing cores, the tasks would have taken {} sec less.", tenths(figures.shared));
    }
    text
}

/// The figures of the original.
pub(super) fn summary_of_devstack(summary: &Summary) -> String {
    let seconds = [summary.background_minus_waits_s(), summary.elapsed_s, summary.serial_s()];
    in_words(seconds.map(|seconds| seconds.to_string()), summary.speedup().map(crate::awk::number))
}

/// Figures in the words of the original.
fn in_words([background_minus_waits, elapsed, serial]: [String; 3], speedup: Option<String>) -> String {
    let speedup = speedup.unwrap_or_else(|| "n/a".to_owned());
    format!(
        "\n=================\n Async summary\n=================\n \
         Time spent in the background minus waits: {background_minus_waits} sec\n \
         Elapsed time: {elapsed} sec\n \
         Time if we did everything serially: {serial} sec\n \
         Speedup:  {speedup}\n"
    )
}

/// A warning if the clock was set during the run.
pub(super) fn clock(run: &Run) -> String {
    if run.clock_step == 0 {
        return String::new();
    }
    format!(" The clock was set meanwhile: a START may be off by {} s.\n", exact(run.clock_step))
}

/// The critical path, with consecutive short stretches on one line.
pub(super) fn path(run: &Run, path: &[Stretch]) -> String {
    let length = run.length();
    let mut text = format!("\n Critical path: {}\n", seconds(length, length));
    for stretches in merged(path, length) {
        let ms = stretches.iter().map(Stretch::length).sum();
        let what = whose(run, stretches);
        let _ = writeln!(text, "{:>10} s {:>4}%  {what}", fixed(ms, length), percent(ms, length));
    }
    text
}

/// The stretches of a path through a run of that length in ms, consecutive short ones together.
pub(crate) fn merged(path: &[Stretch], length: Millis) -> Vec<&[Stretch]> {
    let is_short = |stretch: &Stretch| stretch.length() * 100 < length;
    path.chunk_by(|one, next| is_short(one) && is_short(next)).collect()
}

/// Whose time that is: of one stretch, or of several short ones.
pub(crate) fn whose(run: &Run, stretches: &[Stretch]) -> String {
    match stretches {
        [Stretch { task: None, .. }] => "the script".to_owned(),
        [Stretch { task: Some(task), queued: true, .. }] => format!("{}, queued", named(run, *task)),
        [Stretch { task: Some(task), .. }] => named(run, *task),
        several => format!("{} short stretches", several.len()),
    }
}

fn named(run: &Run, task: usize) -> String {
    let label = printable(run.label(task).as_ref());
    match label.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("`{}…`", &label[..end]),
        None => format!("`{label}`"),
    }
}

/// The first few by name, and the number of the others.
pub(crate) fn list(run: &Run, tasks: &[usize]) -> String {
    let names: Vec<String> = tasks.iter().take(LISTED).map(|&task| named(run, task)).collect();
    let names = names.join(", ");
    match tasks.len().saturating_sub(LISTED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// The advice, if there is any, and the waits that need none.
pub(super) fn advice(run: &Run, advice: &[Advice]) -> String {
    let length = run.length();
    let mut text = String::new();
    if !advice.is_empty() {
        text.push_str("\n Each of these alone would have saved:\n");
    }
    for advice in advice {
        let (worth, share) = (fixed(advice.worth, length), percent(advice.worth, length));
        let _ = writeln!(text, "{worth:>10} s {share:>4}%  {}", sentence(run, advice));
        let _ = writeln!(text, "{:20}({})", "", option(run, advice));
    }
    if !advice.is_empty() {
        text.push_str(
            " That is what the run takes when it is done again with that one change. What a\n \
             future needs of another, and what tasks take from each other apart from cores,\n \
             is not known.\n",
        );
    }
    let free = free(run);
    if !free.is_empty() {
        let _ = writeln!(text, "\n Waits that cost nothing: {}", list(run, &free));
    }
    let waiting: Vec<usize> = (0..run.tasks.len()).filter(|&task| is_waiting(&run.tasks[task], length)).collect();
    if !waiting.is_empty() {
        let _ = writeln!(text, "\n Waiting, not computing: {}\n Beside these, other work is free.", list(run, &waiting));
    }
    text
}

/// Whether a task that took a while hardly used the processor.
fn is_waiting(task: &Task, length: Millis) -> bool {
    let computed = task.usage.map(|usage| usage.cpu());
    task.run_time * 100 >= length && computed.is_some_and(|ms| ms.saturating_mul(100) < task.run_time * WAITING)
}

/// The futures that were over before anybody waited for them.
pub(crate) fn free(run: &Run) -> Vec<usize> {
    (0..run.tasks.len()).filter(|&task| is_free(&run.tasks[task])).collect()
}

/// Whether it was over before anybody waited for it.
pub(crate) fn is_free(task: &Task) -> bool {
    task.wait.is_some() && !task.synchronous && task.blocked() == 0
}

/// The option that predicts what the advice is worth, for a shell.
pub(crate) fn option(run: &Run, advice: &Advice) -> String {
    let change = what_if::text(advice.change, run).replace('\'', r"'\''");
    format!("--what-if '{}'", printable(change.as_ref()))
}

/// What to do differently.
pub(crate) fn sentence(run: &Run, advice: &Advice) -> String {
    match advice.change {
        Change::Start(task, shift) => start(run, task, shift, advice.moved.as_ref()),
        Change::Wait(task, shift) => wait(run, task, shift, advice.moved.as_ref()),
        Change::Background(task) => format!("run {} in the background", named(run, task)),
        Change::Parallel => "run everything in the background".to_owned(),
        Change::Jobs(Some(jobs)) => format!("let {} run at once", counted(jobs, "task", "tasks")),
        Change::Jobs(None) | Change::Cores(_) | Change::Run(..) => what_if::text(advice.change, run),
    }
}

fn by(shift: Shift, moved: Option<&Moved>) -> Millis {
    match (moved, shift) {
        (Some(moved), _) => moved.by,
        (None, Shift::By(by)) => by,
        (None, Shift::First | Shift::Last) => 0,
    }
}

fn start(run: &Run, task: usize, shift: Shift, moved: Option<&Moved>) -> String {
    let by = by(shift, moved);
    let text = format!("start {} {}", named(run, task), earlier_or_later(by));
    match moved {
        Some(moved) if !moved.past_waits.is_empty() => {
            format!("{text}, {} waiting for {}", side(by), list(run, &moved.past_waits))
        }
        _ => text,
    }
}

fn wait(run: &Run, task: usize, shift: Shift, moved: Option<&Moved>) -> String {
    let by = by(shift, moved);
    let text = format!("wait for {} {}", named(run, task), earlier_or_later(by));
    match moved {
        Some(moved) if !moved.past_starts.is_empty() => {
            format!("{text}, {} starting {}", side(by), list(run, &moved.past_starts))
        }
        Some(moved) if !moved.past_waits.is_empty() => {
            format!("{text}, {} waiting for {}", side(by), list(run, &moved.past_waits))
        }
        _ => text,
    }
}

fn side(by: Millis) -> &'static str {
    if by <= 0 { "before" } else { "after" }
}

fn earlier_or_later(by: Millis) -> String {
    match by {
        ..0 => format!("{} s earlier", exact(-by)),
        0 => "when it was".to_owned(),
        1.. => format!("{} s later", exact(by)),
    }
}

/// The result of the changes: the predicted length, and what really moved.
pub(super) fn prediction(run: &Run, prediction: &Prediction) -> String {
    let length = run.length();
    let (total, difference) = (prediction.replay.total, prediction.replay.total - length);
    let comes_to = if difference == 0 {
        "no difference".to_owned()
    } else {
        let word = if difference < 0 { "less" } else { "more" };
        let (by, share) = (seconds(difference.abs(), length), percent(difference.abs(), length));
        format!("{by} or {share}% {word}")
    };
    let asked = printable(prediction.asked.join(", ").as_ref());
    let mut text = format!("\n What if {asked}: {}\n", seconds(total, length));
    let _ = writeln!(text, "   instead of {}: {comes_to}", seconds(length, length));
    for (change, moved) in &prediction.done {
        match change {
            Change::Start(task, shift) => {
                let _ = writeln!(text, "   {}", start(run, *task, *shift, moved.as_ref()));
            }
            Change::Wait(task, shift) => {
                let _ = writeln!(text, "   {}", wait(run, *task, *shift, moved.as_ref()));
            }
            _ => {}
        }
    }
    text
}
