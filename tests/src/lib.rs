//! End-to-end tests of `async`.
