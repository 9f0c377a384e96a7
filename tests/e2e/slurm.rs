//! Futures on a real Slurm on loopback: only a job says that it succeeded, Slurm only says that it is over, and no
//! answer is no news.

#[path = "slurm/attendants.rs"]
mod attendants;
#[path = "slurm/clusters.rs"]
mod clusters;
#[path = "slurm/ends.rs"]
mod ends;
#[path = "slurm/engine.rs"]
mod engine;
#[path = "slurm/functions.rs"]
mod functions;
#[path = "slurm/torture.rs"]
mod torture;
#[path = "slurm/views.rs"]
mod views;
