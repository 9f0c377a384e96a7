//! The machine of the measurements.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

/// What the measurements depend on.
#[derive(Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    bash: String,
    file_system: String,
    date: String,
    commit: String,
    /// The load of the machine over the last minute, before and after.
    load: [String; 2],
}

impl Machine {
    pub(crate) fn look(dir: &Path) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let changed = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { ", with changes" };
        Self {
            cpu: model.map_or("unknown", |(_, model)| model).to_owned(),
            cores: available_parallelism().map_or(0, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            bash: said("bash", &["-c", "echo $BASH_VERSION"]),
            file_system: said("df", &["--output=fstype", &dir.display().to_string()]),
            date: said("date", &["--utc", "+%F %H:%M UTC"]),
            commit: said("git", &["rev-parse", "--short", "HEAD"]) + changed,
            load: [load(), String::new()],
        }
    }

    /// Reads the load at the end.
    pub(crate) fn look_again(&mut self) {
        self.load[1] = load();
    }

    /// Each property with its name.
    pub(crate) fn lines(&self) -> [(&'static str, String); 8] {
        [
            ("processor", self.cpu.clone()),
            ("cores", self.cores.to_string()),
            ("kernel", self.kernel.clone()),
            ("bash", self.bash.clone()),
            ("file system of the stores", self.file_system.clone()),
            ("date", self.date.clone()),
            ("commit", self.commit.clone()),
            ("load, before and after", self.load.join(" and ")),
        ]
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The last line of a program's output; empty if it fails.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(xtask::root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().last().unwrap_or_default().trim().to_owned()
}
