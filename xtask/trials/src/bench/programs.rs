//! The measured programs: builds of `async`, and the other tools on PATH.

use std::env::var_os;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::program;

/// A tool that may be missing.
#[derive(Clone)]
pub(crate) enum Tool {
    There(PathBuf),
    /// How to get it.
    Missing(String),
}

/// A build of `async`.
#[derive(Clone)]
pub(crate) struct Build {
    /// What distinguishes it from the other build, at the end of a row's id.
    pub(crate) suffix: &'static str,
    /// The same for a reader.
    pub(crate) title: &'static str,
    pub(crate) path: PathBuf,
}

impl Build {
    /// Whether it has the command `run`.
    pub(crate) fn can_run(&self) -> bool {
        Command::new(&self.path).args(["run", "--help"]).output().is_ok_and(|output| output.status.success())
    }
}

/// All of them.
pub(crate) struct Programs {
    /// The build for users, then the others.
    pub(crate) builds: Vec<Build>,
    pub(crate) tsp: Tool,
    pub(crate) pueue: Tool,
    pub(crate) pueued: Tool,
    pub(crate) sem: Tool,
    pub(crate) async_cmd: Tool,
    /// GNU time.
    pub(crate) time: Tool,
    /// The program `true`.
    pub(crate) truth: PathBuf,
}

impl Programs {
    /// `given` replaces the builds.
    pub(crate) fn find(given: Option<&Path>, async_cmd: Option<&Path>) -> Result<Self, String> {
        let builds = if let Some(given) = given {
            vec![Build { suffix: "", title: "the program given", path: absolute(given)? }]
        } else {
            let target = program::target()?;
            vec![
                Build { suffix: "", title: "static", path: program::static_for(&target)? },
                Build { suffix: "-dynamic", title: "dynamic", path: program::optimized()? },
            ]
        };
        let async_cmd = match async_cmd {
            Some(path) => Tool::There(absolute(path)?),
            None => {
                Tool::Missing("async-cmd (cargo install async-cmd --root DIR, then --async-cmd DIR/bin/async)".into())
            }
        };
        Ok(Self {
            builds,
            tsp: on_path("tsp", "apt-get install task-spooler"),
            pueue: on_path("pueue", "cargo install --locked pueue"),
            pueued: on_path("pueued", "cargo install --locked pueue"),
            sem: on_path("sem", "apt-get install parallel"),
            async_cmd,
            time: on_path("time", "apt-get install time"),
            truth: find("true").ok_or("there is no program `true` on PATH")?,
        })
    }
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))
}

fn on_path(name: &str, install: &str) -> Tool {
    find(name).map_or_else(|| Tool::Missing(format!("{name} ({install})")), Tool::There)
}

fn find(name: &str) -> Option<PathBuf> {
    let folders = var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
