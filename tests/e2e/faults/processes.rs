//! Kernels and containers in which processes can't be seen or held on to.

use async_tests::fault::{Case, in_each_case};
use async_tests::small_disk::is_root;
use async_tests::tools::is_there;

/// Starts, waits, cancels and timeouts, with functions and with programs.
const ALL: &str = "
function fails { echo the log; return 3; }
function sleeps { sleep 300; }
async_run f fails; async_wait f; echo \"f $?\"
[[ -z ${limit-} ]] || export ASYNC_JOBS=1
for i in 1 2 3; do async run q$i -- sh -c 'exit 4'; done
for i in 1 2 3; do async wait q$i; echo \"q$i $?\"; done
unset ASYNC_JOBS
async run --timeout 50ms --grace 10s t -- sleep 300; async wait t; echo \"t $?\"
async_run l sleeps; async cancel l; echo \"cancel l $?\"
async run p -- sleep 300; async cancel p; echo \"cancel p $?\"
";

fn run(case: &Case, wrapper: &str, more: &str) -> async_tests::shell::Finished {
    let sandbox = case.sandbox();
    std::fs::write(sandbox.path("script"), case.script(&format!("limit=1{ALL}{more}"))).expect("a script");
    sandbox.run(&format!("{wrapper} \"$BASH\" {}", sandbox.path("script").display()))
}

#[test]
fn a_kernel_that_gives_no_descriptors_of_processes() {
    if !is_there("strace") {
        return;
    }
    in_each_case(|case| {
        for error in ["ENOSYS", "EPERM"] {
            let finished = run(
                case,
                &format!("strace -f -qq -o /dev/null -e trace=pidfd_open -e inject=pidfd_open:error={error}"),
                "async_wait l; echo \"l $?\"; async wait p; echo \"p $?\"",
            );
            finished.says("the log\n").says("f 3\n").says("q1 4\n").says("q2 4\n").says("q3 4\n").says("t 124\n");
            finished.says("cancel l 0\n").says("cancel p 0\n").says("l 143\n").says("p 143\n");
        }
    });
}

#[test]
fn a_proc_of_another_pid_namespace() {
    if !is_root("a pid namespace") {
        return;
    }
    in_each_case(|case| {
        // Everything else works, and no process gets a signal unless its identity is certain.
        let finished =
            run(case, "unshare --pid --fork --kill-child", "async status; kill %+; async_wait l; echo \"l $?\"");
        finished.says("the log\n").says("f 3\n").says("q1 4\n").says("q2 4\n").says("q3 4\n").says("t 124\n");
        finished.says("only the task's own process was ended: /proc is not there, or of another pid namespace");
        finished.complains("/proc is not there, or of another pid namespace, so no process can be told from another\n");
        finished.says("cancel l 125\n").says("cancel p 125\n").says("p\trunning").says("l 143\n");
    });
}

#[test]
fn no_proc_at_all() {
    if !is_root("a system without a /proc") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let script = format!(
            "mount -t tmpfs none /proc
            export ASYNC_DIR=$DEST/async
            {}
            async init
            {}
            async_run u true; echo \"run $?\"; async_wait u; echo \"u $?\"
            DEVSTACK_PARALLEL=False ASYNC_PARALLEL=false
            async_run here fails; async_wait here; echo \"here $?\"",
            format_args!("eval \"$(async shim --profile {} --parallel-default true)\"", case.profile),
            ALL.replace("async_run f fails; async_wait f;", "(exit 3);")
                .replace("async_run l sleeps; async cancel l;", ":;"),
        );
        std::fs::write(sandbox.path("script"), script).expect("a script");
        let finished = sandbox
            .run(&format!("unshare --mount --pid --fork --kill-child \"$BASH\" {}", sandbox.path("script").display()));
        finished.says("q1 4\n").says("q2 4\n").says("q3 4\n").says("t 124\n").says("cancel p 125\n");
        finished.complains("async: can't make a pipe: no /proc, or too many open files (ulimit -n)\n");
        finished.lacks("run 0\n").lacks("u 0\n").says("run 125\n").says("u 125\n").says("here 125\n");
    });
}

#[test]
fn no_descriptor_to_be_had_when_a_tasks_time_is_up() {
    if !is_there("strace") {
        return;
    }
    in_each_case(|case| {
        // The limit of the whole system, so that the supervisor has no free descriptor either.
        let sandbox = case.sandbox();
        let none = "strace -f -qq -o trace -P /proc -P /proc/self/task -e trace=openat -e inject=openat:error=ENFILE";
        let finished = sandbox.run(&case.script(&format!(
            "{none} async run --timeout 50ms --grace 50ms t -- sh -c 'trap \"\" TERM; exec sleep 300'
            async wait t; echo \"t $?\"
            async run --timeout 1h u -- sleep 300; {none} async cancel u; echo \"cancel $?\"
            async wait u; echo \"u $?\""
        )));
        finished.says("only the task's own process was ended: Too many open files in system (os error 23)\n");
        finished.says("t 124\n").says("cancel 0\n").says("u 143\n");
    });
}
