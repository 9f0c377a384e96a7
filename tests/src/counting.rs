//! What a script makes the kernel do: its processes and their system calls, as strace sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::shell::Sandbox;

/// The first call of the program's own work, after those of the loader and the runtime: see
/// `async_core::process::outlive_file_size_limit`.
const FIRST_OWN: &str = "rt_sigprocmask(SIG_BLOCK, [XFSZ]";

/// Calls that a C library makes for memory, at its own discretion.
const FOR_MEMORY: [&str; 5] = ["brk", "mmap", "munmap", "mremap", "madvise"];

/// The call with which a supervisor begins and ends a sample of its task.
const SAMPLE: &str = "clock_gettime(CLOCK_THREAD_CPUTIME_ID";

/// The call with which a supervisor lets time pass between two looks at its task.
const PAUSE: &str = "clock_nanosleep(";

/// One system call.
#[derive(Debug)]
struct Call {
    pid: i32,
    name: String,
    /// What strace printed, from the call's name on.
    text: String,
    /// Whether it belongs to a look that a supervisor repeats, because its task did not wait at its gate yet.
    is_repeated: bool,
}

/// The system calls of a script and all its processes, in the order in which they began.
#[derive(Debug)]
pub struct Trace {
    calls: Vec<Call>,
    /// For each process but the first, its parent, and the number of calls before its start.
    births: BTreeMap<i32, (i32, usize)>,
    shell: i32,
}

/// Counts of processes, programs and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Processes that were started.
    pub processes: usize,
    /// Programs that processes executed.
    pub programs: usize,
    /// System calls, including those for processes and programs.
    pub calls: usize,
}

impl Trace {
    /// Runs a bash script under strace. Calls `heard` at once for each line of its output.
    ///
    /// # Panics
    /// If it fails, or strace does.
    #[must_use]
    pub fn of(sandbox: &Sandbox, script: &str, heard: impl Fn(&str)) -> Self {
        let log = sandbox.path("strace");
        let mut command = sandbox.command("strace");
        // A supervisor looks at each descriptor that whoever runs the tests has left open.
        let close = "for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd < 3)) || eval \"exec $fd>&-\"; done";
        command.args(["-f", "-qq", "-o"]).arg(&log).args(["bash", "-c", &format!("{close}\nexec 2>&1\n{script}")]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("strace runs");
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
            heard(&line.expect("text"));
        }
        assert!(child.wait().expect("an end").success(), "the script fails");
        Self::read(&log)
    }

    fn read(log: &Path) -> Self {
        let text = fs::read(log).expect("what strace wrote");
        let mut trace = Self { calls: Vec::new(), births: BTreeMap::new(), shell: 0 };
        let mut starting = BTreeMap::new();
        let (mut sampling, mut sampled) = (BTreeSet::new(), BTreeSet::new());
        for line in String::from_utf8_lossy(&text).lines() {
            // PID NAME(ARGUMENTS) = RESULT, or in two lines: PID NAME(... <unfinished ...>, PID <... NAME resumed> ...
            let Some((pid, text)) = line.split_once(' ') else { continue };
            let (pid, text) = (pid.parse().expect("a process id"), text.trim_start());
            if trace.calls.is_empty() {
                trace.shell = pid;
            }
            let resumed = text.strip_prefix("<... ").and_then(|rest| rest.split_once(' ')).map(|(name, _)| name);
            let begun = text.split_once('(').map(|(name, _)| name).filter(|_| resumed.is_none() && is_call(text));
            let Some(name) = resumed.or(begun) else { continue };
            // A busy machine may take so long for a short task that a sample is due.
            if text.starts_with(SAMPLE) && !sampling.remove(&pid) {
                sampling.insert(pid);
                sampled.insert(pid);
            }
            // With samples, the end of the log is looked at once more.
            let is_last_look = sampled.contains(&pid) && text.starts_with("statx(") && text.contains(".log\"");
            if text.starts_with(SAMPLE) || sampling.contains(&pid) || is_last_look {
                continue;
            }
            if begun.is_some() {
                trace.calls.push(Call { pid, name: name.to_owned(), text: text.to_owned(), is_repeated: false });
                if text.starts_with(PAUSE) {
                    trace.leave_out_the_look_before_a_pause(pid);
                }
            }
            if is_start(name) {
                let at = if begun.is_some() { trace.calls.len() } else { starting[&pid] };
                starting.insert(pid, at);
                if let Some(Ok(child)) = text.rsplit_once(" = ").map(|(_, result)| result.parse::<i32>()) {
                    trace.births.insert(child, (pid, at));
                }
            }
        }
        trace
    }

    /// How often a supervisor looks depends on how busy the machine is.
    fn leave_out_the_look_before_a_pause(&mut self, pid: i32) {
        let look = self.calls.iter().rposition(|call| call.pid == pid && is_look(&call.text));
        if let Some(look) = look {
            let of_process = self.calls[look..].iter_mut().filter(|call| call.pid == pid);
            of_process.for_each(|call| call.is_repeated = true);
        }
    }

    /// What the shell did between two marks (each a look at a file of that name), and what the children did that it
    /// started there; without those that became a task's supervisor, and without their children.
    ///
    /// # Panics
    /// If a mark is missing.
    #[must_use]
    pub fn between(&self, from: &str, to: &str) -> Count {
        let at = |mark: &str| {
            let mark = format!("\"/{mark}\"");
            self.calls.iter().position(|call| call.pid == self.shell && call.text.contains(&mark)).expect("a mark")
        };
        let range = at(from) + 1..at(to);
        self.count(|index, pid| match self.child_of_the_shell(pid) {
            None => range.contains(&index),
            Some(child) => range.contains(&(self.births[&child].1 - 1)) && !self.supervises(child),
        })
    }

    /// What the background subshell of the first task did, including all its children.
    #[must_use]
    pub fn of_task(&self) -> Count {
        self.count(|_, pid| self.child_of_the_shell(pid).is_some_and(|child| self.supervises(child)))
    }

    /// The calls that the program made in its own code, for each run of that command.
    #[must_use]
    pub fn of_command(&self, command: &str) -> Vec<Vec<String>> {
        let runs = self.calls.iter().enumerate().filter(|(_, call)| runs(call, command));
        runs.map(|(start, execve)| {
            let of_process = self.calls[start + 1..].iter().filter(|call| call.pid == execve.pid && !call.is_repeated);
            let own = of_process.skip_while(|call| !call.text.starts_with(FIRST_OWN));
            own.map(|call| call.name.clone()).filter(|name| !FOR_MEMORY.contains(&name.as_str())).collect()
        })
        .collect()
    }

    /// How many calls of that command strace printed with that text.
    #[must_use]
    pub fn calls_with(&self, command: &str, text: &str) -> usize {
        let ran: Vec<i32> = self.calls.iter().filter(|call| runs(call, command)).map(|call| call.pid).collect();
        self.calls.iter().filter(|call| ran.contains(&call.pid) && call.text.contains(text)).count()
    }

    fn count(&self, counts: impl Fn(usize, i32) -> bool) -> Count {
        let counted = self.calls.iter().enumerate();
        let counted = counted.filter(|(index, call)| !call.is_repeated && counts(*index, call.pid));
        counted.fold(Count::default(), |count, (_, call)| Count {
            processes: count.processes + usize::from(is_start(&call.name)),
            programs: count.programs + usize::from(call.name == "execve"),
            calls: count.calls + 1,
        })
    }

    /// The shell's child that the process is or descends from; none for the shell.
    fn child_of_the_shell(&self, mut pid: i32) -> Option<i32> {
        loop {
            let (parent, _) = self.births.get(&pid)?;
            if *parent == self.shell {
                return Some(pid);
            }
            pid = *parent;
        }
    }

    /// Whether it turns into a task's supervisor.
    fn supervises(&self, pid: i32) -> bool {
        self.calls.iter().any(|call| call.pid == pid && runs(call, "supervise"))
    }
}

/// Whether a supervisor begins to look at the descriptors of its task.
fn is_look(text: &str) -> bool {
    text.starts_with("openat(") && text.contains("\"/proc/") && text.contains("/fd\"")
}

fn runs(call: &Call, command: &str) -> bool {
    call.name == "execve" && call.text.contains(&format!("/async\", [\"async\", \"{command}\""))
}

fn is_call(text: &str) -> bool {
    text.bytes().take_while(|byte| *byte != b'(').all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_start(name: &str) -> bool {
    matches!(name, "clone" | "clone3" | "fork" | "vfork")
}
