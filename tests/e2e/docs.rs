//! The pages of the documentation: their links lead somewhere, their tables are complete, and their scripts work.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use async_tests::markdown::{blocks, dead_links, first_cells, page};
use async_tests::root;
use async_tests::shell::Sandbox;
use regex::Regex;

use crate::man;

/// The paths of all pages.
fn pages() -> Vec<PathBuf> {
    let files = ["", "docs", "examples", "tests/fuzz"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    for page in ["README.md", "SECURITY.md", "docs/reference.md", "examples/README.md"] {
        assert!(pages.contains(&root().join(page)), "{pages:?}");
    }
    pages
}

#[test]
fn the_readme_fits_in_150_lines() {
    let lines = page("README.md").lines().count();
    assert!(lines <= 150, "it has {lines}: what does not fit belongs in docs/");
}

#[test]
fn every_link_leads_somewhere() {
    let dead: Vec<_> = pages().iter().flat_map(|page| dead_links(root(), page)).collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn a_dead_link_is_found() {
    let sandbox = Sandbox::default();
    let root = sandbox.path("pages");
    fs::create_dir(&root).unwrap();
    fs::write(sandbox.path("outside.md"), "").unwrap();
    fs::write(root.join("other.md"), "# One `two`, (three)\n## Again\n## Again\n```console\n# No heading\n```\n")
        .unwrap();
    let good = "[a](other.md) [b](other.md#one-two-three) [c](#here) [d](other.md#again-1) [e](https://example.org)";
    let dead = "[f](none.md) ![g](none.svg) [h](other.md#two) [i](#there) [j](other.md#no-heading) [k](../outside.md)";
    let code = "`[l](none.md)`\n```\n[m](none.md)\n```\n";
    let page = root.join("page.md");
    fs::write(&page, format!("# Here\n{good}\n{dead}\n{code}[n](last.md)\n")).unwrap();
    let found = dead_links(&root, &page);
    let found: Vec<_> = found.iter().map(|line| line.rsplit(": ").next().unwrap()).collect();
    assert_eq!(
        found,
        ["none.md", "none.svg", "other.md#two", "#there", "other.md#no-heading", "../outside.md", "last.md"]
    );
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = page("README.md");
    for path in pages().iter().filter(|path| path.parent() == Some(&root().join("docs"))) {
        let name = path.file_name().unwrap().display();
        assert!(readme.contains(&format!("](docs/{name})")), "no link to docs/{name}");
    }
}

#[test]
fn the_reference_has_all_variables() {
    let variable = Regex::new("^[A-Z_]+$").unwrap();
    let terms = man::terms(&Sandbox::default());
    let wanted: BTreeSet<_> = terms.into_iter().filter(|term| variable.is_match(term)).collect();
    assert!(wanted.contains("ASYNC_DIR"), "{wanted:?}");
    assert_eq!(first_cells(&page("docs/reference.md"), "variables"), wanted);
}

#[test]
fn the_reference_has_all_functions() {
    let defined = man::functions(&Sandbox::default(), "standalone");
    assert!(defined.contains("async_run"), "{defined:?}");
    let reference = page("docs/reference.md");
    let table = reference.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).map(|(cell, _)| cell);
    let name = Regex::new(r"`(async_\w+)").unwrap();
    let listed: BTreeSet<_> =
        table.flat_map(|cell| name.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect();
    assert_eq!(listed, defined);
}

#[test]
fn the_script_for_ci_has_the_status_of_its_checks_and_leaves_reports() {
    let [script] = &blocks(&page("docs/ci.md"), "bash")[..] else { panic!("one script") };
    for (status, failures) in [(0, 0), (3, 1)] {
        let sandbox = Sandbox::default();
        fs::write(sandbox.path("cwd/checks"), script).unwrap();
        let make = format!("#!/bin/sh\necho \"$1 is looked at\"\n[ \"$1\" != unit ] || exit {status}\n");
        fs::write(sandbox.path("cwd/make"), make).unwrap();
        let finished = sandbox.run("unset ASYNC_DIR; chmod +x make checks; PATH=$PWD:$PATH; ./checks");
        finished.exits(status).says("lint is looked at\n").says("unit is looked at\n").says("links is looked at\n");
        let report = fs::read_to_string(sandbox.path("cwd/report.xml")).unwrap();
        assert_eq!(report.matches("<testcase ").count(), 3, "{report}");
        assert_eq!(report.matches("<failure").count(), failures, "{report}");
        assert!(fs::read_to_string(sandbox.path("cwd/timeline.html")).unwrap().contains("<svg"), "{finished}");
    }
}
