//! Finding the log to print.

use std::fs::File;
use std::num::NonZeroUsize;

use async_core::{Entry, FutureHandle, FutureName, Record, Store};

use crate::failure::Failure;

/// A future with a log.
pub(super) struct Source {
    pub(super) name: FutureName,
    pub(super) future: Future,
}

pub(super) enum Future {
    Live(Box<FutureHandle>),
    Over(Entry),
}

/// The future of that name; the newest is number 1.
pub(super) fn find(store: &Store, name: &FutureName, number: NonZeroUsize) -> Result<Source, Failure> {
    let source = |future| Source { name: name.clone(), future };
    let live = store.live(name)?;
    let index = number.get() - 1;
    match (live, index) {
        (Some(live), 0) => Ok(source(Future::Live(live.into()))),
        (live, _) => {
            let earlier = store.earlier(name)?;
            let count = earlier.len() + usize::from(live.is_some());
            let found = earlier.into_iter().nth(index - usize::from(live.is_some()));
            found.map(|earlier| source(Future::Over(earlier))).ok_or_else(|| match count {
                0 => Failure::NothingKept { name: name.to_string(), dir: store.dir().to_owned() },
                _ => Failure::NoSuchRun { name: name.to_string(), number: number.get(), count },
            })
        }
    }
}

impl Source {
    /// The record, as of the last look.
    pub(super) fn record(&self) -> &Record {
        match &self.future {
            Future::Live(live) => live.record(),
            Future::Over(earlier) => &earlier.record,
        }
    }

    /// The log, for reading from its start, if it exists by now.
    pub(super) fn open(&mut self) -> Result<Option<File>, Failure> {
        Ok(match &mut self.future {
            Future::Live(live) => {
                if !live.record().has_log {
                    live.refresh()?;
                }
                live.log()?
            }
            Future::Over(earlier) => earlier.open_log()?,
        })
    }

    /// Whether its task may still print something.
    pub(super) fn runs(&mut self) -> Result<bool, Failure> {
        match &mut self.future {
            Future::Live(live) => Ok(!live.is_over()?),
            Future::Over(_) => Ok(false),
        }
    }
}
