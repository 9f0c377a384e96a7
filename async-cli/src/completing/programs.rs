//! Programs that can be started by name.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The names of the programs on PATH that begin with `begin`.
pub(super) fn on_path(begin: &str) -> BTreeSet<String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).flat_map(|folder| of(&folder, begin)).collect()
}

fn of(folder: &Path, begin: &str) -> Vec<String> {
    // An unreadable folder has no programs for this user.
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    let fitting = named.filter(|(name, path)| name.starts_with(begin) && is_program(path));
    fitting.map(|(name, _)| name).collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
