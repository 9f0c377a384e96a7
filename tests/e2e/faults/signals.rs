//! Signals to a waiting shell.

use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};

use async_tests::fault::{Case, in_each_case};
use async_tests::shell::Sandbox;
use async_tests::wait_until;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// A shell that is blocked in a wait, recognized by its waiting line.
fn waiting_shell(case: &Case, sandbox: &Sandbox, script: &str) -> Child {
    let mut command = sandbox.bash(&case.script(&format!("exec 2>&1\n{script}")));
    let mut child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut seen = Vec::new();
    let stdout = child.stdout.as_mut().unwrap();
    while !String::from_utf8_lossy(&seen).contains("Waiting for completion") {
        let mut byte = [0];
        assert_ne!(stdout.read(&mut byte).unwrap(), 0, "the shell ended: {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    child
}

/// Whether a shell sleeps in its own wait. Once its last program has gone, it still takes an interrupt for that program's
/// until it has dealt with it.
fn waits_by_itself(shell: u32) -> bool {
    let sleeps = || fs::read_to_string(format!("/proc/{shell}/wchan")).is_ok_and(|place| place == "do_wait");
    has_only_supervisors(shell) && sleeps() && has_only_supervisors(shell)
}

/// Whether all children of a shell are supervisors.
fn has_only_supervisors(shell: u32) -> bool {
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
    children.split_whitespace().all(|child| {
        let words = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        words.split(|&byte| byte == 0).any(|word| word == b"supervise")
    })
}

/// The shell's output from there to its end.
fn rest_of(shell: &mut Child) -> String {
    let mut rest = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    rest
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

#[test]
fn a_trap_runs_at_once_during_a_wait() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut shell = waiting_shell(
            case,
            &sandbox,
            "make_gate go
            function waits { gate go; }
            async_run t waits
            trap 'echo trapped; open_gate go' TERM
            async_wait t
            echo \"status $?\"",
        );
        // Only the trap opens the gate, so this ends only if the trap runs during the wait.
        kill(pid(&shell), Signal::SIGTERM).unwrap();
        let rest = rest_of(&mut shell);
        assert!(rest.contains("trapped\n") && rest.contains("status 0\n"), "{case}: {rest}");
        assert!(shell.wait().unwrap().success());
    });
}

#[test]
fn a_trap_runs_at_once_during_a_wait_for_another_shells_future() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut shell = waiting_shell(
            case,
            &sandbox,
            "make_gate go
            function waits { gate go; }
            async_run t waits
            (
                trap 'echo trapped; open_gate go' TERM
                echo \"$BASHPID\" >waiter
                async_wait t
                echo \"status $?\"
            )",
        );
        let waiter = fs::read_to_string(sandbox.path("cwd/waiter")).unwrap();
        kill(Pid::from_raw(waiter.trim().parse().unwrap()), Signal::SIGTERM).unwrap();
        let rest = rest_of(&mut shell);
        assert!(rest.contains("trapped\n") && rest.contains("status 0\n"), "{case}: {rest}");
        shell.wait().unwrap();
    });
}

#[test]
fn an_interrupt_ends_the_script_and_the_future_can_still_be_collected() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut shell = waiting_shell(
            case,
            &sandbox,
            "make_gate go ready
            function waits { : >ready; gate go; echo survived; }
            async_run t waits
            gate ready
            async_wait t
            echo 'not reached'",
        );
        // Bash ignores an interrupt that comes with the end of a program.
        wait_until("the shell's own wait", || waits_by_itself(shell.id()));
        // Like a terminal: to the whole process group.
        killpg(pid(&shell), Signal::SIGINT).unwrap();
        let ended = shell.wait().unwrap();
        assert!(ended.signal() == Some(2) || ended.code() == Some(130), "{case}: {ended:?}");
        if case.profile == "standalone" {
            // What it has started is cancelled with it.
            sandbox.run(&case.sourced("async_wait t; echo \"status $?\"")).lacks("survived").says("status 143\n");
            return;
        }
        let finished = sandbox.run(&case.sourced("open_gate go; async_wait t; echo \"status $?\""));
        finished.says("survived\n").says("status 0\n");
    });
}

#[test]
fn a_hangup_of_the_terminal_ends_task_and_script_and_leaves_a_result() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut shell = waiting_shell(
            case,
            &sandbox,
            "make_gate ready
            # A bash that waits would name the later of two signals as its end.
            function waits { : >ready; exec sleep 1000; }
            async_run t waits
            gate ready
            async_wait t",
        );
        killpg(pid(&shell), Signal::SIGHUP).unwrap();
        assert_eq!(shell.wait().unwrap().signal(), Some(1));
        sandbox
            .run(&case.sourced("async_wait t; echo \"status $?\""))
            // The end of the script may have asked for it to be cancelled before it was gone.
            .tells("result 129 in 0 seconds (killed by signal 1, SIGHUP")
            .says("status 129\n");
    });
}

#[test]
fn a_stopped_task_is_waited_for_until_it_goes_on() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let mut shell = waiting_shell(
            case,
            &sandbox,
            "make_gate go ready
            function waits { : >ready; gate go; echo went on; }
            async_run t waits
            gate ready
            kill -STOP \"$(async_pidof t)\"
            async_wait t
            echo \"status $?\"",
        );
        let task = sandbox.run("async pid t").stdout;
        sandbox.run(&case.sourced("open_gate go; async status")).says("t\trunning").exits(0);
        kill(Pid::from_raw(task.trim().parse().unwrap()), Signal::SIGCONT).unwrap();
        let rest = rest_of(&mut shell);
        assert!(rest.contains("went on\n") && rest.contains("status 0\n"), "{case}: {rest}");
        shell.wait().unwrap();
    });
}

#[test]
fn a_status_of_the_tasks_own_that_stands_for_a_signal_is_none() {
    in_each_case(|case| {
        let finished = case.run(
            "function own { return 137; }
            function inner { bash -c 'kill -KILL $$'; }
            function killed { kill -KILL \"$BASHPID\"; }
            for f in own inner killed; do async_run $f $f; async_wait $f; echo \"$f $?\"; done
            for rc in 137 143 192 255; do async run --wait s$rc -- sh -c \"exit $rc\"; echo \"s$rc $?\"; done
            async run --wait terminated -- sh -c 'kill $$'; echo \"terminated $?\"
            DEVSTACK_PARALLEL=False ASYNC_PARALLEL=false
            async_run here own; async_wait here; echo \"here $?\"
            for name in own inner killed s137 s143 s192 s255 terminated here; do
                async log --list-runs --json $name | grep -o '\"signal\": .*,' | sed \"s/^/$name /\"
            done",
        );
        for (name, rc, number) in [
            ("own", 137, None),
            ("inner", 137, None),
            ("killed", 137, Some((9, "SIGKILL"))),
            ("s137", 137, None),
            ("s143", 143, None),
            ("s192", 192, None),
            ("s255", 255, None),
            ("terminated", 143, Some((15, "SIGTERM"))),
            ("here", 137, None),
        ] {
            let (json, text) = match number {
                Some((number, name)) => (number.to_string(), format!(" (killed by signal {number}, {name})\n")),
                None => ("null".to_owned(), "\n".to_owned()),
            };
            finished.says(&format!("{name} {rc}\n")).says(&format!("{name} \"signal\": {json},\n"));
            finished.tells(&format!(" with result {rc} in 0 seconds{text}"));
        }
        let said = finished.stdout.clone() + &finished.stderr;
        assert_eq!(said.matches("killed by").count(), 3, "{finished}");
    });
}
