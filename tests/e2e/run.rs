//! `async run`: programs that outlive their callers.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::{Child, Command, Stdio};

use async_tests::fault::without_lines;
use async_tests::fault::{PRELUDE, in_each_case};
use async_tests::shell::{Finished, Sandbox, binary_dir};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Runs a script with gates.
fn run(sandbox: &Sandbox, script: &str) -> Finished {
    sandbox.run(&format!("{PRELUDE}{script}"))
}

/// Calls the program.
fn call<S: AsRef<OsStr>>(sandbox: &Sandbox, args: &[S]) -> Finished {
    let mut command = sandbox.command(binary_dir().join("async"));
    sandbox.finish(command.args(args))
}

/// The visible files of the store.
fn files(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.store()).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

#[test]
fn a_program_is_run_and_its_log_and_status_are_handed_over() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "async run t -- sh -c 'echo out; echo err >&2; exit 3'
        echo \"run $?\"
        async wait t
        echo \"wait $?\"",
    );
    finished
        .complains("]: running: sh -c 'echo out; echo err >&2; exit 3'\n")
        .tells("]: Waiting for completion of sh -c 'echo out; echo err >&2; exit 3' (0 other jobs running)\n")
        .says("run 0\nout\nerr\n")
        .tells("]: finished sh -c 'echo out; echo err >&2; exit 3' with result 3 in 0 seconds\n")
        .says("wait 3\n");
    assert_eq!(without_lines(&finished.stderr), "");
}

#[test]
fn its_command_is_shown_as_a_shell_reads_it() {
    run(
        &Sandbox::default(),
        r#"async run --quiet t -- printf '<%s>\n' plain -j4 ./a/b 'a b' '' "it's" '"$HOME"' '*' '~' '!!' 'a=b' '{a,b}' \
            '#' '\' 'c\d' '`x`' 'a;b' ü $'two\nlines of "it'"'"$'s\\"' $'\t' $'\e[31m\r' $'\xff' $'\u009b' $'\u202ea'
        async wait --keep --quiet t
        shown=$(async status | cut -f7)
        echo "$shown"
        eval "$shown" >pasted
        cmp pasted "$DEST/async/t.log" && echo "the same""#,
    )
    .says(r#"printf '<%s>\n' plain -j4 ./a/b 'a b' '' 'it'\''s' '"$HOME"' '*' '~' '!!' a=b '{a,b}' "#)
    .says(r#" $'two\nlines of "it\'s\\"' "#)
    .says("\nthe same\n");
}

#[test]
fn it_has_a_session_of_its_own_and_no_terminal() {
    run(
        &Sandbox::default(),
        "async run --quiet t -- cat /proc/self/stat
        pid=$(async pid t)
        read -r _ _ _ _ group session tty _ < <(async wait t | grep '(cat)')
        [[ \"$group $session $tty\" == \"$pid $pid 0\" ]] && echo \"session of its supervisor\"",
    )
    .says("session of its supervisor\n");
}

/// Starts `t` in that shell, which then does nothing, and returns once `t` is running.
fn start_and_stay(sandbox: &Sandbox, shell: &mut Command) -> Child {
    run(sandbox, "make_gate go ready stay").exits(0);
    let script = format!(
        "{PRELUDE}async run t -- bash -c '{PRELUDE}: >ready; gate go; echo survived; exit 4'
        gate stay"
    );
    let child = shell.arg(script).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    run(sandbox, "gate ready").exits(0);
    child
}

fn survives(sandbox: &Sandbox) {
    run(sandbox, "async status; open_gate go; async wait t; echo \"wait $?\"")
        .says("t\trunning\t")
        .says("survived\n")
        .says("wait 4\n");
}

#[test]
fn it_outlives_a_caller_that_is_killed() {
    let sandbox = Sandbox::default();
    let mut child = start_and_stay(&sandbox, sandbox.command("bash").arg("-c"));
    child.kill().unwrap();
    child.wait().unwrap();
    survives(&sandbox);
}

#[test]
fn it_outlives_its_callers_terminal() {
    let sandbox = Sandbox::default();
    // Nobody else may inherit it.
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let mut slave = File::options();
    let slave = slave.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(ptsname_r(&terminal).unwrap());
    let mut shell = sandbox.command("setsid");
    let mut child = start_and_stay(&sandbox, shell.args(["--ctty", "bash", "-c"]).stdin(slave.unwrap()));
    drop((shell, terminal));
    // The hangup ends the shell.
    child.wait().unwrap();
    survives(&sandbox);
}

#[test]
fn under_nohup_a_program_heeds_all_signals_and_a_function_those_that_its_script_does() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "nohup bash -c 'source <(async shim)
            function ignored { sed -n \"s/^SigIgn:.*\\(.\\)$/$1 \\1/p\" /proc/self/status; }
            export -f ignored
            ignored script
            async run --quiet program -- bash -c \"ignored program\"
            async_run function ignored function
            async_wait program function
            async run --quiet hit -- sleep 1000
            kill -HUP \"$(async pid hit)\"
            async_wait hit; echo \"hit $?\"' 2>&1 | cat",
    );
    // The last digit is odd if SIGHUP, which is 1, is ignored.
    finished.says("program 0\n").says("hit 129\n");
    let of = |who: &str| finished.stdout.lines().find_map(|line| line.strip_prefix(who)?.strip_prefix(' '));
    assert!(of("script").is_some_and(|digit| "13579bdf".contains(digit)), "{finished}");
    assert!(of("function").is_some_and(|digit| "13579bdf".contains(digit)), "{finished}");
}

#[test]
fn directory_environment_and_input_are_as_asked_for() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "mkdir elsewhere
        echo 'from the file' >input
        async run --quiet --cwd elsewhere --env WORD=one=two --env EMPTY= --stdin input t -- \\
            sh -c 'pwd; echo \"<$WORD><${EMPTY-unset}>\"; cat'
        async wait t
        async run --quiet nothing -- sh -c 'cat | wc -c'
        async wait nothing
        for wrong in '--cwd nowhere' '--cwd input' '--stdin nowhere' '--stdin elsewhere' '--env WORD' '--env =x'; do
            async run $wrong t -- touch done
            echo \"$wrong: $?\"
        done
        async status; ls",
    )
    .says("/cwd/elsewhere\n<one=two><>\nfrom the file\n")
    .says("\n0\n")
    .says("--cwd nowhere: 125\n")
    .says("--cwd input: 125\n")
    .says("--stdin nowhere: 125\n")
    .says("--stdin elsewhere: 125\n")
    .says("--env WORD: 2\n")
    .says("--env =x: 2\nelsewhere\ninput\n");
}

#[test]
fn a_directory_may_be_one_that_can_not_be_listed() {
    let sandbox = Sandbox::default();
    let dir = sandbox.path("cwd/closed");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o311)).unwrap();
    let finished = run(&sandbox, "async run --wait --cwd closed t -- true; cd closed; async run --wait t -- pwd");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    finished.says("/cwd/closed\n").exits(0);
}

#[test]
fn a_program_that_can_not_be_started_leaves_no_future() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "touch plain
            printf '#!/nowhere/at/all\\n' >bad; chmod +x bad
            mkdir folder
            for program in no-such-program ./nowhere ./plain ./bad ./folder; do
                async run --wait t -- \"$program\" x
                echo \"$program: $?\"
                async run --quiet t -- \"$program\" x
                echo \"$program: $?\"
            done
            async wait t",
    );
    for (program, status) in
        [("no-such-program", 127), ("./nowhere", 127), ("./plain", 126), ("./bad", 126), ("./folder", 126)]
    {
        let line = format!("{program}: {status}\n");
        assert_eq!(finished.stdout.matches(&line).count(), 2, "{line}{finished}");
    }
    finished.complains("async: there is no program `no-such-program`: check the name, or PATH");
    finished
        .complains("async: can't execute `./plain`: ")
        .complains("async: can't execute `./folder`: it is a directory\n");
    finished.complains("async: can't execute `./bad`: the interpreter that its first line names is not there\n");
    finished.complains("there is no future `t`").exits(125);
    assert!(files(&sandbox).is_empty(), "{:?}", files(&sandbox));
}

#[test]
fn one_that_was_held_back_first_keeps_the_reason() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "printf '#!/nowhere/at/all\\n' >bad; chmod +x bad
        async run --quiet --jobs 1 t -- ./bad
        echo \"run $?\"
        make_gate go
        cp \"$(type -P true)\" gone
        async run --quiet --jobs 1 first -- bash -c 'read -r _ <go || :'
        async run --quiet --jobs 1 u -- ./bad
        async run --quiet --after first t -- ./gone
        rm gone
        open_gate go
        async wait u
        echo \"wait $?\"
        async wait t
        echo \"wait $?\"",
    )
    .complains("async: can't execute `./bad`: the interpreter that its first line names is not there\n")
    .says("run 126\n")
    .says("]: can't be started: the interpreter that its first line names is not there\n")
    .tells("with result 126 in 0 seconds (never started)\n")
    .says("]: can't be started: No such file or directory")
    .tells("with result 127 in 0 seconds (never started)\n")
    .says("wait 126\n")
    .says("wait 127\n");
}

#[test]
fn a_wait_that_is_interrupted_leaves_the_program_alone() {
    let sandbox = Sandbox::default();
    run(&sandbox, "make_gate go ready").exits(0);
    let mut command = sandbox.command(binary_dir().join("async"));
    command.args(["run", "--wait", "--quiet", "t", "--", "bash", "-c"]);
    command
        .arg(format!("{PRELUDE}: >ready; gate go; echo survived; exit 4"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut waiting = command.spawn().unwrap();
    run(&sandbox, "gate ready").exits(0);
    kill(Pid::from_raw(waiting.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    waiting.wait().unwrap();
    survives(&sandbox);
    call(&sandbox, &["run", "--wait", "t", "--", "sh", "-c", "echo the log; exit 7"])
        .tells("]: running: ")
        .says("the log\n")
        .exits(7);
}

#[test]
fn the_store_is_made_where_there_is_none_and_nobody_elses_directory_is_taken() {
    let sandbox = Sandbox::default();
    call(&sandbox, &["run", "--wait", "t", "--", "echo", "hello"]).says("hello\n").exits(0);
    fs::write(sandbox.path("cwd/precious"), "").unwrap();
    call(&sandbox, &["--dir", ".", "run", "t", "--", "touch", "done"]).complains("precious").exits(125);
    assert!(!sandbox.path("cwd/done").exists());
}

#[test]
fn names_and_arguments_that_look_like_options() {
    let sandbox = Sandbox::default();
    call(&sandbox, &["run", "--quiet", "--", "--wait", "printf", "<%s>", "--help", "--", "-x"]).exits(0);
    call(&sandbox, &["wait", "--", "--wait"]).says("<--help><--><-x>");
    call(&sandbox, &["run", "--quiet", "t", "printf", "<%s>", "--version"]).exits(0);
    call(&sandbox, &["wait", "t"]).says("<--version>").exits(0);
    call(&sandbox, &["run", "a/b", "--", "true"]).exits(2);
    call(&sandbox, &["run", "t"]).exits(2);
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let sandbox = Sandbox::default();
    let argument = OsStr::from_bytes(b"\xff \n'*$x\\");
    let mut args: Vec<&OsStr> = ["run", "--quiet", "t", "--", "printf", "%s.", "a b", ""].map(OsStr::new).into();
    args.push(argument);
    call(&sandbox, &args).exits(0);
    call(&sandbox, &["wait", "t"]).exits(0);
    let log = fs::read(sandbox.store().join("t.log")).unwrap();
    assert_eq!(log, [b"a b..".as_slice(), argument.as_bytes(), b"."].concat());
}

#[test]
fn a_name_that_runs_is_refused_and_one_that_was_never_waited_for_is_kept() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "make_gate go
        async run --quiet t -- bash -c 'read -r _ <go; echo first; exit 3'
        async run --quiet t -- touch second
        echo \"again $?\"
        open_gate go
        async wait --keep --quiet t
        async run --quiet t -- echo third
        echo \"then $?\"
        async wait t
        cat \"$DEST\"/async/.collected/t.*.log",
    )
    .complains("`t` is running already")
    .complains("`t` was started before, FAILED with rc 3 and was never waited for; see `async log --list-runs t`")
    .says("again 125\n")
    .says("then 0\n")
    .says("first\nthird\n");
    assert!(!sandbox.path("cwd/second").exists());
}

#[test]
fn an_environment_that_is_too_large() {
    let sandbox = Sandbox::default();
    let deep = sandbox.path("cwd").join(["x".repeat(200).as_str(); 10].join("/"));
    fs::create_dir_all(&deep).unwrap();
    // Almost as long as possible.
    let long = "x".repeat(125_000);
    let try_with = |filler: usize| {
        let mut command = sandbox.command(binary_dir().join("async"));
        command.args(["run", "--dir", "store", "--wait", "t", "--", "true"]).env("FILLER", "x".repeat(filler));
        command.current_dir(&deep);
        for number in 0..16 {
            command.env(format!("LONG{number}"), &long);
        }
        command.stderr(File::create(sandbox.path("stderr")).unwrap()).stdout(Stdio::null()).status()
    };
    // With this one `async run` itself can still start, but its program can't: the program also gets the variable with
    // its future.
    let (mut fits, mut too_large) = (0, 131_000);
    loop {
        assert!(too_large - fits > 1, "there is none between {fits} and {too_large}");
        let filler = usize::midpoint(fits, too_large);
        match try_with(filler) {
            Err(_) => too_large = filler,
            Ok(status) if status.success() => fits = filler,
            Ok(status) => {
                let stderr = fs::read_to_string(sandbox.path("stderr")).unwrap();
                assert!(status.code() == Some(126) && stderr.contains("too long"), "{status}: {stderr}");
                break;
            }
        }
    }
    fs::remove_file(sandbox.store().join("t.log")).ok();
    assert!(files(&sandbox).is_empty());
}

#[test]
fn a_relative_store_is_meant_from_where_the_caller_is() {
    let sandbox = Sandbox::default();
    fs::create_dir(sandbox.path("cwd/elsewhere")).unwrap();
    call(&sandbox, &["--dir", "store", "run", "--cwd", "elsewhere", "--wait", "t", "--", "pwd"])
        .says("/elsewhere\n")
        .exits(0);
    assert!(sandbox.path("cwd/store/t.log").exists());
}

#[test]
fn it_inherits_no_descriptors_and_nothing_about_signals() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "trap '' HUP INT TERM CHLD PIPE USR1
        exec 3>held 7</dev/null 200>&1
        async run --wait --quiet t -- bash -c 'ls /proc/$$/fd; grep -E \"^Sig(Blk|Ign)\" /proc/$$/status'
        async run --quiet sleeper -- sleep 1000
        ls -l /proc/$(async pid sleeper)/fd
        async cancel sleeper",
    );
    assert!(finished.stdout.starts_with("0\n1\n2\nSig"), "{finished}");
    finished.lacks("held");
    for line in ["SigBlk:\t", "SigIgn:\t"] {
        let mask = finished.stdout.split_once(line).unwrap().1.lines().next().unwrap();
        // Without those that the C library reserves.
        assert_eq!(u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff, 0, "{finished}");
    }
}

#[test]
fn a_signal_to_the_futures_process_reaches_the_program() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "make_gate ready
        for signal in HUP INT QUIT TERM USR1 USR2; do
            async run --quiet t -- bash -c 'trap \"echo got $0; exit 9\" $0; : >ready; while :; do sleep 0.01; done' $signal
            gate ready
            kill -s $signal \"$(async pid t)\"
            async wait t
            echo \"$signal $?\"
        done",
    );
    for signal in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] {
        finished.says(&format!("got {signal}\n")).says(&format!("{signal} 9\n"));
    }
}

#[test]
fn a_daemon_that_it_leaves_behind_lives_on_and_nobody_waits_for_it() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "make_gate go gone
        async run --wait t -- bash -c '(read -r _ <go; echo late; : >gone) & echo left'
        echo \"wait $?\"
        open_gate go
        gate gone
        cat \"$DEST/async/t.log\"",
    )
    .says("left\n")
    .says("wait 0\n")
    .says("late\n");
}

#[test]
fn a_program_whose_supervisor_is_killed_is_lost_and_said_to_run_on() {
    let sandbox = Sandbox::default();
    run(
        &sandbox,
        "make_gate ready go
        async run --quiet t -- bash -c ': >ready; read -r _ <go'
        gate ready
        kill -KILL \"$(async pid t)\"
        async wait t
        echo \"wait $?\"
        open_gate go",
    )
    .tells("with result unknown (lost)\n")
    .tells("of its task still runs\n")
    .says("wait 125\n");
}

/// However late somebody looks.
#[test]
fn nobody_claims_to_know_how_long_a_lost_future_ran() {
    let sandbox = Sandbox::default();
    let finished = run(
        &sandbox,
        "make_gate ready go
        async run --quiet t -- bash -c ': >ready; read -r _ <go'
        gate ready
        kill -KILL \"$(async pid t)\"
        open_gate go
        until [[ $(async status --json t) == *'\"lost\"'* ]]; do :; done
        views() {
            async status --all t | cut -f 6
            async status --all --json t | grep -E '\"(run|end)_time_ms\"'
            async timing --table | awk '/^t / { print $3 }'
            async timing | grep 'minus waits'
            async timing --html page --openmetrics figures >/dev/null
            grep -oE '(aria-label|<title>)[^>]*t: lost[^<]*' page | head -1
            grep -c 'duration.*name=\"t\"' figures
        }
        views >before; sleep 1.2; async wait --quiet t; views >after
        cat after; diff before after && echo alike",
    );
    finished.says("-\n").says("\"end_time_ms\": null").says("\"run_time_ms\": null").says("alike\n").lacks("ran for");
}

#[test]
fn what_a_task_is_given_is_not_in_the_process_list() {
    in_each_case(|case| {
        let finished = case.run(
            "make_gate go on
            function logs_in { quiet; gate go; echo \"with $*\"; }
            async_run f logs_in --password s3cret >/dev/null
            async run --quiet --env TOKEN=s3cret p -- bash -c ': s3cret; read -r _ <on'
            for name in f p; do
                tr '\\0' ' ' <\"/proc/$(async_pidof $name)/cmdline\"
                echo
            done
            open_gate go
            open_gate on
            async_wait f",
        );
        finished.says("async supervise f ").says("async run p ").says("with --password s3cret\n");
        let listed = finished.stdout.lines().filter(|line| line.starts_with("async ") && line.contains("s3cret"));
        assert_eq!(listed.count(), 0, "{finished}");
    });
}

#[test]
fn a_variable_is_passed_on_without_its_value_on_a_command_line() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "export TOKEN=s3cret EMPTY=
        mkfifo go
        async run --env TOKEN --env EMPTY t -- sh -c 'read -r _ <go; echo \"$TOKEN ${EMPTY-unset}.\"'
        tr '\\0' '\\n' </proc/$(async pid t)/cmdline
        echo >go; async wait t
        async run --env NOT_SET u -- true; echo \"not set $?\"",
    );
    assert_eq!(finished.stdout.matches("s3cret").count(), 1, "{finished}");
    finished.says("s3cret .\n").says("async\nrun\nt\n").says("not set 2\n");
    finished.complains("--env takes NAME=VALUE, or the name of a variable that is set, not `NOT_SET`\n");
}
