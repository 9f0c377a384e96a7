//! The promises of the README and the page on faults about tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use async_tests::here;
use async_tests::markdown::{blocks, last_cells, page};
use async_tests::shell::Sandbox;
use regex::Regex;

/// The names of the tests in the folder of faults.
fn tests_of_faults() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(here().join("e2e/faults")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("#[test]\n").skip(1) {
            // An attribute may come between.
            let (_, from_name) = part.split_once("fn ").unwrap();
            found.insert(from_name.split('(').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn each_row_of_the_table_of_faults_names_a_test_and_each_test_has_a_row() {
    assert_eq!(last_cells(&page("docs/faults.md"), "faults"), tests_of_faults());
}

/// A `make` whose targets end in the order of the sample: `docs` once `tests` is running, `program` after that, and
/// `tests` when the script waits for it.
const MAKE: &str = "#!/bin/bash
case $1 in
    docs) until grep -q 'running: make tests' out; do sleep 0.01; done; echo 12 pages ;;
    program)
        until [[ $(async status) == *docs*finished* ]]; do sleep 0.01; done
        until grep -q 'finished successfully' out; do sleep 0.01; done
        echo program is built
        ;;
    tests) until grep -q 'completion of make tests' out; do sleep 0.01; done; echo 340 passed ;;
esac
";

#[test]
fn the_first_script_prints_what_the_page_says_that_it_prints() {
    let block = |kind: &str| blocks(&page("README.md"), kind).remove(0);
    let sandbox = Sandbox::default();
    fs::write(sandbox.path("cwd/make"), MAKE).unwrap();
    fs::write(sandbox.path("cwd/script"), block("bash")).unwrap();
    let finished = sandbox.run("unset ASYNC_DIR DEST; chmod +x make; PATH=$PWD:$PATH $BASH script >>out 2>&1; cat out");
    let figures = Regex::new(r":\d+\]| in \d+ seconds|\d+\.\d sec|\d+\.\d\d\n").unwrap();
    let shape = |text: &str| {
        let digits = Regex::new(r"\d+").unwrap();
        figures
            .replace_all(text, |found: &regex::Captures<'_>| digits.replace_all(&found[0], "N").into_owned())
            .into_owned()
    };
    assert_eq!(shape(&finished.stdout), shape(&block("text")), "{finished}");
}

#[test]
fn the_second_script_loads_what_was_dumped_before_and_fails_if_that_fails() {
    let programs = [
        ("pg_dump", "#!/bin/sh\necho \"dump: $*\" && exit \"$(cat status)\"\n"),
        ("psql", "#!/bin/sh\nread -r line && echo \"$1: $line\"\n"),
        ("rsync", "#!/bin/sh\necho \"rsync: $*\"\n"),
        ("script", &blocks(&page("README.md"), "bash")[1]),
    ];
    for (status, is_loaded) in [(0, true), (3, false)] {
        let sandbox = Sandbox::default();
        for (name, text) in programs {
            fs::write(sandbox.path("cwd").join(name), text).unwrap();
        }
        fs::write(sandbox.path("cwd/schema.sql"), "the schema\n").unwrap();
        fs::write(sandbox.path("cwd/status"), status.to_string()).unwrap();
        let finished = sandbox.run("unset ASYNC_DIR; chmod +x pg_dump psql rsync script; PATH=$PWD:$PATH; ./script");
        finished.exits(status).says("dump: -f old.sql shop\n").says("rsync: -a photos/ backup:photos\n");
        assert_eq!(finished.stdout.contains("shop: the schema\n"), is_loaded, "{finished}");
    }
}
