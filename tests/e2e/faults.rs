//! What goes wrong, and what happens then. Each test is a row of the README's table of faults.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "faults/collecting.rs"]
mod collecting;
#[path = "faults/limits.rs"]
mod limits;
#[path = "faults/names.rs"]
mod names;
#[path = "faults/records.rs"]
mod records;
#[path = "faults/signals.rs"]
mod signals;
#[path = "faults/stores.rs"]
mod stores;
#[path = "faults/tasks.rs"]
mod tasks;
