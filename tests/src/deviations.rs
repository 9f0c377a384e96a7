//! The list of what differs from the original, in docs/compatibility.md, and which scenarios show it.

use std::collections::BTreeSet;

use crate::markdown::{last_cells, page};

/// The names of the scenarios that the list says differ.
///
/// # Panics
/// If the page has no such list.
#[must_use]
pub fn listed() -> BTreeSet<String> {
    last_cells(&page("docs/compatibility.md"), "deviations")
}
