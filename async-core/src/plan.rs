//! How a future is to be run, where that is not simply at once and once.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::launch::Target;
use crate::name::FutureName;

/// What a caller asked for beside the command. In a record it is one line of JSON, without what nobody asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Plan {
    /// Futures that have to succeed before the task starts. If one fails, it never does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<FutureName>,
    /// Futures that have to be over before the task starts, however they end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after_any: Vec<FutureName>,
    /// How many tasks may run at once, this one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
    /// How long the task may take, with all of its attempts, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// How long a task has between SIGTERM and SIGKILL, in ms, if not [`Plan::GRACE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Millis>,
    /// How often a task that fails is run again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<u32>,
    /// How long to wait before that, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<Millis>,
    /// Where the task runs, if not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Target>,
    /// Options of sbatch, if it runs on Slurm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sbatch: Vec<String>,
    /// Whether the task waits for its turn though nothing else says so, as the queue was paused when it was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

impl Plan {
    /// The time between SIGTERM and SIGKILL unless the plan says otherwise, in ms.
    pub const GRACE: Millis = 5000;

    /// The time between SIGTERM and SIGKILL, in ms.
    #[must_use]
    pub fn grace(&self) -> Millis {
        self.grace.unwrap_or(Self::GRACE)
    }

    /// Whether the task may be held back before it starts.
    #[must_use]
    pub fn may_queue(&self) -> bool {
        self.held || self.jobs.is_some() || self.has_dependencies()
    }

    /// Whether other futures have to be over before the task starts.
    #[must_use]
    pub fn has_dependencies(&self) -> bool {
        !self.after.is_empty() || !self.after_any.is_empty()
    }
}
