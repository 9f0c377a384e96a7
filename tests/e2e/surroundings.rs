//! No code of the user interferes between the functions and the program: names, variables, traces, shells and jobs.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "surroundings/jobs.rs"]
mod jobs;
#[path = "surroundings/names.rs"]
mod names;
#[path = "surroundings/probe.rs"]
mod probe;
#[path = "surroundings/shells.rs"]
mod shells;
#[path = "surroundings/traces.rs"]
mod traces;
#[path = "surroundings/usage.rs"]
mod usage;
#[path = "surroundings/variables.rs"]
mod variables;
