//! Stores whose records a test has written itself, for runs that nobody wants to sit through.

use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// When crafted runs begin, in ms since the epoch.
pub const BEGIN: i64 = 1_795_503_105_000;

/// A collected future. Moments and lengths are in ms, moments from [`BEGIN`] on.
#[derive(Clone, Debug)]
pub struct Crafted {
    /// Its name.
    pub name: String,
    /// Its command.
    pub command: String,
    /// When it was started.
    pub start: i64,
    /// How long it was held back.
    pub queued: i64,
    /// How long it ran.
    pub run: i64,
    /// The wait that collected it.
    pub wait: (i64, i64),
    /// Its exit status, if it left one.
    pub rc: Option<u8>,
    /// The signal that ended it, if one did.
    pub signal: Option<u8>,
    /// Why it ended, as in a record.
    pub cause: Option<&'static str>,
    /// The future inside whose task it was started.
    pub parent: Option<&'static str>,
    /// What it printed.
    pub log: Vec<u8>,
}

impl Crafted {
    /// One that succeeded and was waited for when it was over.
    #[must_use]
    pub fn new(name: &str, start: i64, run: i64) -> Self {
        Self {
            name: name.to_owned(),
            command: format!("do {name}"),
            start,
            queued: 0,
            run,
            wait: (start + run, start + run),
            rc: Some(0),
            signal: None,
            cause: None,
            parent: None,
            log: format!("{name} is done\n").into_bytes(),
        }
    }

    /// When it was over.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.start + self.queued + self.run
    }

    fn record(&self) -> String {
        let mut text = format!("[job]\ncommand = {}\nstart_time = {}\nlog = own\n", self.command, BEGIN + self.start);
        if let Some(parent) = self.parent {
            let _ = writeln!(text, "parent = {parent}");
        }
        if self.queued > 0 || self.cause == Some("skipped") {
            text += "plan = {\"jobs\":4}\n";
        }
        if self.queued > 0 && self.cause != Some("skipped") {
            let _ = writeln!(text, "run_start = {}", BEGIN + self.start + self.queued);
        }
        let _ = writeln!(text, "end_time = {}\nrun_time = {}", BEGIN + self.end(), self.run);
        if let Some(cause) = self.cause {
            let _ = writeln!(text, "cause = {cause}");
        }
        if let Some(signal) = self.signal {
            let _ = writeln!(text, "signal = {signal}");
        }
        if let Some(rc) = self.rc {
            let _ = writeln!(text, "rc = {rc}");
        }
        let _ = writeln!(text, "wait_start = {}\nwait_end = {}", BEGIN + self.wait.0, BEGIN + self.wait.1);
        text
    }
}

/// Makes a store of collected futures in a folder that is not there yet.
///
/// # Panics
/// If it can't.
#[must_use]
pub fn store(dir: &Path, futures: &[Crafted]) -> PathBuf {
    let collected = dir.join(".collected");
    DirBuilder::new().mode(0o700).recursive(true).create(&collected).expect("a folder");
    for future in futures {
        let stem = format!("{}.{}", future.name, BEGIN + future.start);
        fs::write(collected.join(format!("{stem}.ini")), future.record()).expect("a record");
        fs::write(collected.join(format!("{stem}.log")), &future.log).expect("a log");
    }
    dir.to_owned()
}

/// A run with a future of each kind: held back, nested, failed, killed, cancelled, out of time, skipped, lost.
#[must_use]
pub fn of_each_kind() -> Vec<Crafted> {
    let new = Crafted::new;
    vec![
        Crafted { wait: (3900, 4125), ..new("build", 0, 4120) },
        Crafted { wait: (4126, 5803), ..new("index", 2500, 3300) },
        Crafted { queued: 2200, wait: (7000, 7620), ..new("pull images", 2510, 2800) },
        Crafted { rc: Some(1), wait: (7621, 7622), ..new("tests", 3000, 4000) },
        Crafted { parent: Some("tests"), wait: (3300, 4705), ..new("tests-core", 3200, 1500) },
        Crafted { parent: Some("tests"), rc: Some(3), wait: (4710, 6355), ..new("tests-cli", 3250, 3100) },
        Crafted { rc: Some(137), signal: Some(9), wait: (7640, 7641), ..new("killed", 5200, 900) },
        Crafted { rc: None, wait: (7650, 7660), ..new("lost", 5300, 2300) },
        Crafted {
            rc: Some(143),
            signal: Some(15),
            cause: Some("cancelled"),
            wait: (7660, 7661),
            ..new("cancelled", 5400, 1500)
        },
        Crafted {
            rc: Some(143),
            signal: Some(15),
            cause: Some("timeout"),
            wait: (7665, 7670),
            ..new("timeout", 5450, 2000)
        },
        Crafted { rc: Some(125), cause: Some("skipped"), queued: 1400, wait: (7671, 7672), ..new("skipped", 5500, 0) },
        Crafted { rc: Some(127), cause: Some("unstartable"), wait: (7673, 7674), ..new("unstartable", 5600, 0) },
        Crafted { wait: (6100, 6415), ..new("serve", 5810, 600) },
    ]
}

/// That many futures, one after another and side by side, of lengths that differ.
#[must_use]
pub fn many(count: i64) -> Vec<Crafted> {
    (0..count)
        .map(|number| {
            let (start, run) = (number * 150, 1 + number * 7919 % 9000);
            let queued = if number % 4 == 3 { 1 + number * 104_729 % 5000 } else { 0 };
            let waited = (start + queued + run).max(count * 150);
            Crafted {
                queued,
                rc: Some(u8::from(number % 13 == 12)),
                wait: (waited, waited + 3),
                ..Crafted::new(&format!("task-{number:04}"), start, run)
            }
        })
        .collect()
}
