//! Faults of Slurm itself, and of its answers.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::time::Duration;

use async_tests::cluster::Cluster;

/// A task that runs until it is released. It reports the ids of its own process, of the job's shell, and of Slurm's
/// daemon.
const GATED: &str = "rm -f there go; mkfifo go
    async run --on slurm t -- bash -c 'echo $$ $PPID $(ps -o ppid= -p $PPID) >new; mv new there; read -r rc <go; echo the end; exit $rc'
    until [ -e there ] && async status t | grep -q running; do sleep 0.02; done";

#[test]
#[ignore = "in the full set"]
fn a_controller_that_is_down_is_no_news() {
    let Some(mut cluster) = Cluster::start() else { return };
    for rc in [0, 5] {
        cluster.run(GATED).exits(0);
        cluster.stop_controller();
        cluster.run("async status").says("t\trunning\t").exits(0);
        cluster.run(&format!("echo {rc} >go; async wait t")).says("the end\n").exits(rc);
        cluster.start_controller();
    }
    // Whoever looks is told why it does not start.
    cluster.fault("sbatch", "sleep 1000");
    cluster
        .run(
            "async run --on slurm u -- true & until [ -e \"$DEST/async/u.ini\" ] && async pid u; do sleep 0.02; done
        until grep -q ^submission \"$DEST/async/u.ini\"; do sleep 0.02; done; kill -KILL $(async pid u)",
        )
        .exits(0);
    cluster.stop_controller();
    cluster.run("until async status u --json | grep -q 'squeue: .*contact'; do sleep 0.1; done").exits(0);
    cluster.start_controller();
    cluster.fault("sbatch", "");
    cluster.run("async wait u").says("can't be started: ").exits(125);
    // Nobody can ask whether Slurm accepted the job. So it may have, and later it turns out that it has not.
    cluster.stop_controller();
    cluster.run("async run --on slurm t -- touch ran").tells("]: queued: ").exits(0);
    cluster.run("async status").says("t\tqueued\t").exits(0);
    cluster.start_controller();
    cluster.run("async wait t").exits(125);
    assert!(!cluster.sandbox().path("cwd/ran").exists());
}

#[test]
#[ignore = "in the full set"]
fn answers_that_are_none_are_no_news() {
    let Some(cluster) = Cluster::start() else { return };
    let faults = [
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
        "head -c 300 /dev/urandom; exit 0",
        "echo 'all is well'; exit 0",
        "exec sleep 1000",
    ];
    for fault in faults {
        for rc in [0, 6] {
            cluster.fault("squeue", fault);
            cluster.run(GATED).exits(0);
            std::thread::sleep(Duration::from_secs(if fault.starts_with("exec") { 1 } else { 6 }));
            cluster.run("async status").says("t\trunning\t").exits(0);
            cluster.run(&format!("echo {rc} >go; async wait t")).says("the end\n").exits(rc);
            cluster.fault("squeue", "");
            cluster.run("rm -f \"$DEST\"/async/.jobs/slurm.*").exits(0);
        }
    }
}

#[test]
#[ignore = "in the full set"]
fn one_that_slurm_does_not_know_any_more_is_lost_after_a_while_and_not_before() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run(GATED).exits(0);
    // Slurm denies knowing a running job; if the job ends within the grace time, it has ended normally.
    cluster.fault("squeue", "exit 0");
    cluster.run("sleep 2; echo 0 >go; async wait t").says("the end\n").exits(0);
    cluster.fault("squeue", "");
    cluster.run(GATED).exits(0);
    cluster.fault("squeue", "exit 0");
    cluster.run("async wait t").tells("(lost)").exits(125);
    cluster.run("async run --on slurm t -- true").exits(0);
}

#[test]
fn a_controller_that_has_lost_its_state_makes_no_success() {
    let Some(mut cluster) = Cluster::start() else { return };
    // Each on its own node: Slurm disables a node where an id occurs twice.
    let on = |node: &str| format!("--on slurm --sbatch '-w {node}'");
    cluster.run(&GATED.replace("--on slurm", &on("node2"))).exits(0);
    let first = cluster.job("t");
    cluster.stop_controller();
    cluster.run("kill -KILL $(cat there)").exits(0);
    cluster.lose_state();
    cluster.start_controller();
    cluster.wait_for_nodes();
    // Another job has the same id by now, and the end of this one must not touch it.
    cluster.run(&format!("async run {} u -- sleep 1000", on("node1"))).exits(0);
    assert_eq!(cluster.job("u"), first, "ids are used again");
    let finished = cluster.run("async cancel t; async wait t");
    assert_ne!(finished.status, 0, "{finished}");
    cluster.wait_for("the other one runs", &format!("squeue -h -j {first} -o %T | grep -qx RUNNING"));
    cluster.run("async cancel u; async wait u").exits(143);
    // A job that ended while the controller was down has ended.
    cluster.run(GATED).exits(0);
    cluster.stop_controller();
    cluster.lose_state();
    cluster.run("echo 0 >go; async wait t").exits(0);
}

#[test]
#[ignore = "in the full set"]
fn an_answer_to_the_submission_that_is_lost_is_looked_up() {
    let Some(cluster) = Cluster::start() else { return };
    let real = cluster.ask("command -v sbatch");
    for (end, rc) in [("exit 1", 0), ("exit 0", 9), ("kill -KILL $$", 0)] {
        let lost = format!("{real} \"$@\" >/dev/null; echo 'Socket timed out on send/recv operation' >&2; {end}");
        cluster.fault("sbatch", &lost);
        cluster.run(&format!("async run --on slurm t -- bash -c 'echo >>ran; exit {rc}'; async wait t")).exits(rc);
        assert_eq!(fs::read(cluster.sandbox().path("cwd/ran")).unwrap().len(), 1, "it has run once");
        fs::remove_file(cluster.sandbox().path("cwd/ran")).unwrap();
    }
    // No answer ever came.
    cluster.fault("sbatch", "echo 'Socket timed out on send/recv operation' >&2; exit 1");
    cluster.run("async run --on slurm t -- touch ran; async wait t").exits(125);
    cluster.fault("sbatch", "echo 'Submitted batch job 1'; exit 0");
    cluster.run("async run --on slurm t -- touch ran; async wait t").exits(125);
    cluster.fault("sbatch", "exec nowhere");
    cluster.run("async run --on slurm t -- touch ran").exits(125);
    assert!(!cluster.sandbox().path("cwd/ran").exists());
}

#[test]
#[ignore = "in the full set"]
fn a_node_that_fails_is_no_success() {
    let Some(mut cluster) = Cluster::start() else { return };
    cluster.run(&GATED.replace("--on slurm", "--on slurm --sbatch '-w node1'")).exits(0);
    cluster.stop_node(1);
    // The job's shell first, or it reports what became of the task.
    cluster.run("read -r task shell daemon <there; kill -KILL $daemon $shell $task").exits(0);
    cluster.run("async wait t").tells("(its node failed)").exits(125);
}

#[test]
fn a_step_daemon_that_is_killed_takes_no_result_along() {
    let Some(cluster) = Cluster::start() else { return };
    for rc in [0, 8] {
        cluster.run(GATED).exits(0);
        let job = cluster.job("t");
        cluster.run("read -r _ _ daemon <there; kill -KILL $daemon").exits(0);
        cluster.run(&format!("echo {rc} >go; async wait t")).exits(rc);
        cluster.ask(&format!("scancel {job}"));
    }
}

#[test]
#[ignore = "in the full set"]
fn what_a_job_has_said_may_be_seen_late_and_what_it_has_not_said_is_not_so() {
    let Some(cluster) = Cluster::start() else { return };
    for (comes, rc) in [(true, 0), (true, 4), (false, 125)] {
        cluster.fault("sbatch", "sed -i 's/^_async_status=.*/_async_status=$_async_folder\\/late/' \"$ASYNC_DIR\"/.jobs/async-*/run; : >\"$(echo \"$ASYNC_DIR\"/.jobs/async-*)/late\"");
        let said = if rc == 125 { 0 } else { rc };
        cluster.run(&format!("ASYNC_JOB_GRACE=6 async run --on slurm t -- bash -c 'echo out; exit {said}'")).exits(0);
        let job = cluster.job("t");
        cluster.wait_for(
            "Slurm says that it is over",
            &format!("squeue -h -t all -j {job} -o %T | grep -Eqx 'COMPLETED|FAILED'"),
        );
        std::thread::sleep(Duration::from_secs(2));
        cluster.run("async status").lacks("finished").exits(0);
        if comes {
            cluster.run("cd \"$ASYNC_DIR\"/.jobs/async-* && cat late >>status.1").exits(0);
        }
        cluster.run("async wait t").says("out\n").exits(rc);
    }
}

#[test]
#[ignore = "in the full set"]
fn many_at_once_are_asked_about_together() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "for ((n = 0; n < 200; n++)); do
            async run --quiet --on slurm --jobs 8 t$n -- bash -c 'echo out $0; exit $(($0 % 7 == 3))' $n || exit 99
        done
        async wait --quiet --all; echo \"wait $?\"
        async status --all --json",
    );
    finished.says("wait 1\n");
    let failed = finished.stdout.matches("\"rc\": 1,").count();
    assert_eq!(failed, (0..200).filter(|n| n % 7 == 3).count(), "{finished}");
    assert_eq!(finished.stdout.matches("\nout ").count() + 1, 200);
    assert_eq!(cluster.calls("sbatch"), 200);
}

#[test]
fn clocks_that_differ_make_no_time_negative() {
    let Some(cluster) = Cluster::start() else { return };
    // The record comes from a host whose clock is an hour ahead.
    cluster.run(GATED).exits(0);
    cluster.run("kill -KILL \"$(async pid t)\"").exits(0);
    let path = cluster.sandbox().path("dest/async/t.ini");
    let text = fs::read_to_string(&path).unwrap();
    let ahead: Vec<String> = text
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((key @ ("start_time" | "run_start"), value)) => {
                format!("{key} = {}", value.parse::<i64>().unwrap() + 3_600_000)
            }
            _ => line.to_owned(),
        })
        .collect();
    fs::write(&path, ahead.join("\n") + "\n").unwrap();
    cluster.run("echo 0 >go; async wait t").exits(0);
    let finished = cluster.run("async status --all --json");
    finished.lacks("\"run_time_ms\": -").exits(0);
}
