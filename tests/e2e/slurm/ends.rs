//! How a job ends, and what can happen to it before.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::cluster::Cluster;
use async_tests::wait_until;

#[test]
fn the_status_the_output_and_the_record_are_those_of_the_task() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "async run --on slurm t -- bash -c 'echo out; echo err >&2; exit 7'
        async wait t; echo \"seven $?\"
        async run --on slurm --wait t -- true; echo \"success $?\"
        async run --on slurm --wait t -- bash -c 'kill -KILL $$'; echo \"killed $?\"
        async run --on slurm --wait t -- bash -c 'kill -TERM $$'; echo \"terminated $?\"
        async run --on slurm --wait t -- no-such-program; echo \"missing $?\"
        exit 0",
    );
    finished.says("out\nerr\nseven 7\nsuccess 0\nkilled 137\nterminated 143\n").says("missing 127\n");
    finished.tells("with result 7 in 0 seconds\n").tells("]: queued: ").lacks("Terminated");
    let kept = fs::read_dir(cluster.sandbox().path("dest/async/.jobs")).unwrap();
    let left: Vec<_> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| name.starts_with("slurm")), "what ended has left something: {left:?}");
    let job = cluster.ask("squeue --me -t all -h -o %k | grep -c '^async-'");
    assert_eq!(job, "5", "each future had one job");
}

#[test]
fn words_variables_input_and_directory_arrive_as_they_are() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "mkdir \"a %j b\" && cd \"a %j b\" && printf 'in\\nput' >input && export HERE=\"x
y'z\"
        umask 027
        function words { printf '<%s>' \"$@\"; }
        export folder=1 log=2 status=3 cwd=4 stdin=5 word=6 rest=7 uptime=8 tries=9 rc=10 bytes=11
        sbatch --comment $'x\\ny' --hold --wrap true
        export theirs='echo \"$folder $log $status $cwd $stdin $word $rest $uptime $tries $rc $bytes\"'
        expected=$(words a '' 'b  c' $'d\\n' \"e'f\" '$(g)' $'\\xff' '%j' '*'; cat input; echo \"$HERE\"; umask; pwd
            eval \"$theirs\")
        async run --on slurm --stdin input -e 'SECRET=s e' t -- bash -c '
            printf \"<%s>\" \"$@\"; cat; echo \"$HERE\"; umask; pwd; echo \"$SECRET\" >secret; eval \"$theirs\"
        ' _ a '' 'b  c' $'d\\n' \"e'f\" '$(g)' $'\\xff' '%j' '*' 2>/dev/null
        [ \"$(async wait t 2>/dev/null)\" = \"$expected\" ] && echo same
        cat secret; stat -c %a secret",
    );
    finished.says("same\ns e\n640\n").exits(0);
}

#[test]
fn a_directory_that_is_not_there_on_the_node_is_no_success() {
    let Some(cluster) = Cluster::start() else { return };
    let script = |gone: &str| {
        format!(
            "mkdir work && async run --on slurm --sbatch --hold -C work t -- true || exit
            {gone}
            scontrol release \"$(sed -n 's/^job = //p' \"$ASYNC_DIR/t.ini\" | tail -n 1)\"
            async wait t; echo \"wait $?\"; rm -rf work"
        )
    };
    cluster.run(&script("rmdir work")).says("async: the working directory can't be used").says("wait 125\n");
    cluster.run(&script(":")).says("wait 0\n");
}

#[test]
#[ignore = "in the full set"]
fn one_that_is_cancelled_is_over_there_too() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "async run --on slurm t -- bash -c 'trap \"echo told; exit 3\" TERM; echo >there; while :; do sleep 100 & wait; done'
        until [ -e there ]; do sleep 0.02; done
        async cancel t; echo \"cancel $?\"
        squeue --me -h -o %T
        async wait t; echo \"wait $?\"
        async run --on slurm --grace 100ms t -- bash -c 'trap \"\" TERM; echo $$ >ignores; while :; do sleep 1; done'
        until [ -e ignores ]; do sleep 0.02; done
        async cancel t; echo \"cancel $?\"
        squeue --me -h -o %T
        async wait t; echo \"wait $?\"
        async run --on slurm --sbatch --hold t -- touch ran
        async cancel t; echo \"cancel $?\"
        squeue --me -h -o %T
        async wait t; echo \"wait $?\"
        [ ! -e ran ] && echo 'it has not run'",
    );
    finished
        .says("told\n")
        .says("wait 3\ncancel 0\n")
        .says("\nwait 137\ncancel 0\nwait 143\n")
        .lacks("RUNNING")
        .lacks("COMPLETING");
    finished.says("cancel 0\nwait 143\nit has not run\n").tells("cancelled: it had not started\n");
    cluster.run("! kill -0 $(cat ignores)").exits(0);
}

#[test]
#[ignore = "in the full set"]
fn its_time_its_retries_its_limits_and_what_it_comes_after_are_the_stores() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "async run --on slurm --timeout 1s t -- sleep 100; async wait t; echo \"time $?\"
        async run --on slurm --retry 3 t -- bash -c 'echo x >>tries; [ $(wc -l <tries) = 3 ]'; async wait t; echo \"retry $?\"
        async run --on slurm a -- false
        async run --on slurm --after a b -- touch ran
        async wait a b; echo \"after $?\"; [ ! -e ran ] || echo it ran
        for n in 1 2 3 4; do
            async run --on slurm --jobs 1 l$n -- bash -c '
                mkdir lock || touch twice; sleep 0.2; rmdir lock; echo $0' $n
        done
        async wait l1 l2 l3 l4; echo \"limit $?\"
        [ ! -e twice ] || echo 'two at once'",
    );
    finished.says("time 124\n").says("retry 0\n").says("after 1\n").says("1\n2\n3\n4\nlimit 0\n").lacks("two at once");
    finished.lacks("it ran");
}

#[test]
fn one_that_slurm_refuses_when_its_turn_has_come_says_why() {
    let Some(cluster) = Cluster::start() else { return };
    let run = "mkfifo go; async run first -- sh -c 'read -r _ <go'
        async run --on slurm --sbatch '-p nowhere' --retry 2 --after first t -- true; echo \"begun $?\"
        echo >go; async wait first t";
    cluster.run(run).says("begun 0\n").says("can't be started: ").says("nowhere").exits(125);
}

#[test]
fn one_that_waits_in_slurms_queue_is_queued_with_slurms_reason() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run("async run --on slurm --sbatch --hold --sbatch '-J other' t -- true").exits(0);
    let record = || fs::read_to_string(cluster.sandbox().path("dest/async/t.ini")).unwrap();
    wait_until("its reason is known", || record().contains("reason = JobHeldUser\n"));
    cluster.run("async status").says("t\tqueued\t");
    let job = cluster.job("t");
    assert_ne!(cluster.ask(&format!("scontrol release {job} && echo ok")), "");
    cluster.run("async wait t").exits(0);
    let record = fs::read_dir(cluster.sandbox().path("dest/async/.collected")).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(record.path().with_extension("ini")).unwrap();
    assert!(text.contains("node = node"), "{text}");
}

/// A task that ends with 0 when it is told to end.
/// Its sleep may get the signal first: the end of that is not the task's.
const HEEDFUL: &str = "rm -f there
    async run --on slurm t -- bash -c 'trap \"echo told; exit 0\" TERM; echo >there; while :; do sleep 1000 & wait; done'
    until [ -e there ]; do sleep 0.02; done";

#[test]
#[ignore = "in the full set"]
fn what_an_administrator_does_to_a_job_is_no_success_and_has_its_name() {
    let Some(cluster) = Cluster::start() else { return };
    let start = "rm -f there; async run --on slurm t -- bash -c 'echo >there; sleep 100'
        until [ -e there ]; do sleep 0.02; done";
    cluster.run(start).exits(0);
    assert_ne!(cluster.ask(&format!("scancel {} && echo ok", cluster.job("t"))), "");
    cluster.run("async wait t").tells("with result 143 in 0 seconds (cancelled)").exits(143);
    // What a task that is told to end says of itself is not that it is done.
    cluster.run(HEEDFUL).exits(0);
    assert_ne!(cluster.ask(&format!("scancel --full {} && echo ok", cluster.job("t"))), "");
    cluster.run("async wait t").says("told\n").tells("(cancelled)").exits(143);
    // That is no end in itself: a signal may be how a person talks to the task.
    cluster.run(HEEDFUL).exits(0);
    assert_ne!(cluster.ask(&format!("scancel --full --signal TERM {} && echo ok", cluster.job("t"))), "");
    cluster.run("async wait t").says("told\n").exits(0);
    // A job that is held before it starts, and cancelled.
    cluster.run("async run --on slurm --sbatch --hold t -- true").exits(0);
    assert_ne!(cluster.ask(&format!("scancel {} && echo ok", cluster.job("t"))), "");
    cluster.run("async wait t").tells("with result 143 in 0 seconds (cancelled)").exits(143);
    // A job that Slurm requeues does not run its task again.
    cluster.run(start).exits(0);
    let job = cluster.job("t");
    assert_ne!(cluster.ask(&format!("scontrol update jobid={job} requeue=1 && scontrol requeue {job} && echo ok")), "");
    cluster.run("async wait t").exits(143);
    cluster.wait_for("the second run is over", &format!("squeue -h -t all -j {job} -o %T | grep -qx FAILED"));
    cluster.run(start).exits(0);
    cluster.run("async cancel t; async wait t").exits(143);
}

#[test]
#[ignore = "in the full set"]
fn one_that_has_to_make_room_is_no_success() {
    let Some(cluster) = Cluster::start() else { return };
    let everything = HEEDFUL.replace(" t ", " --sbatch '-N 2 --exclusive' t ");
    cluster.run(&everything).exits(0);
    cluster
        .run("async run --on slurm --sbatch '-p urgent -N 2 --exclusive' u -- true; async wait u; echo \"u $?\"; async wait t")
        .says("u 0\n")
        .says("told\n")
        .tells("with result 143 in 0 seconds (it had to make room for another job)")
        .exits(143);
    // It is tried again, and says itself how that ends.
    let again = "rm -f there; async run --on slurm --retry 1 --sbatch '-N 2 --exclusive' t -- bash -c '
            [ ! -e there ] || exit 6; echo >there; sleep 1000'
        until [ -e there ]; do sleep 0.02; done
        async run --on slurm --sbatch '-p urgent -N 2 --exclusive' u -- true; async wait u t";
    cluster.run(again).exits(6);
}

/// Its memory can't be limited here, and its node does not fail by order: Slurm's word for the end is exchanged.
#[test]
#[ignore = "in the full set"]
fn an_end_that_is_not_the_tasks_has_the_name_that_slurm_gives_it() {
    let Some(cluster) = Cluster::start() else { return };
    let squeue = cluster.ask("command -v squeue");
    for (word, shown, rc) in [
        ("FAILED", "with result 125", 125),
        ("OUT_OF_MEMORY", "(out of memory)", 137),
        ("NODE_FAIL", "(its node failed)", 125),
        ("BOOT_FAIL", "(its node failed)", 125),
        ("DEADLINE", "(its time was up)", 124),
        ("REVOKED", "(cancelled)", 143),
    ] {
        cluster.fault("squeue", &format!("{squeue} \"$@\" | sed 's/|FAILED|/|{word}|/'; exit"));
        // The job's shell is killed with the task, and says nothing.
        cluster.run("async run --on slurm t -- bash -c 'kill -KILL $PPID $$'; async wait t").tells(shown).exits(rc);
        cluster.fault("squeue", "");
    }
}

#[test]
#[ignore = "in the full set"]
fn a_time_limit_of_slurm_has_the_status_of_one() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run("async run --on slurm --sbatch '-t 1' t -- bash -c 'echo >there; sleep 1000'").exits(0);
    // Slurm notices a limit of one minute after two.
    let job = cluster.job("t");
    cluster.wait_for("it runs", &format!("squeue -h -j {job} -o %T | grep -qx RUNNING"));
    let heedful = HEEDFUL.replace(" t ", " --sbatch '-t 1' heedful ").replace("there", "there2");
    cluster.run(&heedful).exits(0);
    cluster.run("async wait t").tells("(its time was up)").exits(124);
    cluster.run("async wait heedful").says("told\n").tells("(its time was up)").exits(124);
}

#[test]
fn an_array_is_refused_and_would_be_no_success() {
    let Some(cluster) = Cluster::start() else { return };
    for wait in ["--wait", "-W"] {
        cluster.run(&format!("async run --on slurm --sbatch '{wait}' t -- true")).complains("async wait").exits(2);
    }
    cluster.run("async run --on slurm --sbatch '--array=1-2' t -- true").complains("more than one task").exits(2);
    cluster.run("async run --on slurm --sbatch '--arra 1-2' t -- true; async wait t").exits(125);
    cluster.run("async run --on slurm --sbatch '-c 1 job.sh' t -- true").complains("`job.sh` in --sbatch").exits(2);
    cluster.run("SBATCH_ARRAY_INX=1-2 async run --on slurm t -- true; async wait t").exits(0);
    cluster.run("async run --on slurm --sbatch '-p nowhere' t -- true").complains("nowhere").exits(125);
    cluster.run("async status t").exits(125);
}

#[test]
fn a_log_that_became_shorter_there_is_told_of() {
    let Some(cluster) = Cluster::start() else { return };
    let run = "async run --on slurm t -- bash -c 'echo long enough; sleep 3; : >/dev/stderr; sleep 2'; async wait --keep t; async log t";
    cluster.run(run).says("long enough\n").says("has become shorter").exits(0);
    cluster.run("async status --json t").says("\"log_cut_bytes\": 12").exits(0);
}

#[test]
fn one_that_waits_there_is_not_paused_here() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run("async run --on slurm --sbatch --hold t -- true").exits(0);
    cluster.run("async pause t").complains("waits in the queue of slurm").exits(125);
    cluster.run("async cancel t").exits(0);
}

#[test]
fn errors_are_in_the_log_whatever_sbatch_is_asked_for() {
    let Some(cluster) = Cluster::start() else { return };
    for (before, option) in [("", "-e elsewhere"), ("SBATCH_ERROR=elsewhere", "-c 1")] {
        let run = format!(
            "{before} async run --on slurm --sbatch '{option}' t -- bash -c 'echo out; echo err >&2'; async wait t"
        );
        cluster.run(&run).says("out\nerr\n").exits(0);
        assert!(!cluster.sandbox().path("cwd/elsewhere").exists(), "{option}");
    }
}

#[test]
fn variables_that_are_passed_on_are_on_no_command_line() {
    let Some(cluster) = Cluster::start() else { return };
    // Only env(1) can set a variable whose name no shell has.
    let finished = cluster.run(
        "mkdir bin; printf '#!/bin/sh\necho \"$@\" >>\"%s/args\"\nexec /usr/bin/env \"$@\"\n' \"$PWD\" >bin/env; chmod +x bin/env
        export TOKEN='a secret' PATH=$PWD/bin:$PATH
        async run --on slurm --env TOKEN --env odd.name=odd t -- bash -c 'echo \"<$TOKEN>\"; /usr/bin/env'
        async wait t; echo \"args: $(cat args)\"",
    );
    finished.says("<a secret>\n").says("odd.name=odd\n").says("args: odd.name=odd bash -c").exits(0);
}
