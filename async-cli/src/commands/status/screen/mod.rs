//! `async status --watch`: a live view of the futures and the log of one of them.

mod app;
mod events;
mod model;
mod tail;
mod view;

use std::io::stdout;
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use async_core::Store;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::layout::{Position, Rect};

use super::Selection;
use crate::failure::Failure;
use crate::messages::Output;

use app::App;
use model::Model;
use view::View;

/// How often to update the elapsed times.
const SECOND: Duration = Duration::from_secs(1);

/// Shows the futures until the user quits or a signal comes.
pub(super) fn run(output: &Output, store: Store, selection: Selection) -> Result<ExitCode, Failure> {
    if output.columns().is_none() {
        return Err(Failure::Usage("--watch needs a terminal to draw on, and standard output is none".into()));
    }
    let signals = events::hold_signals().map_err(Failure::Output)?;
    // Listen before reading, or a change in between would be missed.
    let changes = store.changes(selection.collected)?;
    let model = Model::new(store, selection)?;
    let mut screen = Screen::take()?;
    let (sender, receiver) = events::listen(signals, changes);
    let mut app = App::new(model, sender);
    let mut view = View::new(output.has_colors());
    let mut next_tick = Instant::now() + SECOND;
    loop {
        if app.take_resized() {
            // A terminal that was small for a moment has lost what it showed, though it has its former size.
            let size = screen.0.size().map_err(Failure::Output)?;
            screen.0.resize(Rect::from((Position::ORIGIN, size))).map_err(Failure::Output)?;
        }
        screen.0.draw(|frame| view.draw(frame, &mut app)).map_err(Failure::Output)?;
        let first = if app.model.is_moving() {
            receiver.recv_timeout(next_tick.saturating_duration_since(Instant::now()))
        } else {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        let first = match first {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the view has a sender itself"),
        };
        for event in first.into_iter().chain(receiver.try_iter()) {
            if let Some(status) = app.handle(event)? {
                // Its memory goes with the process, which is faster for very many futures.
                std::mem::forget(app);
                return Ok(status);
            }
        }
        if Instant::now() >= next_tick {
            app.tick();
            next_tick = Instant::now() + SECOND;
        }
    }
}

/// The terminal while the view owns it; released however the view ends.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> Result<Self, Failure> {
        let screen = ratatui::try_init().map(Self).map_err(|error| {
            give_back();
            Failure::Output(error)
        })?;
        // A panic may end the process without dropping anything; ratatui's own hook leaves the cursor hidden.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            hook(info);
        }));
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // The terminal may be gone.
    let _ = execute!(stdout(), Show);
    let _ = ratatui::try_restore();
}
