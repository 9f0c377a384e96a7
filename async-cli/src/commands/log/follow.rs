//! Following logs until their futures end.

use std::io::ErrorKind;

use async_core::Store;

use super::events::{Event, Events};
use super::printer::Printer;
use super::source::Future;
use crate::failure::Failure;
use crate::messages::Output;

/// A log to follow.
struct Followed<'a> {
    printer: &'a mut Printer,
    runs: bool,
    changed: bool,
}

/// Passes on what is there and what comes, until all of the futures are over.
pub(super) fn follow(store: &Store, printers: &mut [Printer], output: &mut Output) -> Result<(), Failure> {
    // Before the first look, so that nothing after it is missed.
    let events = Events::of(store)?;
    let mut followed: Vec<Followed> =
        printers.iter_mut().map(|printer| Followed { printer, runs: false, changed: true }).collect();
    for (number, it) in followed.iter_mut().enumerate() {
        it.runs = it.printer.source.runs()?;
        if let (true, Future::Live(live)) = (it.runs, &it.printer.source.future) {
            events.watch_life(number, live)?;
        }
    }
    loop {
        for it in followed.iter_mut().filter(|it| it.changed) {
            it.changed = false;
            if it.runs {
                it.printer.pass_on_new(output)?;
            } else {
                it.printer.finish(output)?;
            }
        }
        if followed.iter().all(|it| !it.runs) {
            return Ok(());
        }
        let Ok(first) = events.receiver.recv() else {
            return Ok(());
        };
        // Many small writes to a log are one change.
        for event in std::iter::once(first).chain(events.receiver.try_iter()) {
            match event {
                Event::Changed(name) => {
                    let of_name = followed.iter_mut().filter(|it| it.runs && it.printer.source.name == name);
                    of_name.for_each(|it| it.changed = true);
                }
                Event::AllChanged => followed.iter_mut().filter(|it| it.runs).for_each(|it| it.changed = true),
                Event::Over(number) => {
                    followed[number].runs = false;
                    followed[number].changed = true;
                }
                Event::ReaderGone => return Err(Failure::Output(ErrorKind::BrokenPipe.into())),
                Event::Failed(failure) => return Err(failure),
            }
        }
    }
}
