//! The scripts in `examples/` and their handwritten equivalents, without faults and with each of their steps failing in
//! turn.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use async_tests::root;
use async_tests::shell::{Bash, Finished, Sandbox, bashes};

/// Stands in for the programs that the examples use. It fails if `FAILING` has the words of its call.
const STAND_IN: &str = r#"#!/bin/sh
call="${0##*/}"
for word; do call="$call $word"; done
echo "$call" >>"$CALLS"
[ "$call" != "$FAILING" ] || { echo "this is why" >&2; exit 3; }
[ "$call" != run-registry ] || exec sleep 1000
echo "output of $call"
"#;

struct Example {
    name: &'static str,
    arguments: &'static str,
    /// A call, and whether the handwritten script also reports its failure.
    steps: &'static [(&'static str, bool)],
}

const EXAMPLES: &[Example] = &[
    Example {
        name: "checks.sh",
        arguments: "",
        steps: &[("make lint", false), ("make types", false), ("make unit", false), ("make docs", false)],
    },
    Example {
        name: "backup.sh",
        arguments: "folder",
        steps: &[
            ("pg_dump --format=custom shop", false),
            ("pg_dump --format=custom users", false),
            ("pg_dump --format=custom wiki", false),
        ],
    },
    Example {
        name: "provision.sh",
        arguments: "",
        steps: &[
            ("run-registry", false),
            ("install-packages", true),
            ("build-application", false),
            ("load-schema", true),
            ("try-application", true),
        ],
    },
    Example {
        name: "checksums.sh",
        arguments: "files/*",
        steps: &[("sha256sum -- files/f1", false), ("sha256sum -- files/f2", false), ("sha256sum -- files/f30", false)],
    },
    Example {
        name: "nightly.sh",
        arguments: "",
        steps: &[("rotate-logs", false), ("update-index", true), ("send-report", true)],
    },
];

/// Runs an example, or its namesake in `by-hand/`.
fn run(bash: &Bash, script: &str, arguments: &str, failing: &str) -> (Finished, BTreeSet<String>) {
    let sandbox = Sandbox::new(&bash.path);
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("stand-in"), STAND_IN).unwrap();
    fs::set_permissions(bin.join("stand-in"), fs::Permissions::from_mode(0o755)).unwrap();
    for step in EXAMPLES.iter().flat_map(|example| example.steps) {
        let program = bin.join(step.0.split(' ').next().unwrap());
        if !program.exists() {
            symlink("stand-in", program).unwrap();
        }
    }
    let calls = sandbox.path("calls");
    fs::write(&calls, "").unwrap();
    let mut command = sandbox.bash(&format!(
        "unset ASYNC_DIR DEST; mkdir folder files; touch files/f{{1..30}}; PATH={}:$PATH
        export CALLS={} RETRY_DELAY=1ms FAILING='{failing}'
        $BASH {} {arguments}",
        bin.display(),
        calls.display(),
        root().join("examples").join(script).display(),
    ));
    let finished = sandbox.finish(&mut command);
    (finished, fs::read_to_string(&calls).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn each_example_works_and_reports_each_failure() {
    for bash in bashes() {
        for Example { name, arguments, steps } in EXAMPLES {
            let (finished, calls) = run(&bash, name, arguments, "");
            assert_eq!(finished.status, 0, "{name}: {finished}");
            let missing: Vec<_> = steps.iter().filter(|step| !calls.contains(step.0)).collect();
            assert!(missing.is_empty(), "{name} has not done {missing:?}");
            for (step, _) in *steps {
                let (finished, _) = run(&bash, name, arguments, step);
                assert!(finished.status != 0, "{name} does not report that `{step}` has failed: {finished}");
                finished.tells("this is why\n").lacks("complete").lacks("set up").lacks("have passed");
            }
        }
    }
}

#[test]
fn by_hand_they_miss_what_their_first_lines_say() {
    let bash = &bashes()[0];
    for Example { name, arguments, steps } in EXAMPLES {
        let script = format!("by-hand/{name}");
        let (finished, _) = run(bash, &script, arguments, "");
        assert_eq!(finished.status, 0, "{script}: {finished}");
        for (step, reported) in *steps {
            let (finished, _) = run(bash, &script, arguments, step);
            assert_eq!(finished.status != 0, *reported, "{script}, `{step}` fails: {finished}");
        }
        assert!(fs::read_to_string(root().join("examples").join(&script)).unwrap().contains("misses"));
    }
}

#[test]
fn each_example_has_a_line_in_the_list() {
    let list = fs::read_to_string(root().join("examples/README.md")).unwrap();
    let of = |dir: &str| -> BTreeSet<String> {
        let paths = fs::read_dir(root().join(dir)).unwrap().map(|entry| entry.unwrap().path());
        let scripts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sh"));
        scripts.map(|path| path.file_name().unwrap().display().to_string()).collect()
    };
    assert_eq!(of("examples"), of("examples/by-hand"));
    assert_eq!(of("examples"), EXAMPLES.iter().map(|example| example.name.to_owned()).collect());
    assert!(of("examples").iter().all(|name| list.contains(&format!("[{name}]({name})"))));
}
