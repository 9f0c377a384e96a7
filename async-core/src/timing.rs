//! What running things in the background saved.
//!
//! A [`Summary`] is the original's few figures. A [`Run`] is all that the records of a store tell of one run, on one axis of
//! time: who was started when, by whom, how long it ran, and who stood waiting for it.

mod run;
mod summary;

pub use run::{Collected, Recorded, Run, Status, Task, Verdict};
pub use summary::{Speedup, Summary};
