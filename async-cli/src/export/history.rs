//! A self-contained page with the runs that are kept.

use std::io;

use askama::Template;
use async_core::clock::Millis;
use async_core::text::printable;
use async_core::timing::{History, Past};

use super::axis::duration;
use super::chart::size;
use super::html::{STYLE, percent, policy};
use crate::commands::timing::history::{ending, longest};

/// The page: of the future of that name, or of whole runs.
pub(super) fn page(name: Option<&str>, history: &History) -> io::Result<String> {
    let most = |of: &dyn Fn(&Past) -> Option<Millis>| history.entries.iter().filter_map(of).max().unwrap_or(0).max(1);
    let longest = longest(history);
    let page = Page {
        title: name.map_or_else(|| "Runs".to_owned(), |name| format!("Runs of {}", printable(name.as_ref()))),
        history,
        counted: history.entries.iter().filter(|past| past.counted().is_some()).count(),
        median: history.median.map(|ms| Bar::of(ms, longest)),
        longest,
        longest_queued: most(&|past| Some(past.queued)),
        most_memory: most(&kib),
        policy: policy(),
    };
    page.render().map_err(io::Error::other)
}

/// How much memory it had, in KiB.
fn kib(past: &Past) -> Option<Millis> {
    past.memory.map(|kib| Millis::try_from(kib).unwrap_or(Millis::MAX))
}

/// A bar with the text beside it.
struct Bar {
    text: String,
    /// How much of the room it takes, in percent.
    part: String,
}

impl Bar {
    /// That of a time in ms, where that other one fills the room.
    fn of(ms: Millis, longest: Millis) -> Self {
        Self { text: duration(ms), part: percent(ms.min(longest), longest) }
    }
}

#[derive(Template)]
#[template(path = "history.html")]
struct Page<'a> {
    title: String,
    history: &'a History,
    /// How many of them the median is of.
    counted: usize,
    median: Option<Bar>,
    /// What fills the bars, in ms and in KiB.
    longest: Millis,
    longest_queued: Millis,
    most_memory: Millis,
    policy: String,
}

impl Page<'_> {
    fn has_queued(&self) -> bool {
        self.history.entries.iter().any(|past| past.queued > 0)
    }

    fn has_memory(&self) -> bool {
        self.history.entries.iter().any(|past| past.memory.is_some())
    }

    fn is_mark(&self, index: usize) -> bool {
        self.history.broke.is_some_and(|broke| broke.entry == index)
    }

    /// How much longer it took than the median before it, and that median.
    fn broke(&self) -> Option<(String, String)> {
        let broke = self.history.broke?;
        let length = self.history.entries[broke.entry].run_time?;
        Some((duration(length - broke.before), duration(broke.before)))
    }

    fn run_time(&self, past: &Past) -> Option<Bar> {
        past.run_time.map(|ms| Bar::of(ms, self.longest))
    }

    fn queued(&self, past: &Past) -> Bar {
        Bar::of(past.queued, self.longest_queued)
    }

    fn memory(&self, past: &Past) -> Option<Bar> {
        Some(Bar { text: size(past.memory?, 1024), part: percent(kib(past)?, self.most_memory) })
    }

    /// Whether it is longer than what fills the room.
    fn is_cut(&self, past: &Past) -> bool {
        past.run_time.is_some_and(|ms| ms > self.longest)
    }

    fn started(past: &Past) -> String {
        super::utc(past.start)
    }

    fn ended(past: &Past) -> String {
        ending(&past.ending)
    }
}
