//! Files in the repository that are made from something else in it.

use std::fs;

/// Writes the file, or with `check` only says so if it is out of date. `task` is what writes it.
pub(crate) fn write(file: &str, wanted: &str, check: bool, task: &str) -> Result<(), String> {
    let path = crate::root().join(file);
    if !check {
        return fs::write(&path, wanted).map_err(|e| format!("can't write {}: {e}", path.display()));
    }
    let found = fs::read_to_string(&path).map_err(|e| format!("can't read {}: {e}", path.display()))?;
    if found == wanted { Ok(()) } else { Err(format!("{} is out of date: run `cargo xtask {task}`", path.display())) }
}
