//! What can go wrong, and what happens then. Each test is in a row of the table in docs/faults.md.

#![allow(clippy::unwrap_used, reason = "tests")]

mod collecting;
mod hosts;
mod limits;
mod names;
mod pipes;
mod places;
mod processes;
mod records;
mod signals;
mod stores;
mod tasks;
mod terminals;
