//! One binary, as each is linked by itself. No test may start a process here: until it is another program it would hold
//! the locks that others let go of by closing files.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod count;
mod cut_short;
mod damaged;
mod records;
mod replay;
mod runs;
mod worked_examples;
