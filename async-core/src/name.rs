//! Names of futures.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a future, in bytes. File names may have 255 bytes on every Linux file system; the rest leaves
/// room for the suffixes that the store adds.
pub const MAX_NAME_BYTES: usize = 200;

/// A validated name: safe as part of a file name and on a terminal.
///
/// It is UTF-8, has 1 to [`MAX_NAME_BYTES`] bytes, contains no `/` and no control character, and does not begin with a
/// dot (the store uses such file names itself). Blanks, dashes, inner dots and all other characters are fine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FutureName(String);

/// Why a text is not a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_NAME_BYTES`]; the field is the length found, in bytes.
    #[error("it has {0} bytes, and {MAX_NAME_BYTES} is the limit")]
    TooLong(usize),
    /// A `/`, which would name a file outside the store.
    #[error("it has a `/`")]
    Slash,
    /// A leading dot.
    #[error("it begins with a dot")]
    LeadingDot,
    /// A newline, an escape or another control character.
    #[error("it has a control character")]
    Control,
    /// Bytes that are not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
}

impl FutureName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks a command-line argument.
    pub fn from_arg(arg: &OsStr) -> Result<Self, InvalidName> {
        arg.to_str().ok_or(InvalidName::Encoding)?.parse()
    }
}

impl FromStr for FutureName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            Err(InvalidName::Empty)
        } else if text.len() > MAX_NAME_BYTES {
            Err(InvalidName::TooLong(text.len()))
        } else if text.contains('/') {
            Err(InvalidName::Slash)
        } else if text.starts_with('.') {
            Err(InvalidName::LeadingDot)
        } else if text.contains(|c: char| c.is_control() || crate::text::is_bidi_control(c)) {
            Err(InvalidName::Control)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for FutureName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<FutureName> for String {
    fn from(name: FutureName) -> Self {
        name.0
    }
}

impl fmt::Display for FutureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_and_unusual_names_are_taken() {
        for name in ["a", "ks-domain-role", "a.b", "two words", "größe", "-v", "&#\\%", "collected"] {
            assert_eq!(name.parse::<FutureName>().unwrap().as_str(), name);
        }
        assert!("x".repeat(MAX_NAME_BYTES).parse::<FutureName>().is_ok());
    }

    #[test]
    fn each_kind_of_bad_name_is_told_apart() {
        use std::os::unix::ffi::OsStrExt;
        let cases = [
            (String::new(), InvalidName::Empty),
            ("x".repeat(300), InvalidName::TooLong(300)),
            ("a/b".into(), InvalidName::Slash),
            ("..".into(), InvalidName::LeadingDot),
            (".hidden".into(), InvalidName::LeadingDot),
            ("a\nb".into(), InvalidName::Control),
            ("a\x1b[31m".into(), InvalidName::Control),
            ("a\u{9b}31m".into(), InvalidName::Control),
            ("a\u{202e}b".into(), InvalidName::Control),
            ("a\u{61c}b".into(), InvalidName::Control),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<FutureName>(), Err(why), "{text:?}");
        }
        assert_eq!(FutureName::from_arg(OsStr::from_bytes(b"\xff")), Err(InvalidName::Encoding));
    }
}
