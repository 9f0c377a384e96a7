//! The figures of the summary, compared with the arithmetic of bash and the numbers of awk, which the original uses.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;
use std::io::ErrorKind;
use std::process::Command;

use async_cli::awk;
use async_core::timing::Summary;
use async_tests::generated;
use proptest::prelude::*;

/// How many summaries.
const SUMMARIES: usize = 3000;

fn output(command: &mut Command) -> Option<Vec<String>> {
    match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{output:?}");
            Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
        }
    }
}

fn summaries() -> Vec<Summary> {
    // Sums that overflow become negative in bash, so they are no reference.
    let ms = || prop_oneof![4 => -10_000..10_000_000i64, 1 => -(1i64 << 61)..1i64 << 61];
    let elapsed = prop_oneof![1 => Just(0), 4 => 0..100i64, 4 => 0..100_000i64, 1 => 0..1i64 << 61];
    generated(&(ms(), ms(), elapsed), SUMMARIES)
        .into_iter()
        .map(|(background_ms, waited_ms, elapsed_s)| Summary { background_ms, waited_ms, elapsed_s })
        .collect()
}

#[test]
fn the_summary_is_what_bash_reckons() {
    let mut script = String::new();
    for Summary { background_ms, waited_ms, elapsed_s } in summaries() {
        let minus = format!("(({background_ms} - {waited_ms}) / 1000)");
        let _ = writeln!(script, "echo $(({minus})) $(({elapsed_s} + {minus}))");
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("script");
    std::fs::write(&file, script).unwrap();
    let seen = output(Command::new("bash").arg(file)).unwrap();
    assert_eq!(seen.len(), SUMMARIES);
    for (summary, seen) in summaries().iter().zip(seen) {
        assert_eq!(format!("{} {}", summary.background_minus_waits_s(), summary.serial_s()), seen, "{summary:?}");
    }
}

#[test]
fn the_speedup_is_what_awk_prints() {
    let awks = ["awk", "mawk", "gawk", "original-awk"];
    let mut compared = 0;
    let divided: Vec<Summary> = summaries().into_iter().filter(|summary| summary.elapsed_s != 0).collect();
    let mut program = "BEGIN {\n".to_owned();
    for summary in &divided {
        let _ = writeln!(program, "print {} / {}", summary.serial_s(), summary.elapsed_s);
    }
    program.push_str("}\n");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("program");
    std::fs::write(&file, program).unwrap();
    for awk in awks {
        let Some(seen) = output(Command::new(awk).arg("-f").arg(&file)) else { continue };
        assert_eq!(seen.len(), divided.len(), "{awk}");
        for (summary, seen) in divided.iter().zip(seen) {
            let speedup = summary.speedup().unwrap();
            // Awks differ in where integers end.
            if speedup.fract() != 0.0 || speedup.abs() < f64::from(i32::MAX) {
                assert_eq!(awk::number(speedup), seen, "{awk}: {summary:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > SUMMARIES / 2, "{compared}");
}
