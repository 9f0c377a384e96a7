//! `async ssh-setup`: puts this program on another host.

use std::ffi::OsString;
use std::fs::File;
use std::process::{Command, ExitCode, Stdio};

use async_core::Target;
use async_core::text::shell_line;
use clap::Args;

use crate::cli::Context;
use crate::failure::Failure;
use crate::messages::Output;

const EXAMPLES: &str = "\
Examples:

  async ssh-setup build1
  async run --on ssh:build1 tests -- make check";

/// What stands before each line of the answer: the host's shell may print lines of its own.
const MARK: &str = "async-setup ";

/// Put this program on another host, for `--on ssh:HOST`
///
/// It goes to ~/.local/bin/async there, in the place of an earlier one, once it has run there. ssh(1) must get in
/// without asking. A program that needs no libraries of its host, as `cargo xtask dist` builds it, runs on any Linux
/// of the same architecture.
///
/// Exits with 125, and leaves an earlier one alone, if this one can't be put there or does not run there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SshSetup {
    /// The host, as ssh knows it
    #[arg(value_name = "HOST", value_parser = read_host)]
    host: String,
}

/// Takes what `--on ssh:HOST` takes.
fn read_host(text: &str) -> Result<String, String> {
    format!("ssh:{text}").parse::<Target>().map(|_| text.to_owned())
}

impl SshSetup {
    pub(crate) fn run(self, _context: &Context) -> Result<ExitCode, Failure> {
        let failure = |why: String| Failure::Setup { host: self.host.clone(), why };
        let program = File::open("/proc/self/exe").map_err(|error| failure(error.to_string()))?;
        let length = program.metadata().map_err(|error| failure(error.to_string()))?.len();
        let script = format!("length={length} mark='{MARK}'\n{SCRIPT}");
        let mut ssh = Command::new("ssh");
        ssh.args(["-T", "--", &self.host]);
        ssh.arg(format!("exec /bin/sh -c {}", shell_line(&[OsString::from(script)])));
        let said = ssh.stdin(program).stderr(Stdio::inherit()).output();
        let said = said.map_err(|error| failure(format!("ssh: {error}")))?;
        let text = String::from_utf8_lossy(&said.stdout);
        let find = |what: &str| text.lines().find_map(|line| line.strip_prefix(MARK)?.strip_prefix(what));
        let Some(path) = find("is ").filter(|_| said.status.success()) else {
            let why = find("not ").map_or_else(|| format!("ssh ended with {}", said.status), str::to_owned);
            return Err(failure(why));
        };
        let mut output = Output::stdout()?;
        output.print(&format!("async {} is {path} on {}\n", env!("CARGO_PKG_VERSION"), self.host))?;
        let found = find("found ").filter(|found| !found.is_empty());
        if found != Some(path) {
            let export = shell_line(&[OsString::from(format!("ASYNC_REMOTE_BIN={path}"))]);
            let what = match found {
                Some(other) => format!("PATH there has {other} before it"),
                None => "it is not on PATH there, as ssh sets that".to_owned(),
            };
            output.print(&format!("{what}: export {export}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// For any sh. The program is its standard input.
const SCRIPT: &str = r#"fail() {
    echo "${mark}not $1"
    exit 125
}
umask 022
bin=$HOME/.local/bin/async
new=$bin.new.$$
mkdir -p "${bin%/*}" || fail "can not make ${bin%/*}"
trap 'rm -f "$new"' EXIT
cat >"$new" && [ "$(wc -c <"$new")" -eq "$length" ] && chmod 755 "$new" || fail "can not write to $new"
"$new" --version >/dev/null || fail "this program does not run there: build one with cargo xtask dist, or one there"
mv -f "$new" "$bin" || fail "can not write to $bin"
echo "${mark}is $bin"
echo "${mark}found $(command -v async)"
"#;
