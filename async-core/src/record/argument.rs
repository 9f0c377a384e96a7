//! Arguments of commands, which need not be text.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Serialize};

/// One argument of a command, exactly. In JSON a string, or an array of byte values if it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Argument {
    /// UTF-8.
    Text(String),
    /// Any other bytes.
    Bytes(Vec<u8>),
}

impl From<&OsStr> for Argument {
    fn from(arg: &OsStr) -> Self {
        arg.to_str().map_or_else(|| Self::Bytes(arg.as_bytes().to_owned()), |text| Self::Text(text.to_owned()))
    }
}

impl From<Argument> for OsString {
    fn from(arg: Argument) -> Self {
        match arg {
            Argument::Text(text) => text.into(),
            Argument::Bytes(bytes) => Self::from_vec(bytes),
        }
    }
}
