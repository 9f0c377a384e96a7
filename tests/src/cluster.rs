//! A Slurm of one controller and two nodes on loopback, for one test: daemons of its own, on ports of its own, gone after it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::shell::{Finished, Sandbox};
use crate::tools::skip;
use crate::wait_until;

/// The programs whose faults a test can have: see [`Cluster::fault`].
const CLIENTS: [&str; 3] = ["sbatch", "squeue", "scancel"];

/// How many nodes there are, called node1 and so on, and how many processors each has.
const NODES: usize = 2;
const PROCESSORS: usize = 4;

/// A cluster, and a sandbox for the scripts that submit to it.
pub struct Cluster {
    sandbox: Sandbox,
    ports: Vec<u16>,
    controller: Option<Child>,
    nodes: Vec<Option<Child>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["slurmctld.log", "node1.log", "node2.log", "calls"] {
                let text = fs::read_to_string(self.dir().join(name)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                eprintln!("--- the end of {name}\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
            }
        }
        for daemon in self.nodes.iter_mut().chain([&mut self.controller]).filter_map(Option::take) {
            kill(daemon);
        }
    }
}

fn kill(mut daemon: Child) {
    let _ = daemon.kill();
    let _ = daemon.wait();
}

/// Where the daemons are: their folder is on the path of root alone.
fn daemon(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

fn client(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH"))
}

/// A port of loopback that nobody has, and that the kernel gives to nobody.
///
/// # Panics
/// Never.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 17_000 + u16::try_from(std::process::id() % 1400).expect("a small number") * 10;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 3000 % 1000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Cluster {
    /// One whose nodes are idle; none, and a hint, if Slurm is not there.
    ///
    /// # Panics
    /// If it does not start, or is missing where it must not be.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_for(Sandbox::default())
    }

    /// The same for the scripts of a sandbox.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn start_for(sandbox: Sandbox) -> Option<Self> {
        let programs = [daemon("slurmctld"), daemon("slurmd")];
        let has_clients = Command::new("sbatch").arg("--version").output().is_ok();
        if programs.iter().any(Option::is_none) || !has_clients {
            skip("Slurm is missing: apt-get install slurmctld slurmd slurm-client");
            return None;
        }
        let ports = (0..=NODES).map(|_| free_port()).collect();
        let mut cluster = Self { sandbox, ports, controller: None, nodes: (0..NODES).map(|_| None).collect() };
        cluster.write_files();
        cluster.start_controller();
        for node in 1..=NODES {
            cluster.start_node(node);
        }
        cluster.wait_for_nodes();
        Some(cluster)
    }

    fn dir(&self) -> PathBuf {
        self.sandbox.path("slurm")
    }

    fn write_files(&self) {
        let dir = self.dir();
        for folder in ["state", "faults", "bin", "spool"] {
            fs::create_dir_all(dir.join(folder)).expect("a folder");
        }
        // The daemons may be those of a user whom the folder of temporary files is closed to.
        fs::set_permissions(self.sandbox.path("."), PermissionsExt::from_mode(0o755)).expect("its own folder");
        let user = output(Command::new("id").arg("-un"));
        let host = output(Command::new("uname").arg("-n"));
        let host = host.split('.').next().unwrap_or_default();
        let shown = dir.display();
        let mut conf = format!(
            "ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={}
SlurmctldPidFile={shown}/ctld.pid
SlurmdPidFile={shown}/%n.pid
SlurmctldLogFile={shown}/slurmctld.log
SlurmdLogFile={shown}/%n.log
StateSaveLocation={shown}/state
SlurmdSpoolDir={shown}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=10
SlurmdParameters=config_overrides
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
MaxJobCount=1000
",
            self.ports[0]
        );
        for node in 1..=NODES {
            fs::create_dir_all(dir.join(format!("spool/node{node}"))).expect("a folder");
            let port = self.ports[node];
            let line = ["NodeName=node", "NodeHostname=", "NodeAddr=127.0.0.1", "Port=", "CPUs="];
            let values = [node.to_string(), host.to_owned(), String::new(), port.to_string(), PROCESSORS.to_string()];
            let words: Vec<String> = line.iter().zip(values).map(|(word, value)| format!("{word}{value}")).collect();
            conf += &(words.join(" ") + "\n");
        }
        // What is urgent cancels what is not, if there is no room.
        conf += "PreemptType=preempt/partition_prio\nPreemptMode=CANCEL\n";
        conf += "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1\n";
        conf += "PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2\n";
        fs::write(self.conf(), conf).expect("a file");
        for name in CLIENTS {
            let stand_in = format!(
                "#!/bin/sh\necho {name} \"$@\" >>'{shown}/calls'\n[ ! -e '{shown}/faults/{name}' ] || . '{shown}/faults/{name}'\n\
                 exec '{}' \"$@\"\n",
                client(name).display()
            );
            let path = dir.join("bin").join(name);
            fs::write(&path, stand_in).expect("a file");
            fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("a file of this test");
        }
    }

    fn run_daemon(&self, name: &str, args: &[&str]) -> Child {
        let mut command = self.sandbox.command(daemon(name).expect("it was there"));
        command.arg("-D").args(args).env("SLURM_CONF", self.conf());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a daemon")
    }

    /// Starts the controller; what it knew when it was stopped, it knows.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start_controller(&mut self) {
        self.controller = Some(self.run_daemon("slurmctld", &[]));
        self.wait_for("the controller answers", "scontrol ping | grep -q 'is UP'");
    }

    /// Kills the controller.
    pub fn stop_controller(&mut self) {
        self.controller.take().into_iter().for_each(kill);
    }

    /// Stops the controller, and lets it write down what it knows; what it knew in the last seconds before a kill is lost.
    ///
    /// # Panics
    /// If it can't be stopped.
    pub fn end_controller(&mut self) {
        if let Some(mut controller) = self.controller.take() {
            let pid = Pid::from_raw(i32::try_from(controller.id()).expect("a process id"));
            nix::sys::signal::kill(pid, Signal::SIGTERM).expect("it is a child");
            controller.wait().expect("it is a child");
        }
    }

    /// Has a controller that is stopped forget all that it knew.
    ///
    /// # Panics
    /// If it runs, or its files can't be removed.
    pub fn lose_state(&self) {
        assert!(self.controller.is_none(), "it runs");
        fs::remove_dir_all(self.dir().join("state")).expect("its files");
        fs::create_dir(self.dir().join("state")).expect("a folder");
    }

    /// Starts the daemon of a node.
    pub fn start_node(&mut self, node: usize) {
        self.nodes[node - 1] = Some(self.run_daemon("slurmd", &["-N", &format!("node{node}")]));
    }

    /// Kills the daemon of a node.
    pub fn stop_node(&mut self, node: usize) {
        self.nodes[node - 1].take().into_iter().for_each(kill);
    }

    /// Waits until all nodes can take jobs.
    pub fn wait_for_nodes(&self) {
        self.wait_for("its nodes are idle", &format!("[ $(sinfo -h -N -t idle -o %N | sort -u | wc -l) = {NODES} ]"));
    }

    /// The sandbox of the scripts.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The file that says where it is to be reached.
    #[must_use]
    pub fn conf(&self) -> PathBuf {
        self.dir().join("slurm.conf")
    }

    /// Has a client of Slurm run these lines of shell before it does what it is to do, until it is told otherwise. With no lines
    /// it is as it was.
    ///
    /// # Panics
    /// If they can't be written.
    pub fn fault(&self, client: &str, lines: &str) {
        assert!(CLIENTS.contains(&client), "{client} has no stand-in");
        let path = self.dir().join("faults").join(client);
        if lines.is_empty() {
            fs::remove_file(path).expect("there was one");
        } else {
            let new = self.dir().join("faults/new");
            fs::write(&new, lines).expect("a file");
            fs::rename(new, path).expect("a file");
        }
    }

    /// How often a client of Slurm was called, all in all.
    #[must_use]
    pub fn calls(&self, client: &str) -> usize {
        let calls = fs::read_to_string(self.dir().join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.split(' ').next() == Some(client)).count()
    }

    /// A bash script that submits to it, not run yet.
    #[must_use]
    pub fn bash(&self, script: &str) -> Command {
        let mut command = self.sandbox.bash(script);
        self.surround(&mut command);
        command
    }

    /// Gives a command what it needs to submit to it.
    pub fn surround(&self, command: &mut Command) {
        let path =
            command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value.map(ToOwned::to_owned));
        let mut with_stand_ins = self.dir().join("bin").into_os_string();
        with_stand_ins.push(":");
        with_stand_ins.push(path.unwrap_or_default());
        let settings = [("ASYNC_SLURM_POLL", "1"), ("ASYNC_JOB_GRACE", "3")];
        command.env("PATH", with_stand_ins).env("SLURM_CONF", self.conf()).envs(settings);
    }

    /// Runs a bash script that submits to it.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        self.sandbox.finish(&mut self.bash(script))
    }

    /// What a line of shell prints that Slurm's own clients are in, without faults; nothing if it fails.
    ///
    /// # Panics
    /// If bash does not run.
    #[allow(clippy::must_use_candidate, reason = "some are asked to do something")]
    pub fn ask(&self, script: &str) -> String {
        let mut command = self.sandbox.command("bash");
        command.args(["-c", script]).env("SLURM_CONF", self.conf()).stderr(Stdio::null());
        let output = command.output().expect("bash runs");
        if output.status.success() { String::from_utf8_lossy(&output.stdout).trim().to_owned() } else { String::new() }
    }

    /// Waits until a line of shell succeeds that Slurm's own clients are in.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn wait_for(&self, what: &str, script: &str) {
        wait_until(what, || !self.ask(&format!("{{ {script}; }} >/dev/null && echo yes")).is_empty());
    }

    /// Waits until the future of that name has a job, and gives its id.
    ///
    /// # Panics
    /// If it does not get one.
    #[track_caller]
    #[must_use]
    pub fn job(&self, name: &str) -> String {
        let path = self.sandbox.store().join(format!("{name}.ini"));
        let id = || {
            let record = fs::read_to_string(&path).unwrap_or_default();
            record.lines().rev().find_map(|line| line.strip_prefix("job = ").map(str::to_owned))
        };
        wait_until("it has a job", || id().is_some());
        id().expect("it had one")
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
