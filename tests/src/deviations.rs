//! The list of deviations from the original in docs/compatibility.md, and the scenarios that show them.

use std::collections::BTreeSet;

use crate::markdown::{last_cells, page};

/// The names of the scenarios that differ, according to the list.
///
/// # Panics
/// If the page has no such list.
#[must_use]
pub fn listed() -> BTreeSet<String> {
    last_cells(&page("docs/compatibility.md"), "deviations")
}
