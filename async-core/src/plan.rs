//! How to run a future, if not once and right away.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::launch::Target;
use crate::name::FutureName;

/// What a caller asked for besides the command. A record keeps it as one line of JSON that leaves out the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Plan {
    /// Futures that must succeed before the task starts. If one fails, the task never starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<FutureName>,
    /// Futures that must end before the task starts, however they end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after_any: Vec<FutureName>,
    /// How many tasks may run at once, including this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u32>,
    /// How long the task may take, over all of its attempts, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// The time between SIGTERM and SIGKILL, in ms, if not [`Plan::GRACE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Millis>,
    /// How often to run a failed task again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<u32>,
    /// How long to wait before each new attempt, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<Millis>,
    /// The engine that runs the task, if it does not run here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<Target>,
    /// Options for sbatch, if the task runs on Slurm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sbatch: Vec<String>,
    /// Whether the task is queued only because the queue was paused when it was requested.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

impl Plan {
    /// The default time between SIGTERM and SIGKILL, in ms.
    pub const GRACE: Millis = 5000;

    /// The time between SIGTERM and SIGKILL, in ms.
    #[must_use]
    pub fn grace(&self) -> Millis {
        self.grace.unwrap_or(Self::GRACE)
    }

    /// Whether the task may have to wait before it starts.
    #[must_use]
    pub fn may_queue(&self) -> bool {
        self.held || self.jobs.is_some() || self.has_dependencies()
    }

    /// Whether other futures must end before the task starts.
    #[must_use]
    pub fn has_dependencies(&self) -> bool {
        !self.after.is_empty() || !self.after_any.is_empty()
    }
}
