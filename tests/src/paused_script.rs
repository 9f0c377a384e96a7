//! Scripts that start something and pause while the test does something to it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::Child;

use wait_timeout::ChildExt;

use crate::LIMIT;
use crate::fault::PRELUDE;
use crate::mark::Mark;
use crate::shell::{Finished, Sandbox, binary_dir};

/// A script that has called `stay` and waits there until the test lets it go on.
pub struct PausedScript {
    /// Where it runs.
    pub sandbox: Sandbox,
    mark: Mark,
    child: Child,
}

impl Drop for PausedScript {
    fn drop(&mut self) {
        self.mark.kill();
        let _ = self.child.wait();
    }
}

impl PausedScript {
    /// Runs the script up to the point where it calls `stay`.
    ///
    /// # Panics
    /// If it does not get there.
    #[must_use]
    pub fn start(sandbox: Sandbox, script: &str) -> Self {
        let mark = Mark::new(&sandbox.path(""));
        // Opening a fifo waits for the other end.
        assert_eq!(sandbox.run("mkfifo staying go.on").status, 0);
        let stay = "function stay { : >staying; read -r _ <go.on || :; }\n";
        let mut command = sandbox.bash(&format!("{stay}{script}"));
        let output = |name| File::create(sandbox.path(name)).expect("a file");
        mark.put_on(&mut command).stdout(output("staying.out")).stderr(output("staying.err")).process_group(0);
        let child = command.spawn().expect("the script runs");
        let mut staying = Self { sandbox, mark, child };
        let came = staying.sandbox.command("timeout").args(["300", "bash", "-c", "read -r _ <staying"]).status();
        // 1 means the end of the input.
        let came = came.expect("bash runs").code() == Some(1);
        assert!(came, "it does not get there:\n{}", staying.end());
        staying
    }

    /// The same with the functions of gates only, for a script without the shim.
    #[must_use]
    pub fn plain(script: &str) -> Self {
        Self::start(Sandbox::default(), &format!("{PRELUDE}{script}"))
    }

    /// Calls the program.
    #[allow(clippy::must_use_candidate, reason = "some are made for what they do")]
    pub fn call(&self, args: &[&str]) -> Finished {
        self.sandbox.finish(self.sandbox.command(binary_dir().join("async")).args(args))
    }

    /// The processes that the script has started and that still run.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        self.mark.others(self.child.id())
    }

    /// Lets the script go on to its end.
    ///
    /// # Panics
    /// If it does not come to an end.
    #[must_use]
    pub fn go_on(&mut self) -> Finished {
        let opened = self.sandbox.command("timeout").args(["300", "bash", "-c", ": >go.on"]).status();
        assert!(opened.expect("bash runs").success(), "it does not stay");
        self.end()
    }

    /// Waits for its end, which something else has caused.
    ///
    /// # Panics
    /// If it does not end.
    pub fn end(&mut self) -> Finished {
        let ended = self.child.wait_timeout(LIMIT).expect("it can be waited for");
        let read = |name| String::from_utf8_lossy(&fs::read(self.sandbox.path(name)).expect("its output")).into_owned();
        let (stdout, stderr) = (read("staying.out"), read("staying.err"));
        assert!(ended.is_some(), "it hangs:\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n{:?}", self.left());
        Finished { stdout, stderr, status: ended.and_then(|status| status.code()).unwrap_or(-1) }
    }
}
