//! What happens besides the kills, and what that explains.

use clap::ValueEnum;

/// What a run suffers besides the kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Nothing
    Kills,
    /// The user of all shells may have so many processes, and now and then something else has nearly all of them. Root
    /// starts it, as a second user: the limit is that of a user, and none is for root
    Processes,
    /// The disk with the store is full now and then. Takes root, to mount one
    Disk,
    /// Further scripts, each of them new, call `async_init` and `async init` all the time
    Init,
    /// Now and then all that runs is cancelled at once
    Cancel,
}

impl Mode {
    /// The option's value.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::Init => "init",
            Self::Cancel => "cancel",
        }
    }

    /// Whether something that the program needs is missing now and then, so that it fails and says so.
    pub(super) fn is_want(self) -> bool {
        matches!(self, Self::Processes | Self::Disk)
    }

    /// Whether the mode explains why a start was refused, or a wait or a cancel failed.
    pub(super) fn explains(self, rc: i32, why: &str) -> bool {
        match self {
            // If a shell's own fork fails, there is no message of ours, and the shell has a status of its own for that.
            Self::Processes => rc == 254 || rc == 125 && (why.is_empty() || why.contains("os error 11)")),
            Self::Disk => rc == 125 && why.contains("(os error 28)"),
            _ => false,
        }
    }

    /// Whether a future whose end can't be recorded is lost although nothing was killed.
    pub(super) fn loses(self) -> bool {
        self == Self::Disk
    }

    /// Whether a task that ended as planned may not have been able to print everything.
    pub(super) fn cuts(self) -> bool {
        self == Self::Disk
    }

    /// A log without bash's complaints about resources that a task lacked.
    pub(super) fn without_complaints(self, log: &str) -> String {
        let complaint = match self {
            Self::Processes => ": fork: ",
            Self::Disk => ": write error: ",
            _ => return log.to_owned(),
        };
        log.split_inclusive('\n').filter(|line| !line.contains(complaint)).collect()
    }

    /// Whether a log has the beginning of the task's output, or on a full disk the part that had room.
    pub(super) fn is_part(self, log: &str, whole: &str) -> bool {
        let mut rest = whole.bytes();
        whole.starts_with(log) || self.cuts() && log.bytes().all(|byte| rest.any(|it| it == byte))
    }

    /// How many percent of the futures have to end as planned for a run to prove anything.
    pub(super) fn floor(self) -> usize {
        match self {
            // The rest are hit, or never started because their shell is hit or their name is taken.
            Self::Kills => 66,
            // A run takes longer beside all of these scripts, and the killer kills by the clock.
            Self::Init => 40,
            // Everything else fails while a resource is missing, which is a third of the time, and longer on a busy
            // machine.
            Self::Processes | Self::Disk => 20,
            // Each cancel hits what is running at that moment: one or two futures of each shell.
            Self::Cancel => 33,
        }
    }
}
