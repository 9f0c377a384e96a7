//! An attendant may end at any moment: the job goes on, and the next process that looks attends it again.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::cluster::Cluster;

const KILL: &str = "pid=$(async pid t) && kill -KILL \"$pid\" 
    until ! kill -0 \"$pid\" || grep -q '^State:.Z' /proc/$pid/status; do sleep 0.02; done 2>/dev/null";

#[test]
#[ignore = "in the full set"]
fn one_whose_attendant_was_killed_is_attended_again() {
    let Some(cluster) = Cluster::start() else { return };
    for rc in [0, 5] {
        let start = format!(
            "rm -f there go; mkfifo go
            async run --on slurm t -- bash -c 'echo one; echo >there; read -r _ <go; echo two; exit {rc}'
            until [ -e there ]; do sleep 0.02; done; {KILL}"
        );
        cluster.run(&start).exits(0);
        cluster.run("async status").says("t\trunning\t").exits(0);
        cluster.run("echo >go; async wait t").says("one\ntwo\n").exits(rc);
        // It has ended before the next look.
        cluster.run(&start).exits(0);
        let job = cluster.job("t");
        cluster.run("echo >go").exits(0);
        cluster.wait_for("it is over", &format!("squeue -h -t all -j {job} -o %T | grep -Eqx 'COMPLETED|FAILED'"));
        cluster.run("async wait t").says("one\ntwo\n").exits(rc);
        // It is killed while another process waits for it.
        cluster.run(&start).exits(0);
        cluster
            .run(&format!(
                "async wait t & waiter=$!; for n in 1 2 3; do sleep 0.3; {KILL}; done; echo >go; wait $waiter"
            ))
            .says("one\ntwo\n")
            .exits(rc);
    }
}

#[test]
fn one_that_was_killed_before_it_knew_the_job_finds_it_by_its_token() {
    let Some(cluster) = Cluster::start() else { return };
    let real = cluster.ask("command -v sbatch");
    for rc in [0, 5] {
        cluster.fault("sbatch", &format!("{real} \"$@\" >/dev/null; echo >submitted; sleep 1000"));
        cluster
            .run(&format!(
                "rm -f submitted; async run --on slurm t -- bash -c 'echo ran; exit {rc}' & caller=$!
                until [ -e \"$ASYNC_DIR/../../cwd/submitted\" ] || [ -e submitted ]; do sleep 0.02; done
                {KILL}; wait $caller; [ $? = 125 ]"
            ))
            .exits(0);
        cluster.run("async wait t").says("ran\n").exits(rc);
    }
}

#[test]
fn one_whose_attendant_and_shell_are_gone_is_cancelled_all_the_same() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run(&format!("async run --on slurm t -- sleep 1000; {KILL}")).exits(0);
    cluster.run("async cancel t; squeue --me -h; async wait t").exits(143);
    assert_eq!(cluster.ask("squeue --me -h -o %T; echo end"), "end");
}

#[test]
fn an_attendant_that_is_asked_to_end_leaves_the_job_alone() {
    let Some(cluster) = Cluster::start() else { return };
    for signal in ["TERM", "HUP", "INT"] {
        cluster
            .run(&format!(
                "rm -f there go; mkfifo go
                async run --on slurm t -- bash -c 'echo >there; read -r _ <go; exit 3'
                until [ -e there ]; do sleep 0.02; done
                pid=$(async pid t); kill -{signal} \"$pid\"; until ! kill -0 \"$pid\" || grep -q '^State:.Z' /proc/$pid/status; do sleep 0.02; done 2>/dev/null
                echo >go; async wait t"
            ))
            .exits(3);
    }
}

#[test]
fn what_others_come_after_is_attended_again_for_them() {
    let Some(cluster) = Cluster::start() else { return };
    for (rc, expected) in [(0, "ran\n"), (1, "not started")] {
        let finished = cluster.run(&format!(
            "rm -f there go; mkfifo go
            async run --on slurm t -- bash -c 'echo >there; read -r _ <go; exit {rc}'
            async run --after t u -- echo ran
            until [ -e there ]; do sleep 0.02; done; {KILL}
            echo >go; async wait u"
        ));
        finished.says(expected);
        cluster.run("async wait t").exits(rc);
    }
}

#[test]
fn two_hosts_that_look_at_once_are_one_attendant() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run(&format!("async run --on slurm t -- bash -c 'sleep 2; echo out'; {KILL}")).exits(0);
    let finished = cluster.run("for n in 1 2 3 4 5 6; do async status >/dev/null & done; wait; async wait t");
    finished.exits(0);
    assert_eq!(finished.stdout, "out\n", "its output was copied once");
    assert!(fs::read_dir(cluster.sandbox().path("dest/async/.jobs")).unwrap().count() <= 3);
}
