//! What running things in the background saved, and what it could save yet.
//!
//! A [`Run`] is all that the records of a store tell of one run, on one axis of time: who was started when, by whom, how long
//! it ran, and who stood waiting for it; it says how it deals with clocks that disagree, and when a run begins and ends.
//! [`Run::figures`] are the few that every view of it shows. A [`Schedule`] is the same run taken apart, so that it can be done
//! again with something changed. A [`Summary`] is what devstack's functions print, in the original's arithmetic.
//! A [`History`] is how long something took in several runs, and says which of them broke the trend.
//!
//! # Taking a run apart
//!
//! An **actor** is the script, or the task of a future. It does one thing after another: it works on its own, starts a
//! future, or waits for one. Futures and waits that a record places inside the task of another future (its `parent`) are
//! that task's, if it ran at that moment; all others are the script's. For an actor, with all moments in ms:
//!
//! * The start of X is a step that takes no time, at X's start.
//! * The wait for X is a step from where the actor came to it, or X's start if that was later, to the end of X. If X had
//!   ended by then it takes no time. What a wait takes beyond the end of X, to print its log, is work.
//! * Whatever lies between two steps is work.
//! * A task that ran in the shell itself (not parallel) is a start and a wait at once.
//! * A task that was cancelled or lost, or still runs, has no length of its own. After its last step it lingers until it is
//!   ended, by whoever waited for it, before that wait, and else by the script; what it takes after that is work.
//!
//! The script begins and ends with the run where it is known when it did, else with its first start and its last start or wait;
//! it goes on now while anything is running or queued. So what it did before its first start and after its last wait is work. A
//! run ends when all of its actors have.
//!
//! For each future, **blocked** is how long somebody stood waiting for it ([`Task::blocked`]), and **slack** how long it lay
//! finished before somebody came ([`Task::slack`]): start what has much of the former earlier, and there is nothing to gain
//! at what has none of it.
//!
//! # Doing it again
//!
//! [`Schedule::replay`] lets every actor do its steps. Work takes as long as it did, a wait takes until its future is over.
//! A future that was started runs
//!
//! * when the futures that it has to come after are over,
//! * then, under a limit of N, when it is its turn and fewer than N places are taken, first come first served. A task that
//!   waits for a queued future lends it its place meanwhile, and likewise to what that one has to come after, one at a time
//!   (see `store/queue.rs`: the limit itself does so);
//! * and then as much later as it did in the recorded run, which is what starting it took.
//!
//! So without a change the recorded run comes out, to the ms. If records say that a future ran while by these rules there
//! was no place for it, it is taken to need none.
//!
//! A [`Change`] edits the steps: a start or a wait goes to another place among the steps of its actor, work becomes longer
//! or shorter, a limit is set or lifted. A moment is meant on the recorded axis; where the actor stood waiting at that moment
//! it could do nothing else, so the step goes before that wait. It is not known what a future needs of others before it can
//! start, nor what tasks take from each other when more of them run at once: predictions say what time alone allows.
//!
//! # The critical path
//!
//! The chain of what the length of the run hangs on, without gaps from its start to its end: the longest path in the graph
//! of its steps (the critical path method: J. E. Kelley and M. R. Walker, *Critical-Path Planning and Scheduling*, 1959).
//! [`Schedule::critical_path`] finds it from the end backwards. The work of an actor is on it, and what came before that.
//! Where the actor stood waiting for X, the path is that of X, from its end: through X's own work and the futures that X
//! itself stood waiting for, back to where X ran; then through what X had to come after last, or the time that it was
//! queued, back to where X was started; and on from that step of whoever started it. Anything that is not on the path could
//! have been a little slower without making the run longer; only what is on it can make it shorter.
//!
//! # Bounds
//!
//! [`Schedule::bound`] is what the run takes at least however its starts and waits are moved: the longest of the work of the
//! script and the work of each future, together with that of what it has to come after. With N places it takes at least an
//! Nth of all work in the background too. Advice is the difference between two replays, so it never promises more than the
//! run takes beyond that bound.

mod advice;
mod analysis;
mod change;
mod compare;
mod figures;
mod history;
mod path;
mod replay;
mod run;
mod schedule;
mod summary;

pub use advice::Advice;
pub use analysis::Analysis;
pub use change::{Change, Length, Moved, Shift, Unchangeable};
pub(crate) use compare::median;
pub use compare::{Compared, Comparison};
pub use figures::Figures;
pub use history::{Broke, Ending, History, KeptRun, Past};
pub use path::Stretch;
pub use replay::{Replay, Stuck, Times};
pub use run::{Collected, Recorded, Run, Status, Task, TaskOutcome};
pub use schedule::Schedule;
pub use summary::{Speedup, Summary};
