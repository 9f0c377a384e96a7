//! Whole numbers on the command line.

use std::str::FromStr;

/// Parses a count.
pub(crate) fn parse<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "write a whole number, such as 3".to_owned())
}
