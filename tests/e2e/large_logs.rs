//! Logs that the kernel copies by itself, to any kind of standard output.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use async_tests::fault::{Case, in_each_case};
use async_tests::fixtures::store::Held;
use async_tests::shell::{Finished, Sandbox};
use async_tests::small_disk::{SmallDisk, is_root};
use async_tests::strace;
use async_tests::terminal::Terminal;
use async_tests::tools;

/// Two finished futures with large logs. `has PATH` looks for both logs in the output, complete and between the right
/// lines.
const OVER: &str = r#"
function task { quiet; seq "$@"; }
async_run t task 60000
async_run u task 60001 120000
wait
function both { echo before; async_wait t; echo "between $?"; async_wait u; echo "after $?"; }
function has {
    local wanted
    wanted=$(echo before; seq 60000; echo 'between 0'; seq 60001 120000; echo 'after 0')
    [[ $(grep -v '^\[Async \|^+ ' "$1") == "$wanted" ]] && echo "whole $2"
}
"#;

fn over(case: &Case, script: &str) -> Finished {
    case.run(&format!("{OVER}{script}"))
}

/// Checks what an independent reader got from `both`.
fn assert_has_both(text: &str) {
    let mut wanted = vec!["before".to_owned()];
    wanted.extend((1..=60000).map(|line| line.to_string()));
    wanted.push("between 0".into());
    wanted.extend((60001..=120_000).map(|line| line.to_string()));
    wanted.push("after 0".into());
    // On a terminal, what a panel could have beside a line is cleared first.
    let is_other = |line: &&str| line.trim_start_matches("\u{1b}[J").starts_with("[Async ") || line.starts_with("+ ");
    let seen = text.lines().filter(|line| !is_other(line));
    assert!(seen.eq(wanted.iter().map(String::as_str)), "{} bytes:\n{text:.1000}", text.len());
}

#[test]
fn a_file_a_file_that_grows_and_a_pipe() {
    in_each_case(|case| {
        over(case, "both >out; has out file").says("whole file\n");
        over(case, "both >>out; has out appended").says("whole appended\n");
        over(case, "both | cat >out; has out pipe").says("whole pipe\n");
        // Each opens the file anew, and the text after the first log stays.
        let finished = over(
            case,
            "printf '%01000000d' 0 >out
            async_wait t 1<>out; async_wait u >>out
            { head -c 1000000 out | grep -x '[0-9]\\{1,5\\}' | cmp - <(seq 60000); } && echo over
            tail -c +1000001 out | grep -v '^\\[Async \\|^+ ' | cmp - <(seq 60001 120000) && echo behind",
        );
        finished.says("over\nbehind\n");
    });
}

#[test]
fn another_file_system() {
    let (here, there) = (std::env::temp_dir(), Path::new("/dev/shm"));
    let device = |path: &Path| fs::metadata(path).map(|it| it.dev()).ok();
    let Some(folder) = tempfile::tempdir_in(there).ok().filter(|_| device(&here) != device(there)) else {
        tools::skip("there is no second file system at /dev/shm: mount -t tmpfs tmpfs /dev/shm");
        return;
    };
    let out = folder.path().join("out");
    let out = out.display();
    in_each_case(|case| {
        over(case, &format!("both >{out}; has {out} elsewhere")).says("whole elsewhere\n");
    });
}

#[test]
fn a_socket() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            (&ours).read_to_string(&mut text).map(|_| text)
        });
        let mut command = sandbox.bash(&case.script(&format!("exec 7>&1 >/dev/null\n{OVER}both >&7")));
        let status = command.stdout(OwnedFd::from(theirs)).status().unwrap();
        // It holds the other end.
        drop(command);
        assert!(status.success());
        assert_has_both(&reader.join().unwrap().unwrap());
    });
}

#[test]
fn a_terminal() {
    let sandbox = Sandbox::default();
    let mut terminal = Terminal::new(
        &sandbox,
        80,
        &format!(
            "source <(async shim); async_init >/dev/null
            function quiet {{ :; }}
            {{ {OVER} }} >/dev/null
            both"
        ),
    );
    assert!(terminal.finish().success());
    assert_has_both(&String::from_utf8(std::mem::take(&mut terminal.sent)).unwrap());
}

#[test]
fn sinks_that_take_nothing_or_all() {
    in_each_case(|case| {
        over(
            case,
            "async_wait t >/dev/full
            echo \"full $?\"
            async log t >/dev/full
            (async_wait t; echo \"unread $?\" >&2) | true
            both >out; has out file
            async_run t task 60000
            wait $!
            async_wait t >/dev/null
            echo \"null $?\"
            async_wait t",
        )
        .complains("async: can't pass on the log of `t`: No space left on device (os error 28)\n")
        .complains("unread 125\n")
        .says("full 125\nwhole file\n")
        .says("null 0\n")
        .tells(if case.profile == "devstack" { "Not waiting for async task t " } else { "]: collected before: task " })
        .lacks("\n60000\n");
    });
}

#[test]
fn a_disk_that_gets_full() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let _disk = SmallDisk::at(&sandbox.path("disk"));
        let disk = sandbox.path("disk");
        for redirection in [">", ">>"] {
            let finished = sandbox.run(&case.script(&format!(
                "{OVER}rm -f {0}/out
                async_wait t {redirection}{0}/out
                echo \"wait $?\"
                both >out; has out file",
                disk.display()
            )));
            finished.complains("can't pass on the log of `t`: No space left on device").says("wait 125\nwhole file\n");
        }
    });
}

#[test]
fn a_limit_on_the_size_of_files() {
    in_each_case(|case| {
        over(
            case,
            "(ulimit -f 200; async_wait t >small; echo \"wait $?\")
            both >out; has out file",
        )
        .complains("can't pass on the log of `t`: File too large")
        .says("wait 125\nwhole file\n");
    });
}

/// Everything is passed on, whatever prevents the kernel from copying by itself.
#[test]
fn a_kernel_that_does_not_copy() {
    if !tools::is_there("strace") {
        return;
    }
    let held = Held::default();
    let mut task = held.begin("t");
    // Longer than one copy.
    let text = "some text to be passed on\n".repeat(700_000);
    task.print(&text);
    task.finish(0);
    // The last call reports the end.
    for how in ["error=EINVAL", "error=EIO", "error=EINTR", "retval=0"] {
        for when in ["1", "2", "1+"] {
            // A call that is interrupted forever is not an error.
            if how == "error=EINTR" && when == "1+" {
                continue;
            }
            for (sink, call) in [("out", "copy_file_range"), ("/dev/stdout | cat >out", "sendfile")] {
                let trace = held.sandbox.path("trace");
                let arguments = strace::arguments(&trace, &[format!("{call}:{how}:when={when}")]);
                let arguments = shlex::try_join(arguments.iter().map(|it| it.to_str().unwrap())).unwrap();
                held.sandbox.run(&format!("strace {arguments} async log t >{sink}")).exits(0);
                let traced = fs::read_to_string(&trace).unwrap();
                assert!(traced.contains("(INJECTED)"), "{call} {how} {when}: {traced}");
                assert!(fs::read_to_string(held.sandbox.path("cwd/out")).unwrap() == text, "{call} {how} {when}");
            }
        }
    }
}
