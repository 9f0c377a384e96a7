//! What the README promises about tests.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;

use async_tests::{here, root};

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
