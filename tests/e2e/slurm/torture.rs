//! Torture: whichever process is killed, at any moment, no status differs from the task's.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_tests::cluster::Cluster;

/// How many futures there are, and for how long to kill processes now and then.
const FUTURES: u64 = 12;
const LENGTH: Duration = Duration::from_secs(20);

/// The next number of a pseudo-random sequence, which is the same in each run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
#[ignore = "in the full set"]
fn whoever_is_killed_every_status_is_the_tasks() {
    let Some(mut cluster) = Cluster::start() else { return };
    let seed = u64::from(std::process::id());
    eprintln!("the seed is {seed}");
    let mut state = seed;
    let status = |n: u64| n % 3;
    for n in 0..FUTURES {
        let tenths = next(&mut state) % 150;
        cluster
            .run(&format!(
                "async run --quiet --on slurm t{n} -- bash -c '
                    for ((i = 0; i < {tenths}; i++)); do sleep 0.1; done; echo {n} >>ran; echo out {n}; exit {}'",
                status(n)
            ))
            .exits(0);
    }
    let mut waiters: Vec<_> = (0..FUTURES)
        .filter(|n| n % 2 == 0)
        .map(|n| cluster.bash(&format!("exec async wait --keep t{n} >/dev/null 2>&1")).spawn().unwrap())
        .collect();
    let end = Instant::now() + LENGTH;
    while Instant::now() < end {
        match next(&mut state) % 8 {
            0 => {
                cluster.end_controller();
                sleep(Duration::from_millis(next(&mut state) % 2000));
                cluster.start_controller();
            }
            1 => {
                let node = usize::try_from(next(&mut state) % 2).unwrap() + 1;
                cluster.stop_node(node);
                sleep(Duration::from_millis(next(&mut state) % 1000));
                cluster.start_node(node);
            }
            2 if !waiters.is_empty() => {
                let index = usize::try_from(next(&mut state)).unwrap() % waiters.len();
                let mut waiter = waiters.swap_remove(index);
                waiter.kill().unwrap();
                waiter.wait().unwrap();
            }
            3 => drop(cluster.run("async status")),
            _ => {
                let n = next(&mut state) % FUTURES;
                let record = fs::read_to_string(cluster.sandbox().store().join(format!("t{n}.ini"))).unwrap();
                let pid = record.lines().rev().find_map(|line| line.strip_prefix("pid = ")).unwrap();
                // It may be gone already; a process that got its id meanwhile does not belong to a test's sandbox.
                let is_ours = fs::read_to_string(format!("/proc/{pid}/environ"))
                    .is_ok_and(|text| text.contains(cluster.sandbox().path("").to_str().unwrap()));
                if is_ours {
                    let _ = Command::new("kill").args(["-KILL", pid]).status();
                }
            }
        }
        sleep(Duration::from_millis(next(&mut state) % 400));
    }
    let ran = || fs::read_to_string(cluster.sandbox().path("cwd/ran")).unwrap();
    let mut not_run = 0;
    for n in 0..FUTURES {
        let job = cluster.job(&format!("t{n}"));
        let finished = cluster.run(&format!("async wait t{n}"));
        // A node that is killed just when it was given a job forgets that, and the job never runs.
        let has_run = ran().lines().any(|line| line == n.to_string());
        if !has_run && cluster.ask(&format!("squeue -h -t all -j {job} -o %T")) == "NODE_FAIL" {
            finished.lacks("out ").tells("(its node failed)").exits(125);
            not_run += 1;
            continue;
        }
        finished.says(&format!("out {n}\n")).exits(i32::try_from(status(n)).unwrap());
        assert_eq!(finished.stdout.matches("out ").count(), 1, "its output is there once: {finished}");
    }
    for mut waiter in waiters {
        waiter.wait().unwrap();
    }
    let ran = ran();
    assert!(not_run < FUTURES / 2, "{not_run} of {FUTURES} have not run");
    assert_eq!(ran.lines().count() as u64, FUTURES - not_run, "each of the others has run once: {ran}");
}
