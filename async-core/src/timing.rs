//! What running things in the background saved.
//!
//! A [`Summary`] is the original's few figures. A [`Run`] is all that the records of a store tell of one run, on one axis of
//! time: who was started when, by whom, how long it ran, and who stood waiting for it.

mod advice;
mod change;
mod compare;
mod path;
mod replay;
mod run;
mod schedule;
mod summary;

pub use advice::Advice;
pub use change::{Change, Length, Moved, Shift, Unchangeable};
pub use compare::{Compared, Comparison};
pub use path::Stretch;
pub use replay::{Replay, Stuck, Times};
pub use run::{Collected, Recorded, Run, Status, Task, Verdict};
pub use schedule::Schedule;
pub use summary::{Speedup, Summary};
