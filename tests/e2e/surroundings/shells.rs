//! Shells other than bash, bash called as sh, and a system with less than usual.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use async_tests::shell::{Bash, Finished, Sandbox, bashes, binary_dir};
use async_tests::small_disk::is_root;

use super::probe::{Outcome, PROFILES, Probe, shim, try_all};

/// Shells other than bash, and how to call each without any user's settings.
const OTHER_SHELLS: &[&[&str]] =
    &[&["sh"], &["dash"], &["busybox", "ash"], &["zsh", "-f"], &["mksh"], &["ksh93"], &["yash", "--norcfile"]];

/// The one line that they print.
const NEEDS_BASH: &str = "async: its functions need bash 4.4 or later";

/// The shells that are installed; `sh` may be bash.
fn other_shells() -> impl Iterator<Item = &'static &'static [&'static str]> {
    OTHER_SHELLS.iter().filter(|shell| {
        let mut command = Command::new(shell[0]);
        command
            .args(&shell[1..])
            .args(["-c", "exit \"${BASH_VERSION:+1}\""])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let there = command.status().is_ok_and(|status| status.success());
        if !there {
            eprintln!("skipped, because there is no {} that is not bash: apt-get install {0}", shell[0]);
        }
        there
    })
}

/// A call of a shell, with the functions in `$file`, and in the output of `$program shim`.
fn call(sandbox: &Sandbox, shell: &[&str]) -> Command {
    std::fs::write(sandbox.path("shim"), shim("standalone")).unwrap();
    let mut command = sandbox.command(shell[0]);
    command.args(&shell[1..]).env("program", binary_dir().join("async")).env("file", sandbox.path("shim"));
    command
}

/// How a script defines the functions, in that shell. Only zsh and ksh93 also know `<(...)`.
fn ways(shell: &str) -> Vec<&'static str> {
    let mut ways = vec![". \"$file\"", "eval \"$(\"$program\" shim)\"", "f() { eval \"$(\"$program\" shim)\"; }; f"];
    if ["zsh", "ksh93"].contains(&shell) {
        ways.push(". <(\"$program\" shim)");
    }
    ways
}

#[test]
fn a_script_of_another_shell_gets_one_line_and_ends_with_125() {
    for shell in other_shells() {
        for way in ways(shell[0]) {
            for options in ["", "set -eu; "] {
                let sandbox = Sandbox::default();
                let script = format!("{options}{way}\necho 'it went on'");
                let finished = sandbox.finish(call(&sandbox, shell).args(["-c", &script]));
                let what = format!("{shell:?}, {options}{way}");
                assert_eq!(finished.stderr, format!("{NEEDS_BASH}\n"), "{what}: {finished}");
                assert_eq!((finished.stdout.as_str(), finished.status), ("", 125), "{what}: {finished}");
            }
        }
    }
}

/// A prompt at which those lines are typed. It prints them, and its complaint about the missing terminal, on standard
/// error.
fn prompt(sandbox: &Sandbox, mut call: Command, lines: &str) -> Finished {
    std::fs::write(sandbox.path("typed"), lines).unwrap();
    let typed = std::fs::File::open(sandbox.path("typed")).unwrap();
    sandbox.finish(call.arg("-i").stdin(typed).env("ENV", "/dev/null"))
}

#[test]
fn a_prompt_of_another_shell_gets_one_line_and_status_125_and_goes_on() {
    for shell in other_shells() {
        for way in ways(shell[0]).into_iter().filter(|way| way.starts_with(['.', 'e'])) {
            let sandbox = Sandbox::default();
            let lines = format!("{way}\necho \"<$?>\"; alias builtin\nexit 7\n");
            let finished = prompt(&sandbox, call(&sandbox, shell), &lines);
            let what = format!("{shell:?}, {way}");
            assert_eq!(finished.stderr.matches(NEEDS_BASH).count(), 1, "{what}: {finished}");
            for wrong in ["yntax", "parse", "unbound", "parameter"] {
                assert!(!finished.stderr.contains(wrong), "{what}: {finished}");
            }
            if shell[0] == "ksh93" && way.starts_with("eval") {
                // There, leaving an eval leaves the shell.
                assert_eq!(finished.status, 125, "{what}: {finished}");
                continue;
            }
            assert!(finished.stdout.contains("<125>"), "{what}: {finished}");
            assert!(!finished.stdout.contains("unalias") && finished.status == 7, "{what}: {finished}");
        }
    }
}

/// No bash here may be too old, so the lines that say so are tested with a limit that is too high.
#[test]
fn bash_that_is_too_old_gets_one_line_and_status_125() {
    let too_high = shim("standalone").replacen("[123].*", "[12345].*", 1);
    assert!(too_high.contains("[12345].*"));
    for bash in bashes() {
        for posix in [&[][..], &["--posix"]] {
            for way in [". \"$file\"", "eval \"$(cat \"$file\")\"", "f() { eval \"$(cat \"$file\")\"; }; f"] {
                let sandbox = Sandbox::new(&bash.path);
                let call = || {
                    let mut call = call(&sandbox, &[bash.path.to_str().unwrap(), "--norc"]);
                    std::fs::write(sandbox.path("shim"), &too_high).unwrap();
                    call.args(posix);
                    call
                };
                let what = format!("{bash:?} {posix:?}, {way}");
                let finished = sandbox.finish(call().args(["-c", &format!("{way}\necho 'it went on'")]));
                assert_eq!(finished.stderr, format!("{NEEDS_BASH}\n"), "{what}: {finished}");
                assert_eq!((finished.stdout.as_str(), finished.status), ("", 125), "{what}: {finished}");
                let lines = format!("{way}\necho \"<$?>\"; type async_run\nshopt expand_aliases; exit 7\n");
                let finished = prompt(&sandbox, call(), &lines);
                assert_eq!(finished.stderr.matches(NEEDS_BASH).count(), 1, "{what}: {finished}");
                let at_the_prompt = finished.stdout.replace([' ', '\t'], "");
                assert_eq!(at_the_prompt, "<125>\nexpand_aliaseson\n", "{what}: {finished}");
                assert_eq!(finished.status, 7, "{what}: {finished}");
            }
        }
    }
}

#[test]
fn bash_in_posix_mode_is_bash() {
    try_all(|_| {
        let way =
            |way| Probe::new(format!("posix mode, {way}"), Outcome::Right).env("POSIXLY_CORRECT", "1").sourced_by(way);
        vec![
            way(r#". "$root/shim.bash""#),
            way(r#"eval "$("$program" shim --profile "$profile")""#),
            // Bash 5.0 and earlier lacked this in posix mode.
            way(
                r#"if [[ $BASH_VERSION == [45].0* ]]; then . "$root/shim.bash"; else . <("$program" shim --profile "$profile"); fi"#,
            ),
        ]
    });
}

#[test]
fn bash_that_is_called_sh_is_bash() {
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        let path = sandbox.run("echo \"$BASH\"").stdout;
        let sh = sandbox.path("sh");
        symlink(path.trim_end(), &sh).unwrap();
        for profile in PROFILES {
            let bash = Bash { path: sh.clone(), version: bash.version.clone() };
            Probe::new("called sh", Outcome::Right).check(&bash, profile).unwrap();
        }
    }
}

/// A script that continues in a system whose `/dev` contains nothing else.
const BARE: &str = r#"[[ -n ${inside:-} ]] || inside=1 exec unshare -m "$BASH" "$0"
mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 || exit 99
"#;

#[test]
fn without_dev_fd_a_start_works_or_is_refused() {
    if !is_root("a /dev of one's own") {
        return;
    }
    try_all(|_| {
        vec![
            Probe::new("no /dev/fd", Outcome::RightOrRefused).before(BARE),
            Probe::new("no /dev/fd, input closed", Outcome::RightOrRefused).before(format!("{BARE}exec <&-")),
        ]
    });
}

#[test]
fn without_dev_fd_tasks_run_in_the_script_and_programs_in_the_background() {
    if !is_root("a /dev of one's own") {
        return;
    }
    for bash in bashes() {
        for profile in PROFILES {
            let sandbox = Sandbox::new(&bash.path);
            let script = format!(
                "export ASYNC_DIR=$DEST/async
                eval \"$(async shim --profile {profile})\"
                function task {{ echo \"hello $1\"; return 3; }}
                async_init
                async run program -- sh -c 'exit 4'; async wait program; echo \"program $?\"
                DEVSTACK_PARALLEL=False
                async_run t task you; async_wait t; echo \"wait $?\""
            );
            std::fs::write(sandbox.path("script"), format!("{BARE}{script}")).unwrap();
            let finished = sandbox.finish(sandbox.command(&bash.path).arg(sandbox.path("script")));
            finished.says("program 4\n").says("hello you\n").says("wait 3\n");
        }
    }
}

#[test]
fn a_shell_that_was_restricted_meanwhile_is_refused() {
    for bash in bashes() {
        for profile in PROFILES {
            let sandbox = Sandbox::new(&bash.path);
            std::fs::write(sandbox.path("cwd/shim"), shim(profile)).unwrap();
            let finished = sandbox.run(
                "source ./shim
                function task { : >ran; }
                DEVSTACK_PARALLEL=True
                async_init || exit
                set -r
                async_run t task; echo \"run $?\"
                async_wait t; echo \"wait $?\"
                async_cleanup; echo \"cleanup $?\"",
            );
            assert_eq!(finished.stdout, "run 125\nwait 125\ncleanup 125\n", "{profile}: {finished}");
            assert!(finished.stderr.contains("async: can't use a variable") && finished.stderr.contains("restricted"));
            assert!(!sandbox.path("cwd/ran").exists());
        }
    }
}
