//! Functions of a script on Slurm: a copy of the script's shell runs them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::cluster::Cluster;
use async_tests::fault::in_each_standalone_case;
use async_tests::markdown::blocks;
use async_tests::root;
use async_tests::shell::Finished;
use async_tests::wait_until;

/// Runs a script with the functions under the case's version of bash.
fn in_each_bash(test: impl Fn(&Cluster, &dyn Fn(&str) -> Finished)) {
    in_each_standalone_case(|case| {
        let Some(cluster) = Cluster::start_for(case.sandbox()) else { return };
        test(&cluster, &|script| cluster.run(&case.sourced(script)));
    });
}

#[test]
fn a_function_runs_with_all_that_its_shell_had() {
    in_each_bash(|_, run| {
        let finished = run(r#"
            set -uo pipefail
            plain=$'a\nb "c" '\''d'\'' \\ $e `f` é'
            declare -i number=4+3
            declare -a list=(one 'two words' $'three\nlines' [7]='' "\$(x)")
            declare -A map=([key]=value ['a key']=$'x\ny' ['"q"']="'")
            declare -r fixed=yes
            declare -n other=plain
            declare -u upper=low
            export shown='to programs'
            declare unset_one
            IFS=$':\n'
            shopt -s extglob nullglob expand_aliases
            alias greet='echo hello'
            eval 'function aliased { greet; }'
            umask 037
            function inner { printf '<%s>' "$@"; }
            function report {
                printf '[%s]' "$plain" "$number" "${list[@]}" "${!list[@]}" "${map[key]}" "${map[a key]}" "$IFS" "$upper"
                # The bash of the node may be another one, which writes values in another way.
                for name in number list map fixed upper shown; do declare -p $name | head -n 1 | cut -c 1-11; done
                printf '%s\n' "$other" "${unset_one-unset}" "$inherited"
                shopt -p extglob nullglob expand_aliases; shopt -po errexit nounset pipefail noglob noclobber
                umask; pwd; inner "$@"; aliased; env | grep '^shown='
                [[ xaab == x+(a)b ]] && echo extglob
                false | true && echo no || echo pipefail
                echo err >&2
            }
            function caller_of { local inherited='a local of the caller'; async_run "$@"; }
            words=('' 'a  b' $'c\nd' "e'f" $'\xff' '*' -n)
            set -f -C
            caller_of --on here here report "${words[@]}"
            caller_of --on slurm there report "${words[@]}"
            set +f
            async_wait here >here.out; async_wait there >there.out
            cmp here.out there.out && echo same; cat there.out
        "#);
        finished
            .says("same\n")
            .says("declare -i \ndeclare -a \ndeclare -A \ndeclare -r \ndeclare -u \ndeclare -x \n")
            .says("a local of the caller\n")
            .says("pipefail\n")
            .exits(0);
    });
}

#[test]
fn aliases_exports_and_names_like_ours_are_as_in_the_shell() {
    in_each_bash(|_, run| {
        let finished = run(r#"
            shopt -s expand_aliases
            alias seq='seq 3'
            function counts { seq; }
            alias late='echo an alias'
            function async_mine { echo mine; bash -c exported; eval late; }
            function exported { echo "exported, $(declare -F async_run _async_start)"; }
            export -f exported
            IFS=_a
            ASYNC_ON=slurm async_run t async_mine; async_wait t
            ASYNC_ON=slurm async_run t counts; async_wait t
        "#);
        finished.says("mine\nexported, \nan alias\n1\n2\n3\n").exits(0);
    });
}

#[test]
fn its_status_is_the_functions_and_options_hold_in_it() {
    in_each_bash(|_, run| {
        let finished = run(r#"
            set -e
            function fails { echo before; false; echo after; }
            function returns { return 9; }
            function exits { exit 8; }
            function killed { kill -KILL "$BASHPID"; }
            function works { echo "$#:$*"; }
            function wants { echo "$missing"; }
            export ASYNC_ON=slurm
            async_run fails fails || exit 99
            async_run returns returns; async_run exits exits; async_run killed killed; async_run works works a b
            (set -u; async_run wants wants; async_wait wants) && exit 98
            for name in fails returns exits killed works; do
                rc=0; async_wait $name || rc=$?; echo "$name $rc"
            done
            async_run program echo plain; async_wait program
            async_run missing no-such-command 2>/dev/null || echo "refused $?"
        "#);
        finished
            .says("before\nfails 1\nreturns 9\nexits 8\nkilled 137\n2:a b\nworks 0\nplain\nrefused 127\n")
            .lacks("after");
        finished.exits(0);
    });
}

#[test]
fn what_is_bashs_own_or_the_jobs_is_not_the_scripts() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "source <(async shim)
        export SLURM_JOB_ID=4711 SLURM_CPUS_PER_TASK=99 TMPDIR_=x BASH_ENV=$PWD/env
        echo 'echo read by bash' >env
        function own { echo \"job $SLURM_JOB_ID, ${SLURM_CPUS_PER_TASK-none}, ${ASYNC_ON-none}, $BASHPID\"; }
        trap 'echo the trap of the script' EXIT
        shell=$$
        ASYNC_ON=slurm async_run t own
        async_wait t >out; sed \"s/, $shell\\$/, the script's/\" out",
    );
    finished.says("none, none, ").lacks("job 4711").lacks(" 99,").lacks("read by bash\njob");
    assert_eq!(finished.stdout.matches("the trap of the script").count(), 1, "{finished}");
}

#[test]
fn a_copy_is_private_and_goes_with_the_run() {
    let Some(cluster) = Cluster::start() else { return };
    let copies = || {
        let jobs = fs::read_dir(cluster.sandbox().path("dest/async/.jobs")).unwrap();
        let paths = jobs.map(|entry| entry.unwrap().path().join("task"));
        paths.filter(|path| path.exists()).collect::<Vec<_>>()
    };
    cluster
        .run(
            "umask 0; source <(async shim)
            export ASYNC_ON_EXIT=leave; secret=hidden
            mkfifo go; function gated { echo >there; read -r _ <go; echo $secret; }
            async_run --on slurm t gated; until [ -e there ]; do sleep 0.02; done",
        )
        .exits(0);
    let [copy] = &copies()[..] else { panic!("{:?}", copies()) };
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    cluster.run("echo >go; async wait t").says("hidden\n").exits(0);
    wait_until("it is gone", || copies().is_empty());
}

#[test]
#[ignore = "in the full set"]
fn what_is_left_of_a_copy_is_no_task() {
    let Some(cluster) = Cluster::start() else { return };
    let start = "source <(async shim); export ASYNC_ON_EXIT=leave; function f { echo ran; }; async_run --on slurm --sbatch --hold t f";
    for (cut, rc) in [("truncate -s -10", 125), ("truncate -s 100", 125), ("truncate -s 0", 125), ("true", 0)] {
        cluster.run(start).exits(0);
        let job = cluster.job("t");
        cluster
            .run(&format!("{cut} \"$ASYNC_DIR\"/.jobs/async-*/task; scontrol release {job}; async wait t"))
            .exits(rc);
    }
    for cut in ["truncate -s -100", "truncate -s 300", "truncate -s 0", "rm"] {
        cluster.run(start).exits(0);
        let job = cluster.job("t");
        let cut = format!("{cut} \"$ASYNC_DIR\"/.jobs/async-*/run; scontrol release {job}; async wait t");
        let finished = cluster.run(&cut);
        assert_ne!(finished.status, 0, "{finished}");
        finished.lacks("\nran\n");
    }
}

#[test]
fn a_bash_that_is_too_old_is_told_of() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "source <(async shim); export ASYNC_ON_EXIT=leave; function f { echo ran; }
        async_run --on slurm --sbatch --hold t f
        sed -i 's/BASH_VERSION-/OLD-4.3.1/' \"$ASYNC_DIR\"/.jobs/async-*/task
        sed -i 's/ -eq [0-9]* / -gt 0 /' \"$ASYNC_DIR\"/.jobs/async-*/run
        scontrol release \"$(sed -n 's/^job = //p' \"$ASYNC_DIR/t.ini\" | tail -n 1)\"; async_wait t",
    );
    finished.says("async: the task needs bash 4.4 or later").lacks("\nran\n").exits(125);
}

#[test]
fn a_script_that_ends_cancels_what_it_has_not_waited_for() {
    let Some(cluster) = Cluster::start() else { return };
    for end in ["exit 0", "kill -KILL $$"] {
        // In its own group: the rest of the test's group is killed.
        let script = format!(
            "source <(async shim); function f {{ echo >there; sleep 1000; }}; rm -f there; async_run --on slurm t f
            until [ -e there ]; do sleep 0.02; done; {end}"
        );
        fs::write(cluster.sandbox().path("cwd/script"), script).unwrap();
        let _ = cluster.run("setsid --wait bash script");
        cluster.wait_for("nothing of it runs", "[ -z \"$(squeue --me -h)\" ]");
    }
}

#[test]
fn tasks_that_the_script_itself_runs_are_here() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "source <(async shim); function f { echo ran; }; async_run --on slurm t f";
    cluster.run(&format!("ASYNC_PARALLEL=false; {script}")).lacks("ran\n").exits(2);
    cluster
        .run("ASYNC_ON=nowhere; source <(async shim); async_run t true")
        .complains("ASYNC_ON can't be `nowhere`")
        .exits(2);
    for setting in ["ASYNC_SLURM_POLL=x", "ASYNC_JOB_GRACE=-1", "ASYNC_JOB_GRACE=100000"] {
        cluster
            .run(&format!("{setting} async run --on slurm t -- true"))
            .complains("has to be a number of seconds")
            .exits(2);
        cluster.run(&format!("{setting} async run t -- true; async wait t")).exits(0);
    }
    assert_eq!(cluster.calls("sbatch"), 0);
}

#[test]
fn the_script_of_the_page_prints_there_what_it_prints_here() {
    let Some(cluster) = Cluster::start() else { return };
    let page = fs::read_to_string(root().join("docs/cluster.md")).unwrap();
    let script = blocks(&page, "bash").into_iter().find(|block| block.contains("source <(async shim)")).unwrap();
    let here = cluster.run(&format!("export ASYNC_ON=here\n{script}"));
    here.says("the sum is 820\n").exits(0);
    // So that all parts are there when the first one starts.
    let all_at_once = "scontrol update nodename=node[1-2] state=drain reason=test
        { until [ \"$(squeue -h | wc -l)\" = 4 ]; do sleep 0.1; done; scontrol update nodename=node[1-2] state=resume; } &";
    let nodes = "squeue -h -t all -o '%N' | sort | uniq -c >nodes";
    let there = cluster.run(&format!("{all_at_once}\nexport ASYNC_ON=slurm\n{script}\n{nodes}"));
    there.exits(0);
    assert_eq!(here.stdout, there.stdout, "{there}");
    let nodes = fs::read_to_string(cluster.sandbox().path("cwd/nodes")).unwrap();
    assert!(nodes.contains("node1") && nodes.contains("node2"), "{nodes}");
}
