//! Faults of tasks whose output is a terminal (`--pty`), which devstack's functions can't ask for.

use async_tests::fault::in_each_standalone_case;
use async_tests::shell::Sandbox;
use async_tests::small_disk::{SmallDisk, is_root};
use async_tests::tools::is_there;

#[test]
fn a_daemon_that_keeps_the_terminal_open_does_not_hold_up_the_end() {
    in_each_standalone_case(|case| {
        let body = "(read -r _ <go; echo late; echo \"late $?\" >said) & echo started";
        let then = "async wait t; echo \"status $?\"; echo >go; cat said";
        for finished in case.run_as_function_and_program("--pty", body, then) {
            finished.says("started\nstatus 0\nlate 1\n");
        }
    });
}

#[test]
fn a_task_whose_terminal_ends_with_its_supervisor() {
    in_each_standalone_case(|case| {
        let body = "echo ready; read -r _ <go; echo late; echo \"late $?\" >said";
        let then = "async log -f t | read -r _; kill -KILL \"$(async pid t)\"; async wait t; echo \"status $?\"
            echo >go; cat said";
        for finished in case.run_as_function_and_program("--pty", body, then) {
            finished.says("ready\nstatus 125\nlate 1\n").complains("left no result");
        }
    });
}

#[test]
fn no_terminal_to_be_had() {
    if !is_there("strace") {
        return;
    }
    let without = "strace -f -qq -o /dev/null -P /dev/ptmx -e inject=?open,openat:error=ENOSPC";
    let sandbox = Sandbox::default();
    for (call, started) in [
        ("async run --pty t -- touch there", "async run t -- touch there"),
        ("source <(async shim); async_run --pty t touch there", "source <(async shim); async_run t touch there"),
    ] {
        let finished =
            sandbox.run(&format!("{without} bash -c '{call}'; echo \"status $?\"; ls; async status 2>/dev/null"));
        finished.complains("can't open a terminal for ").complains("No space left on device");
        assert_eq!(finished.stdout, "status 125\n", "{finished}");
        sandbox.run(&format!("{without} bash -c '{started}; async wait t'; rm there")).exits(0);
    }
    // What is queued is told so by its end.
    let finished = sandbox.run(&format!(
        "async pause; {without} bash -c 'async run --pty t -- touch there; async resume; async wait t'; echo \"status $? <$(ls)>\""
    ));
    finished.says("can't be started: there is no terminal for it").says("status 125 <>\n");
}

#[test]
fn a_full_disk_under_the_log_of_a_terminal() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_standalone_case(|case| {
        let sandbox = case.sandbox();
        let _disk = SmallDisk::at(&sandbox.path("dest"));
        let finished = sandbox.run(&case.script(
            "function task { seq 200000 | head -c 1000000; echo end; exit 3; }
            async_run --pty t task
            async_wait t >out; echo \"status $?\"
            async log --list-runs --json t | grep -o '\"unlogged_bytes\": *[0-9]*'; wc -c <out",
        ));
        finished
            .says("status 3\n")
            .complains(" bytes of what it has printed are missing in its log, which could not be written\n");
        let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
        let lines: Vec<&str> = finished.stdout.lines().collect();
        let [_, missing, there] = lines[..] else { panic!("{finished}") };
        assert_eq!(number(missing) + number(there), 1_000_004, "{finished}");
    });
}

#[test]
fn a_gap_in_the_log_of_a_terminal_is_marked() {
    if !is_root("mounting a small disk") {
        return;
    }
    let sandbox = Sandbox::default();
    let _disk = SmallDisk::at(&sandbox.path("dest"));
    let finished = sandbox.run(
        "mkfifo go said
        async run --pty t -- bash -c 'seq 200000; echo >said; read -r _ <go; echo end'
        read -r _ <said
        mount -o remount,size=4m \"$DEST\" && echo >go
        async wait t | grep '^end\\|missing'; echo \"status ${PIPESTATUS[0]}\"",
    );
    finished.says(" bytes of the output are missing here, as they could not be written\nend\nstatus 0\n");
}

#[test]
fn a_task_that_never_stops_writing_to_its_terminal_and_whose_time_is_up() {
    in_each_standalone_case(|case| {
        // Of several, one always has something to write.
        let body = "for i in 1 2 3 4; do yes & done; wait";
        let then = "async wait --no-log t; echo \"status $?\"";
        for finished in case.run_as_function_and_program("--pty --timeout 1", body, then) {
            finished.says("status 124\n").complains("(its time was up)");
        }
    });
}

#[test]
fn a_cancelled_task_that_prints_more_than_its_terminal_holds() {
    in_each_standalone_case(|case| {
        // More than a terminal holds back.
        let body = "trap \"seq 50000; echo last; exit 5\" TERM; echo ready; while :; do sleep 0.1; done";
        let then = "async log -f t | read -r _; async cancel --grace 1h t; async wait t | tail -1; echo \"status ${PIPESTATUS[0]}\"";
        for finished in case.run_as_function_and_program("--pty", body, then) {
            finished.says("last\nstatus 5\n").complains("(cancelled)");
        }
    });
}

#[test]
fn a_task_on_a_terminal_whose_supervisor_was_killed_can_be_cancelled() {
    in_each_standalone_case(|case| {
        let then = "read -r task <said; kill -KILL \"$(async pid t)\"; async cancel t
            state=Z; { read -r _ _ state _ <\"/proc/$task/stat\"; } 2>/dev/null
            [[ $state == Z ]] || echo 'it goes on'; echo \"looked for ${task:+one}\"";
        for goes_on in ["read -r _ <go", "exec env -i sleep 1000", "sleep 1000 & wait"] {
            let body = format!("echo \"$BASHPID\" >said; {goes_on}");
            for finished in case.run_as_function_and_program("--pty", &body, then) {
                finished.says("looked for one\n").lacks("it goes on").complains("stopped without its supervisor: ");
                finished.lacks("nothing of it was left");
            }
        }
    });
}
