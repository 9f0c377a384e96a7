//! Futures that have to end before another one starts.

use super::files::read_record;
use super::{Store, is_alive, wait_for_end};
use crate::error::Result;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::{FutureId, Record};

/// What keeps a future from starting that comes after others.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dependency {
    /// One of them is not over.
    Pending,
    /// One that had to succeed did not, and how.
    Failed(String),
}

impl Store {
    /// Finds the futures that a plan names: the live one of each name, else the newest of those collected. Refuses a name
    /// that nobody has started.
    pub(crate) fn find_dependencies(&self, plan: &Plan) -> Result<Vec<FutureId>> {
        let find = |name: &FutureName| {
            let record = match self.read(name)? {
                None => self.last_collected(name)?,
                record => record,
            };
            record.map(|record| record.id(name)).ok_or_else(|| self.unknown(name))
        };
        plan.after_any.iter().chain(&plan.after).map(find).collect()
    }

    /// Sleeps until all futures are over that a plan has to come after. Gives the reason if one that had to succeed did
    /// not.
    pub fn wait_for_plan(&self, plan: &Plan) -> Result<Option<String>> {
        self.wait_for_dependencies(plan, &self.find_dependencies(plan)?)
    }

    /// The same for those that were found before: their names may have been used again.
    pub(crate) fn wait_for_dependencies(&self, plan: &Plan, found: &[FutureId]) -> Result<Option<String>> {
        for id in found {
            let record = self.wait_for_dependency(id)?;
            if let Some(how) = failed(plan, id, record.as_ref()) {
                return Ok(Some(how));
            }
        }
        Ok(None)
    }

    /// The same without a sleep.
    pub(super) fn first_obstacle(&self, plan: &Plan, found: &[FutureId]) -> Result<Option<Dependency>> {
        for id in found {
            let record = match self.find(id) {
                None => None,
                Some((file, path)) => {
                    let record = read_record(&file, &path)?;
                    if record.rc.is_none() && is_alive(&file, &path, &record)? {
                        return Ok(Some(Dependency::Pending));
                    }
                    // It may have ended between the two looks.
                    Some(read_record(&file, &path)?)
                }
            };
            if let Some(how) = failed(plan, id, record.as_ref()) {
                return Ok(Some(Dependency::Failed(how)));
            }
        }
        Ok(None)
    }

    /// Whether one of them is not over.
    pub(crate) fn has_pending(&self, found: &[FutureId]) -> Result<bool> {
        for (file, path) in found.iter().filter_map(|id| self.find(id)) {
            let record = read_record(&file, &path)?;
            if record.rc.is_none() && is_alive(&file, &path, &record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What became of it; none if that is not known any more.
    fn wait_for_dependency(&self, id: &FutureId) -> Result<Option<Record>> {
        let Some((file, path)) = self.find(id) else {
            return Ok(None);
        };
        // It may be collected meanwhile: what is open stays readable.
        wait_for_end(&file, &path)?;
        read_record(&file, &path).map(Some)
    }

    /// What is kept of the last future of that name of those that were collected, or made room, since the store was made or
    /// cleared.
    pub fn last_collected(&self, name: &FutureName) -> Result<Option<Record>> {
        let collected = self.collected_dir();
        for named in self.records_of(name)?.into_iter().filter(|named| named.path().starts_with(collected.path())) {
            if let Some(file) = named.open()? {
                return read_record(&file, named.path()).map(Some);
            }
        }
        Ok(None)
    }
}

/// How a future failed that had to succeed, if it has.
fn failed(plan: &Plan, id: &FutureId, record: Option<&Record>) -> Option<String> {
    if !plan.after.contains(&id.name) {
        return None;
    }
    let how = match record {
        None => "is gone".to_owned(),
        Some(Record { rc: Some(0), .. }) => return None,
        Some(Record { rc: Some(rc), signal, .. }) => match *signal {
            Some(number) => format!("was killed by {}", process::signal_name(number)),
            None => format!("failed with status {rc}"),
        },
        Some(_) => "was lost".to_owned(),
    };
    Some(format!("`{}` {how}", id.name))
}
