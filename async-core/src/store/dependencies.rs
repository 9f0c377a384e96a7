//! Futures that must end before another one starts.

use super::files::read_record;
use super::{Store, is_alive, wait_for_end};
use crate::error::Result;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::{FutureId, Record};

/// What keeps a future with dependencies from starting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dependency {
    /// One of them is not over.
    Pending,
    /// One that had to succeed did not; the text says how it ended.
    Failed(String),
}

impl Store {
    /// Finds the futures that a plan names: the live one of each name, else the newest collected one. Refuses a name
    /// that was never started.
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

    /// Sleeps until all futures that the plan depends on are over. Returns the reason if one that had to succeed did
    /// not.
    pub fn wait_for_plan(&self, plan: &Plan) -> Result<Option<String>> {
        self.wait_for_dependencies(plan, &self.find_dependencies(plan)?)
    }

    /// The same for futures found earlier: their names may belong to others by now.
    pub(crate) fn wait_for_dependencies(&self, plan: &Plan, found: &[FutureId]) -> Result<Option<String>> {
        for id in found {
            let record = self.wait_for_dependency(id)?;
            if let Some(how) = failed(plan, id, record.as_ref()) {
                return Ok(Some(how));
            }
        }
        Ok(None)
    }

    /// The same without sleeping.
    pub(super) fn first_obstacle(&self, plan: &Plan, found: &[FutureId]) -> Result<Option<Dependency>> {
        for id in found {
            let record = match self.find(id) {
                None => None,
                Some((file, path)) => {
                    let record = read_record(&file, &path)?;
                    if record.rc.is_none() && is_alive(&file, &path, &record)? {
                        return Ok(Some(Dependency::Pending));
                    }
                    // It may have ended in between.
                    Some(read_record(&file, &path)?)
                }
            };
            if let Some(how) = failed(plan, id, record.as_ref()) {
                return Ok(Some(Dependency::Failed(how)));
            }
        }
        Ok(None)
    }

    /// Whether any of them is not over.
    pub(crate) fn has_pending(&self, found: &[FutureId]) -> Result<bool> {
        for (file, path) in found.iter().filter_map(|id| self.find(id)) {
            let record = read_record(&file, &path)?;
            if record.rc.is_none() && is_alive(&file, &path, &record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Its record at the end; none if nothing is known about it any more.
    fn wait_for_dependency(&self, id: &FutureId) -> Result<Option<Record>> {
        let Some((file, path)) = self.find(id) else {
            return Ok(None);
        };
        // It may be collected meanwhile; the open file stays readable.
        wait_for_end(&file, &path)?;
        read_record(&file, &path).map(Some)
    }

    /// The record of the last future of that name that was collected or made room for another, since the store was made
    /// or cleared.
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

/// How a future that had to succeed failed, if it did.
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
