//! The bash builtin: the program's commands in the shell itself, which is none the worse for it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::shell::{Bash, Finished, Sandbox, bashes, binary_dir, builtin};
use async_tests::tools;
use regex::Regex;

/// What each script begins with. `$call` is the builtin, or the program; `over NAME COMMAND...` makes a future with a log
/// whose task has ended with `$rc`; `collect NAME...` sets `reply`; `state` prints what a guest must not change.
const PRELUDE: &str = r#"
store=$DEST/async count=0 rc=0
function over {
    local fd id=.$BASHPID.$((count += 1)) begun
    exec {fd}>"$store/.starting/new$id"
    begun=$($call begin --dir "$store" --fd "$fd" --id "$id" -- "$@") || return
    printf 'log of %s\n' "$1" >>"$store/$1.log"
    $call end --dir "$store" --rc "$rc" -- "$1" || [[ $? == "$rc" ]] || return
    exec {fd}>&-
    printf 'begun: %s\n' "$begun"
}
function collect {
    { reply=$($call collect --dir "$store" --report 3 --shell "$BASHPID" -- "$@"); } 3>&1
}
function state {
    local line
    printf '%s\n' /proc/"$BASHPID"/fd/*
    while read -r line; do
        [[ $line != @(Threads|Sig???|Shd???):* ]] || printf '%s\n' "$line"
    done </proc/"$BASHPID"/status
    trap -p
    umask
    pwd
    export -p
    compgen -A variable
    set +o
    shopt -p
    ulimit -a
}
"#;

fn in_each_bash(test: impl Fn(&Bash)) {
    for bash in bashes() {
        eprintln!("--- bash {}", bash.version);
        test(&bash);
    }
}

/// The script after the prelude, with the builtin loaded and a store made.
fn script(script: &str) -> String {
    let library = builtin().display();
    format!(
        "enable -f '{library}' async_builtin || exit 99\ncall=async_builtin\n{PRELUDE}\
         async_builtin init --dir \"$store\" || exit 98\n{script}"
    )
}

fn run(bash: &Bash, text: &str) -> Finished {
    Sandbox::new(&bash.path).run(&script(text))
}

#[test]
fn the_builtin_does_and_says_what_the_program_does() {
    let text = r#"
        $call init --dir "$store" || echo "init $?"
        over plain true 'a b' '' '*'
        rc=3 over failing false
        rc=0 over 'two words' : $'an\nescape\e'
        $call begin --dir "$store" --process "$BASHPID" -- self : || echo "begin $?"
        $call begin --dir "$store" --process "$BASHPID" -- self : || echo "again $?"
        $call begin --dir "$store" --process "$BASHPID" -- a/b : || echo "name $?"
        $call begin --dir "$store" -- || echo "no name $?"
        $call live --dir "$store"
        $call live --dir "$store"
        $call message --dir "$store" -- plain 'does %command' || echo "message $?"
        $call message --dir "$store" -- unknown text || echo "message $?"
        $call pid --dir "$store" -- self || echo "pid $?"
        $call pid --dir "$store" -- unknown || echo "pid $?"
        $call end --dir "$store" --rc 4 -- self || echo "end $?"
        collect plain 'two words' nobody
        echo "$reply"
        collect self failing
        echo "$reply"
        collect failing
        echo "$reply"

        $call live --dir "$store/none" || echo "live $?"
        $call --version
        cat "$store"/*.log
    "#;
    let times = Regex::new(r"\d{10,}|in \d seconds|\S*/dest/async|\d+ \d+\n").unwrap();
    in_each_bash(|bash| {
        let normalised = |finished: &Finished| times.replace_all(&finished.to_string(), "_").into_owned();
        let guest = run(bash, text);
        let program = Sandbox::new(&bash.path).run(&script(&format!("call=async\n{text}")));
        assert_eq!(normalised(&guest), normalised(&program));
        guest.says("finished false with result 3 in ").says("\ndone 3 ").says("log of two words\n");
        guest.complains("async: `self` is running already (pid self)");
    });
}

#[test]
fn nothing_of_the_shell_is_changed() {
    let text = r#"
        trap 'echo usr1' USR1
        trap '' QUIT
        trap 'echo term' TERM
        umask 027
        reply= begun=
        exec 9>kept
        # Bash itself sets some variables at their first use.
        state >/dev/null
        state >before
        {
            for i in 1 2 3; do
                async_builtin init --dir "$store"
                over name true
                async_builtin -v begun live --dir "$store"
                async_builtin pid --dir "$store" -- name
                async_builtin live --dir "$store/none"
                async_builtin begin --dir "$store" --fd 77 --id x -- name true
                async_builtin no such command
                async_builtin watch --dir "$store" --fd 1 --gate 1 --id x --task 1 -- name
                async_builtin --help
                async_builtin
                collect name
                async_builtin -v reply collect --dir "$store" --report 77 --shell 1 -- name

                ASYNC_BUILTIN_PANIC=1 async_builtin -v reply collect --dir "$store" --report 1 --shell 1 -- name
            done
        } >out 2>err
        unset i
        state >after
        echo over
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&script(text));
        finished.says("over\n");
        let read = |name| fs::read_to_string(sandbox.path(name)).unwrap();
        let (before, after) = (read("cwd/before"), read("cwd/after"));
        assert_eq!(before, after, "{finished}");
        for part in ["SigBlk:\t0000000000000000", "Threads:\t1\n", "trap -- 'echo usr1' SIGUSR1", "0027\n"] {
            assert!(before.contains(part), "{part}\n{before}");
        }
        assert!(read("cwd/out").contains("finished true with result 0"), "{}", read("cwd/err"));
    });
}

#[test]
fn a_bug_in_the_builtin_ends_as_a_message() {
    let text = r#"
        over one true >/dev/null
        state >/dev/null
        reply=before
        state >before
        ASYNC_BUILTIN_PANIC=1
        async_builtin -v reply collect --dir "$store" --report 1 --shell "$BASHPID" -- one
        echo "status $? reply $reply"
        async_builtin collect --dir "$store" --report 1 --shell "$BASHPID" -- one
        echo "status $?"
        unset ASYNC_BUILTIN_PANIC
        state >after
        # Nothing is held, and it can still be collected.
        async collect --dir "$store" --report 1 --shell "$BASHPID" -- one
        async_builtin --version
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&script(text));
        finished.exits(0).says("status 125 reply before\n").says("status 125\n").says("log of one\n").says("\ndone 0 ");
        finished.says("\nasync 0.").complains("async: this is a bug in async: ").lacks("RUST_BACKTRACE");
        assert_eq!(finished.stderr.lines().count(), 2, "{finished}");
        let read = |name| fs::read_to_string(sandbox.path(name)).unwrap();
        assert_eq!(read("cwd/before"), read("cwd/after"));
    });
}

#[test]
fn a_shell_does_not_turn_into_a_supervisor() {
    let text = r#"
        async_builtin -v "record log begun" begin --dir "$store" --open -- t true
        state >/dev/null
        state >before
        async_builtin fork --dir "$store" --record "$record" --log "$log" -- t
        status=$?
        state >after
        echo "status $status"
        async_builtin watch --dir "$store" --fd "$record" --gate "$log" --id .1 --task 1 -- t
        echo "status $?"
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&script(text));
        finished.says("status 2\nstatus 2\n").complains("async: this command is for the program async");
        let read = |name| fs::read_to_string(sandbox.path(name)).unwrap();
        assert_eq!(read("cwd/before"), read("cwd/after").replace("status\n", ""), "{finished}");
    });
}

#[test]
fn a_beginning_that_fails_leaves_nothing_open() {
    let text = r#"
        function open { local fds=(/proc/"$BASHPID"/fd/*); echo " ${fds[*]##*/} "; }
        function begin { async_builtin begin --dir "$store" --open -- t true; }
        before=$(open)
        begin >/dev/full
        echo "full $?"
        (
            # Enough for the record, and one too few for its log.
            free=10
            while [[ $before == *" $free "* ]]; do free=$((free + 1)); done
            ulimit -n $((free + 1))
            begin
            echo "limit $?"
            [[ $(open) == "$before" ]] || open
        )
        [[ $(open) == "$before" ]] || open
        async_builtin live --dir "$store"
        echo over
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        assert_eq!(finished.stdout, "full 125\nlimit 125\nover\n", "{finished}");
        finished.complains("No space left on device").complains("can't keep the record and the log open");
    });
}

#[test]
fn a_process_that_can_not_be_noted_is_told_of() {
    let text = r#"
        async_builtin -v "record log begun" begin --dir "$store" --open -- t true
        function launched { async_builtin launched --record "$record" --log "$log" --pid 4242 -- t true; }
        (ulimit -f 0; launched; echo "full $?") 2>&1 | cat
        launched
        echo "status $?"
        async_builtin pid --dir "$store" -- t
        launched
        echo "closed $?"
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.says(
            "[Async t:4242]: running: true\nasync: `t` runs, but its process 4242 can't be noted: File too large",
        );
        finished.says("\nfull 0\n").says("\nstatus 0\n4242\n").says("\nclosed 0\n").complains("Bad file descriptor");
    });
}

#[test]
fn with_too_few_descriptors_a_task_has_a_result_or_never_runs() {
    let text = r#"
        for limit in {3..12}; do
            async_builtin -v "record log begun" begin --dir "$store" --open -- t true
            (
                ulimit -n "$limit"
                async_builtin fork --dir "$store" --record "$record" --log "$log" -- t || exit
                echo "$limit runs" >>runs
                exit 3
            ) >/dev/null
            echo "$limit ended with $?"
            async_builtin launched --record "$record" --log "$log" --pid "$$" -- t true >/dev/null
            async wait --dir "$store" t | grep -o 'with result.*'
        done
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&script(text));
        let runs = fs::read_to_string(sandbox.path("cwd/runs")).unwrap();
        for limit in 3..=12 {
            let ran = runs.contains(&format!("{limit} runs\n"));
            let (status, result) = if ran { (3, "3 in 0 seconds") } else { (125, "125 in 0 seconds (never started)") };
            finished.says(&format!("{limit} ended with {status}\nwith result {result}\n"));
        }
        assert!(runs.contains("12 runs\n") && !runs.contains("3 runs\n"), "{runs}\n{finished}");
    });
}

#[test]
fn the_task_is_the_subshell_as_it_was() {
    let text = r#"
        trap 'echo usr1' USR1
        trap '' TERM
        umask 027
        exec 9>kept
        async_builtin -v "record log begun" begin --dir "$store" --open -- t true
        (
            subshell=$BASHPID
            state >/dev/null
            exec {copy}>&1 >&- 2>&-
            state >before
            async_builtin fork --dir "$store" --record "$record" --log "$log" -- t
            status=$?
            [[ $BASHPID != "$subshell" ]] || echo never >&$copy
            echo "it is another process, status $status" >&$copy
            unset status
            state >after
            # Its own children are its own.
            (exit 5)
            echo "child $?" >&$copy
            (exit 6) &
            wait $!
            echo "background child $?" >&$copy
            exit 3
        )
        echo "status $?"
        async_builtin launched --record "$record" --log "$log" --pid "$$" -- t 'a command'
        collect t
        echo "$reply"
        async_builtin launched --record "$record" --log "$log" --pid "$$" -- t 'a command'
        echo /proc/$$/fd/* | tr ' ' '\n' | grep -c -e "/$record$" -e "/$log$"
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.run(&script(text));
        finished.says("it is another process, status 0\nchild 5\nbackground child 6\n").lacks("never");
        finished.says("\nstatus 3\n[Async t:").says("]: running: a command\n").says("\ndone 3 ").says("\n0\n");
        let read = |name| fs::read_to_string(sandbox.path(name)).unwrap();
        let record = Regex::new(r"(?m)^/proc/\d+/fd/").unwrap();
        let pages = |text: String| record.replace_all(&text, "").into_owned();
        let (before, after) = (pages(read("cwd/before")), pages(read("cwd/after")));
        let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
        // The record's descriptor is the supervisor's alone.
        assert!(gone.len() == 1 && gone[0].parse::<u32>().is_ok(), "{gone:?}\n{finished}");
        let added: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
        assert!(added.is_empty(), "{added:?}");
    });
}

#[test]
fn what_it_prints_is_in_order_with_what_the_shell_prints() {
    let text = r#"
        over x true >/dev/null
        {
            printf one
            async_builtin pid --dir "$store" -- unknown
            printf two
            async_builtin message --dir "$store" -- x three
            async_builtin live --dir "$store"
            printf 'four\n'
        } >file
        cat file
    "#;
    in_each_bash(|bash| {
        run(bash, text).says("oneUNKNOWN\ntwo[Async x:]: three\nx\nfour\n");
    });
}

#[test]
fn it_works_wherever_the_shell_runs_a_builtin() {
    let text = r#"
        set -euo pipefail
        IFS=x
        over x true >/dev/null
        async_builtin live --dir "$store"
        (async_builtin live --dir "$store")
        echo "$(async_builtin live --dir "$store")"
        async_builtin live --dir "$store" | cat
        async_builtin live --dir "$store" &
        wait $!
        function inside { local reply=; async_builtin -v reply live --dir "$store"; echo "$reply"; }
        inside
        eval 'async_builtin live --dir "$store"'
        command async_builtin live --dir "$store"
        builtin async_builtin live --dir "$store"
        trap 'async_builtin live --dir "$store"' USR1
        kill -USR1 $$
        async_builtin pid --dir "$store" -- nobody || echo "status $?"
        if async_builtin pid --dir "$store" -- nobody; then echo no; fi
        exec {copy}>&1 >/dev/null
        async_builtin live --dir "$store" >&$copy
        async_builtin live --dir "$store"
        async_builtin -v reply pid --dir "$store" -- nobody
        echo 'set -e did not hold' >&$copy
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.exits(1);
        assert_eq!(finished.stdout, "x\n".repeat(10) + "UNKNOWN\nstatus 1\nUNKNOWN\nx\n", "{finished}");
    });
}

#[test]
fn a_variable_gets_what_is_printed() {
    let text = r#"
        over a : $'b\n\n' >/dev/null
        over c : >/dev/null
        async_builtin -v plain live --dir "$store"
        declare -a array=(1 2)
        async_builtin -v array live --dir "$store"
        declare -n reference=behind
        async_builtin -v reference live --dir "$store"
        function inner { async_builtin -v dynamic live --dir "$store"; }
        function outer { local dynamic; inner; echo "local: $dynamic"; }
        outer
        printf '<%s>\n' "$plain" "${array[@]}" "$behind"
        echo "${dynamic-unset}"
        readonly constant=1
        async_builtin -v "first second rest" message --dir "$store" -- a 'x y z'
        printf '<%s>\n' "$first" "$second" "$rest"
        async_builtin -v "first second rest" pid --dir "$store" -- nobody
        printf '<%s>\n' "$first" "$second" "$rest"
        for name in constant 1a 'a[1]' '' 'x  y' 'rest constant' EUID; do
            async_builtin -v "$name" live --dir "$store"
            echo "$name: $?"
        done
        async_builtin -v
        echo "no name: $?"
        # The shell refuses the value, in its own way, and keeps its word to whoever called it.
        (declare -i number; async_builtin -v number live --dir "$store"; echo no)
        echo "integer: $?"
        async_builtin -v plain pid --dir "$store" -- nobody
        echo "failed: $? $plain"
        async_builtin -v plain live --dir "$store/none"
        echo "failed: $? $plain"
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.says("local: a\nc\n").says("\nunset\n").says("integer: 1\n");
        finished.says("failed: 1 UNKNOWN\nfailed: 125 \n").says("no name: 2\n");
        finished.says("<a\nc>\n<a\nc>\n<2>\n<a\nc>\n");
        finished.says("\n<[Async>\n<a:]:>\n<x y z>\n<UNKNOWN>\n<>\n<>\n");
        for name in ["constant", "1a", "a[1]", "", "x  y", "rest constant", "EUID"] {
            finished.says(&format!("\n{name}: 2\n"));
        }
    });
}

#[test]
fn it_is_unloaded_loaded_again_and_loaded_twice() {
    let library = builtin().display();
    let text = format!(
        r#"
        over x true >/dev/null
        cp '{library}' copy.so
        for library in '{library}' ./copy.so '{library}' ./copy.so; do
            enable -d async_builtin || echo "enable -d: $?"
            async_builtin live 2>/dev/null
            echo "unloaded: $?"
            enable -f "$library" async_builtin || echo "enable -f: $?"
            async_builtin live --dir "$store"
        done
        # One over the other.
        enable -f '{library}' async_builtin
        async_builtin live --dir "$store"
        (ASYNC_BUILTIN_PANIC=1; async_builtin collect --dir "$store" --report 1 --shell 1 -- x)
        (enable -d async_builtin; enable -f ./copy.so async_builtin; async_builtin live --dir "$store")
        async_builtin live --dir "$store"
        rm copy.so
        async_builtin live --dir "$store"
        enable -n async_builtin
        async_builtin live 2>/dev/null
        echo "disabled: $?"
        "#
    );
    in_each_bash(|bash| {
        let finished = run(bash, &text);
        finished.exits(0).complains("this is a bug in async").lacks("enable -d: ").lacks("enable -f: ");
        let waiting = Regex::new("(?m)^.Async x.*\n|^log of x\n").unwrap();
        let expected = "unloaded: 127\nx\n".repeat(4) + &"x\n".repeat(4) + "disabled: 127\n";
        assert_eq!(waiting.replace_all(&finished.stdout, ""), expected, "{finished}");
    });
}

#[test]
fn memory_does_not_grow() {
    const CALLS: usize = 20_000;
    let text = format!(
        r#"
        function memory {{
            local key value
            while read -r key value _; do
                [[ $key != VmRSS: ]] || echo "memory: $value"
            done </proc/"$BASHPID"/status
        }}
        function calls {{
            local i
            for ((i = 0; i < $1; i += 5)); do
                async_builtin -v reply live --dir "$store"
                async_builtin -v reply pid --dir "$store" -- nobody
                async_builtin no such command
                async_builtin message --dir "$store" -- nobody text
                async_builtin live --dir "$store"
            done >/dev/null 2>&1
        }}
        rc=1 over x true
        calls 1000
        memory
        calls {CALLS}
        memory
        "#
    );
    for bash in &bashes()[..1] {
        let finished = run(bash, &text);
        let kib: Vec<usize> =
            finished.stdout.lines().filter_map(|line| line.strip_prefix("memory: ")?.parse().ok()).collect();
        // A call that kept but 16 bytes would show.
        assert!(kib.len() == 2 && kib[1] < kib[0] + CALLS * 16 / 1024, "{kib:?}\n{finished}");
    }
}

#[test]
fn an_output_that_nobody_reads_does_not_end_the_shell() {
    let text = r#"
        over x true >/dev/null
        mkfifo pipe
        # A writing end, and no reading one.
        exec 5<>pipe 6>pipe 5<&-
        async_builtin live --dir "$store" >&6
        echo "status $?"
        async_builtin -v reply collect --dir "$store" --report 6 --shell "$BASHPID" -- x
        echo "status $? reply $reply"
        exec 6>&-
        async_builtin live --dir "$store" >&-
        echo "status $?"
        async_builtin live --dir "$store" >/dev/full
        echo "status $?"
        (
            printf '%0102400d' 0 >file
            ulimit -f 100
            async_builtin live --dir "$store" >>file
            echo "status $?" >&2
        )
        echo "status $?"
        while read -r line; do
            [[ $line != @(SigPnd|ShdPnd):* ]] || echo "$line"
        done </proc/self/status
        collect x
        echo "$reply"
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.exits(0).says("status 125\nstatus 0 reply done 125 0 0\nstatus 125\nstatus 125\nstatus 0\n");
        finished.complains("Broken pipe").complains("File too large").complains("\nstatus 125\n");
        finished.says("SigPnd:\t0000000000000000\n").says("ShdPnd:\t0000000000000000\n");
        finished.says("log of x\n").says("\ndone 0 ");
    });
}

/// A log that does not fit into a pipe is handed over into one that nobody reads.
const STUCK: &str = r#"
    over x true >/dev/null
    printf '%0200000d' 0 >>"$store/x.log"
    mkfifo pipe
    exec 5<>pipe
    (while [[ ! -e done ]] && kill -$signal $$; do :; done) 2>/dev/null &
    async_builtin -v reply collect --dir "$store" --report 5 --shell "$BASHPID" -- x
    status=$?
    : >done
    wait $!
"#;

#[test]
fn an_interrupt_with_a_trap_ends_what_takes_long() {
    let text = format!(
        r#"
        trap : INT
        signal=INT
        {STUCK}
        echo "status $status reply $reply"
        trap - INT
        collect x >out
        echo "$reply"
        "#
    );
    in_each_bash(|bash| {
        let finished = run(bash, &text);
        finished.exits(0).says("status 0 reply done 125 0 0\n").says("\ndone 0 ");
        finished.complains("async: can't pass on the log of `x`: it was interrupted; it can still be collected\n");
    });
}

#[test]
fn another_collector_holds_up_no_trap() {
    let text = r#"
        over x true >/dev/null
        printf '%0200000d' 0 >>"$store/x.log"
        mkfifo pipe
        exec 5<>pipe
        async collect --dir "$store" --report 5 --shell 1 -- x >program &
        collector=$!
        # It says so when it has the future, and then is stuck.
        read -r line <&5
        echo "$line"
        async_builtin -v reply collect --dir "$store" --report 1 --shell "$BASHPID" -- x
        echo "status $? ${reply%% *} ${reply##* }"
        trap : INT
        (while [[ ! -e done ]] && kill -INT $$; do :; done) 2>/dev/null &
        async_builtin -v reply begin --dir "$store" --process "$BASHPID" -- x true
        echo "status $?"
        : >done
        wait $!
        trap - INT
        async block --dir "$store" -- x &
        blocker=$!
        cat <&5 >/dev/null &
        wait "$collector" "$blocker"
        echo "blocker $?"
        cat program
        async_builtin live --dir "$store"
        kill %%
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.says("status 0 wait x\nstatus 125\n").says("blocker 0\ndone 0 ").lacks("\nx\n");
        finished.complains("x.ini: it was interrupted\n");
    });
}

#[test]
fn a_signal_without_a_trap_ends_the_shell_as_ever() {
    in_each_bash(|bash| {
        for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let finished = run(bash, &format!("signal={signal}\n{STUCK}\necho no"));
            finished.exits(status).lacks("no\n");
        }
    });
}

#[test]
fn children_that_end_meanwhile_are_the_shells() {
    let text = r#"
        over x true >/dev/null
        pids=()
        for ((i = 0; i < 200; i++)); do
            (exit $((i % 100))) &
            pids+=($!)
            async_builtin -v reply live --dir "$store" || echo "status $?"
        done
        for ((i = 0; i < 200; i++)); do
            wait "${pids[i]}"
            [[ $? == $((i % 100)) ]] || echo "child $i is lost"
        done
        # Without a wait, in which bash itself can come to grief over such a trap, and without a count, which it gets wrong.
        trap 'count=$((count + 1))' CHLD
        count=0
        for ((i = 0; i < 20; i++)); do
            (exit 1) &
            async_builtin -v reply live --dir "$store"
        done
        until [[ $count -gt 0 ]]; do
            async_builtin -v reply live --dir "$store"
        done
        echo trapped
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.exits(0).lacks("is lost").lacks("status");
        assert_eq!(finished.stdout, "trapped\n", "{finished}");
    });
}

#[test]
fn variables_of_the_script_say_where_the_store_is() {
    // Not exported, so that no environment has them.
    let text = r#"
        over x true >/dev/null
        export -n DEST
        async_builtin live
        place=$DEST
        DEST= ASYNC_DIR=$place/async
        async_builtin live
        unset ASYNC_DIR
        async_builtin live
        echo "status $?"
        unset DEST
        HOME=$place/none
        async_builtin live
        XDG_STATE_HOME=$place
        async_builtin live
        echo "$XDG_STATE_HOME" >/dev/null
    "#;
    in_each_bash(|bash| {
        let finished = run(bash, text);
        finished.exits(0).complains("DEST is set but empty").complains("/none/.local/state/async");
        assert_eq!(finished.stdout, "x\nx\nstatus 2\nx\n", "{finished}");
    });
}

/// Folders with the program and its library, in places where the one finds the other, and where it does not.
const PLACES: &str = r#"
    function look {
        (
            PATH=$1:$PATH
            source <(async shim)
            async_init
            echo "$2: $_ASYNC_BUILTIN"
        )
    }
    mkdir -p opt/{bin,lib/async} bin lone
    cp "$program" opt/bin
    cp "$program" lone
    cp "$library" opt/bin
    look "$PWD/opt/bin" beside
    mv "opt/bin/${library##*/}" opt/lib/async
    look "$PWD/opt/bin" lib
    ln -s ../opt/bin/async bin
    look "$PWD/bin" link
    look "$PWD/lone" none
    look lone relative
"#;

#[test]
fn the_shim_finds_the_library_that_is_installed_with_the_program() {
    let (program, library) = (binary_dir().join("async"), builtin());
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let text = format!("program='{}' library='{}'\n{PLACES}", program.display(), library.display());
        let finished = sandbox.finish(sandbox.bash(&text).env("ASYNC_BUILTIN", "auto"));
        assert_eq!(finished.stdout, "beside: yes\nlib: yes\nlink: yes\nnone: no\nrelative: no\n", "{finished}");
        assert_eq!(finished.stderr, "");
    });
}

#[test]
fn without_a_builtin_that_fits_all_goes_on_with_the_program() {
    let text = r#"
        printf '#!/bin/sh\n[ "$1" = builtin ] || exec async "$@"\nprintf "async 0.0.1\\n%%s\\n" "$LIBRARY"\n' >older
        chmod +x older
        echo 'no library' >text
        function rounds {
            for ASYNC_BUILTIN in off /none/x.so text "$LIBRARY" auto; do
                [[ $ASYNC_BUILTIN == auto ]] && ASYNC_BIN=$PWD/older || unset ASYNC_BIN
                echo "$ASYNC_BUILTIN" >&2
                (
                    source <(async shim)
                    async_init
                    async_run t echo works >/dev/null
                    async_wait t | grep -v Async
                    echo "$_ASYNC_BUILTIN"
                )
            done
        }
        rounds
        export ASYNC_DEBUG=1
        rounds
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.finish(sandbox.bash(text).env("LIBRARY", builtin()));
        assert_eq!(finished.stdout, "works\nno\nworks\nno\nworks\nno\nworks\nyes\nworks\nno\n".repeat(2), "{finished}");
        let library = builtin().display();
        let lines: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(lines[..5], ["off", "/none/x.so", "text", &library.to_string(), "auto"], "{finished}");
        assert_eq!(lines[5..8], ["off", "/none/x.so", "async: the builtin is not used: there is no /none/x.so"]);
        assert!(lines[8] == "text" && lines[9].contains("cannot open shared object"), "{finished}");
        assert_eq!(lines[10..12], [&library.to_string(), "auto"], "{finished}");
        assert!(lines[12].starts_with("async: the builtin is not used: it is of 'async "), "{finished}");
        assert!(lines[12].ends_with(", the program of 'async 0.0.1'") && lines.len() == 13, "{finished}");
    });
}

#[test]
fn a_script_may_choose_anew() {
    let text = r#"
        source <(async shim)
        async_init
        echo "$_ASYNC_BUILTIN"
        async_run t true >/dev/null
        for ASYNC_BUILTIN in off "$ASYNC_BUILTIN"; do
            async_pidof t >/dev/null
            echo "$_ASYNC_BUILTIN"
        done
        source <(async shim)
        async_wait t >/dev/null
        echo "$_ASYNC_BUILTIN $?"
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.finish(sandbox.bash(text).env("ASYNC_BUILTIN", builtin()));
        assert_eq!(finished.stdout, "yes\nno\nyes\nyes 0\n", "{finished}");
        assert_eq!(finished.stderr, "");
    });
}

#[test]
fn a_bash_that_nobody_tried_gets_no_library() {
    let sandbox = Sandbox::default();
    let program = binary_dir().join("async");
    let finished = sandbox.finish(sandbox.command(&program).args(["builtin", "--bash", "9.9", "auto"]));
    finished.exits(125).complains("async: the builtin is not used: it has not been tried in bash 9.9\n");
    let finished = sandbox.finish(sandbox.command(&program).args(["builtin", "--bash", "5.2"]).arg(builtin()));
    finished.exits(0).says(&format!("\n{}\n", builtin().display()));
}

#[test]
fn the_library_has_the_programs_version() {
    let sandbox = Sandbox::default();
    let program = sandbox.finish(sandbox.command(binary_dir().join("async")).arg("--version"));
    let guest = sandbox.run(&script("async_builtin -v version --version; echo \"$version\""));
    assert_eq!(guest.stdout, program.stdout);
}

#[test]
fn a_task_for_which_there_is_no_process_was_never_started() {
    if !tools::is_there("strace") {
        return;
    }
    // The first process that each shell makes is refused; the script's own is one of that kind, and bash tries again.
    let text = r#"
        source <(async shim)
        async_init
        function task { echo ran; }
        async_run t task
        echo "run $?"
        async_wait t
        echo "wait $?"
        echo "task: $(<"$DEST/async/t.log")"
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let inner = sandbox.bash(text);
        let mut command = sandbox.command("strace");
        command.args("-f -qq -o /dev/null -e trace=clone,clone3".split(' '));
        command.args(["-e", "inject=clone,clone3:error=EAGAIN:when=1"]);
        command.arg(inner.get_program()).args(inner.get_args()).env("ASYNC_BUILTIN", builtin());
        let finished = sandbox.finish(&mut command);
        finished.complains("async: can't start the task of ").complains("Resource temporarily unavailable");
        finished
            .says("run 0\n")
            .says("with result 125 in 0 seconds (never started)\nStopping async wait due to error: t\n");
        finished.says("wait 125\ntask: \n");
    });
}

#[test]
fn a_signal_right_after_the_start_ends_the_task() {
    let text = r#"
        source <(async shim)
        async_init
        for signal in TERM KILL HUP; do
            for i in {1..20}; do
                async_run "$signal$i" sleep 1000
                kill -s "$signal" "$!"
            done
        done >/dev/null
        for signal in TERM KILL HUP; do
            for i in {1..20}; do
                async_wait "$signal$i" >/dev/null
                echo "$signal $?"
            done
        done >statuses
        uniq -c statuses | tr -s ' '
    "#;
    in_each_bash(|bash| {
        let sandbox = Sandbox::new(&bash.path);
        let finished = sandbox.finish(sandbox.bash(text).env("ASYNC_BUILTIN", builtin()));
        assert_eq!(finished.stdout, " 20 TERM 143\n 20 KILL 137\n 20 HUP 129\n", "{finished}");
    });
}
