//! Waiting for futures by their exact names, as the program's own commands do.

use async_core::clock;
use async_core::{FutureName, Store};

use crate::account::Account;
use crate::any::{Candidate, Many};
use crate::collecting::{Collecting, Failed, Manner, Resumed, Step, Tally};
use crate::failure::{Failure, quoted, warn};
use crate::messages::Output;
use crate::planning;
use crate::sleeper::{Sleeper, Woken};

/// Where a wait takes place, and how.
pub(crate) struct Waiting<'a> {
    pub(crate) store: &'a Store,
    pub(crate) output: &'a mut Output,
    pub(crate) manner: Manner,
    pub(crate) sleeper: &'a Sleeper,
    /// The account that is kept of it, if one is.
    pub(crate) account: Option<&'a mut Account>,
}

impl Waiting<'_> {
    /// Waits for all of them, in that order, up to the first that fails if the manner says so.
    pub(crate) fn for_all(self, names: &[FutureName]) -> Result<Tally, Failure> {
        let Self { store, manner, sleeper, mut account, .. } = self;
        let mut collecting = Collecting {
            store,
            words: &[],
            output: self.output,
            shell: None,
            functions: None,
            inside: planning::enclosing(store),
            manner,
            began: None,
            tally: Tally::default(),
            collected: Vec::new(),
        };
        for (number, name) in names.iter().enumerate() {
            match wait_for_first(&names[number..], &mut collecting, sleeper, account.as_deref_mut()) {
                // One that can't be collected must not keep the others from being.
                Err(failure @ Failure::Store(_)) if !manner.stop => {
                    warn(&failure.to_string());
                    let how = "could not be waited for".to_owned();
                    collecting.tally.failed.push(Failed { name: name.clone(), rc: None, how });
                }
                waited => waited?,
            }
            if collecting.tally.rc != 0 && manner.stop {
                collecting.say_that_it_stops(&stopped_at(name, &names[number + 1..]))?;
                break;
            }
        }
        Ok(collecting.tally)
    }

    /// Waits for the first of them to end; gives its name too.
    pub(crate) fn for_any(self, names: &[FutureName]) -> Result<(FutureName, Tally), Failure> {
        let Self { store, sleeper, mut account, .. } = self;
        let mut collecting = Collecting {
            store,
            words: &[],
            output: self.output,
            shell: None,
            functions: None,
            inside: planning::enclosing(store),
            manner: self.manner,
            began: Some(clock::wall()),
            tally: Tally::default(),
            collected: Vec::new(),
        };
        let mut left = Vec::new();
        for name in names {
            match (store.read(name)?, account.as_deref_mut()) {
                (Some(record), _) => left.push((name.clone(), record.start_time)),
                (None, Some(account)) => account.not_there(name),
                (None, None) => {}
            }
        }
        for (name, _) in &left {
            collecting.lend_to(name)?;
        }
        let mut many = Many::new(store, left);
        loop {
            let over = many.over()?;
            if !over.is_empty() {
                sleeper.erase();
            }
            for Candidate { name, started, .. } in over {
                if let Step::Collected { started, since } = collecting.step(&name, Some(started), Resumed::default())? {
                    if let Some(account) = account {
                        account.over(&name, started, since);
                    }
                    return Ok((name, collecting.tally));
                }
                // Somebody else has collected it.
                if let Some(account) = account.as_deref_mut() {
                    account.not_there(&name);
                }
            }
            if many.is_empty() {
                return Err(Failure::NothingLeft);
            }
            if many.sleep(sleeper) == Woken::TimeUp {
                return Err(Failure::TimeUp(running(store, names)?));
            }
        }
    }
}

/// Waits for the first of these, and hands it over if it is there.
fn wait_for_first(
    names: &[FutureName],
    collecting: &mut Collecting<'_>,
    sleeper: &Sleeper,
    account: Option<&mut Account>,
) -> Result<(), Failure> {
    let (Some(name), store) = (names.first(), collecting.store) else {
        return Ok(());
    };
    let (mut expected, mut resumed) = (None, Resumed::default());
    loop {
        match collecting.step(name, expected, resumed)? {
            Step::NotThere => {
                if let Some(account) = account {
                    account.not_there(name);
                }
                return collecting.has_been_collected(name, expected);
            }
            Step::Collected { started, since } => {
                if let Some(account) = account {
                    account.over(name, started, since);
                }
                return Ok(());
            }
            Step::StillRuns { started, since, .. } => {
                (expected, resumed) = (Some(started), Resumed { since: Some(since), status: None });
                let live = store.live(name)?.filter(|live| live.record().start_time == started);
                if let Some(live) = live
                    && sleeper.sleep(store, live, names.len() - 1)? == Woken::TimeUp
                {
                    return Err(Failure::TimeUp(running(store, names)?));
                }
            }
        }
    }
}

/// Which one failed, and what is left to be waited for. Of one alone it is what the original says.
fn stopped_at(failed: &FutureName, left: &[FutureName]) -> String {
    let left: Vec<String> = left.iter().map(FutureName::to_string).collect();
    let left = if left.is_empty() { String::new() } else { format!("; not waited for: {}", quoted(&left)) };
    format!("{failed}{left}")
}

/// Those that are not over.
fn running(store: &Store, names: &[FutureName]) -> Result<Vec<String>, Failure> {
    let mut running = Vec::new();
    for name in names {
        if let Some(mut live) = store.live(name)?
            && !live.is_over()?
        {
            running.push(name.to_string());
        }
    }
    Ok(running)
}
