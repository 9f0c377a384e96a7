//! Each scenario under the shim, compared with the output of the original; and under the original, if there is one,
//! compared with the committed output. `cargo xtask snapshots` records it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use async_tests::scenario::{self, Scenario, Seen};
use async_tests::shell::{Bash, bashes};
use async_tests::tools::skip_even_in_ci;
use async_tests::{assert_like_snapshot, deviations, here, original, root};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let bashes = bashes();
    let listed = deviations::listed();
    let shim = root().join("async-bash-shim/inc/async");
    let mut trials = vec![Trial::test("every_listed_deviation_is_a_scenario", {
        let listed = listed.clone();
        move || {
            let unknown: Vec<_> =
                listed.iter().filter(|name| !scenario::all().iter().any(|known| known.name == **name)).collect();
            if unknown.is_empty() { Ok(()) } else { Err(format!("no such scenarios: {unknown:?}").into()) }
        }
    })];
    trials.push(Trial::test("no_snapshot_is_left_over", {
        let listed = listed.clone();
        move || no_snapshot_is_left_over(&listed)
    }));
    if original().is_none() {
        trials.push(Trial::test("original", || {
            // We may not distribute it.
            skip_even_in_ci("ASYNC_ORIGINAL names no original: devstack's inc/async of commit 30d9bf9a");
            Ok(())
        }));
    }
    for scenario in scenario::all() {
        if let Some(original) = original() {
            // Recorded under the machine's own bash; the messages of another bash do not matter.
            let (scenario, bash) = (scenario.clone(), bashes[0].clone());
            trials.push(Trial::test(format!("original::{}", scenario.name), move || {
                matches_snapshot("original", &scenario.name, &scenario.run(&original, &bash))
            }));
        }
        for bash in bashes.clone() {
            let (scenario, shim) = (scenario.clone(), shim.clone());
            let differs = listed.contains(&scenario.name);
            trials.push(Trial::test(format!("shim::{}::bash_{}", scenario.name, bash.version), move || {
                under_the_shim(&scenario, &shim, &bash, differs)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn no_snapshot_is_left_over(listed: &BTreeSet<String>) -> Result<(), Failed> {
    let scenarios: BTreeSet<String> = scenario::all().into_iter().map(|scenario| scenario.name).collect();
    for (kind, wanted) in [("original", &scenarios), ("shim", listed)] {
        let found: BTreeSet<String> = fs::read_dir(snapshot_dir(kind))?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".snap").map(str::to_owned))
            .collect();
        if found != *wanted {
            let difference: Vec<_> = found.symmetric_difference(wanted).collect();
            return Err(format!("left over or missing in {kind}: {difference:?}").into());
        }
    }
    Ok(())
}

fn under_the_shim(scenario: &Scenario, shim: &Path, bash: &Bash, differs: bool) -> Result<(), Failed> {
    let seen = scenario.run(shim, bash);
    let theirs = committed("original", &scenario.name)?;
    match (differs, seen.compared.trim_end() == theirs.trim_end()) {
        (false, true) => Ok(()),
        (false, false) => Err(difference("it differs from the original and is not listed", &theirs, &seen)),
        (true, true) => Err("it is listed as a deviation and no longer differs".into()),
        (true, false) => matches_snapshot("shim", &scenario.name, &seen),
    }
}

fn snapshot_dir(kind: &str) -> PathBuf {
    here().join("snapshots").join(kind)
}

fn committed(kind: &str, name: &str) -> Result<String, Failed> {
    let path = snapshot_dir(kind).join(format!("{name}.snap"));
    let text = fs::read_to_string(&path)
        .map_err(|e| format!("no snapshot {}: {e}; record it with `cargo xtask snapshots`", path.display()))?;
    // Insta's header ends with the second line of dashes.
    let (_, contents) = text[3..].split_once("\n---\n").ok_or("the snapshot has no header")?;
    Ok(contents.to_owned())
}

fn matches_snapshot(kind: &str, name: &str, seen: &Seen) -> Result<(), Failed> {
    let assertion = || assert_like_snapshot(kind, name, &seen.compared);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion))
        .map_err(|_| difference("it differs from what is committed", &committed(kind, name).unwrap_or_default(), seen))
}

fn difference(what: &str, expected: &str, seen: &Seen) -> Failed {
    let diff = similar::TextDiff::from_lines(expected, &seen.compared);
    let diff = diff.unified_diff().header("expected", "found").to_string();
    format!("{what}:\n{diff}\n--- standard error\n{}", seen.stderr).into()
}
