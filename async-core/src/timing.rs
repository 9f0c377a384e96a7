//! What running tasks in the background saved, and what more it could save.
//!
//! A [`Run`] is all that the records of a store tell of one run, on one axis of time: who was started when, by whom, how long
//! it ran, and who stood waiting for it; it says how it deals with clocks that disagree, and when a run begins and ends.
//! [`Run::figures`] are the few that every view of it shows. A [`Schedule`] is the same run taken apart, so that it can be done
//! again with something changed. A [`Summary`] is what devstack's functions print, in the original's arithmetic.
//! A [`History`] is how long something took in several runs, and says which of them broke the trend.
//!
//! # Taking a run apart
//!
//! An **actor** is the script, or the task of a future. It does one thing after another: it works, starts a future, or
//! waits for one. Futures and waits that a record places inside the task of another future (its `parent`) belong to
//! that task, if it was running at that moment; all others belong to the script. For an actor, with all moments in ms:
//!
//! * The start of X is a step that takes no time, at X's start.
//! * The wait for X is a step from the moment the actor came to it, or from X's start if that was later, to the end of
//!   X. If X had ended by then it takes no time. Time that a wait spends after the end of X, to print its log, is work.
//! * Everything between two steps is work.
//! * A task that ran in the shell itself (not parallel) is a start and an immediate wait.
//! * A task that was cancelled or lost, or still runs, has no length of its own. After its last step it lingers until
//!   an actor ends it: the actor that waited for it, before that wait, or else the script. Time it takes after that is
//!   work.
//!
//! The script begins and ends with the run if those moments are known, else with its first start and its last start or
//! wait; while anything is running or queued, it goes on until now. So what it did before its first start and after its
//! last wait is work. A run ends when all of its actors have ended.
//!
//! For each future, **blocked** is how long somebody waited for it ([`Task::blocked`]), and **slack** is how long it
//! was finished before somebody came for it ([`Task::slack`]). Start futures that block for long earlier; one that
//! never blocks has nothing to gain.
//!
//! # Replaying a run
//!
//! [`Schedule::replay`] makes every actor do its steps again. Work takes as long as it did, and a wait takes until its
//! future is over. A future that was started runs
//!
//! * when the futures that it depends on are over,
//! * then, under a limit of N, when its turn has come and fewer than N slots are taken, first come, first served. A
//!   task that waits for a queued future donates its slot to it meanwhile, and likewise to what that one depends on,
//!   one at a time (see `store/queue.rs`: the real limit does the same);
//! * and then with the same delay as in the recorded run, which is what starting it took.
//!
//! So a replay without changes gives the recorded run, to the ms, or to a ms for each task where they shared cores. If
//! the records say that a future ran while these
//! rules had no slot for it, the replay assumes that it needs none.
//!
//! A [`Change`] edits the steps: it moves a start or a wait to another place among the steps of its actor, makes work
//! longer or shorter, or sets or lifts a limit. Moments refer to the recorded axis; an actor that was waiting at that
//! moment could do nothing else, so the step goes before that wait. Nothing is known about what a future needs from
//! others before it can start, nor about how tasks slow each other down other than by sharing cores: predictions only say
//! what time and cores allow.
//!
//! # Sharing cores
//!
//! Where tasks ran for long enough to be sampled, it is known what they used over time. While they and the script want
//! more cores than there are, all that want much get the same, and so work more slowly (`timing/sharing.rs`). What that
//! cost is [`Figures::shared`]; alone, the work would have taken as much less.
//!
//! # The critical path
//!
//! The chain that determines the length of the run, without gaps from its start to its end: the longest path in the
//! graph of its steps (the critical path method: J. E. Kelley and M. R. Walker, *Critical-Path Planning and
//! Scheduling*, 1959). [`Schedule::critical_path`] finds it from the end backwards. It contains the actor's work and
//! what came before that. Where the actor waited for X, the path follows X from its end: through X's own work and the
//! futures that X itself waited for, back to where X ran; then through the last dependency of X, or the time that it
//! was queued, back to where X was started; and on from that step of the actor that started it. Anything off the path
//! could have been a little slower without making the run longer; only changes on the path can make it shorter.
//!
//! [`Schedule::bound`] is the least time that the run takes, however its starts and waits are moved: the longest among
//! the script's work and, for each future, its work together with that of its dependencies. With N slots it also takes
//! at least an Nth of all background work. Advice is the difference between two replays, so it never promises more than
//! the run takes beyond that bound.

mod advice;
mod analysis;
mod change;
mod compare;
mod cores;
mod figures;
mod history;
mod path;
mod replay;
mod run;
mod schedule;
mod sharing;
mod summary;

pub use advice::Advice;
pub use analysis::Analysis;
pub use change::{Change, Length, Moved, Shift, Unchangeable};
pub(crate) use compare::median;
pub use compare::{Compared, Comparison};
pub use cores::{CoreStep, UsedCores};
pub use figures::Figures;
pub use history::{Broke, Ending, History, KeptRun, Past};
pub use path::Stretch;
pub use replay::{Replay, Stuck, Times};
pub use run::{Collected, CpuReading, Recorded, Run, Status, Task, TaskOutcome};
pub use schedule::Schedule;
pub use summary::Summary;
