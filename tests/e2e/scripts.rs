//! Scripts have stores of their own, which their programs share, and which people can find.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use async_tests::shell::{Finished, Sandbox, bashes};
use serde_json::Value;

/// A sandbox without a variable that names a store.
fn sandbox() -> Sandbox {
    Sandbox::default()
}

fn run(sandbox: &Sandbox, script: &str) -> Finished {
    sandbox.run(&format!("unset ASYNC_DIR DEST\n{script}"))
}

/// Writes a script that begins by sourcing the functions.
fn write(sandbox: &Sandbox, path: &str, text: &str) -> PathBuf {
    let path = sandbox.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/usr/bin/env bash\nsource <(async shim)\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The stores of kept runs, as `KEY/PID.START`.
fn stores(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    let scripts = sandbox.path("home/.local/state/async/scripts");
    for key in fs::read_dir(scripts).into_iter().flatten() {
        let key = key.unwrap();
        for run in fs::read_dir(key.path()).unwrap() {
            let run = run.unwrap();
            assert!(run.path().join(".script").is_file(), "{run:?}");
            found.push(format!("{}/{}", key.file_name().display(), run.file_name().display()));
        }
    }
    found.sort();
    found
}

#[test]
fn two_scripts_and_one_that_runs_twice_never_see_each_others_futures() {
    let text = |own: &str| {
        format!(
            "function task {{ gate; echo {own}; return $1; }}
            function gate {{ read -r _ <\"$GATE\" || :; }}
            async_run t task $1
            async status --json | grep -c '\"name\"'
            echo up >\"$READY\"
            async_wait t; echo \"{own} $?\""
        )
    };
    for bash in bashes() {
        let sandbox = Sandbox::new(&bash.path);
        write(&sandbox, "cwd/one", &text("one"));
        write(&sandbox, "cwd/two", &text("two"));
        let finished = run(
            &sandbox,
            "mkfifo gate ready; export GATE=gate READY=ready
            $BASH one 3 >1 & $BASH one 4 >2 & $BASH two 5 >3 &
            for i in {1..3}; do read -r _; done <>ready
            exec 9<>gate; printf '\n\n\n' >&9; wait
            cat 1 2 3",
        );
        for line in ["one 3\n", "one 4\n", "two 5\n"] {
            finished.says(line);
        }
        assert_eq!(finished.stdout.matches("1\n").count(), 3, "{finished}");
        assert_eq!(stores(&sandbox).len(), 3);
    }
}

#[test]
fn a_script_that_another_one_calls_has_a_store_of_its_own() {
    let sandbox = sandbox();
    write(&sandbox, "cwd/inner", "async_run t false; async_wait t; echo \"inner $?\"; async_run left sleep 1000");
    write(
        &sandbox,
        "cwd/outer",
        "async_run t true; ./inner; async_run job ./inner; async_wait job >/dev/null; async_wait t; echo \"outer $?\"",
    );
    let finished = run(&sandbox, "./outer; async status");
    finished.says("inner 1\n").says("outer 0\n").lacks("left\trunning");
    assert_eq!(stores(&sandbox).len(), 3, "{finished}");
}

#[test]
fn scripts_that_name_one_directory_share_it() {
    let sandbox = sandbox();
    write(&sandbox, "cwd/starts", "async_run t echo shared; async_wait --keep t || wait; async status");
    let finished = run(
        &sandbox,
        "export ASYNC_DIR=$HOME/one ASYNC_ON_EXIT=leave; ./starts >/dev/null; cd /; async wait t; echo \"wait $?\"",
    );
    finished.says("shared\n").says("wait 0\n");
    assert!(stores(&sandbox).is_empty());
    // A relative path starts where the functions are sourced.
    write(&sandbox, "cwd/relative", "cd /; async_run u true; async_wait u");
    run(&sandbox, "ASYNC_DIR=here ./relative").exits(0);
    assert!(sandbox.path("cwd/here/.collected").is_dir());
}

#[test]
fn programs_in_a_script_and_in_its_tasks_use_its_store() {
    let sandbox = sandbox();
    write(
        &sandbox,
        "cwd/script",
        "function task { async run --quiet inner -- echo from the task; async wait inner; }
        async run --quiet first -- echo from the script
        async_run t task
        async_wait t
        async status | cut -f 1
        async wait --all 2>&1 | grep from
        (cd /; async run --quiet piped -- true) | cat
        $BASH -c 'async status' | cut -f 1
        unset ASYNC_DIR; env -u _ASYNC_STORE async status",
    );
    let finished = run(&sandbox, "./script");
    finished.says("from the task\n").says("\nfirst\n").says("from the script\n").says("\npiped\n");
    // Seen from outside, the script is running.
    finished.says("\ttrue\tscript\n");
}

#[test]
fn what_the_functions_know_survives_a_second_sourcing_in_every_subshell() {
    let sandbox = sandbox();
    let script = write(
        &sandbox,
        "cwd/script",
        "function again { source <(async shim); async_wait t; return 4; }
        async_run t false
        source <(async shim)
        (source <(async shim); async_wait t; echo \"subshell $?\")
        async_wait t; echo \"again $?\"
        async_run u again; async_wait u >/dev/null; echo \"task $?\"
        export ASYNC_DIR=$HOME/elsewhere; source <(async shim)
        async_run v true; async_wait v; echo \"late $?\"",
    );
    let finished = run(&sandbox, &script.display().to_string());
    finished.says("subshell 1\n").says("again 1\n").says("task 4\n").says("late 0\n");
    assert_eq!(stores(&sandbox).len(), 1, "{finished}");
    assert!(!sandbox.path("home/elsewhere").exists());
}

#[test]
fn what_comes_from_a_command_line_or_a_pipe_is_known_by_its_folder() {
    let sandbox = sandbox();
    let text = "source <(async shim); async_run t true; async_wait t";
    fs::create_dir(sandbox.path("cwd/folder")).unwrap();
    run(&sandbox, &format!("cd folder; bash -c '{text}'; echo '{text}' | bash; echo '{text}' | bash -s x")).exits(0);
    let stores = stores(&sandbox);
    assert_eq!(stores.len(), 3);
    assert!(stores.iter().all(|store| store.starts_with("folder.")), "{stores:?}");
}

#[test]
fn a_script_is_known_by_its_file_whatever_it_is_called_by() {
    let sandbox = sandbox();
    let script = write(&sandbox, "cwd/dir/script.sh", "cd /; async_run t true; async_wait t; ulimit -n 64; bash -c :");
    symlink(&script, sandbox.path("cwd/link")).unwrap();
    let calls = "dir/script.sh; ./link; cd dir; ./script.sh; bash script.sh; PATH=$PWD:$PATH script.sh
        cd ..; (ulimit -n 64; dir/script.sh)";
    run(&sandbox, calls).exits(0);
    let keys: Vec<String> = stores(&sandbox).iter().map(|store| store.split_once('/').unwrap().0.to_owned()).collect();
    assert_eq!(keys.len(), 6);
    assert!(keys[0].starts_with("script.sh.") && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    // A store that the user names.
    run(&sandbox, "ASYNC_SCRIPT=nightly ./link").exits(0);
    assert!(stores(&sandbox).iter().any(|store| store.starts_with("nightly/")));
    run(&sandbox, "ASYNC_SCRIPT=a/b ./link").complains("ASYNC_SCRIPT is `a/b`").lacks("running");
}

#[test]
fn people_find_what_a_script_does_and_has_done() {
    let sandbox = sandbox();
    write(
        &sandbox,
        "cwd/backup.sh",
        "async_run dump echo the dump; async_run big sleep 1000; async_wait dump
        [[ $1 != stay ]] || { echo up >ready; read -r _ <go; }",
    );
    let finished = run(
        &sandbox,
        "mkfifo ready go; ./backup.sh stay >/dev/null & read -r _ <ready
        async run --quiet mine -- sleep 1000
        async status; async status --json >running.json
        async log big || :; async log --script backup.sh dump; async status --script backup.sh --all
        async cancel --script backup.sh big; echo >go; wait
        async log --script ./backup.sh dump; async timing --script backup.sh --table | grep dump
        ./backup.sh >/dev/null; async log --script backup.sh --list-runs dump
        async status --script backu; async timing --script backup.sh --compare | grep dump
        async status",
    );
    finished.says("big\trunning").says("\tbackup.sh\n").says("mine\trunning");
    finished.says("\ndump\tcollected\t0\t").tells("]: cancelled: ");
    assert_eq!(finished.stdout.lines().filter(|line| *line == "the dump").count(), 2, "{finished}");
    assert_eq!(finished.stdout.matches("\tdump\tcollected\t").count(), 2, "two runs of the script\n{finished}");
    finished
        .complains("no runs are kept of a future `big`")
        .complains("; the script `backup.sh` has one: `--script backup.sh`");
    finished.complains("there are no runs of a script `backu`; did you mean `backup.sh`?\n");
    let running: Value = serde_json::from_slice(&fs::read(sandbox.path("cwd/running.json")).unwrap()).unwrap();
    assert_eq!(running["futures"][0]["name"], "mine");
    assert_eq!(running["scripts"][0]["name"], "backup.sh");
    assert_eq!(running["scripts"][0]["futures"][0]["name"], "big");
    run(&sandbox, "async cancel --all --quiet").exits(0);
}

#[test]
fn scripts_of_one_name_are_told_apart() {
    let sandbox = sandbox();
    for dir in ["a", "b"] {
        write(&sandbox, &format!("cwd/{dir}/run.sh"), &format!("async_run t echo {dir}; async_wait t"));
    }
    let finished = run(
        &sandbox,
        "a/run.sh >/dev/null; b/run.sh >/dev/null; async log --script run.sh t; echo $?
        async log --script a/run.sh t; cd \"$HOME\"/.local/state/async/scripts; async log --script \"$(ls | head -n 1)\" t",
    );
    finished.complains("several scripts are called `run.sh`: give --script one of `run.sh.").says("2\na\n");
}

#[test]
fn old_runs_go_by_themselves_and_nothing_that_lives() {
    let sandbox = sandbox();
    write(&sandbox, "cwd/old.sh", "async_run t true; async_wait t");
    write(&sandbox, "cwd/leaves.sh", "ASYNC_ON_EXIT=leave; async_run lives sleep 1000");
    write(&sandbox, "cwd/stays.sh", "async_run t true; async_wait t; echo up >ready; read -r _ <go; async status -a");
    let finished = run(
        &sandbox,
        "mkfifo ready go; ./stays.sh >stayed & read -r _ <ready
        ./leaves.sh >/dev/null
        for i in {1..4}; do ASYNC_KEEP_RUNS=1 ./old.sh >/dev/null; done
        for i in {1..3}; do ASYNC_KEEP_RUNS=0 ASYNC_SCRIPT=x ./old.sh >/dev/null; done
        # What is a year old by its name.
        cd \"$HOME\"/.local/state/async/scripts
        for run in */*; do mv \"$run\" \"${run%.*}.$((${run##*.} - 366 * 86400000))\"; done
        cd - >/dev/null; ASYNC_SCRIPT=y ./old.sh >/dev/null
        echo >go; wait; cat stayed",
    );
    finished.exits(0);
    let stores = stores(&sandbox);
    let left: Vec<&str> = stores.iter().map(|store| store.split_once('/').unwrap().0).collect();
    // The remaining script no longer finds its store, and has made another one.
    assert_eq!(left.len(), 4, "{left:?}\n{finished}");
    for name in ["leaves.sh.", "stays.sh.", "y"] {
        assert!(left.iter().any(|store| store.starts_with(name)), "{left:?}");
    }
}

#[test]
fn the_newest_runs_of_a_script_are_kept() {
    let sandbox = sandbox();
    write(&sandbox, "cwd/old.sh", "async_run t echo \"$1\"; async_wait t");
    let finished = run(
        &sandbox,
        "for i in {1..9}; do ./old.sh $i >/dev/null; done
        async log --script old.sh --list-runs t | wc -l; async log --script old.sh --run 6 t
        ASYNC_KEEP_RUNS=2 ./old.sh 10 >/dev/null; async log --script old.sh --list-runs t | wc -l",
    );
    finished.says("6\n4\n3\n");
}

#[test]
fn a_store_of_a_script_is_made_whole_by_many_at_once() {
    let sandbox = sandbox();
    let script = write(
        &sandbox,
        "cwd/many.sh",
        "for i in {1..20}; do async_run t$i false & done; wait
        for i in {1..20}; do async_wait t$i >/dev/null 2>&1; echo \"status $?\"; done",
    );
    let finished = run(&sandbox, &script.display().to_string());
    assert_eq!(finished.stdout.matches("status 1\n").count(), 20, "{finished}");
    assert_eq!(stores(&sandbox).len(), 1, "{finished}");
}

#[test]
fn functions_that_are_made_for_one_directory_hold_it() {
    let sandbox = sandbox();
    let text = "async shim --dir 'the store' >functions; cd /; source \"$OLDPWD/functions\"
        ASYNC_DIR=$HOME/other; async_run t true; async_wait t";
    run(&sandbox, text).exits(0);
    assert!(sandbox.path("cwd/the store/.collected").is_dir());
    run(&sandbox, "async shim --profile devstack --dir x").complains("leave --dir away").exits(2);
}

#[test]
fn neither_the_functions_nor_the_program_read_dest() {
    let sandbox = sandbox();
    let finished = sandbox.run(
        "unset ASYNC_DIR; export DEST=$PWD/dest; source <(async shim); async_run t true; async_wait t; async_init
        env -u _ASYNC_STORE async run --quiet u -- true; ls -A",
    );
    finished.exits(0).lacks("dest");
}

#[test]
fn the_store_of_a_script_is_for_its_user_alone() {
    let sandbox = sandbox();
    let script = write(&sandbox, "cwd/script", "async_run t true; async_wait t");
    run(&sandbox, &format!("umask 0; {}", script.display())).exits(0);
    let state = sandbox.path("home/.local/state/async");
    let run_dir = state.join("scripts").join(&stores(&sandbox)[0]);
    for dir in run_dir.ancestors().take_while(|dir| *dir != state.parent().unwrap()) {
        let mode = fs::metadata(dir).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", dir.display());
    }
}

/// The JSON of `async timing` for the newest run of that script.
fn timing(sandbox: &Sandbox, script: &str) -> Value {
    let finished = run(sandbox, &format!("async timing --json --script {script}"));
    assert_eq!(finished.status, 0, "{finished}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn a_run_goes_from_where_the_script_begins_to_where_it_ends() {
    let sandbox = sandbox();
    let text = "sleep 0.3; async_run t true; async_wait t; ";
    write(&sandbox, "cwd/ends", &format!("{text} sleep 0.2; async_print_timing; sleep 0.1"));
    write(&sandbox, "cwd/killed", &format!("{text} sleep 0.2; kill -KILL $$"));
    write(&sandbox, "cwd/goes_on", &format!("{text} : >there; read -r _ <go"));
    let printed = run(&sandbox, "./ends");
    let tenths = regex::Regex::new(r"\n Elapsed time: \d+\.\d sec\n").unwrap();
    assert!(tenths.is_match(&printed.stdout), "{printed}");
    let ended = timing(&sandbox, "ends");
    let first = |document: &Value| document["timings"][0].clone();
    assert!(first(&ended)["start_offset_ms"].as_i64().unwrap() >= 300, "{ended}");
    let behind = |document: &Value| {
        document["summary"]["elapsed_ms"].as_i64().unwrap() - first(document)["wait_end_offset_ms"].as_i64().unwrap()
    };
    assert!(behind(&ended) >= 300, "{ended}");
    assert_eq!(timing(&sandbox, "ends"), ended, "whenever it is asked");
    // Nobody knows how long the other one worked after that.
    run(&sandbox, "./killed; :");
    assert_eq!(behind(&timing(&sandbox, "killed")), 0);
    let script = "mkfifo go; ./goes_on & until [[ -e there ]]; do sleep 0.01; done
        async timing --json --script goes_on; sleep 0.01; async timing --json --script goes_on; : >go; wait";
    let finished = run(&sandbox, script);
    let mut documents = serde_json::Deserializer::from_str(&finished.stdout).into_iter::<Value>();
    let [before, later] = [(); 2].map(|()| behind(&documents.next().unwrap().unwrap()));
    assert!(before < later, "{finished}");
}
