//! A short run of `cargo xtask bench`, which says nothing about speed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
#[ignore = "in the full set"]
fn every_row_has_a_figure_or_says_what_is_missing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let json = dir.path().join("bench.json");
    let async_program = build();
    let output = Command::new(env!("CARGO_BIN_EXE_trials"))
        .args([
            "bench",
            "--rounds",
            "1",
            "--futures",
            "2",
            "--crowds",
            "3",
            "--log-mib",
            "1",
            "--program",
            &async_program,
        ])
        .arg("--json")
        .arg(&json)
        // Other tools take longer to start than a test should.
        .args(
            ["function", "program/standalone", "run", "delay/standalone", "crowd", "status", "log", "start", "memory"]
                .map(only),
        )
        .output()
        .expect("trials runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&fs::read(&json).expect("a report")).expect("JSON");
    let rows: Vec<&Value> = report["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .flat_map(|s| s["rows"].as_array().expect("rows"))
        .collect();
    assert!(rows.len() > 20, "{report:#}");
    for row in rows {
        let samples = row["samples"].as_array().map_or(0, Vec::len);
        assert!(row["missing"].is_string() != (row["median"].is_number() && samples == 1), "{row:#}");
        let who = row["who"].as_str().expect("a row is of somebody");
        assert!(text.contains(&format!("| {who} |")), "{who}:\n{text}");
    }
}

fn only(row: &str) -> String {
    format!("--only={row}")
}

/// The program, built beside trials.
fn build() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_trials")).with_file_name("async");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "async-cli"]);
    if program.parent().is_some_and(|dir| dir.ends_with("release")) {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success());
    program.display().to_string()
}
