//! What the tests of records share.

use async_core::{Permissions, Store};
use proptest::prelude::*;
use tempfile::TempDir;

/// A store in a folder of its own, as `store` there.
pub(crate) fn store() -> (TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let (store, _) = Store::init(&place.path().join("store"), Permissions::Private).unwrap();
    (place, store)
}

/// That many cases, or what `$PROPTEST_CASES` says.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(usual))
}
