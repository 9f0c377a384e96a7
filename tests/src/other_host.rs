//! Another host, for one test: a daemon of ssh on loopback, on a port of its own, whose users have a home of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::free_port;
use crate::shell::{Finished, Sandbox, binary_dir};
use crate::tools::skip;
use crate::wait_until;

/// A host that scripts know as `far`, and as `far2`.
pub struct OtherHost {
    sandbox: Sandbox,
    port: u16,
    daemon: Option<Child>,
}

impl Drop for OtherHost {
    fn drop(&mut self) {
        self.go_down();
    }
}

fn sshd() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].iter().map(PathBuf::from).find(|path| path.is_file())
}

impl OtherHost {
    /// One that is up; none, and a hint, if ssh is not there.
    ///
    /// # Panics
    /// If it does not start, or is missing where it must not be.
    #[must_use]
    pub fn start() -> Option<Self> {
        let has_clients = Command::new("ssh").arg("-V").output().is_ok();
        if sshd().is_none() || !has_clients {
            skip("sshd is missing: apt-get install openssh-server openssh-client");
            return None;
        }
        let host = Self { sandbox: Sandbox::default(), port: free_port(), daemon: None };
        host.write_files();
        let mut host = host;
        host.come_up();
        Some(host)
    }

    fn dir(&self) -> PathBuf {
        self.sandbox.path("ssh")
    }

    /// The home of its users.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.sandbox.path("far")
    }

    fn write_files(&self) {
        let dir = self.dir();
        fs::create_dir_all(self.home()).expect("a folder");
        fs::create_dir_all(dir.join("bin")).expect("a folder");
        // Only root needs it, and may make it.
        let _ = fs::create_dir_all("/run/sshd");
        for key in ["host", "user"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key));
            assert!(command.status().expect("ssh-keygen runs").success());
        }
        fs::copy(dir.join("user.pub"), dir.join("authorized_keys")).expect("a file");
        let (shown, home, port) = (dir.display(), self.home().display().to_string(), self.port);
        let path = format!("{}:/usr/bin:/bin", binary_dir().display());
        let temporary = self.sandbox.path("").display().to_string();
        fs::write(
            dir.join("sshd_config"),
            format!(
                "ListenAddress 127.0.0.1:{port}
HostKey {shown}/host
PidFile {shown}/pid
AuthorizedKeysFile {shown}/authorized_keys
StrictModes no
PasswordAuthentication no
SetEnv HOME={home} PATH={path} TMPDIR={temporary}
"
            ),
        )
        .expect("a file");
        fs::write(
            dir.join("config"),
            format!(
                "Host far far2
    HostName 127.0.0.1
    Port {port}
    IdentityFile {shown}/user
    IdentitiesOnly yes
    BatchMode yes
    ConnectTimeout 5
    StrictHostKeyChecking no
    UserKnownHostsFile {shown}/known_hosts
    LogLevel ERROR
"
            ),
        )
        .expect("a file");
        let ssh = dir.join("bin/ssh");
        let text = format!(
            "#!/bin/sh\n[ ! -e '{shown}/fault' ] || . '{shown}/fault'\nexec {} -F '{shown}/config' \"$@\"\n",
            which("ssh").display()
        );
        fs::write(&ssh, text).expect("a file");
        fs::set_permissions(ssh, PermissionsExt::from_mode(0o755)).expect("a file of this test");
    }

    /// Has it take connections.
    ///
    /// # Panics
    /// If it does not.
    pub fn come_up(&mut self) {
        let mut command = Command::new(sshd().expect("it was there"));
        command.args(["-D", "-f"]).arg(self.dir().join("sshd_config")).stdout(Stdio::null()).stderr(Stdio::null());
        self.daemon = Some(command.spawn().expect("a daemon"));
        wait_until("it is up", || self.run("ssh far true").status == 0);
    }

    /// Has it take no connections, and cuts those that there are.
    pub fn go_down(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        for pid in sessions(daemon.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
    }

    /// Has ssh(1) run these lines of shell first; with none it is as it was.
    ///
    /// # Panics
    /// If they can't be written.
    pub fn fault(&self, lines: &str) {
        let path = self.dir().join("fault");
        if lines.is_empty() {
            fs::remove_file(path).expect("there was one");
        } else {
            fs::write(path, lines).expect("a file");
        }
    }

    /// The sandbox of the scripts.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Runs a bash script that knows the host.
    #[must_use]
    pub fn run(&self, script: &str) -> Finished {
        let mut command = self.sandbox.bash(script);
        let path =
            command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value.map(ToOwned::to_owned));
        let mut with_stand_in = self.dir().join("bin").into_os_string();
        with_stand_in.push(":");
        with_stand_in.push(path.unwrap_or_default());
        self.sandbox.finish(command.env("PATH", with_stand_in).env("ASYNC_JOB_GRACE", "3"))
    }
}

/// The processes of connections: what that daemon has started.
fn sessions(daemon: u32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder: PathBuf| folder.join(Path::new(name))).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not on PATH"))
}
