//! What a library needs of a system, in Debian's terms.

use std::collections::BTreeMap;

use object::{File, ImportFlags, Object};

/// How the name of a library starts, the package that has it, and how the versions of its symbols start.
const LIBRARIES: [(&str, &str, &str); 5] = [
    ("libc.so.", "libc6", "GLIBC_"),
    ("libm.so.", "libc6", "GLIBC_"),
    ("ld-linux", "libc6", "GLIBC_"),
    ("ld64.so.", "libc6", "GLIBC_"),
    ("libgcc_s.so.", "libgcc-s1", "GCC_"),
];

/// The packages that the library is loaded with, each in a version that has all that it refers to: `libc6 (>= 2.34)`.
pub(super) fn of_library(content: &[u8]) -> Result<Vec<String>, String> {
    let wrong = |error: object::Error| format!("can't read what the library needs: {error}");
    let file = File::parse(content).map_err(wrong)?;
    let mut packages = BTreeMap::<&str, Vec<u32>>::new();
    for library in file.import_libraries().map_err(wrong)? {
        let (package, _) = package_of(library.map_err(wrong)?.name())?;
        packages.entry(package).or_default();
    }
    for import in file.imports().map_err(wrong)? {
        let import = import.map_err(wrong)?;
        if let ImportFlags::Elf { version: Some(version), .. } = import.flags() {
            let (package, start) = package_of(import.library())?;
            let known = packages.entry(package).or_default();
            *known = known.clone().max(parse(version, start)?);
        }
    }
    Ok(packages.into_iter().map(|(package, version)| package.to_owned() + &at_least(&version)).collect())
}

/// The package that has a library, and how the versions of its symbols start.
fn package_of(library: &[u8]) -> Result<(&'static str, &'static str), String> {
    let found = LIBRARIES.iter().find(|(start, ..)| library.starts_with(start.as_bytes()));
    found.map(|&(_, package, start)| (package, start)).ok_or_else(|| {
        let library = String::from_utf8_lossy(library);
        format!("which package of Debian has {library} is not known here: add it to {}", file!())
    })
}

/// `GLIBC_2.34` as 2 and 34.
fn parse(version: &[u8], start: &str) -> Result<Vec<u32>, String> {
    let version = String::from_utf8_lossy(version);
    let numbers = version.strip_prefix(start).and_then(|rest| rest.split('.').map(|part| part.parse().ok()).collect());
    numbers.ok_or_else(|| format!("since when Debian has {version} is not known here: see {}", file!()))
}

fn at_least(version: &[u32]) -> String {
    let numbers: Vec<_> = version.iter().map(u32::to_string).collect();
    if numbers.is_empty() { String::new() } else { format!(" (>= {})", numbers.join(".")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_list_of_numbers_and_nothing_else() {
        assert_eq!(parse(b"GLIBC_2.2.5", "GLIBC_"), Ok(vec![2, 2, 5]));
        assert!(parse(b"GLIBC_2.34", "GLIBC_").unwrap() > parse(b"GLIBC_2.4", "GLIBC_").unwrap());
        for version in ["GLIBC_PRIVATE", "GLIBC_", "GCC_3.0", "2.34"] {
            assert!(parse(version.as_bytes(), "GLIBC_").unwrap_err().contains(version), "{version}");
        }
    }

    #[test]
    fn what_is_no_library_or_needs_an_unknown_one_is_refused() {
        assert!(of_library(b"#!/bin/sh\n").unwrap_err().starts_with("can't read what the library needs: "));
        assert!(package_of(b"libz.so.1").unwrap_err().contains("has libz.so.1 is not known"));
    }
}
