//! How a record refers to other futures and to waiting processes.

use std::str::FromStr;

use crate::clock::Millis;
use crate::name::FutureName;
use crate::process::ProcessIdentity;

/// One future of a store. The start tells it from others of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FutureId {
    /// In ms since the epoch.
    pub(crate) started: Millis,
    pub(crate) name: FutureName,
}

impl std::fmt::Display for FutureId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.started, self.name)
    }
}

impl FromStr for FutureId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (started, name) = text.split_once(' ').ok_or(())?;
        Ok(Self { started: started.parse().map_err(|_| ())?, name: name.parse().map_err(|_| ())? })
    }
}

/// A place in the queue: behind that future, or at the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuePlace {
    pub(crate) behind: Option<FutureId>,
}

impl std::fmt::Display for QueuePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.behind {
            Some(id) => id.fmt(f),
            None => f.write_str("first"),
        }
    }
}

impl FromStr for QueuePlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let behind = if text == "first" { None } else { Some(text.parse()?) };
        Ok(Self { behind })
    }
}

/// A future that donates its slot while it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Donor {
    /// The waiting process.
    pub(crate) waiter: ProcessIdentity,
    pub(crate) name: FutureName,
}

impl std::fmt::Display for Donor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.waiter, self.name)
    }
}

impl FromStr for Donor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (waiter, name) = after_identity(text)?;
        Ok(Self { waiter, name: name.parse().map_err(|_| ())? })
    }
}

/// A task's wait for another future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitsFor {
    /// The waiting process.
    pub(crate) waiter: ProcessIdentity,
    /// The awaited future.
    pub(crate) of: FutureId,
}

impl std::fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.waiter, self.of)
    }
}

impl FromStr for WaitsFor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (waiter, of) = after_identity(text)?;
        Ok(Self { waiter, of: of.parse()? })
    }
}

/// A process identity and the text after it.
fn after_identity(text: &str) -> Result<(ProcessIdentity, &str), ()> {
    // The identity has three words; a name may have any number.
    let (end, _) = text.match_indices(' ').nth(2).ok_or(())?;
    Ok((text[..end].parse().map_err(|_| ())?, &text[end + 1..]))
}
