//! The functions that call the program: their profile and version.
//!
//! Functions and a program of one series work together: they have the same major version and, while the major version
//! is 0, the same minor one. `async init` warns if the versions differ at all. The program refuses functions of another
//! series before it reads anything else from them, because it can't know what they mean.

use std::ffi::OsString;
use std::str::FromStr;

use clap::ValueEnum;

use crate::cli::Profile;
use crate::failure::Failure;

const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The functions' own description: `PROFILE/VERSION`. Other callers give no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendering {
    pub(crate) profile: Profile,
    version: Option<String>,
}

impl FromStr for Rendering {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (profile, version) =
            text.split_once('/').map_or((text, None), |(profile, version)| (profile, Some(version)));
        Ok(Self { profile: Profile::from_str(profile, false)?, version: version.map(str::to_owned) })
    }
}

impl Rendering {
    /// The version of the functions, if it differs from the program's.
    pub(crate) fn other_version(&self) -> Option<&str> {
        self.version.as_deref().filter(|version| *version != OWN_VERSION)
    }
}

/// Fails if these arguments come from functions of another series. Functions identify themselves right after the
/// command.
pub(crate) fn check_series(args: &[OsString]) -> Result<(), Failure> {
    let [_, _, option, says, ..] = args else {
        return Ok(());
    };
    let version = says.to_str().filter(|_| option == "--for").and_then(|says| Some(says.split_once('/')?.1));
    match version {
        Some(version) if series(version) != series(OWN_VERSION) => {
            Err(Failure::OtherSeries { functions: async_core::text::printable(version.as_ref()), program: OWN_VERSION })
        }
        _ => Ok(()),
    }
}

fn series(version: &str) -> (&str, &str) {
    let (major, rest) = version.split_once('.').unwrap_or((version, ""));
    let minor = rest.split('.').next().unwrap_or_default();
    (major, if major == "0" { minor } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(line: &str) -> Result<(), Failure> {
        check_series(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn versions_of_one_series_differ_in_what_does_not_matter() {
        for (one, other, same) in [
            ("0.1.0", "0.1.9", true),
            ("0.1.0", "0.2.0", false),
            ("0.1.0", "1.1.0", false),
            ("1.2.0", "1.9.3", true),
            ("1.2.0", "2.2.0", false),
            ("1", "1.0", true),
        ] {
            assert_eq!(series(one) == series(other), same, "{one} and {other}");
        }
    }

    #[test]
    fn only_what_functions_say_of_themselves_counts() {
        assert!(checked("async collect --for standalone/99.0.0 -- a").is_err());
        assert!(checked(&format!("async collect --for standalone/{OWN_VERSION} -- a")).is_ok());
        assert!(checked("async run name --for standalone/99.0.0").is_ok());
    }
}
