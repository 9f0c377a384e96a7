//! Two hosts that share a store. Each is a namespace with a name, a boot and process ids of its own; what is killed with
//! it lets go of its locks, as on a file system whose locks other hosts do not see.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use async_tests::cluster::Cluster;
use async_tests::fault::in_each_standalone_case;
use async_tests::shell::Sandbox;
use async_tests::small_disk::is_root;

/// `on HOST BOOT COMMAND...` runs a command on a host, which is gone when the command ends.
const ON: &str = r#"
    on() { # the host's name, its boot, a command
        echo "0000000$2-0000-4000-8000-000000000000" >"$1.boot"
        echo "${machine-$1}" >"$1.machine"
        unshare --uts --pid --fork --mount --mount-proc --kill-child=KILL bash -c '
            mount --bind "$0.boot" /proc/sys/kernel/random/boot_id
            [ ! -e /etc/machine-id ] || mount --bind "$0.machine" /etc/machine-id
            hostname "$0"; shift; "$@"; exit $?' "$@"
    }
"#;

/// A task on the host `a`, which ends as it is told to.
const TASK: &str = r#"
    make_gate() { rm -f go; mkfifo go; }
    make_gate; rm -f there
    start="async run t -- bash -c 'echo out; echo >there; read -r rc <go; exit \$rc'; until [ -e there ]; do sleep 0.02; done"
    # The host is there until it is ended.
    start_on_a() {
        mkfifo off
        on a 1 bash -c "$start; read -r _ <off" & host=$!
        until [ -e there ]; do sleep 0.02; done
    }
    end_a() { echo >off; wait $host; rm off; }
"#;

#[test]
fn a_future_of_another_host_is_waited_for_and_never_lost() {
    if !is_root("another host") {
        return;
    }
    for rc in [0, 6] {
        let sandbox = Sandbox::default();
        let finished = sandbox.run(&format!(
            "{ON}{TASK}
            start_on_a
            on b 2 async status t
            on b 2 async run t -- true; echo \"again $?\"
            on b 2 async cancel t; echo \"cancel $?\"
            on b 2 async wait --timeout 1ms t; echo \"early $?\"
            on b 2 async wait t >waited & waiter=$!
            echo {rc} >go; wait $waiter; echo \"wait $?\"; cat waited
            end_a"
        ));
        finished.says("t\trunning\t-\ta:").says("again 125\n").says("cancel 125\n").says("early 124\n");
        finished.says(&format!("wait {rc}\nout\n"));
        finished.complains("`t` runs on the host a: cancel it there").complains("`t` is running already (pid a:");
    }
}

#[test]
fn an_init_leaves_alone_what_another_host_is_just_making() {
    let sandbox = Sandbox::default();
    // No process of this host has that id.
    let finished = sandbox.run(
        "async init
        new=\"$ASYNC_DIR/.starting/new.4194305.0\"
        exec 8>\"$new\" && flock 8 || exit
        async init; echo \"init $?\"; [ -e \"$new\" ] && echo held
        exec 8>&-
        async init; echo \"init $?\"; [ -e \"$new\" ] || echo cleared",
    );
    finished.says("init 0\nheld\ninit 0\ncleared\n");
}

#[test]
fn a_limit_holds_across_hosts_and_nobody_waits_for_a_process_with_the_same_id() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    // Process ids of both are small, so most that hold a slot of `a` have a namesake on `b`, which stays.
    let finished = sandbox.run(&format!(
        "{ON}
        mkfifo go off
        on a 1 bash -c 'async run --jobs 1 first -- bash -c \"echo >there; read -r _ <go\"; until [ -e there ]; do sleep 0.02; done
            read -r _ <off' & host=$!
        until [ -e there ]; do sleep 0.02; done
        on b 2 bash -c 'for i in {{1..40}}; do sleep 1000 & done
            async run --jobs 1 second -- bash -c \"echo ran >ran\"
            async status second; [ -e ran ] || echo held
            echo >go
            async wait second; echo \"wait $?\"; [ -e ran ] && echo ran; kill $(jobs -p)'
        echo >off; wait $host"
    ));
    finished.says("second\tqueued\t").says("held\nwait 0\nran\n");
}

#[test]
#[ignore = "in the full set"]
fn a_queue_that_another_host_resumes_goes_on_within_a_minute() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{ON}
        mkfifo off
        on a 1 bash -c 'async init; async pause; async run t -- true; echo >there; read -r _ <off' & host=$!
        until [ -e there ]; do sleep 0.02; done
        on b 2 async status t
        on b 2 async resume; echo \"resume $?\"
        on b 2 async wait t; echo \"wait $?\"
        echo >off; wait $host"
    ));
    finished.says("t\tqueued\t").says("resume 0\nwait 0\n");
}

#[test]
fn only_the_host_itself_says_that_its_future_is_lost() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{ON}{TASK}
        on a 1 bash -c \"$start\"
        on b 2 async status --json t | grep '\"host\"'
        on b 2 async wait --timeout 1.5s t; echo \"wait $?\"
        on b 2 async init; echo \"init $?\"
        on b 2 async status t
        on a 3 async status t
        on b 2 async wait t & waiter=$!
        on a 3 async wait t; echo \"after a boot $?\"
        wait $waiter; echo \"on b $?\""
    ));
    finished
        .says("\"host\": \"a\"")
        .says("wait 124\n")
        .complains("`t` of an earlier run still runs, so it was kept")
        .says("t\trunning\t-\ta:");
    finished.says("t\tlost\t").says("after a boot 125\n").says("on b 125\n");
}

#[test]
fn a_host_that_gets_another_name_when_it_boots_is_the_same() {
    if !is_root("another host") || !Path::new("/etc/machine-id").exists() {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{ON}{TASK}
        machine=m
        on a 1 bash -c \"$start\"
        on renamed 2 async wait t; echo \"wait $?\""
    ));
    finished.says("wait 125\n").complains("(lost)");
}

#[test]
fn nothing_is_said_to_be_stopped_that_runs_in_another_container() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    // Both have the kernel's boot in common. The one that cancels has processes with the same ids.
    let finished = sandbox.run(&format!(
        "{ON}{TASK}
        start_on_a
        on b 1 async cancel --grace 0s t; echo \"cancel $?\"
        async status t
        echo 6 >go; async wait t; echo \"wait $?\"
        end_a"
    ));
    finished.says("cancel 125\n").says("t\trunning\t").says("wait 6\n");
}

#[test]
fn a_task_that_a_shell_of_another_host_ran_itself_can_be_collected() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{ON}
        export -f on; export ASYNC_DIR=$DEST/shared
        echo 'source <(async shim); ASYNC_PARALLEL=false; fails() {{ return 3; }}; async_run t fails' >script
        on a 1 $BASH script
        on b 2 async wait t; echo \"wait $?\""
    ));
    finished.says("wait 3\n");
}

#[test]
fn a_script_of_another_host_with_the_same_process_id_is_another_one() {
    if !is_root("another host") {
        return;
    }
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{ON}
        export -f on; export ASYNC_DIR=$DEST/shared; mkfifo b_go a_go
        cat >b_script <<'END'
        source <(async shim)
        async_run t false
        until async status t | grep -q finished; do sleep 0.02; done
        echo >a_go; read -r _ <b_go
        async_wait t; echo \"b $? of $$\"
END
        cat >a_script <<'END'
        source <(async shim)
        read -r _ <a_go
        async_run t true; until async status t | grep -q finished; do sleep 0.02; done
        echo \"a of $$\"
        echo >b_go
END
        on a 1 $BASH a_script & other=$!
        on b 2 $BASH b_script; wait $other"
    ));
    let id = |which: &str| {
        finished.stdout.lines().find(|line| line.starts_with(which)).and_then(|line| line.rsplit(' ').next())
    };
    assert_eq!(id("a of"), id("b "), "{finished}");
    finished.says("b 125 of ");
}

#[test]
fn a_script_of_another_host_is_not_taken_for_one_that_has_ended() {
    if !is_root("another host") {
        return;
    }
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ON}
            export -f on; export ASYNC_DIR=$DEST/shared
            cat >script <<'END'
            source <(async shim)
            async_run t true
            until async status t | grep -q finished; do sleep 0.02; done
            on b 2 async init; echo \"init $?\"
            on b 2 async wait --all; echo \"all $?\"
            async_wait t; echo \"own $?\"
END
            on a 1 $BASH script"
        ));
        finished.says("own 0\n").complains("so it was left alone");
    });
}

#[test]
#[ignore = "in the full set"]
fn a_job_is_attended_from_whichever_host_looks() {
    if !is_root("another host") {
        return;
    }
    let Some(cluster) = Cluster::start() else { return };
    for rc in [0, 6] {
        let start = TASK.replace("async run t", "async run --on slurm t");
        // The host that has submitted it is gone.
        let finished = cluster.run(&format!(
            "{ON}{start}
            on a 1 bash -c \"$start\"
            on b 2 async status t
            echo {rc} >go; on b 2 async wait t; echo \"wait $?\""
        ));
        finished.says("t\trunning\t").says(&format!("out\nwait {rc}\n")).lacks("lost");
        // It is there, and attends the job.
        let finished = cluster.run(&format!(
            "{ON}{start}
            start_on_a
            on b 2 async wait t >waited & waiter=$!
            echo {rc} >go; wait $waiter; echo \"wait $?\"; cat waited
            end_a"
        ));
        finished.says(&format!("wait {rc}\nout\n"));
    }
    // It is cancelled from the other.
    let start = TASK.replace("async run t", "async run --on slurm t");
    let finished = cluster.run(&format!(
        "{ON}{start}
        start_on_a
        on b 2 async cancel t; echo \"cancel $?\"
        on b 2 async wait t; echo \"wait $?\"
        end_a"
    ));
    finished.says("cancel 0\n").says("wait 143\n");
}
