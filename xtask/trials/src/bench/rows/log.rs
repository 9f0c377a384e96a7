//! Passing on a large log.

use std::fs;

use async_core::{FutureName, Permissions, Store};

use super::super::crowd::begin;
use super::super::programs::{Build, Programs};
use super::{Row, Section};

const LOG: Section = Section {
    id: "log",
    title: "Handing over a large log",
    note: "`async wait` of a future that is over, against `cat` of the same log, which is in the page cache; to a file, \
           and to a pipe that `cat >/dev/null` reads. The start of the shell is in it, a few ms. /dev/null itself is no \
           sink to measure: nothing is copied.",
    unit: "ms",
    base: "cat-file",
};

pub(super) fn rows(programs: &Programs) -> Vec<Row> {
    let Some(Build { path, .. }) = programs.builds.first() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for sink in ["file", "pipe"] {
        for (name, who, given) in [("cat", "cat", None), ("wait", "async wait", Some("log"))] {
            let program = path.clone();
            rows.push(LOG.measured(&format!("{name}-{sink}"), format!("`{who}` to a {sink}"), move |place| {
                let dest = place.fresh()?;
                let moved = |e| format!("can't move the log: {e}");
                let log = place.log()?;
                let inside = over(&dest.path().join("async"))?;
                fs::rename(log, &inside).map_err(moved)?;
                let mut command = place.script("collect.bash", dest.path());
                let elapsed = place.time(command.arg(sink).args(given).env("ASYNC_BIN", &program));
                fs::rename(&inside, log).map_err(moved)?;
                Ok(elapsed?.as_secs_f64() * 1000.0)
            }));
        }
    }
    rows
}

/// Makes a store with a future `log` that is over, and returns the path of its log.
fn over(dir: &std::path::Path) -> Result<std::path::PathBuf, String> {
    let said = |error: async_core::Error| error.to_string();
    let (store, _) = Store::init(dir, Permissions::Private).map_err(said)?;
    let name: FutureName = "log".parse().map_err(|_| "a name")?;
    begin(&store, &name)?;
    store.finish(&name, 0).map_err(said)?;
    Ok(store.log_path(&name))
}
