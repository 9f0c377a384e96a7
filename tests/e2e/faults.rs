//! What goes wrong, and what happens then. Each test is a row of the README's table of faults.

#![allow(clippy::unwrap_used, reason = "tests")]

mod collecting;
mod limits;
mod names;
mod places;
mod processes;
mod records;
mod signals;
mod stores;
mod tasks;
