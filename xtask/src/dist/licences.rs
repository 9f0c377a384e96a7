//! The licences of the third-party code that is linked into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::failed;
use xtask::output;

const HEAD: &str = "\
The program async has parts that others wrote, among them the Rust standard library (MIT or Apache-2.0).
It is linked statically with the GNU C library (LGPL-2.1-or-later); from its sources it can be linked with another.
The licenses of all further parts follow, each behind the parts that it is for.
";

/// The text of all licences.
pub(super) fn of_others(target: &str) -> Result<String, String> {
    let mut parts_by_text = BTreeMap::<String, BTreeSet<String>>::new();
    for (part, folder) in parts(target)? {
        let mut texts = texts(Path::new(&folder))?;
        if texts.is_empty() {
            texts.push("It comes without the text of its license.".to_owned());
        }
        for text in texts {
            parts_by_text.entry(text).or_default().insert(part.clone());
        }
    }
    let mut by_parts: Vec<_> = parts_by_text.into_iter().map(|(text, parts)| (parts, text)).collect();
    by_parts.sort();
    let mut all = HEAD.to_owned();
    for (parts, text) in by_parts {
        let parts: Vec<_> = parts.into_iter().collect();
        // Writing to a String can't fail.
        let _ = write!(all, "\n{}\n{}\n\n{}\n", "-".repeat(79), parts.join("\n"), text.trim_matches('\n'));
    }
    Ok(all)
}

/// The packages in the program with the names of their licences, and the folders of their sources.
fn parts(target: &str) -> Result<Vec<(String, String)>, String> {
    let locked = ["--locked", "--quiet"];
    let mut tree = xtask::cargo();
    tree.arg("tree").args(locked).args(["--package", "async-cli", "--edges", "normal", "--prefix", "none"]);
    let tree = output(tree.args(["--format", "{p}", "--target", target]))?;
    let linked: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| Some((line.split(' ').next()?, line.split(' ').nth(1)?.strip_prefix('v')?)))
        .collect();

    let mut metadata = xtask::cargo();
    metadata.arg("metadata").args(locked).args(["--format-version", "1", "--filter-platform", target]);
    let metadata: Value = serde_json::from_str(&output(&mut metadata)?).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let part = |package: &Value| {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        // Packages without a source belong to this workspace.
        let is_part = linked.contains(&(name.as_str(), version.as_str())) && !package["source"].is_null();
        let folder = Path::new(&text("manifest_path")).parent().unwrap_or(Path::new("")).display().to_string();
        is_part.then(|| (format!("{name} {version} ({})", text("license")), folder))
    };
    Ok(packages.iter().filter_map(part).collect())
}

/// The licence of a package: MIT if it is one of several to choose from, else all that come with the package.
fn texts(folder: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
        let path = entry.map_err(failed("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file()
            && ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"].iter().any(|start| name.starts_with(start))
        {
            found.push((name, path));
        }
    }
    if found.iter().any(|(name, _)| name.contains("MIT")) {
        found.retain(|(name, _)| name.contains("MIT") || name.starts_with("NOTICE"));
    }
    found.sort();
    found.iter().map(|(_, path)| fs::read_to_string(path).map_err(failed("read", path))).collect()
}
