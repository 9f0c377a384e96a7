//! Futures that have to end before another one starts.

use super::files::read_record;
use super::{Store, is_alive, wait_for_end};
use crate::error::Result;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::{FutureId, Record};

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
            if !plan.after.contains(&id.name) {
                continue;
            }
            let failed = match record {
                None => Some("is gone".to_owned()),
                Some(Record { rc: Some(0), .. }) => None,
                Some(Record { rc: Some(rc), signal, .. }) => Some(match signal {
                    Some(number) => format!("was killed by {}", process::signal_name(number)),
                    None => format!("failed with status {rc}"),
                }),
                Some(_) => Some("was lost".to_owned()),
            };
            if let Some(how) = failed {
                return Ok(Some(format!("`{}` {how}", id.name)));
            }
        }
        Ok(None)
    }

    /// Whether there would be a sleep for one of them.
    pub(crate) fn has_pending(&self, found: &[FutureId]) -> Result<bool> {
        for (file, path) in found.iter().filter_map(|id| self.find(id)) {
            let record = read_record(&file, &path)?;
            if is_alive(&file, &path, &record)? {
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

    /// The newest collected future of that name.
    fn last_collected(&self, name: &FutureName) -> Result<Option<Record>> {
        let collected = self.collected_dir();
        for named in self.records_of(name)?.into_iter().filter(|named| named.path().starts_with(collected.path())) {
            if let Some(file) = named.open()? {
                return read_record(&file, named.path()).map(Some);
            }
        }
        Ok(None)
    }
}
