//! The README's list of what differs from the original, and which scenarios show it.

use std::collections::BTreeSet;
use std::fs;

/// The names of the scenarios that the list says differ: what stands in backticks in the last cell of each row between
/// the comments `<!-- deviations -->` and `<!-- /deviations -->`.
///
/// # Panics
/// If the README has no such list.
#[must_use]
pub fn listed() -> BTreeSet<String> {
    let readme = fs::read_to_string(crate::root().join("README.md")).expect("the README");
    let list = readme
        .split_once("<!-- deviations -->")
        .and_then(|(_, rest)| rest.split_once("<!-- /deviations -->"))
        .expect("the README has a list of deviations")
        .0;
    list.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_end().trim_end_matches('|').rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}
