//! Stores with many futures.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use async_core::{FutureName, Permissions, Request, Start, Store};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

/// Makes a store with many futures, and holds their lives until its standard input ends
#[derive(Args)]
#[command(hide = true)]
pub(crate) struct Gather {
    /// The store
    store: PathBuf,
    /// How many futures
    count: usize,
    /// Whether they are over
    #[arg(long)]
    finished: bool,
}

impl Gather {
    pub(crate) fn run(&self) -> Result<(), String> {
        allow_many_files();
        let (store, _) = Store::init(&self.store, Permissions::Private).map_err(|e| e.to_string())?;
        let mut lives = Vec::new();
        for number in 0..self.count {
            let name = format!("other{number}").parse().map_err(|_| "a name")?;
            let life = begin(&store, &name)?;
            if self.finished {
                store.finish(&name, 0).map_err(|e| e.to_string())?;
            } else {
                lives.push(life);
            }
        }
        println!("ready");
        let _ = stdin().read_to_end(&mut Vec::new());
        Ok(())
    }
}

/// Begins a future that is alive while the file is open.
pub(crate) fn begin(store: &Store, name: &FutureName) -> Result<File, String> {
    let started = store.begin(name, &Request::new(&["task".into()]), Start::OnRecord);
    started.map(|started| started.record).map_err(|e| e.to_string())
}

/// Each life is an open file.
fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With a lower limit, opening the files fails with a clear error.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// A store with many futures, and the process that holds their lives.
pub(crate) struct Crowd {
    dest: TempDir,
    holder: Child,
}

impl Crowd {
    pub(crate) fn gather(dest: TempDir, count: usize, finished: bool) -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|e| format!("this program has no path: {e}"))?;
        let mut command = Command::new(own);
        command.arg("gather").arg(dest.path().join("async")).arg(count.to_string());
        if finished {
            command.arg("--finished");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().map_err(|e| format!("can't run {command:?}: {e}"))?;
        let mut line = String::new();
        if let Some(output) = holder.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        let crowd = Self { dest, holder };
        if line == "ready\n" { Ok(crowd) } else { Err(format!("{command:?} failed")) }
    }

    /// The folder that contains its store.
    pub(crate) fn dest(&self) -> &Path {
        self.dest.path()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
