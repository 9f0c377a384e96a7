//! What the README promises about tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use async_tests::shell::Sandbox;
use async_tests::{here, root};
use regex::Regex;

/// The names in backticks in the last cells of the table between two comments.
fn listed(readme: &str, name: &str) -> BTreeSet<String> {
    async_tests::deviations::last_cells(readme, name)
}

/// The names of the tests in the folder of faults.
fn tests_of_faults() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(here().join("e2e/faults")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("#[test]\n").skip(1) {
            // Maybe an attribute comes between.
            let (_, from_name) = part.split_once("fn ").unwrap();
            found.insert(from_name.split('(').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn each_row_of_the_table_of_faults_names_a_test_and_each_test_has_a_row() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert_eq!(listed(&readme, "faults"), tests_of_faults());
}

/// A `make` whose targets end as the sample has it: `docs` once `tests` runs, `program` after that, and `tests` when it is waited for.
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
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = |kind: &str| {
        let (_, rest) = readme.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
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
    assert_eq!(shape(&finished.stdout), shape(block("text")), "{finished}");
}
