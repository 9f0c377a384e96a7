//! Who owns the path to a store, and what others do on it: everything is checked, and what was checked is what is used.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use async_tests::another_user::{self, THEM, give};
use async_tests::fault::in_each_case;
use async_tests::shell::Sandbox;
use async_tests::small_disk::is_root;
use async_tests::strace::{self, Call};
use async_tests::{tools, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Commands that make a store, start something in it, and look at it.
const USE: &str =
    "async init; echo \"init $?\"; async run t -- true; echo \"run $?\"; async status; echo \"status $?\"";

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn is_refused(sandbox: &Sandbox, why: &str) {
    let finished = sandbox.run(USE);
    finished.says("init 125\nrun 125\nstatus 125\n").complains(why);
}

fn works(sandbox: &Sandbox) {
    sandbox.run(USE).says("init 0\n").says("\nrun 0\n").says("\nstatus 0\n");
}

/// The paths below a folder, and the contents of files.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() && !path.is_symlink() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let text = if path.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
    }
    found
}

#[test]
fn a_store_below_a_directory_of_another_user_is_refused() {
    if !is_root("giving files away") {
        return;
    }
    let sandbox = Sandbox::default();
    works(&sandbox);
    give(&sandbox.path("dest"));
    is_refused(&sandbox, &format!("{} belongs to user id {THEM}", sandbox.path("dest").display()));
    // A folder that nobody else may write to is no obstacle to its owner.
    set_mode(&sandbox.path("dest"), 0o1755);
    is_refused(&sandbox, "belongs to user id");
    fs::rename(sandbox.store(), sandbox.path("store")).unwrap();
    fs::create_dir(sandbox.path("dest/ours")).unwrap();
    fs::rename(sandbox.path("store"), sandbox.path("dest/ours/async")).unwrap();
    let finished = sandbox.run(&format!("export ASYNC_DIR=$DEST/ours/async\n{USE}"));
    finished.says("init 125\nrun 125\nstatus 125\n").complains("belongs to user id");
    // It is their own.
    give(&sandbox.path("dest/ours"));
    sandbox.finish(&mut another_user::bash(&sandbox, USE)).says("init 0\n").says("\nrun 0\n").says("\nstatus 0\n");
}

#[test]
fn a_store_below_a_directory_that_every_user_may_write_is_refused() {
    let sandbox = Sandbox::default();
    works(&sandbox);
    set_mode(&sandbox.path("dest"), 0o777);
    is_refused(&sandbox, "every user may write to");
    is_refused(&sandbox, &sandbox.path("dest").display().to_string());
    fs::remove_dir_all(sandbox.store()).unwrap();
    is_refused(&sandbox, "every user may write to");
    assert!(!sandbox.store().exists());
    // In a folder where users may only rename their own entries, such as /tmp, and in one that a group may write to.
    for mode in [0o1777, 0o775, 0o2770, 0o711] {
        set_mode(&sandbox.path("dest"), mode);
        works(&sandbox);
    }
}

#[test]
fn a_symlink_of_another_user_is_followed_nowhere_in_the_path() {
    if !is_root("giving files away") {
        return;
    }
    let sandbox = Sandbox::default();
    let target = sandbox.path("target");
    fs::create_dir_all(target.join("below")).unwrap();
    for (link, dest) in [("link", "link"), ("link", "link/below"), ("async", ".")] {
        let link = sandbox.path("dest").join(link);
        let script = format!("export ASYNC_DIR=$DEST/{dest}/async\n{USE}");
        symlink(&target, &link).unwrap();
        give(&link);
        let finished = sandbox.run(&script);
        finished.says("init 125\nrun 125\nstatus 125\n").complains("is a symlink of user id 65534");
        finished.complains(&link.file_name().unwrap().to_string_lossy());
        assert_eq!(contents(&target).len(), 2, "{dest}");
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn symlinks_of_this_user_and_of_root_lead_to_a_store() {
    let sandbox = Sandbox::default();
    fs::create_dir_all(sandbox.path("real/home")).unwrap();
    symlink("../real", sandbox.path("dest/link")).unwrap();
    symlink(sandbox.path("dest/link/home"), sandbox.path("dest/again")).unwrap();
    let used =
        "unset ASYNC_DIR; export HOME=$PWD/../dest/again; cd /; async run t -- true; async wait t; echo \"wait $?\"";
    sandbox.run(used).says("wait 0\n");
    assert!(sandbox.path("real/home/.local/state/async/.collected").is_dir());
    // The store itself may be one.
    symlink(sandbox.path("real/home/.local/state/async"), sandbox.store()).unwrap();
    works(&sandbox);
    if !is_root("another user, for whom the links are root's") {
        return;
    }
    std::process::Command::new("chown").args(["-R", &THEM.to_string()]).arg(sandbox.path("real")).status().unwrap();
    sandbox.finish(&mut another_user::bash(&sandbox, USE)).says("init 0\n").says("\nrun 0\n").says("\nstatus 0\n");
}

#[test]
fn a_subdirectory_that_is_a_symlink_is_not_followed() {
    in_each_case(|case| {
        for subdirectory in [".collected", ".starting", ".runs"] {
            let sandbox = case.sandbox();
            let made =
                "async_run t true; async_wait t; async_init; async_run t true; async_wait t; async_run u true; wait $!";
            sandbox.run(&case.script(made)).exits(0);
            let (there, elsewhere) = (sandbox.store().join(subdirectory), sandbox.path("home/elsewhere"));
            fs::rename(&there, &elsewhere).unwrap();
            symlink(&elsewhere, &there).unwrap();
            let before = contents(&elsewhere);
            let finished = sandbox.run(&case.sourced(
                "async_run v true; echo \"run $?\"; async_wait u; echo \"wait $?\"; async status --collected
                async log t; async_init; async_init; async_cleanup",
            ));
            finished.complains(&format!("{subdirectory} is a symlink, not a directory of ours")).lacks("panicked");
            finished.says(if subdirectory == ".starting" { "run 125\n" } else { "run 0\n" });
            if subdirectory == ".collected" {
                finished.says("wait 125\n");
            }
            assert_eq!(contents(&elsewhere), before, "{subdirectory}\n{finished}");
        }
    });
}

#[test]
fn a_subdirectory_that_others_may_write_or_own_is_refused() {
    for subdirectory in [".collected", ".starting", ".runs"] {
        let sandbox = Sandbox::default();
        works(&sandbox);
        sandbox.run("async wait t; async init; async run t -- true; async wait t").exits(0);
        let there = sandbox.store().join(subdirectory);
        let look = "async run u -- true; async wait t u; async status --collected; async log t; async init";
        set_mode(&there, 0o777);
        let finished = sandbox.run(look);
        finished.complains(&format!("{} is writable by every user", there.display()));
        if is_root("giving files away") {
            set_mode(&there, 0o755);
            give(&there);
            let finished = sandbox.run(look);
            finished.complains(&format!("{} belongs to user id {THEM}", there.display()));
        }
    }
}

#[test]
fn whatever_the_umask_no_directory_is_made_that_every_user_may_write() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.sourced_after(
            "umask 000; export ASYNC_DIR=$DEST/new/folder/async",
            "async_init; echo \"init $?\"
            async_run t true; async_wait t; async_init; async_run t true; async_wait t; echo \"wait $?\"",
        ));
        finished.says("init 0\n").says("wait 0\n");
        for path in contents(&sandbox.path("dest")).into_keys().map(|path| sandbox.path("dest").join(path)) {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert!(!path.is_dir() || mode & 0o002 == 0, "{} {mode:o}", path.display());
        }
    });
}

#[test]
fn a_log_that_is_exchanged_for_a_symlink_is_not_read() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let secret = sandbox.path("home/secret");
        fs::write(&secret, "s3cret\n").unwrap();
        sandbox
            .run(&case.script("async_run t echo hi; async_run u echo hi; async_wait u; async_wait --keep t || wait"))
            .lacks("s3cret");
        let logs = contents(&sandbox.store()).into_keys().filter(|path| path.extension().is_some_and(|it| it == "log"));
        let logs: Vec<_> = logs.map(|path| sandbox.store().join(path)).collect();
        assert!(logs.len() >= 3, "{logs:?}");
        for log in logs {
            fs::remove_file(&log).unwrap();
            symlink(&secret, &log).unwrap();
        }
        let finished = sandbox.run(&case.sourced(
            "async log t; async log u; async_run u cat; async_wait t; async timing --html page.html --junit report.xml
            cat page.html report.xml; async_init",
        ));
        finished.complains("is a symlink, not a regular file of ours").lacks("s3cret");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "s3cret\n");
    });
}

/// The devstack profile's init, which clears away every log.
const INIT: [&str; 3] = ["async", "init", "--for=devstack"];

#[test]
#[ignore = "in the full set"]
fn a_store_that_is_exchanged_during_an_init_is_not_what_the_init_works_in() {
    if !is_root("another user") || !tools::is_there("strace") {
        return;
    }
    let calls = exchanged_at(None);
    assert!(calls.len() > 50, "{calls:?}");
    strace::in_parallel(&calls, |call| {
        exchanged_at(Some(call));
        Ok(())
    });
}

/// Runs an init, stops it at the call, and makes another user, who may rename the store, put a link to another
/// directory of this user in its place. Returns the calls where this is possible.
fn exchanged_at(call: Option<&Call>) -> Vec<Call> {
    let sandbox = Sandbox::default();
    sandbox.run("source <(async shim --profile devstack --parallel-default true); async_init; async_run t true; async_wait t; async_run u true; wait").exits(0);
    // A group is trusted not to do this, but could do no harm with it anyway.
    std::os::unix::fs::chown(sandbox.path("dest"), None, Some(THEM)).unwrap();
    set_mode(&sandbox.path("dest"), 0o775);
    set_mode(&sandbox.path("."), 0o755);
    let precious = sandbox.path("home/precious");
    fs::create_dir_all(precious.join(".collected")).unwrap();
    for file in ["mine.log", "own.log", ".collected/mine.5.log", ".collected/mine.5.ini"] {
        fs::write(precious.join(file), "precious\n").unwrap();
    }
    let before = contents(&precious);

    let log = sandbox.path("strace");
    let inject = call.map(|call| format!("{}:signal=STOP:when={}", call.name, call.number));
    let mut command = sandbox.command("strace");
    command.arg("-D").args(strace::arguments(&log, inject.as_slice())).args(INIT);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    if let Some(call) = call {
        let is_stopped = || fs::read_to_string(&log).is_ok_and(|log| log.contains("--- stopped by SIGSTOP ---"));
        wait_until(&format!("{call:?}"), is_stopped);
        let exchange =
            format!("mv '{0}' '{0}.away' && ln -s '{1}' '{0}'", sandbox.store().display(), precious.display());
        let mut mover = sandbox.command("setpriv");
        mover.args([format!("--reuid={THEM}"), format!("--regid={THEM}")]).args([
            "--clear-groups",
            "sh",
            "-c",
            &exchange,
        ]);
        assert!(mover.status().unwrap().success());
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGCONT).unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(contents(&precious), before, "{call:?}");
    // It did its work, or reported that it could not.
    let left = sandbox.path("dest").join(if call.is_some() { "async.away" } else { "async" });
    assert!(!status.success() || !left.join("u.ini").exists(), "{call:?}");
    // Beyond the last call, nothing stops any more.
    if call.is_none() {
        strace::calls(&log).into_iter().filter(|call| call.name != "exit_group").collect()
    } else {
        Vec::new()
    }
}
