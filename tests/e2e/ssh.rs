//! Futures on another host, by a real ssh on loopback: the program there is the engine, and no answer is no news.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use async_tests::other_host::OtherHost;

/// A task that is there until it is let go.
const GATED: &str = "rm -f there go; mkfifo go
    async run --on ssh:far t -- bash -c 'echo begun; echo $$ >new; mv new there; read -r rc <go; echo the end; exit $rc'
    until [ -e there ] && async status t | grep -q running; do sleep 0.02; done";

#[test]
fn the_status_the_output_and_the_record_are_those_of_the_task() {
    let Some(host) = OtherHost::start() else { return };
    let finished = host.run(
        "async run --on ssh:far t -- bash -c 'echo out; echo err >&2; exit 7'
        async wait t; echo \"seven $?\"
        async run --on ssh:far --wait t -- true; echo \"success $?\"
        async run --on ssh:far --wait t -- bash -c 'kill -KILL $$'; echo \"killed $?\"
        async run --on ssh:far --wait t -- no-such-program; echo \"missing $?\"
        mkdir work; async run --on ssh:far -C work -e 'A=b  c' t -- bash -c 'pwd; echo \"$A|$1|$HOME\"' _ $'x\\ny\\xff'
        async wait t; rmdir work
        async run --on ssh:far --retry 2 t -- bash -c 'echo x >>tries; [ $(wc -l <tries) = 3 ]'
        async wait t >/dev/null; echo \"retry $?\"
        ssh far 'async status; ls ~/.local/state/async-jobs'",
    );
    finished.says("out\nerr\nseven 7\nsuccess 0\nkilled 137\n").says("missing 127\n").says("retry 0\n");
    let home = host.home();
    finished.says(&format!("/work\nb  c|x\ny\u{fffd}|{}\n", home.display()));
    finished.tells("]: queued: ").complains("there are no live futures");
    let folders = fs::read_dir(home.join(".local/state/async-jobs")).unwrap().count();
    assert_eq!(folders, 0, "nothing is left there");
}

#[test]
#[ignore = "in the full set"]
fn a_host_that_does_not_answer_is_no_news() {
    let Some(mut host) = OtherHost::start() else { return };
    for rc in [0, 5] {
        host.run(GATED).exits(0);
        host.go_down();
        sleep(Duration::from_secs(2));
        host.run("async status").says("t\trunning\t").exits(0);
        // It ends while nobody hears it.
        host.run(&format!("echo {rc} >go; sleep 5; async status")).says("t\trunning\t").exits(0);
        host.come_up();
        host.run("async wait t").says("begun\nthe end\n").exits(rc);
    }
    for fault in ["exit 255", "echo garbage; exit 0", "head -c 1000 /dev/urandom"] {
        host.run(GATED).exits(0);
        host.fault(fault);
        sleep(Duration::from_secs(3));
        host.run("async status").says("t\trunning\t").exits(0);
        host.fault("");
        host.run("echo 6 >go; async wait t").says("begun\nthe end\n").exits(6);
    }
}

#[test]
#[ignore = "in the full set"]
fn a_host_that_hangs_is_no_news() {
    let Some(host) = OtherHost::start() else { return };
    for name in ["t", "u", "v"] {
        let started =
            GATED.replace("ssh:far t", &format!("ssh:far {name}")).replace("status t", &format!("status {name}"));
        host.run(&format!("mkdir {name}; cd {name}; {started}")).exits(0);
    }
    host.fault("exec sleep 1000");
    host.run("async wait --timeout 3s t u").exits(124);
    host.run("async cancel v").complains("there is no answer").exits(125);
    let status = host.run("async status");
    status.says("t\trunning\t").says("u\trunning\t").says("v\trunning\t");
    host.fault("");
    // Nobody hears of it before the question that hangs is given up.
    host.run("echo 0 >t/go; async wait t").says("begun\nthe end\n").exits(0);
    host.run("echo 6 >u/go; async wait u").says("begun\nthe end\n").exits(6);
    host.run("async wait v").tells("(cancelled)").exits(143);
}

#[test]
#[ignore = "in the full set"]
fn a_question_that_is_cut_short_is_not_begun() {
    let Some(host) = OtherHost::start() else { return };
    for rest in ["600", "-2", "-30", "-60", "-120"] {
        host.fault(&format!("head -c {rest} >\"$0.in\"; exec <\"$0.in\""));
        let started = host.run("async run --on ssh:far t -- touch ran");
        assert!([0, 125].contains(&started.status), "{started}");
        host.fault("");
        let finished = host.run("async wait t; rc=$?; [ ! -e ran ] || echo it ran; exit $rc");
        finished.exits(125).lacks("it ran");
    }
}

#[test]
fn what_the_shell_there_prints_itself_is_no_answer() {
    let Some(host) = OtherHost::start() else { return };
    host.fault("echo 'welcome to this host'; echo '{\"futures\": []}'");
    host.run("async run --on ssh:far t -- bash -c 'echo out; exit 4'; async wait t").says("out\n").exits(4);
}

#[test]
fn a_log_that_cannot_be_read_there_is_not_taken_for_a_whole_one() {
    let Some(host) = OtherHost::start() else { return };
    host.run(GATED).exits(0);
    let logs = format!("$(find {} -name '*.log')", host.home().join(".local/state/async").display());
    host.run("until async log t | grep -q begun; do sleep 0.02; done").exits(0);
    host.run(&format!("rm {logs}; echo 6 >go; async wait t")).says("can't be read").exits(6);
    // It can be read a moment after its end.
    host.run(GATED).exits(0);
    host.run("until async log t | grep -q begun; do sleep 0.02; done").exits(0);
    host.run(&format!(
        "log={logs}; mv $log away; echo 6 >go; until ssh far async status | grep -q finished; do :; done
        sleep 1.5; mv away $log; async wait t"
    ))
    .says("begun\nthe end\n")
    .lacks("can't be read")
    .exits(6);
}

#[test]
#[ignore = "in the full set"]
fn one_that_is_lost_there_is_no_success() {
    let Some(host) = OtherHost::start() else { return };
    // As after a reboot: all of its processes are gone, and its record is there.
    host.run(GATED).exits(0);
    host.run("ssh far 'kill -KILL $(async pid \"$(async status | cut -f 1)\")'; kill -KILL $(cat there); async wait t")
        .exits(125);
    // As if its disk were new.
    host.run(GATED).exits(0);
    fs::remove_dir_all(host.home().join(".local/state/async")).unwrap();
    let finished = host.run("ASYNC_JOB_GRACE=3 async wait t");
    assert_ne!(finished.status, 0, "{finished}");
    // Its task still waits there, and nothing else would end it.
    host.run("echo 0 >go").exits(0);
}

#[test]
#[ignore = "in the full set"]
fn cancel_time_and_log_go_through() {
    let Some(host) = OtherHost::start() else { return };
    let finished = host.run(
        "async run --on ssh:far t -- bash -c 'trap \"echo told; exit 3\" TERM; echo >there; while :; do sleep 100 & wait; done'
        until [ -e there ]; do sleep 0.02; done
        async cancel t; echo \"cancel $?\"; async wait t; echo \"wait $?\"
        async run --on ssh:far --grace 100ms t -- bash -c 'trap \"\" TERM; echo $$ >ignores; while :; do sleep 1; done'
        until [ -s ignores ]; do sleep 0.02; done
        async cancel t; async wait t; echo \"wait $?\"; kill -0 $(cat ignores) && echo alive
        async run --on ssh:far --timeout 1s t -- sleep 1000; async wait t; echo \"time $?\"
        async run --on ssh:far t -- bash -c 'echo one; sleep 2; echo two'
        async log --follow t; async wait t >/dev/null; echo \"log $?\"",
    );
    finished.says("cancel 0\ntold\nwait 3\n").says("wait 137\n").says("time 124\n").says("one\ntwo\nlog 0\n");
    finished.lacks("alive");
}

#[test]
fn one_whose_attendant_was_killed_is_attended_again() {
    let Some(host) = OtherHost::start() else { return };
    for rc in [0, 5] {
        host.run(GATED).exits(0);
        host.run("kill -KILL $(async pid t); async status").says("t\trunning\t").exits(0);
        host.run(&format!("echo {rc} >go; async wait t")).says("begun\nthe end\n").exits(rc);
    }
}

#[test]
#[ignore = "in the full set"]
fn a_host_without_the_program_or_with_another_version_is_refused() {
    let Some(host) = OtherHost::start() else { return };
    let refused = |bin: &str, why: &str| {
        let script = format!("ASYNC_REMOTE_BIN={bin} async run --on ssh:far t -- touch ran");
        host.run(&script).complains(why).exits(125);
        host.run("async status t").exits(125);
    };
    refused("/nowhere/async", "there is no program /nowhere/async");
    let other = host.sandbox().path("other");
    fs::write(&other, "#!/bin/sh\necho async 99.1.0\n").unwrap();
    fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    refused(other.to_str().unwrap(), "is async 99.1.0");
    host.run("async run --on ssh: t -- true").exits(2);
    host.run("async run --on ssh:-x t -- true").exits(2);
    assert!(!host.sandbox().path("cwd/ran").exists());
}

#[test]
fn a_host_that_lets_nobody_in_is_refused_with_the_words_of_ssh() {
    let Some(host) = OtherHost::start() else { return };
    for words in [
        "ssh: Could not resolve hostname far: Name or service not known",
        "ssh: connect to host far port 22: Connection refused",
        "me@far: Permission denied (publickey).",
        "Host key verification failed.",
    ] {
        host.fault(&format!("echo '{words}' >&2; exit 255"));
        host.run("async run --on ssh:far t -- touch ran").complains(words).exits(125);
        host.run("async status t").exits(125);
        let after = "async run first -- true; async wait --keep first
            async run --after first --on ssh:far t -- touch ran; async wait first t";
        host.run(after).complains(words).exits(125);
    }
    // With other words it may have been started.
    host.fault("echo 'Connection closed by far' >&2; exit 255");
    host.run("async run --on ssh:far t -- touch ran; async status --json t").says("Connection closed by far").exits(0);
    host.fault("");
    host.run("async wait t").exits(125);
    assert!(!host.sandbox().path("cwd/ran").exists());
}

#[test]
fn the_program_there_may_be_named_from_the_home() {
    let Some(host) = OtherHost::start() else { return };
    host.run("ASYNC_REMOTE_BIN='~/nowhere/async' async run --on ssh:far t -- true")
        .complains("/nowhere/async")
        .lacks("~");
}

#[test]
fn a_log_that_became_shorter_there_is_told_of() {
    let Some(host) = OtherHost::start() else { return };
    host.run(
        "async run --on ssh:far t -- bash -c 'echo long enough; sleep 3; : >/dev/stderr; sleep 2'; async wait --keep t; async log t",
    )
    .says("long enough\n")
    .says("has become shorter")
    .exits(0);
    host.run("async status --json t").says("\"log_cut_bytes\": 12").exits(0);
}

#[test]
fn a_function_runs_there_with_what_its_shell_had() {
    let Some(host) = OtherHost::start() else { return };
    let finished = host.run(
        "source <(async shim); set -e
        words=(a 'b c'); declare -A map=([k]='v w')
        function f { printf '<%s>' \"${words[@]}\" \"${map[k]}\" \"$@\"; echo; false; echo after; }
        function g { echo g; }
        async_run --on ssh:far f f 1 '2  3' || exit 99
        ASYNC_ON=ssh:far async_run g g
        rc=0; async_wait f || rc=$?; async_wait g; echo \"f $rc\"",
    );
    finished.says("<a><b c><v w><1><2  3>\ng\nf 1\n").exits(0);
}

#[test]
fn of_several_hosts_each_gets_as_many_as_the_limit_says() {
    let Some(host) = OtherHost::start() else { return };
    let started = host.run(
        "export ASYNC_ON=ssh:far,ssh:far2
        for i in 1 2 3 4 5 6; do
            async run --jobs 2 t$i -- bash -c 'until [ -e go ]; do sleep 0.02; done; echo $0; exit $0' $i
        done
        until [ $(async status | grep -c running) = 4 ]; do sleep 0.05; done
        async status --json",
    );
    let (_, json) = started.stdout.split_once('{').unwrap();
    let status: serde_json::Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    let mut seen: Vec<_> = status["futures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|future| (future["state"].as_str().unwrap(), future["on"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    let expected = [("queued", "ssh:far,ssh:far2"), ("running", "ssh:far"), ("running", "ssh:far2")];
    assert_eq!(seen, expected.map(|one| [one; 2]).concat(), "{started}");
    let ended = host.run("touch go; for i in 1 2 3 4 5 6; do async wait t$i; echo \"status $?\"; done");
    ended.says("1\nstatus 1\n2\nstatus 2\n").says("6\nstatus 6\n").exits(0);
    host.run("async run --on ssh:far,slurm t -- true").complains("`ssh:HOST,ssh:HOST`").exits(2);
}

#[test]
fn the_program_is_put_on_a_host_once_it_has_run_there() {
    let Some(host) = OtherHost::start() else { return };
    let bin = host.home().join(".local/bin/async");
    let finished = host.run("async ssh-setup far; ASYNC_REMOTE_BIN=~/nothing async run --on ssh:far t -- true");
    finished.says(&format!("async {} is {} on far\n", env!("CARGO_PKG_VERSION"), bin.display()));
    finished.says(&format!(" before it: export ASYNC_REMOTE_BIN={}\n", bin.display()));
    finished.complains("put it there with async ssh-setup").exits(125);
    host.run(&format!("ASYNC_REMOTE_BIN={} async run --on ssh:far --wait t -- true", bin.display())).exits(0);
    // A program that is cut on its way, or does not run there, leaves the earlier one alone.
    let is_alone = || {
        let names: Vec<_> =
            fs::read_dir(bin.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["async"]);
        host.run(&format!("{} --version", bin.display())).exits(0);
    };
    for (fault, why) in [
        ("head -c 100000 >\"$0.in\"; exec <\"$0.in\"", "can not write to"),
        ("{ printf '#!/bin/false\\n'; tail -c +14; } >\"$0.in\"; exec <\"$0.in\"", "does not run there"),
        ("exit 255", "can't put the program on far: ssh ended with"),
    ] {
        host.fault(fault);
        let finished = host.run("async ssh-setup far");
        host.fault("");
        finished.complains(why).exits(125);
        is_alone();
    }
    host.run("async ssh-setup -- -x").exits(2);
    host.run("async ssh-setup 'a b'").exits(2);
}
