//! The events that wake the view: keys, changes in the store, signals. Each source sleeps in a thread of its own.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use async_core::store::{Change, Changes};
use nix::sys::signal::{SigSet, Signal};
use ratatui::crossterm::event;

/// How long to gather further changes before showing the next.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// The signals that end the view.
const ENDING: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// Something to act on.
#[derive(Debug)]
pub(super) enum Event {
    /// A key press, or a new size of the terminal.
    Terminal(io::Result<event::Event>),
    /// The store.
    Changes(async_core::Result<Vec<Change>>),
    /// This process has to end.
    Signal(Signal),
    /// The message about a request to cancel a future.
    Cancelled(String),
}

/// Keeps the ending signals from killing the process. Must be called before there is any other thread.
pub(super) fn hold_signals() -> io::Result<SigSet> {
    let mut signals = SigSet::empty();
    for signal in ENDING {
        signals.add(signal);
    }
    signals.thread_block()?;
    Ok(signals)
}

/// Starts listening to all sources.
pub(super) fn listen(signals: SigSet, mut changes: Changes) -> (Sender<Event>, Receiver<Event>) {
    let (sender, receiver) = channel();
    let of_signals = sender.clone();
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            if of_signals.send(Event::Signal(signal)).is_err() {
                break;
            }
        }
    });
    let of_terminal = sender.clone();
    thread::spawn(move || {
        loop {
            let read = event::read();
            let failed = read.is_err();
            if of_terminal.send(Event::Terminal(read)).is_err() || failed {
                break;
            }
        }
    });
    let of_store = sender.clone();
    thread::spawn(move || {
        loop {
            let found = changes.wait();
            let failed = found.is_err();
            if of_store.send(Event::Changes(found)).is_err() || failed {
                break;
            }
            // A task that writes all the time must not keep the screen redrawing.
            thread::sleep(DEBOUNCE);
        }
    });
    (sender, receiver)
}
