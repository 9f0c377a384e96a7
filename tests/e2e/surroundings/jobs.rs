//! Traps of the script, and the jobs that they start.

use std::fs;

use async_tests::mark::Mark;
use async_tests::shell::{Bash, Finished, Sandbox};

use super::probe::{in_each, sourced};

#[test]
fn a_wait_in_the_trap_on_exit_of_the_script_has_the_tasks_status() {
    in_each(|bash, profile| {
        for parallel in ["True", "False"] {
            let script = format!(
                "DEVSTACK_PARALLEL={parallel}
                function tests {{ return 1; }}
                trap 'if async_wait tests; then echo \"tests are good\"; else echo \"tests are bad: $?\"; fi' EXIT
                async_runfunc tests || exit 0"
            );
            let finished = Sandbox::new(&bash.path).run(&sourced(profile, &script));
            finished.says("tests are bad: 1\n").exits(0);
        }
    });
}

#[test]
fn a_status_of_the_last_call_in_a_trap_is_the_scripts() {
    in_each(|bash, profile| {
        let script = "function tests { return 7; }
            trap 'async_wait tests; exit \"$?\"' EXIT
            async_runfunc tests";
        Sandbox::new(&bash.path).run(&sourced(profile, script)).exits(7);
    });
}

/// Runs a script in which a trap starts jobs, and ends those jobs.
fn with_jobs(bash: &Bash, script: &str) -> Finished {
    let sandbox = Sandbox::new(&bash.path);
    let mark = Mark::new(&sandbox.path(""));
    fs::write(sandbox.path("script"), script).unwrap();
    let mut command = sandbox.command("timeout");
    command.args(["--kill-after=2", "60"]).arg(&bash.path).arg(sandbox.path("script"));
    let finished = sandbox.finish(mark.put_on(&mut command));
    mark.kill();
    assert_ne!(finished.status, 124, "it waits for the user's job\n{finished}");
    finished
}

/// The script waits for a task while a trap starts jobs, and uses its name again once the task is over.
fn waits_for_nothing_else(bash: &Bash, profile: &str, trap: &str, parallel: &str) {
    let script = format!(
        "DEVSTACK_PARALLEL={parallel}
        function task {{ echo \"ran $1\" >>ran; return 3; }}
        function never_mind {{ :; }}
        set -T
        started=0
        {trap}
        async_run t task 1
        echo \"run $?\"
        started=0
        async_wait t
        echo \"wait $?\"
        trap - DEBUG CHLD RETURN
        kill -0 \"$job\" && echo 'the job still runs'
        async status
        async_run t task 2
        async_wait t
        echo \"again $?\"
        cat ran"
    );
    let finished = with_jobs(bash, &sourced(profile, &script));
    let run = if parallel == "True" { "run 0\n" } else { "run 3\n" };
    finished.says(run).says("wait 3\n").says("the job still runs\n").says("again 3\n").says("ran 1\nran 2\n");
    finished.lacks("t\trunning").lacks("t\tfinished");
}

#[test]
fn jobs_of_a_trap_on_debug_amid_the_functions_delay_nothing() {
    in_each(|bash, profile| {
        let trap =
            "trap '[[ ${FUNCNAME[0]:-} != *async_* || $((started += 1)) -gt 60 ]] || { sleep 300 & job=$!; }' DEBUG
            # Where no command of the functions gets to see the trap, there is a job all the same.
            sleep 300 & job=$!";
        for parallel in ["True", "False"] {
            waits_for_nothing_else(bash, profile, trap, parallel);
        }
    });
}

#[test]
fn jobs_of_a_trap_on_return_amid_the_functions_delay_nothing() {
    in_each(|bash, profile| {
        let trap = "trap '[[ $((started += 1)) -gt 60 ]] || { sleep 300 & job=$!; }' RETURN
            sleep 300 & job=$!";
        waits_for_nothing_else(bash, profile, trap, "True");
    });
}

#[test]
fn jobs_of_a_trap_on_chld_amid_the_functions_delay_nothing() {
    in_each(|bash, profile| {
        let trap = "trap '[[ $((started += 1)) -gt 20 ]] || { sleep 300 & job=$!; }' CHLD
            sleep 300 & job=$!";
        waits_for_nothing_else(bash, profile, trap, "True");
    });
}

/// The signal comes anywhere in the functions' own work, and the trap calls one of them.
#[test]
fn a_trap_amid_the_functions_has_the_right_statuses() {
    in_each(|bash, profile| {
        let script = sourced(
            profile,
            "export DEVSTACK_PARALLEL=True
            mkfifo go
            function interrupts { kill -USR1 $$; read -r _ <go || :; return 4; }
            exec 9>&1
            trap 'async_pidof none >/dev/null; echo \"trap $?\" >&9; : >go' USR1
            for _ in {1..40}; do
                async_run t interrupts >/dev/null 2>&1
                async_wait t >/dev/null 2>&1
                echo \"wait $?\"
            done",
        );
        let finished = Sandbox::new(&bash.path).run(&script);
        let count = |line: &str| finished.stdout.lines().filter(|it| *it == line).count();
        assert_eq!((count("trap 1"), count("wait 4")), (40, 40), "{finished}");
    });
}
