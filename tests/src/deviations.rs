//! The list of what differs from the original, in docs/compatibility.md, and which scenarios show it.

use std::collections::BTreeSet;
use std::fs;

/// The names of the scenarios that the list says differ.
///
/// # Panics
/// If the page has no such list.
#[must_use]
pub fn listed() -> BTreeSet<String> {
    last_cells(&fs::read_to_string(crate::root().join("docs/compatibility.md")).expect("the page"), "deviations")
}

/// What stands in backticks in the last cell of each row of the table between the comments `<!-- NAME -->` and
/// `<!-- /NAME -->`.
///
/// # Panics
/// If there are no such comments.
#[must_use]
pub fn last_cells(text: &str, name: &str) -> BTreeSet<String> {
    let table = text
        .split_once(&format!("<!-- {name} -->"))
        .and_then(|(_, rest)| rest.split_once(&format!("<!-- /{name} -->")))
        .expect("the table between its comments")
        .0;
    table
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.trim_end().trim_end_matches('|').rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}
