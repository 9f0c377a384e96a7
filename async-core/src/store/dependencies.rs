//! Futures that have to end before another one starts.

use super::files::{open_regular, read_record};
use super::{Store, wait_for_end};
use crate::error::Result;
use crate::name::FutureName;
use crate::plan::Plan;
use crate::process;
use crate::record::Record;

impl Store {
    /// Refuses a plan that names futures which nobody has started.
    pub fn check_dependencies(&self, plan: &Plan) -> Result<()> {
        for name in plan.after.iter().chain(&plan.after_any) {
            if self.read(name)?.is_none() && self.last_collected(name)?.is_none() {
                return Err(self.unknown(name));
            }
        }
        Ok(())
    }

    /// Sleeps until all futures that have to come first are over. Gives the reason if one that had to succeed did not.
    pub fn wait_for_dependencies(&self, plan: &Plan) -> Result<Option<String>> {
        for name in &plan.after_any {
            self.wait_for_dependency(name)?;
        }
        for name in &plan.after {
            let failed = match self.wait_for_dependency(name)? {
                None => Some("is gone".to_owned()),
                Some(Record { rc: Some(0), .. }) => None,
                Some(Record { rc: Some(rc), .. }) => Some(match process::signal_of_status(rc) {
                    Some(number) => format!("was killed by {}", process::signal_name(number)),
                    None => format!("failed with status {rc}"),
                }),
                Some(_) => Some("was lost".to_owned()),
            };
            if let Some(how) = failed {
                return Ok(Some(format!("`{name}` {how}")));
            }
        }
        Ok(None)
    }

    /// What became of it; none if there is no such future.
    fn wait_for_dependency(&self, name: &FutureName) -> Result<Option<Record>> {
        let path = self.record_path(name);
        let Some(file) = open_regular(&path)? else {
            return self.last_collected(name);
        };
        // It may be collected meanwhile: what is open stays readable.
        wait_for_end(&file, &path)?;
        read_record(&file, &path).map(Some)
    }

    /// The newest collected future of that name.
    fn last_collected(&self, name: &FutureName) -> Result<Option<Record>> {
        Ok(self.collected()?.into_iter().rev().find(|(collected, _)| collected == name).map(|(_, record)| record))
    }
}
