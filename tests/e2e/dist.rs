//! The products of `cargo xtask dist` can be installed, work, and can be removed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use async_tests::shell::Sandbox;
use async_tests::{root, tools};
use nix::unistd::geteuid;

/// Standard output of a command that must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `cargo xtask dist`, called in that folder.
fn dist_in(cwd: &Path, args: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--manifest-path"]).arg(root().join("xtask/Cargo.toml"));
    command.args(["--", "dist"]).args(args).current_dir(cwd);
    command
}

fn dist(args: &[&OsStr]) -> String {
    output(&mut dist_in(root(), args))
}

/// All files and folders below a folder.
fn tree(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(tree(&path));
        }
        found.insert(path);
    }
    found
}

/// The only file in a folder whose name ends like that.
fn ending(dir: &Path, end: &str) -> PathBuf {
    let mut found = tree(dir).into_iter().filter(|path| path.to_string_lossy().ends_with(end));
    let first = found.next().unwrap_or_else(|| panic!("nothing in {} ends with {end}", dir.display()));
    assert_eq!(found.next(), None);
    first
}

/// A command whose PATH begins with the programs below a prefix, and has no other `async`.
fn with_programs_of(sandbox: &Sandbox, prefix: &Path, script: &str) -> Command {
    let mut command = sandbox.bash(script);
    let path = std::env::var_os("PATH").unwrap();
    let folders = [prefix.join("bin")].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap()).env("PREFIX", prefix);
    command
}

/// Checks everything that is installed below a prefix.
fn check(sandbox: &Sandbox, prefix: &Path) {
    let run = |script: &str| {
        let finished = sandbox.finish(&mut with_programs_of(sandbox, prefix, script));
        assert_eq!(finished.status, 0, "{script}: {}{}", finished.stdout, finished.stderr);
        finished.stdout
    };
    let version = run(r#"[[ $(command -v async) == "$PREFIX/bin/async" ]] && async --version"#);
    assert!(version.starts_with(concat!("async ", env!("CARGO_PKG_VERSION"))), "{version}");
    // With devstack's functions missing it goes by what it brings itself.
    for shim in [r#""$PREFIX/share/async/inc/async""#, "<(async shim)"] {
        let script = format!(
            "source {shim}; function greet {{ echo \"hello from $1\"; }}
             async_init; async_run g greet 'a future'; async_wait g 2>&1"
        );
        let printed = run(&script);
        assert!(printed.contains("\nhello from a future\n") && printed.contains(" with result 0 in "), "{printed}");
    }
    let complete = r#"source "$PREFIX/share/bash-completion/completions/async"
        COMP_LINE='async stat' COMP_POINT=10; _async_complete 2>/dev/null; echo "${COMPREPLY[@]}""#;
    assert_eq!(run(complete), "status\n");
}

#[test]
#[ignore = "in the full set: it makes a release build"]
fn what_is_packed_can_be_installed_used_and_removed() {
    let sandbox = Sandbox::default();
    let dir = sandbox.path("dist");
    dist(&["--dir".as_ref(), dir.as_ref()]);
    output(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&dir));

    // The same sources make the same files.
    let again = sandbox.path("again");
    dist(&["--dir".as_ref(), again.as_ref()]);
    let sums = |dir: &Path| fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&dir), sums(&again));

    let prefix = sandbox.path("a prefix");
    fs::create_dir(&prefix).unwrap();
    let tarball = ending(&dir, ".tar.gz");
    output(Command::new("tar").args(["--strip-components=1", "-xzf"]).arg(&tarball).arg("-C").arg(&prefix));
    check(&sandbox, &prefix);
    let program = prefix.join("bin/async");
    let ldd = Command::new("ldd").arg(&program).output().unwrap();
    let said = String::from_utf8_lossy(&ldd.stdout) + String::from_utf8_lossy(&ldd.stderr);
    assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
    is_bare(&program);
    let unpacked: BTreeSet<_> = tree(&prefix).iter().map(|path| path.strip_prefix(&prefix).unwrap().into()).collect();

    // Over an older one that is in use.
    let installed = sandbox.path("installed");
    fs::create_dir_all(installed.join("bin")).unwrap();
    fs::copy("/bin/sleep", installed.join("bin/async")).unwrap();
    let mut busy = sandbox.command(installed.join("bin/async")).arg("1000").spawn().unwrap();
    dist(&["--install".as_ref(), installed.as_ref()]);
    busy.kill().unwrap();
    busy.wait().unwrap();
    check(&sandbox, &installed);
    let paths: BTreeSet<PathBuf> =
        tree(&installed).iter().map(|path| path.strip_prefix(&installed).unwrap().into()).collect();
    let list: PathBuf = "share/async/installed".into();
    assert_eq!(paths, unpacked.into_iter().chain([list]).collect());
    assert!(paths.contains(&PathBuf::from("share/doc/async/docs/reference.md")), "{paths:?}");
    what_is_installed_is_removed(&sandbox);

    if tools::is_there("dpkg") && (geteuid().is_root() || tools::is_there("fakeroot")) {
        package(&sandbox, &ending(&dir, ".deb"));
    }
}

/// Cargo installs only the program, which contains everything else.
#[test]
#[ignore = "in the full set: it makes a build"]
fn what_cargo_installs_works() {
    let sandbox = Sandbox::default();
    let prefix = sandbox.path("cargo's");
    let mut install = Command::new(env!("CARGO"));
    // The other test covers the optimized build.
    install.args(["install", "--quiet", "--debug", "--locked", "--no-track", "--path"]).arg(root().join("async-cli"));
    output(install.arg("--root").arg(&prefix));
    let script = r#"
        [[ $(command -v async) == "$PREFIX/bin/async" ]]
        async run -q program -- echo hello from a program
        [[ $(async wait program 2>/dev/null) == "hello from a program" ]]
        source <(async shim)
        function greet { echo "hello from $1"; }
        async_run g greet 'a function'
        [[ $(async_wait g 2>/dev/null) == "hello from a function" ]]
        async man "$PREFIX/share/man" >/dev/null
        [[ -s $PREFIX/share/man/man1/async_run.1 && -s $PREFIX/share/man/man7/async.7 ]]
        for shell in bash zsh fish; do async completions "$shell" | grep -q "async complete\|complete $shell"; done
        async schema | grep -q '"async --json"'
        echo works"#;
    let finished = sandbox.finish(&mut with_programs_of(&sandbox, &prefix, &format!("set -e\n{script}")));
    assert_eq!((finished.status, finished.stdout.as_str()), (0, "works\n"), "{}", finished.stderr);
}

/// Everything that was installed goes away, and nothing else.
fn what_is_installed_is_removed(sandbox: &Sandbox) {
    let [install, uninstall] = ["--install", "--uninstall"].map(OsStr::new);
    let cwd = sandbox.path("it's here");
    fs::create_dir(&cwd).unwrap();
    let name = OsStr::new("a new place");
    let prefix = cwd.join(name);
    let said = output(&mut dist_in(&cwd, &[install, name]));
    let quoted = shlex::try_quote(prefix.to_str().unwrap()).unwrap().into_owned();
    // The printed lines work as they are.
    let line =
        |begin: &str| said.lines().find_map(|line| line.trim().strip_prefix(begin)).unwrap_or_else(|| panic!("{said}"));
    let path = format!("PATH=/elsewhere; export PATH={}; echo \"$PATH\"", line("export PATH="));
    assert_eq!(sandbox.run(&path).stdout, format!("{}/bin:/elsewhere\n", prefix.display()));
    let words = shlex::split(line("cargo xtask dist --uninstall")).unwrap();
    assert_eq!(words, shlex::split(&quoted).unwrap());
    let mut on_path = dist_in(&cwd, &[install, name]);
    let folders = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    on_path.env("PATH", std::env::join_paths([prefix.join("bin")].into_iter().chain(folders)).unwrap());
    let said = output(&mut on_path);
    assert!(said.contains("is on PATH") && !said.contains("export PATH="), "{said}");
    output(&mut dist_in(&cwd, &[uninstall, name]));
    assert_eq!(tree(&cwd), BTreeSet::new());
    let again = dist_in(&cwd, &[uninstall, name]).output().unwrap();
    let said = String::from_utf8(again.stderr).unwrap();
    let nothing = format!("nothing is installed below {}: there is no ", prefix.display());
    assert!(!again.status.success() && said.contains(&nothing), "{said}");

    // Over an older version, which had one more file, in a folder that others use too, and with one file changed since.
    fs::create_dir_all(prefix.join("share/man/man1")).unwrap();
    fs::write(prefix.join("share/man/man1/other.1"), "").unwrap();
    output(&mut dist_in(&cwd, &[install, name]));
    let list = prefix.join("share/async/installed");
    fs::write(prefix.join("share/man/man1/older.1"), "").unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let older = fs::read_to_string(&list).unwrap() + empty + "  share/man/man1/older.1\n";
    fs::write(&list, &older).unwrap();
    output(&mut dist_in(&cwd, &[install, name]));
    assert!(!prefix.join("share/man/man1/older.1").exists());
    let changed = prefix.join("share/doc/async/README.md");
    fs::write(&changed, "mine").unwrap();
    let kept = [changed.clone(), prefix.join("share/man/man1/other.1")];
    let said = output(&mut dist_in(&cwd, &[uninstall, name]));
    assert!(said.contains(&format!("Left {}", changed.display())), "{said}");
    let files: BTreeSet<_> = tree(&prefix).into_iter().filter(|path| !path.is_dir()).collect();
    assert_eq!(files, kept.into());
    let parents = |path: &PathBuf| path.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>();
    let needed: BTreeSet<_> = files.iter().flat_map(parents).collect();
    assert!(tree(&prefix).iter().all(|path| files.contains(path) || needed.contains(path)), "{:?}", tree(&prefix));

    // A list that leads outside is not followed.
    fs::create_dir_all(list.parent().unwrap()).unwrap();
    let elsewhere = cwd.join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    fs::write(&list, format!("{empty}  ../elsewhere\n")).unwrap();
    let refused = dist_in(&cwd, &[uninstall, name]).output().unwrap();
    assert!(!refused.status.success() && elsewhere.exists(), "{refused:?}");
}

/// Checks that it has no symbols, and no path of the machine that built it.
fn is_bare(file: &Path) {
    let bytes = fs::read(file).unwrap();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(!has(b".symtab"), "{} is not stripped", file.display());
    assert!(!has(root().as_os_str().as_encoded_bytes()), "{} names the folder it was built in", file.display());
}

/// The packages that a package depends on, with their minimum versions.
fn dependencies(package: &Path) -> BTreeMap<String, String> {
    let depends = output(Command::new("dpkg-deb").arg("--field").arg(package).arg("Depends"));
    let one = |text: &str| {
        let (name, version) = text.trim().split_once(" (>= ").unwrap();
        (name.to_owned(), version.strip_suffix(')').unwrap().to_owned())
    };
    depends.split(',').map(one).collect()
}

/// dpkg's database of a machine with these packages in these versions.
fn books(packages: &BTreeMap<String, String>) -> String {
    let architecture = output(Command::new("dpkg").arg("--print-architecture"));
    let entry = |(name, version): (&String, &String)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nMaintainer: nobody <nobody@localhost.invalid>\n\
             Architecture: {architecture}Version: {version}\nDescription: made up\n\n"
        )
    };
    packages.iter().map(entry).collect()
}

fn package(sandbox: &Sandbox, package: &Path) {
    let machine = sandbox.path("machine");
    let books = machine.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(books.join(folder)).unwrap();
    }
    let needed = dependencies(package);
    assert_eq!(needed.keys().collect::<Vec<_>>(), ["bash"]);
    fs::write(books.join("status"), self::books(&needed)).unwrap();
    let there = || -> BTreeSet<_> { tree(&machine).into_iter().filter(|path| !path.starts_with(&books)).collect() };
    let before = there();

    let command = |args: &[&OsStr]| {
        let program = if geteuid().is_root() { vec!["dpkg"] } else { vec!["fakeroot", "dpkg"] };
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg("--root").arg(&machine);
        command.args(["--force-not-root", "--force-bad-path", "--force-unsafe-io", "--log=/dev/null"]);
        command.args(args).env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    };
    let dpkg = |args: &[&OsStr]| output(&mut command(args));
    // If one of them is too old, the package is not configured.
    for name in needed.keys() {
        let mut older = needed.clone();
        older.insert(name.clone(), "1.9".into());
        fs::write(books.join("status"), self::books(&older)).unwrap();
        let refused = command(&["--install".as_ref(), package.as_ref()]).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(&format!("async depends on {name} (>= ")), "{said}");
        dpkg(&["--purge".as_ref(), "async".as_ref()]);
    }
    fs::write(books.join("status"), self::books(&needed)).unwrap();
    dpkg(&["--install".as_ref(), package.as_ref()]);
    check(sandbox, &machine.join("usr"));
    assert_eq!(dpkg(&["--verify".as_ref(), "async".as_ref()]), "", "files differ from their checksums");
    for page in ["man1/async-wait.1.gz", "man1/async_wait.1.gz", "man7/async.7.gz"] {
        output(Command::new("gzip").arg("--test").arg(machine.join("usr/share/man").join(page)));
    }
    // A new one over it, as in an upgrade.
    dpkg(&["--install".as_ref(), package.as_ref()]);
    check(sandbox, &machine.join("usr"));

    dpkg(&["--remove".as_ref(), "async".as_ref()]);
    assert_eq!(there(), before);
    dpkg(&["--purge".as_ref(), "async".as_ref()]);
    assert_eq!(there(), before);
}
