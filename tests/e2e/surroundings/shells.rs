//! Shells that are not bash, bash that is called sh, and a system with less than usual.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use async_tests::shell::{Bash, Sandbox, bashes, binary_dir};
use async_tests::small_disk::is_root;

use super::probe::{Outcome, PROFILES, Probe, shim, try_all};

/// Shells that know nothing of what bash alone can do, with the option for a script in an argument.
const OTHER_SHELLS: &[&[&str]] =
    &[&["dash", "-c"], &["zsh", "-c"], &["ksh", "-c"], &["mksh", "-c"], &["yash", "-c"], &["busybox", "sh", "-c"]];

fn runs(shell: &[&str]) -> bool {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(":").stdin(Stdio::null()).stderr(Stdio::null());
    let there = command.status().is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped, because there is no {}", shell[0]);
    }
    there
}

#[test]
fn a_shell_that_is_not_bash_gets_one_line_that_says_so() {
    for shell in OTHER_SHELLS.iter().filter(|shell| runs(shell)) {
        // devstack is bash.
        for profile in ["standalone"] {
            let sandbox = Sandbox::default();
            std::fs::write(sandbox.path("shim"), shim(profile)).unwrap();
            let mut ways = vec!["eval \"$(\"$program\" shim --profile \"$profile\")\"", ". \"$file\""];
            if ["zsh", "ksh"].contains(&shell[0]) {
                ways.push("source <(\"$program\" shim --profile \"$profile\")");
            }
            for way in ways {
                for then in ["", "\nasync_init"] {
                    let mut command = sandbox.command(shell[0]);
                    command
                        .args(&shell[1..])
                        .arg(format!("{way}{then}"))
                        .env("program", binary_dir().join("async"))
                        .env("profile", profile)
                        .env("file", sandbox.path("shim"));
                    let finished = sandbox.finish(&mut command);
                    let mut lines = finished.stderr.lines();
                    let what = format!("{}, {profile}, {way}{then}", shell[0]);
                    // zsh reads all of what it evaluates before it runs any of it.
                    let is_told =
                        |line: &str| line.contains("bash") || (line.contains("parse error") && way.contains("eval"));
                    assert!(lines.next().is_some_and(is_told), "{what}: {finished}");
                    // The shell itself may say that there is no such function.
                    let others: Vec<&str> = lines.collect();
                    let missing = |line: &&str| line.contains("async_init") && line.contains("not found");
                    assert!(others.len() <= usize::from(!then.is_empty()), "{what}: {finished}");
                    assert!(others.iter().all(missing), "{what}: {finished}");
                    assert!(finished.stdout.is_empty() && finished.status != 0, "{what}: {finished}");
                }
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
            // Bash 5.0 and before had no such thing in posix mode.
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

/// A script that goes on in a system with nothing in `/dev` but that.
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
