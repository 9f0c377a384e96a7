//! Jobs of a cluster that is named, as with `sbatch -M`. Both clusters are real; the database that knows where each name
//! leads has a stand-in.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::cluster::Cluster;

/// Two clusters: the usual one, and one that the first one's clients know as `east`.
fn two() -> Option<(Cluster, Cluster)> {
    let (usual, east) = (Cluster::start()?, Cluster::start()?);
    for client in ["sbatch", "squeue", "scancel"] {
        let real = usual.ask(&format!("command -v {client}"));
        let answer = match client {
            "sbatch" => "out=$(REAL \"$@\") && echo \"$out;east\"; exit",
            "squeue" => "echo 'CLUSTER: east'; exec REAL \"$@\"",
            _ => "exec REAL \"$@\"",
        };
        let lines = format!(
            "for word; do
                shift
                case $word in
                --clusters=east) SLURM_CONF={} is_east=1; export SLURM_CONF;;
                --clusters=*) exit 1;;
                -M) ;;
                east) ;;
                *) set -- \"$@\" \"$word\";;
                esac
            done
            if [ \"${{is_east-}}\" ]; then {}; fi\n",
            east.conf().display(),
            answer.replace("REAL", &real)
        );
        usual.fault(client, &lines);
    }
    Some((usual, east))
}

#[test]
#[ignore = "in the full set"]
fn a_job_of_a_named_cluster_has_its_own_status_and_is_cancelled_there() {
    let Some((cluster, east)) = two() else { return };
    for (before, option) in [("", "-M east"), ("", "--clusters=east"), ("SLURM_CLUSTERS=east", "-c 1")] {
        for rc in [0, 7] {
            let run = format!(
                "{before} async run --on slurm --sbatch '{option}' t -- bash -c 'echo $SLURM_CONF; exit {rc}'; async wait t"
            );
            cluster.run(&run).exits(rc);
        }
    }
    cluster.run("async run --on slurm --sbatch '-M east' t -- sleep 1000").exits(0);
    let job = cluster.job("t");
    let number = job.strip_suffix(";east").expect("its id has the cluster");
    east.wait_for("it runs", &format!("squeue -h -j {number} -o %T | grep -qx RUNNING"));
    // The usual one has a job of the same number at times, which is another one.
    assert_eq!(cluster.ask("squeue --me -h -t all -o %i; echo end"), "end", "the usual cluster has got none");
    cluster.run("async cancel t; async wait t").exits(143);
    assert_eq!(east.ask("squeue --me -h -o %T; echo end"), "end");
}

#[test]
#[ignore = "in the full set"]
fn its_attendant_may_be_killed_and_its_answer_be_lost() {
    let Some((cluster, east)) = two() else { return };
    let start = "rm -f there go; mkfifo go
        async run --on slurm --sbatch '-M east' t -- bash -c 'echo >there; read -r rc <go; exit $rc'
        until [ -e there ]; do sleep 0.02; done; kill -KILL \"$(async pid t)\"";
    for rc in [0, 5] {
        cluster.run(start).exits(0);
        cluster.run(&format!("async status; sleep 5; async status; echo {rc} >go; async wait t")).exits(rc);
    }
    // Somebody ends it in its cluster, and only that one says so.
    cluster.run(start).exits(0);
    let job = cluster.job("t");
    east.ask(&format!("scancel {}", job.strip_suffix(";east").unwrap_or(&job)));
    cluster.run("async wait t").tells("cancelled").exits(143);
}

#[test]
fn a_cluster_that_is_not_known_is_refused_with_slurms_words() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run("async run --on slurm --sbatch '-M nowhere' t -- true").complains("--cluster").exits(125);
    cluster.run("async run --on slurm --sbatch '-M all' t -- true").complains("name the clusters").exits(125);
    cluster.run("async status t").exits(125);
}
