//! Stores that are missing, full, trapped, or another user's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use async_tests::fault::{Case, in_each_case};
use async_tests::shell::{Sandbox, copy_program};
use async_tests::small_disk::{SmallDisk, is_root};
use async_tests::tools::is_there;
use nix::unistd::geteuid;

/// A script that starts a task, which leaves a file behind if it ever runs.
const START: &str = "function task { : >started; }
async_run t task
echo \"run $?\"";

fn nothing_started(case: &Case, sandbox: &Sandbox, why: &str, status: i32) {
    for parallel in ["True", "False"] {
        let finished = sandbox.run(&case.sourced(&format!("DEVSTACK_PARALLEL={parallel}\n{START}")));
        finished.says(&format!("run {status}\n")).complains(why);
        assert!(!sandbox.path("cwd/started").exists(), "{case}: the task ran\n{finished}");
    }
}

/// Bash code that fills the disk with the store.
const FILL: &str = "function fill { quiet; cat /dev/zero >\"$DEST/fill\" 2>/dev/null; :; }\n";

#[test]
fn a_missing_store() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        if case.profile == "standalone" {
            // It is made at its first use.
            sandbox
                .run(&case.sourced(&format!("{START}\nasync_wait t; echo \"wait $?\"")))
                .says("run 0\n")
                .says("wait 0\n");
            return;
        }
        nothing_started(case, &sandbox, "there is no store at ", 125);
        sandbox
            .run(&case.sourced("async_wait t; echo \"wait $?\"; async_cleanup; echo \"cleanup $?\""))
            .says("wait 125\n");
    });
}

#[test]
fn a_store_that_may_not_be_written() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.sourced("async_init")).exits(0);
        fs::set_permissions(sandbox.store(), fs::Permissions::from_mode(0o555)).unwrap();
        if geteuid().is_root() {
            // Permissions do not bind root, so another user has to try, and must be able to read the binary.
            let bin = sandbox.path("bin");
            fs::create_dir(&bin).unwrap();
            copy_program(&bin.join("async"));
            let chown = Command::new("chown").args(["-R", "65534:65534"]).arg(sandbox.path(".")).status();
            assert!(chown.unwrap().success());
            let script = case.sourced(START);
            let mut command = sandbox.command("setpriv");
            command
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", &script])
                .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
            let finished = sandbox.finish(&mut command);
            finished.says("run 125\n").complains("Permission denied");
            assert!(!sandbox.path("cwd/started").exists());
        } else {
            nothing_started(case, &sandbox, "Permission denied", 125);
        }
        // Otherwise it could not be removed.
        fs::set_permissions(sandbox.store(), fs::Permissions::from_mode(0o700)).unwrap();
    });
}

#[test]
fn a_full_disk_at_the_start() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let _disk = SmallDisk::at(&sandbox.path("dest"));
        sandbox.run(&case.script(&format!("{FILL}fill"))).exits(0);
        nothing_started(case, &sandbox, "No space left on device", 125);
        // Nothing is left in the way.
        sandbox
            .run(&case.sourced(
                "rm \"$DEST/fill\"; async_run t echo fine; async_wait t; echo \"wait $?\"; ls -A \"$DEST/async/.starting\"",
            ))
            .says("fine\n")
            .says("wait 0\n")
            .lacks("new.");
    });
}

#[test]
fn a_disk_on_which_no_more_files_can_be_made() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_case(|case| {
        for inodes in 2..=12 {
            let sandbox = case.sandbox();
            let _disk = SmallDisk::with_inodes(&sandbox.path("dest"), inodes);
            let finished = sandbox.run(&case.sourced(
                "function task { return 3; }
                async_init
                async_run t task; run=$?
                async_wait t; echo \"function $run $?\"
                async run u -- sh -c 'exit 3'; run=$?
                async wait u; echo \"program $run $?\"",
            ));
            for what in ["function", "program"] {
                let is_true = |line: &str| ["0 3", "0 125", "125 125"].iter().any(|is| line == format!("{what} {is}"));
                assert!(finished.stdout.lines().any(is_true), "with {inodes} inodes: {finished}");
            }
        }
    });
}

#[test]
fn a_disk_that_is_full_when_the_task_ends() {
    if !is_root("mounting a small disk") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let _disk = SmallDisk::at(&sandbox.path("dest"));
        // A tmpfs allocates pages, so the record is made to end just before the end of a page.
        let finished = sandbox.run(&case.script(&format!(
            "{FILL}make_gate go ready
            function task {{ quiet; : >ready; gate go; }}
            function record_size {{ wc -c <\"$DEST/async/t.ini\"; }}
            async_run t task
            gate ready
            size=$(record_size)
            open_gate go
            async_wait t >/dev/null
            # Each character of an argument is there twice, and with it come three others.
            padding=$(printf \"%$(((4096 - 8 - size - 4) / 2))s\" \"\" | tr ' ' x)
            async_run t task \"$padding\" >/dev/null
            gate ready
            echo \"size $(record_size)\"
            fill
            open_gate go
            async_wait t | tail -c 200
            echo \"wait ${{PIPESTATUS[0]}}\"
            rm \"$DEST/fill\"
            async_run t echo fine && async_wait t
            echo \"then $?\""
        )));
        finished
            .complains("can't write the result to ")
            .complains("No space left on device")
            .says("wait 125\n")
            .says("fine\n")
            .says("then 0\n")
            .lacks("with result 0 in 0 seconds\nwait");
    });
}

#[test]
fn a_planted_symlink_is_refused_and_what_it_names_is_untouched() {
    in_each_case(|case| {
        for file in ["t.ini", "t.log"] {
            let sandbox = case.sandbox();
            sandbox.run(&case.script("")).exits(0);
            let precious = sandbox.path("home/precious");
            fs::write(&precious, "precious\n").unwrap();
            symlink(&precious, sandbox.store().join(file)).unwrap();
            let finished = sandbox.run(&case.sourced(START));
            finished.says("run 125\n").complains("is a symlink, not a regular file of ours");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
            assert!(!sandbox.path("cwd/started").exists());

            // An option that names nothing makes nothing either.
            fs::remove_file(&precious).unwrap();
            sandbox.run(&case.sourced(START)).says("run 125\n");
            sandbox.run(&case.sourced("async_wait t; async_cleanup; async_pidof t; async status")).lacks("panicked");
            assert!(!precious.exists());
        }
    });
}

#[test]
fn a_planted_fifo_or_directory_hangs_nobody() {
    in_each_case(|case| {
        for plant in ["mkfifo", "mkdir"] {
            for file in ["t.ini", "t.log"] {
                let sandbox = case.sandbox();
                sandbox
                    .run(&case.script(&format!(
                        "{plant} \"$DEST/async/{file}\"\n{START}\nasync_wait t; async status; async_cleanup"
                    )))
                    .says("run 125\n")
                    .complains(if plant == "mkfifo" { "is a fifo" } else { "is a directory" });
            }
        }
    });
}

#[test]
fn init_with_dest_empty_is_refused_where_dest_counts() {
    in_each_case(|case| {
        if case.profile == "standalone" {
            // Only devstack uses it.
            let script = "async_init; echo \"init $?\"; async init; echo $?";
            case.sandbox().run(&case.sourced_after("unset ASYNC_DIR; export DEST=", script)).says("init 0\n0\n");
            return;
        }
        for parallel in ["True", "False"] {
            case.sandbox()
                .run(&case.sourced(&format!(
                    "unset ASYNC_DIR; DEST=; DEVSTACK_PARALLEL={parallel}
                    async_init; echo \"init $?\"; async_run t true; echo \"run $?\"; [[ ! -e /async ]] && echo nothing made"
                )))
                .complains("DEST is set but empty")
                .says("init 2\nrun 2\nnothing made\n");
        }
    });
}

#[test]
fn init_while_futures_of_an_earlier_run_still_live() {
    in_each_case(|case| {
        case.run(
            "make_gate go ready
            function lives { : >ready; gate go; echo still here; return 3; }
            async_run living lives
            gate ready
            async_run over true
            wait $!
            async_init
            echo \"init $?\"
            ls \"$DEST/async\"
            open_gate go
            async_wait living over
            echo \"wait $?\"",
        )
        .complains("`living` of an earlier run still runs, so it was kept")
        .says("init 0\nliving.ini\nliving.log\n")
        .says("still here\n")
        .says("wait 3\n")
        .lacks("over.ini");
    });
}

#[test]
fn init_leaves_a_directory_alone_that_is_no_store() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox
            .run(&case.sourced_after(
                "export ASYNC_DIR=$HOME",
                "echo mine >\"$HOME/notes.txt\"; async_init; echo \"init $?\"; cat \"$HOME/notes.txt\"",
            ))
            .complains("holds `notes.txt`, which no store has")
            .says("init 125\nmine\n");
        // Not even if its files have the same extensions. The original does leave devstack's directory with logs alone.
        for (files, example) in [("app.log php.ini", "`"), ("php.ini", "`php.ini`"), ("app.log", "`app.log`")] {
            if case.profile == "devstack" && files == "app.log" {
                continue;
            }
            let before = "mkdir \"$HOME/mine\"; cd \"$HOME/mine\"; export ASYNC_DIR=$HOME/mine";
            let finished = sandbox.run(&case.sourced_after(
                before,
                &format!(
                    "for file in {files}; do echo '[PHP]' >$file; done
                async_init; echo \"init $?\"
                async run app -- true; echo \"run $?\"
                cat {files}; rm -r ../mine"
                ),
            ));
            finished.complains(&format!("holds {example}")).complains(", which no store has");
            finished.says("init 125\nrun 125\n[PHP]\n");
        }
    });
}

#[test]
fn init_removes_the_logs_of_records_and_no_others() {
    in_each_case(|case| {
        let finished = case.run(
            "async_run t true; async_wait t >/dev/null
            echo mine >other.log; cp other.log \"$DEST/async/\"
            async_init
            ls \"$DEST/async\"; echo \"that is all\"",
        );
        finished.lacks("t.log\n");
        // devstack's own directory loses all its logs, as with the original.
        if case.profile == "standalone" {
            finished.says("other.log\nthat is all\n");
        }
    });
}

#[test]
fn a_store_of_another_user_is_refused() {
    if !is_root("giving files away") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        nix::unistd::chown(&sandbox.store(), Some(12345.into()), None).unwrap();
        nothing_started(case, &sandbox, "belongs to user id 12345, and this is user id 0", 125);
        sandbox.run(&case.sourced("async_init; echo \"init $?\"")).says("init 125\n");
    });
}

#[test]
fn a_store_that_everybody_may_write_is_refused() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        fs::set_permissions(sandbox.store(), fs::Permissions::from_mode(0o777)).unwrap();
        nothing_started(case, &sandbox, "is writable by every user", 125);
    });
}

#[test]
fn only_the_user_may_read_a_standalone_scripts_files() {
    in_each_case(|case| {
        let finished = case.run(
            "umask 022
            async_run t true
            stat -c '%a %n' . \"$DEST\"/async \"$DEST\"/async/t.*
            async_wait t
            stat -c '%a' \"$DEST\"/async/.collected/*",
        );
        if case.profile == "standalone" {
            finished.says("700 ").says("600 ").lacks("644 ").lacks("\n644\n").says("\n600\n");
        } else {
            finished.says("755 ").says("644 ").lacks("600 ").lacks("\n600\n");
        }
    });
}

#[test]
fn a_relative_store_stays_where_it_was_first_used() {
    in_each_case(|case| {
        case.run(
            "ASYNC_DIR=relative/store
            async_init
            function task { quiet; cd /; async_run inner echo from inside; async_wait inner; }
            async_run t task
            cd \"$HOME\"
            async_wait t
            echo \"wait $?\"
            ls",
        )
        .says("from inside\n")
        .says("wait 0\n")
        .lacks("relative");
    });
}

#[test]
fn a_script_without_home_or_anything_else_to_go_by() {
    in_each_case(|case| {
        case.sandbox()
            .run(&case.sourced_after("unset HOME DEST XDG_STATE_HOME ASYNC_DIR", "async_init; echo \"init $?\""))
            .complains("set ASYNC_DIR")
            .says(if case.profile == "devstack" { "init 2\n" } else { "init 125\n" });
        case.sandbox().run("env -u HOME -u ASYNC_DIR async status").exits(2).complains("--dir");
        case.sandbox()
            .run(&case.sourced_after(
                "unset DEST ASYNC_DIR",
                "async_init; async_run t true; async_wait t; echo \"wait $?\"; ls \"$HOME/.local/state\"",
            ))
            .says("wait 0\nasync\n");
    });
}

#[test]
fn a_task_with_a_store_of_its_own() {
    in_each_case(|case| {
        // Otherwise the store is settled when the functions are sourced.
        if case.profile != "devstack" {
            return;
        }
        case.run(
            "function task { quiet; ASYNC_DIR=$HOME/inner; async_init; async_run t echo inner; async_wait t; }
            async_run t task
            async_wait t
            echo \"wait $?\"
            async_run t echo again
            async_wait t
            echo \"wait $?\"",
        )
        .says("\ninner\n")
        .says("\nagain\n")
        .says("wait 0\n");
    });
}

#[test]
fn a_file_system_without_locks() {
    if !is_there("strace") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        let wrapper = sandbox.path("cwd/lockless");
        fs::write(&wrapper, "#!/bin/sh\nexec strace -D -o /dev/null -e inject=flock:error=ENOLCK async \"$@\"\n")
            .unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let script = format!("export ASYNC_BIN=$PWD/lockless\n{START}");
        sandbox.run(&case.sourced(&script)).complains("has no locks").says("run 125\n");
        assert!(!sandbox.path("cwd/started").exists());
    });
}

#[test]
fn a_new_store_is_private_and_what_is_above_it_is_not() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox
            .run(&case.sourced_after(
                "umask 022; unset DEST ASYNC_DIR",
                "async_init
                stat -c '%a %n' \"$HOME\"/.local \"$HOME\"/.local/state \"$HOME\"/.local/state/async",
            ))
            .says("755 ")
            .says("/.local/state\n")
            .says(if case.profile == "standalone" { "\n700 " } else { "\n755 " });
    });
}

#[test]
fn root_leaves_nothing_in_the_home_of_another_user() {
    if !is_root("a home of another user") {
        return;
    }
    in_each_case(|case| {
        let sandbox = case.sandbox();
        nix::unistd::chown(&sandbox.path("home"), Some(12345.into()), None).unwrap();
        let init = "async_init; echo \"init $?\"";
        let script = format!("{init}; async run t -- true; echo \"run $?\"; ls -A \"$HOME\"");
        let finished = sandbox.run(&case.sourced_after("unset DEST ASYNC_DIR", &script));
        finished.complains("HOME belongs to another user, who could not use it any more: set ASYNC_DIR");
        let status = if case.profile == "devstack" { 2 } else { 125 };
        assert!(finished.stdout.ends_with(&format!("init {status}\nrun 2\n")), "{finished}");
        let dest =
            if case.profile == "devstack" { "unset ASYNC_DIR; export DEST=$PWD" } else { "export ASYNC_DIR=$PWD/x" };
        for named in [dest, "unset DEST; export ASYNC_DIR=$PWD/store"] {
            sandbox.run(&case.sourced_after(named, init)).says("init 0\n");
        }
    });
}
