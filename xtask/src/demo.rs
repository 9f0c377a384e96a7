//! `cargo xtask demo`: the main job, on real input, for a first look.

use std::os::unix::fs::symlink;
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io};

use clap::Args;

const SCRIPT: &str = include_str!("../demo/provision.bash");
const SERVICE: &str = include_str!("../demo/service.rs");

/// The folders whose source files the script works on.
const CODE: [&str; 5] = ["async-bash-shim/src", "async-cli/src", "async-core/src", "xtask/trials/src", "xtask/src"];

/// The file by which the two runs of the script are compared.
const MANIFEST: &str = "SHA512SUMS";

/// Writes a little provisioning script, runs it linearly and in parallel, and shows the time saved
#[derive(Args)]
pub(crate) struct Demo {
    /// The folder for the script and what it makes [default: target/demo]
    dir: Option<PathBuf>,
    /// Write a picture of the parallel run to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Demo {
    pub(crate) fn run(self) -> Result<(), String> {
        let dir = self.dir.clone().unwrap_or_else(|| xtask::root().join("target/demo"));
        let dir = path::absolute(&dir).map_err(|e| format!("can't use {} as a folder: {e}", dir.display()))?;
        let program = program()?;
        let files = lay_out(&dir, &program)?;
        let script = dir.join("provision.bash");
        println!("In {}: provision.bash, and {files} source files of this project for it to work on.", shown(&dir));

        let linear = run(&script, "linear")?;
        let parallel = run(&script, "parallel")?;
        let count = compare(&dir)?;
        let page = dir.join("timeline.html");
        draw(&program, &script, "--html", &page)?;
        if let Some(picture) = &self.svg {
            draw(&program, &script, "--svg", picture)?;
        }

        println!("\nBoth runs made the same {count} files: their checksums agree.\n");
        println!("  linear    {:5.1} s", linear.as_secs_f64());
        println!("  parallel  {:5.1} s", parallel.as_secs_f64());
        println!("  {}\n", saved(linear, parallel));
        println!(
            "These are measured times. The summary above is the second run's own, and should say much the same.\n"
        );
        println!("Read and edit   {}", shown(&script));
        println!("Look at it      {}, in a browser", shown(&page));
        println!("Run it again    bash {} parallel", shown(&script));
        Ok(())
    }
}

/// The program `async`: `ASYNC_BIN`, else a fresh build.
fn program() -> Result<PathBuf, String> {
    if let Some(program) = env::var_os("ASYNC_BIN").filter(|program| !program.is_empty()) {
        return fs::canonicalize(&program)
            .map_err(|e| format!("can't find ASYNC_BIN, {}: {e}", Path::new(&program).display()));
    }
    xtask::program::quick()
}

/// Fills the folder; returns how many files there are to work on.
fn lay_out(dir: &Path, program: &Path) -> Result<usize, String> {
    let failed = |e: io::Error| format!("can't fill {}: {e}", dir.display());
    fs::create_dir_all(dir).map_err(failed)?;
    // The link also marks a demo's folder: no other folder is changed.
    let link = dir.join("async");
    if link.is_symlink() {
        fs::remove_file(&link).map_err(failed)?;
    } else if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(format!("{} holds other files: name a new folder, or an earlier demo's", dir.display()));
    }
    symlink(program, &link).map_err(failed)?;
    write_unless_edited(&dir.join("provision.bash"), SCRIPT).map_err(failed)?;
    write_unless_edited(&dir.join("service.rs"), SERVICE).map_err(failed)?;
    let code = dir.join("code");
    match fs::remove_dir_all(&code) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let mut files = 0;
    for part in CODE {
        files += copy(&xtask::root().join(part), &code.join(part)).map_err(failed)?;
    }
    Ok(files)
}

/// Writes a file that the reader is invited to edit; keeps an edited one.
fn write_unless_edited(path: &Path, text: &str) -> io::Result<()> {
    match fs::read(path) {
        Ok(found) if found != text.as_bytes() => {
            println!("{} is not the demo's own any more and stays so; delete it to get that back.", shown(path));
            Ok(())
        }
        _ => fs::write(path, text),
    }
}

/// Copies a folder with all its contents; returns the number of files.
fn copy(from: &Path, to: &Path) -> io::Result<usize> {
    fs::create_dir_all(to)?;
    let mut files = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files += copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
            files += 1;
        }
    }
    Ok(files)
}

/// Runs the script with its output passed through; returns how long it took.
fn run(script: &Path, mode: &str) -> Result<Duration, String> {
    let command = format!("bash {} {mode}", shown(script));
    println!("\n---- {command}\n");
    let start = Instant::now();
    let status = Command::new("bash")
        .arg(script)
        .arg(mode)
        // The script finds the program that is linked into its folder, as it will when the reader runs it.
        .env_remove("ASYNC_BIN")
        // So that the script has a store of its own.
        .env_remove("ASYNC_DIR")
        .status()
        .map_err(|e| format!("can't start bash: {e}"))?;
    if status.success() { Ok(start.elapsed()) } else { Err(format!("`{command}` failed: {status}")) }
}

/// Draws the last run of a script.
fn draw(program: &Path, script: &Path, form: &str, file: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("timing").arg("--script").arg(script).arg(form).arg(file).env_remove("ASYNC_DIR").stdout(Stdio::null());
    let status = command.status().map_err(|e| format!("can't start {}: {e}", shown(program)))?;
    if status.success() { Ok(()) } else { Err(format!("can't draw {}: {status}", shown(file))) }
}

/// Compares the results of the two runs; returns the number of files.
fn compare(dir: &Path) -> Result<usize, String> {
    let manifest = |mode: &str| {
        let path = dir.join(mode).join(MANIFEST);
        fs::read_to_string(&path).map_err(|e| format!("can't read {}: {e}", path.display()))
    };
    let (linear, parallel) = (manifest("linear")?, manifest("parallel")?);
    if linear != parallel {
        return Err(format!("the two runs made different files:\nlinear\n{linear}parallel\n{parallel}"));
    }
    Ok(linear.lines().count())
}

fn saved(linear: Duration, parallel: Duration) -> String {
    let (linear, parallel) = (linear.as_secs_f64(), parallel.as_secs_f64());
    if parallel < linear {
        format!("saved     {:5.1} s, {:.1} times as fast", linear - parallel, linear / parallel)
    } else {
        "nothing saved: is there but one core, or is the machine busy?".to_owned()
    }
}

/// A path as the reader would type it: short if possible, quoted if necessary.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(here).unwrap_or(path).display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,".contains(c);
    if path.is_empty() {
        ".".to_owned()
    } else if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_the_shell_would_split_it() {
        assert_eq!(shown(Path::new("/tmp/demo")), "/tmp/demo");
        assert_eq!(shown(Path::new("/tmp/a demo")), "'/tmp/a demo'");
        assert_eq!(shown(Path::new("/tmp/it's")), r"'/tmp/it'\''s'");
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = env::temp_dir().join(format!("xtask-demo-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("letter"), "").unwrap();
        let refused = lay_out(&dir, Path::new("/bin/true"));
        let left = fs::read_dir(&dir).unwrap().count();
        fs::remove_dir_all(&dir).unwrap();
        assert!(refused.unwrap_err().contains("holds other files"));
        assert_eq!(left, 1);
    }
}
