//! The state of the view, and what keys do to it.

use std::process::ExitCode;
use std::sync::mpsc::Sender;
use std::thread;

use async_core::store::Change;
use async_core::{Cancelled, FutureName, Store};
use nix::sys::signal::Signal;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::events::Event;
use super::model::Model;
use super::tail::Tail;
use crate::commands::cancel;
use crate::failure::Failure;

/// What keys do at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They select futures.
    Browse,
    /// They answer whether to cancel that future.
    Confirm(FutureName),
    /// Any key closes the list of keys.
    Help,
}

/// The view.
pub(super) struct App {
    pub(super) model: Model,
    pub(super) tail: Tail,
    pub(super) mode: Mode,
    /// The last message, until a key is pressed.
    pub(super) note: Option<String>,
    /// How many futures fit on the screen.
    pub(super) page: u16,
    /// Counts the changes to the table, including the passing of time.
    pub(super) generation: u64,
    is_resized: bool,
    events: Sender<Event>,
}

impl App {
    pub(super) fn new(model: Model, events: Sender<Event>) -> Self {
        let mut app =
            Self { model, tail: Tail::default(), mode: Mode::Browse, note: None, page: 1, generation: 0, is_resized: false, events };
        app.read_log();
        app
    }

    /// Whether the terminal has got another size since this was asked.
    pub(super) fn take_resized(&mut self) -> bool {
        std::mem::take(&mut self.is_resized)
    }

    /// A second has passed.
    pub(super) fn tick(&mut self) {
        self.model.settle();
        self.generation += 1;
    }

    /// Handles an event; returns the exit status if it was the last.
    pub(super) fn handle(&mut self, event: Event) -> Result<Option<ExitCode>, Failure> {
        match event {
            Event::Terminal(Ok(event::Event::Key(key))) if key.kind == KeyEventKind::Press => {
                return Ok(self.press(key));
            }
            Event::Terminal(Ok(event::Event::Resize(..))) => self.is_resized = true,
            Event::Terminal(Ok(_)) => {}
            Event::Terminal(Err(error)) => return Err(Failure::Keyboard(error)),
            Event::Signal(signal) => return Ok(Some(killed_by(signal))),
            Event::Cancelled(note) => self.note = Some(note),
            Event::Changes(changes) => self.apply(&changes?)?,
        }
        Ok(None)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<(), Failure> {
        if changes.iter().any(|change| !matches!(change, Change::Log(_))) {
            self.model.apply(changes)?;
            self.generation += 1;
            self.read_log();
        } else if let Some(selected) = self.model.selected()
            && changes.contains(&Change::Log(selected.name.clone()))
        {
            self.read_log();
        }
        Ok(())
    }

    fn press(&mut self, key: KeyEvent) -> Option<ExitCode> {
        self.note = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(killed_by(Signal::SIGINT));
        }
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => return self.browse(key.code),
            Mode::Confirm(name) if matches!(key.code, KeyCode::Char('y' | 'Y')) => self.cancel(name),
            Mode::Confirm(name) => self.note = Some(format!("`{name}` was left alone")),
            Mode::Help => {}
        }
        None
    }

    fn browse(&mut self, key: KeyCode) -> Option<ExitCode> {
        let page = isize::try_from(self.page).unwrap_or(1).max(1);
        match key {
            KeyCode::Char('q') | KeyCode::Esc => return Some(ExitCode::SUCCESS),
            KeyCode::Up | KeyCode::Char('k') => self.select(-1),
            KeyCode::Down | KeyCode::Char('j') => self.select(1),
            KeyCode::PageUp => self.select(-page),
            KeyCode::PageDown => self.select(page),
            KeyCode::Home | KeyCode::Char('g') => self.select(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.select(isize::MAX),
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('c') => match self.model.selected() {
                Some(entry) if !entry.state.is_over() => {
                    self.mode = Mode::Confirm(entry.name.clone());
                }
                Some(entry) => self.note = Some(format!("`{}` is over", entry.name)),
                None => {}
            },
            _ => {}
        }
        None
    }

    fn select(&mut self, rows: isize) {
        self.model.select(rows);
        self.read_log();
    }

    fn read_log(&mut self) {
        self.tail = self.model.selected().map(Tail::of).unwrap_or_default();
    }

    /// Cancels a future while the view goes on.
    fn cancel(&mut self, name: FutureName) {
        self.note = Some(format!("cancelling `{name}` ..."));
        let (store, events) = (self.model.store.clone(), self.events.clone());
        thread::spawn(move || {
            // If the view is gone, nobody needs the result.
            let _ = events.send(Event::Cancelled(cancelled(&store, &name)));
        });
    }
}

fn cancelled(store: &Store, name: &FutureName) -> String {
    match store.cancel(name, None) {
        Ok(Cancelled::InShell(pid)) => cancel::in_shell(name, pid),
        Ok(cancelled) => {
            cancel::describe(name, &cancelled).unwrap_or_else(|| format!("`{name}` was collected meanwhile"))
        }
        Err(error) => error.to_string(),
    }
}

/// The exit status of a program that died from a signal.
fn killed_by(signal: Signal) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX))
}
