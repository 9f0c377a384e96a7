//! The context of a command: its store and its caller.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_core::process::ProcessIdentity;
use async_core::store::KEPT_RUNS;
use async_core::{Caller, Error, Keep, Permissions, Scripts, Store};
use clap::{Args, ValueHint};
use nix::unistd::geteuid;

use crate::cli::Profile;
use crate::failure::Failure;
use crate::shim::rendering::Rendering;

const STORE_HELP: &str =
    "The directory of the store [default: $ASYNC_DIR, else the enclosing script's, else $XDG_STATE_HOME/async]";

/// The variable that tells programs which script they run in and where its store is, as [`ScriptStore`] writes it.
pub(crate) const SCRIPT_STORE: &str = "_ASYNC_STORE";

const KEEP_RUNS: &str = "ASYNC_KEEP_RUNS";

/// What is said of the place of the store.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContextArgs {
    /// The store of futures
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help = STORE_HELP)]
    dir: Option<PathBuf>,
    /// The variable `ASYNC_JOBS` of the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "N|PERCENT%")]
    limit: Option<OsString>,
    /// The variable `ASYNC_QUIET` of the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "YES|NO")]
    hush: Option<OsString>,
    /// The variable `ASYNC_PROGRESS` of the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "on|off")]
    progress: Option<OsString>,
    /// The variable `DEST` of devstack's functions
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    dest: Option<OsString>,
    /// The process id of the script that calls, `$$`
    #[arg(long, global = true, hide = true, value_name = "PID")]
    shell_pid: Option<u32>,
    /// Where a relative path of the store is meant from
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The variable `ASYNC_ON_EXIT` of the functions that call
    #[arg(long = "exit", global = true, hide = true, allow_hyphen_values = true, value_name = "cancel|wait|leave")]
    on_exit: Option<OsString>,
    /// The variable `ASYNC_PARALLEL` of the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "YES|NO")]
    parallel: Option<OsString>,
    /// The variable `ASYNC_ON` of the functions that call
    #[arg(long = "to", global = true, hide = true, allow_hyphen_values = true, value_name = "WHERE")]
    target: Option<OsString>,
    /// The variable `ASYNC_PTY` of the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "YES|NO")]
    terminal: Option<OsString>,
    /// What `async settle` has said to the functions that call
    #[arg(long, global = true, hide = true, allow_hyphen_values = true, value_name = "PID TICKS BOOT DIR")]
    store: Option<OsString>,
    /// Which functions call
    #[arg(
        long = "for",
        id = "for",
        global = true,
        hide = true,
        value_name = "PROFILE/VERSION",
        default_value = "standalone"
    )]
    rendering: Rendering,
}

/// The shell of a script, and the store that its functions use. The text form is its identity, a blank, and the
/// directory with a trailing slash, because a shell drops trailing newlines.
#[derive(Clone, Debug)]
pub(crate) struct ScriptStore {
    /// None if it can't be found out.
    pub(crate) shell: Option<ProcessIdentity>,
    pub(crate) dir: PathBuf,
}

impl ScriptStore {
    fn parse(text: &OsStr) -> Option<Self> {
        let mut parts = text.as_bytes().splitn(4, |byte| *byte == b' ');
        let words = [parts.next()?, parts.next()?, parts.next()?].join(&b' ');
        let dir: PathBuf = Path::new(&OsString::from_vec(parts.next()?.to_vec())).components().collect();
        let shell = std::str::from_utf8(&words).ok()?.parse().ok();
        dir.is_absolute().then_some(Self { shell, dir })
    }

    /// The value of the variable.
    pub(crate) fn of_environment() -> Option<Self> {
        Self::parse(&variable(SCRIPT_STORE)?)
    }

    pub(crate) fn to_text(&self) -> OsString {
        let mut text = OsString::from(self.shell.as_ref().map_or_else(|| "- - -".to_owned(), ToString::to_string));
        text.push(" ");
        text.push(self.dir.join(""));
        text
    }

    /// Whether its shell still exists.
    fn is_alive(&self) -> bool {
        self.shell.as_ref().is_some_and(|shell| shell.is_alive().unwrap_or(false))
    }
}

/// What happens, at the end of a script, to futures that its functions started and it has not collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnExit {
    Cancel,
    Wait,
    Leave,
}

/// Who owns the store.
#[derive(Clone, Debug)]
enum Whose {
    /// The store in the given directory.
    Named(PathBuf),
    /// The store that a script's functions use.
    Script(ScriptStore),
    /// The prompt's store.
    Prompt(PathBuf),
}

impl Whose {
    fn dir(&self) -> &Path {
        match self {
            Self::Named(dir) | Self::Prompt(dir) | Self::Script(ScriptStore { dir, .. }) => dir,
        }
    }
}

/// The context of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    args: ContextArgs,
}

impl Context {
    pub(crate) fn of(args: ContextArgs) -> Self {
        Self { args }
    }

    /// The same with the store in that directory, if one is given.
    pub(crate) fn at(&self, dir: Option<PathBuf>) -> Self {
        let mut args = self.args.clone();
        args.dir = dir.or(args.dir);
        Self { args }
    }

    fn whose(&self) -> Result<Whose, Error> {
        if let Some(settled) = &self.args.store {
            let broken = Error::NoPlace("the variable _ASYNC_STORE, which is the functions' own, was changed");
            return ScriptStore::parse(settled).map(Whose::Script).ok_or(broken);
        }
        if let Some(named) = self.named()? {
            return Ok(Whose::Named(named));
        }
        match ScriptStore::of_environment() {
            Some(script) if self.profile() == Profile::Standalone && script.is_alive() => Ok(Whose::Script(script)),
            _ => self.prompt().map(Whose::Prompt),
        }
    }

    /// The directory from the command line.
    pub(crate) fn dir_of_the_command_line(&self) -> Option<&Path> {
        self.args.dir.as_deref()
    }

    /// The directory from an option or a variable.
    pub(crate) fn named(&self) -> Result<Option<PathBuf>, Error> {
        let named = self.args.dir.clone().or_else(|| variable("ASYNC_DIR").map(PathBuf::from));
        let named = if named.is_none() && self.profile() == Profile::Devstack { self.dest()? } else { named };
        Ok(named.map(|dir| self.from(&dir)))
    }

    /// The directory that devstack's functions use.
    fn dest(&self) -> Result<Option<PathBuf>, Error> {
        match self.args.dest.clone().or_else(|| std::env::var_os("DEST")) {
            Some(dest) if dest.is_empty() => {
                Err(Error::NoPlace("DEST is set but empty, so the store would be /async: set DEST or ASYNC_DIR"))
            }
            dest => Ok(dest.map(|dest| Path::new(&dest).join("async"))),
        }
    }

    /// The path; a relative one starts at the calling directory.
    pub(crate) fn from(&self, path: &Path) -> PathBuf {
        self.args.from.as_ref().map_or_else(|| path.to_owned(), |from| from.join(path))
    }

    /// The directory of the prompt's store.
    pub(crate) fn prompt(&self) -> Result<PathBuf, Error> {
        let set = |name| variable(name).map(PathBuf::from);
        if is_of_another_user(set("XDG_STATE_HOME").or_else(|| set("HOME"))) {
            return Err(Error::NoPlace(
                "HOME belongs to another user, who could not use it any more: set ASYNC_DIR to a directory, or name it with --dir",
            ));
        }
        set("XDG_STATE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/state")))
            .map(|parent| self.from(&parent.join("async")))
            .ok_or(Error::NoPlace(
                "none of ASYNC_DIR, XDG_STATE_HOME and HOME is set: set ASYNC_DIR to a directory, or name it with --dir",
            ))
    }

    /// The stores of scripts, if the command works on the prompt's store.
    pub(crate) fn scripts_beside(&self) -> Option<Scripts> {
        match self.whose() {
            Ok(Whose::Prompt(dir)) => Some(Scripts::beside(dir)),
            _ => None,
        }
    }

    /// Who may read new files in the store. In the original's the umask decides.
    pub(crate) fn permissions(&self) -> Permissions {
        match self.profile() {
            Profile::Standalone => Permissions::Private,
            Profile::Devstack => Permissions::Umask,
        }
    }

    /// The profile of the calling functions.
    pub(crate) fn profile(&self) -> Profile {
        self.args.rendering.profile
    }

    /// The version of the calling functions, if it differs from the program's.
    pub(crate) fn other_version(&self) -> Option<&str> {
        self.args.rendering.other_version()
    }

    /// How many tasks may run at once, according to the calling functions or the environment; empty if neither says.
    pub(crate) fn limit(&self) -> Option<OsString> {
        self.args.limit.clone().or_else(|| variable("ASYNC_JOBS")).filter(|limit| !limit.is_empty())
    }

    /// Where tasks run, as the functions that call or the environment say. devstack's run here.
    pub(crate) fn on(&self) -> Option<OsString> {
        let said = self.args.target.clone().or_else(|| variable("ASYNC_ON"));
        said.filter(|on| !on.is_empty() && self.profile() == Profile::Standalone)
    }

    /// Whether nothing is to be said of what succeeds, as the functions that call or the environment say.
    pub(crate) fn is_quiet(&self) -> Result<bool, Failure> {
        let Some(value) = self.args.hush.clone().or_else(|| variable("ASYNC_QUIET")) else {
            return Ok(false);
        };
        Ok(yes_or_no("ASYNC_QUIET", &value)?.unwrap_or(false))
    }

    /// Whether waits may show a panel, as the functions that call or the environment say.
    pub(crate) fn shows_progress(&self) -> Result<bool, Failure> {
        let value = self.args.progress.clone().or_else(|| variable("ASYNC_PROGRESS")).unwrap_or_default();
        match &*value.to_string_lossy() {
            "" | "on" => Ok(true),
            "off" => Ok(false),
            other => Err(Failure::Usage(format!("ASYNC_PROGRESS can't be `{other}`: it is on or off"))),
        }
    }

    /// Whether the output of tasks is a pseudo-terminal, as the functions that call or the environment say. That of
    /// devstack's is not.
    pub(crate) fn is_pty(&self) -> Result<bool, Failure> {
        let said = self.args.terminal.clone().or_else(|| variable("ASYNC_PTY"));
        let Some(value) = said.filter(|_| self.profile() == Profile::Standalone) else {
            return Ok(false);
        };
        Ok(yes_or_no("ASYNC_PTY", &value)?.unwrap_or(false))
    }

    /// Checks a variable that the functions have already read as yes or no: they take anything else for the default.
    pub(crate) fn check_parallel(&self) -> Result<(), Failure> {
        self.args.parallel.as_deref().map_or(Ok(()), |value| yes_or_no("ASYNC_PARALLEL", value).map(drop))
    }

    /// The calling script, if its functions call. Without a /proc neither it nor the futures that it started have an
    /// identity.
    pub(crate) fn script(&self) -> Option<ProcessIdentity> {
        let pid = self.args.shell_pid?;
        let settled = self.args.store.as_deref().and_then(ScriptStore::parse).and_then(|store| store.shell);
        settled.filter(|shell| shell.pid() == pid).or_else(|| ProcessIdentity::of(pid).ok())
    }

    /// The process id of the calling script.
    pub(crate) fn script_pid(&self) -> Option<u32> {
        self.args.shell_pid
    }

    /// What happens at the end of the script to what it leaves.
    pub(crate) fn on_exit(&self) -> Result<OnExit, Failure> {
        match &*self.args.on_exit.as_deref().unwrap_or_default().to_string_lossy() {
            "" | "cancel" => Ok(OnExit::Cancel),
            "wait" => Ok(OnExit::Wait),
            "leave" => Ok(OnExit::Leave),
            other => Err(Failure::Usage(format!("ASYNC_ON_EXIT can't be `{other}`: it is cancel, wait or leave"))),
        }
    }

    /// The script that its functions' new futures must not outlive, if it is set up that way.
    pub(crate) fn script_to_end_with(&self) -> Result<Option<ProcessIdentity>, Failure> {
        let goes_on = self.profile() == Profile::Devstack || self.on_exit()? == OnExit::Leave;
        Ok(self.script().filter(|_| !goes_on))
    }

    /// The caller of the store.
    pub(crate) fn caller(&self) -> Caller {
        self.script().map_or(Caller::Program, Caller::Script)
    }

    /// Opens the store, making a script's own at its first use.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        let whose = self.whose()?;
        let dir = whose.dir();
        let permissions = self.permissions();
        let Whose::Script(script) = &whose else {
            return Ok(Store::open(dir, permissions)?);
        };
        match (Scripts::of_run(dir), &script.shell) {
            (Some(scripts), Some(shell)) => {
                let keep = Keep { runs: kept_runs()?.saturating_add(1), ..Keep::default() };
                Ok(scripts.open_or_make(dir, permissions, shell, keep)?)
            }
            // Most stores exist, and looking through their contents would be one more step.
            _ => match Store::open(dir, permissions) {
                Err(Error::NoStore(_)) => Ok(Store::open_or_make(dir, permissions)?),
                store => Ok(store?),
            },
        }
    }

    /// The directory of the store to initialize. A script's own store exists by then.
    pub(crate) fn dir_to_init(&self) -> Result<PathBuf, Failure> {
        let whose = self.whose()?;
        if let Whose::Script(_) = whose {
            self.store()?;
        }
        Ok(whose.dir().to_owned())
    }

    /// The same, but makes any store that does not exist.
    pub(crate) fn store_to_start_in(&self) -> Result<Store, Failure> {
        match self.whose()? {
            Whose::Script(_) => self.store(),
            Whose::Named(dir) | Whose::Prompt(dir) => Ok(Store::open_or_make(&absolute(dir)?, self.permissions())?),
        }
    }
}

/// Whether this is root in another user's directory, where it would leave root's files.
fn is_of_another_user(dir: Option<PathBuf>) -> bool {
    let owner = dir.and_then(|dir| Some(dir.ancestors().find_map(|dir| dir.metadata().ok())?.uid()));
    geteuid().is_root() && owner.is_some_and(|owner| owner != 0)
}

/// The absolute path.
pub(crate) fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).map_err(|source| Failure::Directory { path, source })
}

/// A variable of the environment, unless it is empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The value of a variable, if it is not empty.
fn yes_or_no(variable: &str, value: &OsStr) -> Result<Option<bool>, Failure> {
    let value = value.to_string_lossy();
    match &*value {
        "1" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" => Ok(Some(true)),
        "0" | "no" | "No" | "NO" | "false" | "False" | "FALSE" => Ok(Some(false)),
        "" => Ok(None),
        _ => Err(Failure::Usage(format!("{variable} can't be `{value}`: it is 1 or 0, yes or no, true or false"))),
    }
}

/// How many earlier runs to keep, according to the environment.
pub(crate) fn kept_runs() -> Result<usize, Failure> {
    let Some(value) = variable(KEEP_RUNS) else {
        return Ok(KEPT_RUNS);
    };
    value.to_str().and_then(|value| value.parse().ok()).ok_or_else(|| {
        Failure::Usage(format!("{KEEP_RUNS} is `{}`, and should be a number of runs to keep", value.display()))
    })
}
