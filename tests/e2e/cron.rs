//! Scripts as cron runs them: by `sh -c`, with almost no environment and no terminal.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use async_tests::markdown;
use async_tests::shell::{Finished, Sandbox, binary_dir};

/// The code blocks of that language in the page on cron.
fn blocks(language: &str) -> Vec<String> {
    markdown::blocks(&markdown::page("docs/cron.md"), language)
}

/// A home directory with the program and those scripts in its `bin`.
fn home(scripts: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::default();
    let bin = sandbox.path("home/bin");
    fs::create_dir(&bin).unwrap();
    symlink(binary_dir().join("async"), bin.join("async")).unwrap();
    for (name, text) in scripts {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox
}

/// Runs a line of a crontab that has `PATH=$HOME/bin:/usr/bin:/bin` above it.
fn line(sandbox: &Sandbox, shell: &str, line: &str) -> Finished {
    let home = sandbox.path("home");
    let mut command = sandbox.command(shell);
    command
        .env_clear()
        .env("HOME", &home)
        .env("LOGNAME", "me")
        .env("SHELL", shell)
        .env("PATH", format!("{}/bin:/usr/bin:/bin", home.display()))
        .args(["-c", line])
        .current_dir(&home);
    sandbox.finish(&mut command)
}

#[test]
fn the_script_of_the_page_runs_from_a_line() {
    let [script] = &blocks("bash")[..] else { panic!("one script") };
    // Stand-ins for the tools that it uses.
    let stand_ins = [
        ("nightly", script.as_str()),
        ("pg_dump", "#!/bin/sh\necho \"the tables of $1\"\n"),
        ("rsync", "#!/bin/sh\n[ -t 0 ] || [ -t 1 ] || echo \"no terminal, $*\"; exit \"$(cat status)\"\n"),
    ];
    for (status, said) in [(0, "with result 0"), (3, "with result 3")] {
        let sandbox = home(&stand_ins);
        fs::write(sandbox.path("home/status"), status.to_string()).unwrap();
        let finished = line(&sandbox, "/bin/sh", "bin/nightly");
        finished.exits(status).says("no terminal, -a photos/ backup:photos\n").complains(said);
        assert!(status != 0 || !finished.stderr.contains("async: "), "{finished}");
        assert!(sandbox.path("home/shop.sql.gz").exists(), "{finished}");
        let kept = line(&sandbox, "/bin/sh", "async status --all --script nightly | cut -f 1-3");
        let of_rsync = if status == 0 { "photos\tcollected\t0\n" } else { "photos\tcollected\t3\n" };
        kept.says("dump\tcollected\t0\n").says(of_rsync);
    }
}

#[test]
fn the_script_of_the_page_ends_where_there_is_no_program() {
    let [script] = &blocks("bash")[..] else { panic!("one script") };
    let sandbox = home(&[("nightly", script)]);
    fs::remove_file(sandbox.path("home/bin/async")).unwrap();
    let finished = line(&sandbox, "/bin/sh", "bin/nightly");
    finished.exits(127);
    assert!(finished.stderr.contains("async") && finished.stderr.lines().count() == 1, "{finished}");
}

#[test]
fn a_line_that_sh_reads_has_one_line_to_be_mailed_and_status_125() {
    let sandbox = home(&[]);
    let text = "eval \"$(async shim)\"; async_init; async_run t true; async_wait t";
    let finished = line(&sandbox, "/bin/sh", text);
    finished.exits(125);
    assert_eq!(finished.stderr, "async: its functions need bash 4.4 or later\n", "{finished}");
    assert_eq!(finished.stdout, "", "{finished}");
    line(&sandbox, "/bin/bash", text).exits(0).complains("]: finished true with result 0 in ");
}

#[test]
fn what_a_line_starts_is_started_once_and_goes_on_after_it() {
    let sandbox = home(&[]);
    let page = blocks("crontab").concat();
    assert!(page.contains("async run --if-absent --quiet mirror -- "), "{page}");
    let text = "async run --if-absent --quiet mirror -- sh -c 'echo one >>ran; read line <go; exit 4'";
    line(&sandbox, "/bin/sh", "mkfifo go").exits(0);
    let first = line(&sandbox, "/bin/sh", text);
    first.exits(0);
    let second = line(&sandbox, "/bin/sh", text);
    second.exits(122);
    for quiet in [first, second] {
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""), "{quiet}");
    }
    line(&sandbox, "/bin/sh", "echo >go; async wait --quiet mirror").exits(4);
    assert_eq!(fs::read_to_string(sandbox.path("home/ran")).unwrap(), "one\n");
}
