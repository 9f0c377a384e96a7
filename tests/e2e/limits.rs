//! Limits on how many tasks run at once.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::fault::{PRELUDE, in_each_case};
use async_tests::paused_script::PausedScript;
use async_tests::proof::Records;
use async_tests::shell::Sandbox;

/// Starts futures of all kinds: functions and programs, some of which start others and wait for them in every way, and
/// chains of those.
const ALL_KINDS: &str = r#"
function quick { sleep "0.0$((RANDOM % 5))"; }
function two { async_run "a $1" quick; async_run "b $1" quick; async_wait "b $1" "a $1"; }
function chain { [[ $2 == 0 ]] || { async_run "c $1 $2" chain "$1" $(($2 - 1)); async_wait "c $1 $2"; }; }
function together {
    async_run "d $1" quick
    async_run "e $1" quick
    (async_wait "d $1") &
    (async_wait "e $1") &
    wait
}
function start_all_kinds {
    local i
    for ((i = 0; i < $1; i++)); do
        names+=("t$i")
        case $((i % 10)) in
            0 | 1) async_run "t$i" quick ;;
            2 | 3) async run "t$i" -- sleep "0.0$((RANDOM % 5))" ;;
            4) async_run "t$i" two "$i" ;;
            5) async_run "t$i" chain "$i" 4 ;;
            6) async_run "t$i" together "$i" ;;
            7) async run "t$i" -- bash -c 'async run "f $0" -- sleep 0.01; async wait "f $0"' "$i" ;;
            8) async run "t$i" -- bash -c 'async run --wait "g $0" -- sleep 0.01; async run "h $0" -- true; async wait --any "h $0"' "$i" ;;
            9) async run "t$i" -- bash -c 'source <(async shim); function f { :; }
                async_run "i $0" f; async run "j $0" --after "i $0" -- true; (async_wait "j $0"); async_wait "i $0"' "$i" ;;
        esac
    done 2>/dev/null
}
"#;

/// Checks that never more than that many run at once, all end, and the top-level ones start in order.
fn all_kinds(jobs: i64, count: usize) {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "source <(async shim)
        async_init
        {ALL_KINDS}
        export ASYNC_JOBS={jobs}
        start_all_kinds {count}
        async_wait \"${{names[@]}}\" >/dev/null 2>&1
        echo \"wait $?\"
        async status"
    ));
    finished.says("wait 0\n").lacks("queued").lacks("running");
    let records = Records::of(&sandbox.store());
    let most = records.most_at_once();
    assert!(most <= jobs, "{most} ran at once of at most {jobs}: {records:#?}");
    let order: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    assert_eq!(records.in_order_of_starts("t"), order);
    assert!(records.count() >= 2 * count, "only {}", records.count());
}

#[test]
fn no_more_than_two_run_of_all_kinds_of_tasks() {
    all_kinds(2, 40);
}

#[test]
fn no_more_than_one_runs_of_all_kinds_of_tasks() {
    all_kinds(1, 30);
}

#[test]
fn a_program_is_said_to_be_queued_only_where_it_is() {
    let finished = Sandbox::default().run(
        "export ASYNC_JOBS=2
        mkfifo go
        for name in a b c; do async run $name -- cat go; done
        async run --jobs 3 --after a d -- true
        async cancel --all --quiet
        async run e -- true
        async wait --quiet e
        async run --after e --after-any a f -- true",
    );
    let said: Vec<&str> = finished.stderr.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(said, ["running:", "running:", "queued:", "queued:", "running:", "running:"], "{finished}");
}

#[test]
fn tasks_of_both_profiles_are_limited() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        let finished = sandbox.run(&case.script(
            "export ASYNC_JOBS=2
            function quick { quiet; sleep 0.01; }
            function outer { quiet; async_run \"in $1\" quick; async_wait \"in $1\"; }
            for i in {0..5}; do async_run \"t$i\" quick; async_run \"o$i\" outer $i; done
            async_wait {t,o}{0..5} >/dev/null
            echo \"wait $?\"",
        ));
        finished.tells("]: queued: quick\n").says("wait 0\n");
        assert!(Records::of(&sandbox.store()).most_at_once() <= 2);
    });
}

/// Three programs, one of which may run at a time; `first` is running, and `how` kills the second.
#[test]
fn whoever_is_killed_makes_room_at_once() {
    for (victim, key) in [("first", "pid"), ("first", "task"), ("second", "pid"), ("third", "pid")] {
        let mut script = PausedScript::plain(&format!(
            "make_gate go ready over
            ASYNC_JOBS=1; export ASYNC_JOBS
            async run --quiet first -- bash -c ': >ready; read -r _ <go'
            for name in second third fourth; do
                async run --quiet $name -- bash -c 'echo $0 >>ran; [[ $0 != fourth ]] || : >over' $name
            done
            gate ready
            kill -KILL \"$(awk '$1 == \"{key}\" {{ print $3 }}' \"$DEST/async/{victim}.ini\")\"
            [[ {victim} == first ]] || open_gate go
            gate over
            cat ran
            async wait --keep --quiet fourth
            stay"
        ));
        let all = ["second", "third", "fourth"];
        let ran: String = all.into_iter().filter(|name| *name != victim).flat_map(|name| [name, "\n"]).collect();
        let status = if key == "task" { 137 } else { 125 };
        script.call(&["wait", victim]).exits(status);
        let finished = script.go_on();
        assert_eq!(finished.stdout, ran, "{victim} {key}: {finished}");
    }
}

#[test]
fn who_runs_in_the_place_of_a_killed_one_counts_from_then_on() {
    let sandbox = Sandbox::default();
    sandbox
        .run(&format!(
            "{PRELUDE}
            make_gate go ready
            export ASYNC_JOBS=1
            async run --quiet outer -- bash -c '
                async run --quiet inner -- bash -c \": >ready; read -r _ <go || :\"
                async wait inner'
            async run --quiet next -- true
            gate ready
            kill -KILL \"$(awk '$1 == \"task\" {{ print $3 }}' \"$DEST/async/outer.ini\")\"
            async wait outer
            echo \"wait $?\"
            open_gate go
            async wait inner next
            echo \"wait $?\""
        ))
        .says("wait 137\n")
        .says("wait 0\n");
    let records = Records::of(&sandbox.store());
    assert!(records.time("next", "run_start") >= records.time("inner", "end_time"), "{records:#?}");
    assert!(records.time("outer", "end_time") < records.time("inner", "end_time"), "{records:#?}");
}

#[test]
fn a_place_is_lent_only_as_long_as_somebody_waits() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{PRELUDE}
        make_gate go ready
        export ASYNC_JOBS=1
        async run --quiet outer -- bash -c '
            async run --quiet one -- bash -c \": >ready; read -r _ <go\"
            async run --quiet two -- true
            async wait one &
            read -r _ <ready
            async wait --timeout 10ms two
            echo \"in vain: $?\"
            : >go
            wait
            async wait one
            echo end'
        async wait outer
        async wait two"
    ));
    finished.says("in vain: 124\n").says("\nend\n");
    let records = Records::of(&sandbox.store());
    assert!(records.time("two", "run_start") >= records.time("outer", "end_time"), "{records:#?}");
}

#[test]
fn a_task_without_a_limit_between_two_with_one() {
    // The outer one waits for the middle one, once before that waits for the inner one and once after.
    for outer_first in [true, false] {
        let sandbox = Sandbox::default();
        let (before, after) = if outer_first { ("sleep 0.1;", "") } else { ("", "sleep 0.1;") };
        sandbox
            .run(&format!(
                "async run --quiet --jobs 1 outer -- bash -c '
                    async run --quiet middle -- bash -c \"
                        async run --quiet --jobs 1 inner -- true
                        {before} async wait inner\"
                    {after} async wait middle'
                async wait outer
                echo \"wait $?\""
            ))
            .says("wait 0\n");
        assert!(Records::of(&sandbox.store()).value("inner", "lent_by").is_some());
    }
}

#[test]
fn a_limit_is_a_number_or_a_share_of_the_cores() {
    let sandbox = Sandbox::default();
    for wrong in ["0", "-1", "many", "1x", "0%", "%", "10001", "1.5"] {
        let finished = sandbox.run(&format!(
            "source <(async shim); async_init
            async run --jobs={wrong} t -- touch done; echo \"run $?\"
            export ASYNC_JOBS={wrong}
            async run t -- touch done; echo \"run $?\"
            async_run t touch done; echo \"run $?\""
        ));
        assert_eq!(finished.stdout, "run 2\n".repeat(3), "{wrong}: {finished}");
        finished.complains("a number from 1 to 10000, or a percentage of the cores like 50%");
    }
    assert!(!sandbox.path("cwd/done").exists());
    for right in ["1", "100%", "1%", "10000", "1000%"] {
        sandbox.run(&format!("ASYNC_JOBS={right} async run --wait t -- echo fine")).says("fine\n").exits(0);
    }
    sandbox.run("ASYNC_JOBS= async run --wait t -- echo fine").tells("running: echo").says("fine\n").exits(0);
}

#[test]
fn a_limit_that_is_lower_than_what_runs() {
    let sandbox = Sandbox::default();
    sandbox
        .run(&format!(
            "{PRELUDE}
            make_gate go1 go2 ready1 ready2
            for i in 1 2; do async run --quiet --jobs 2 t$i -- bash -c ': >ready$0; read -r _ <go$0' $i; done
            gate ready1; gate ready2
            async run --quiet --jobs 1 low -- true
            async run --quiet --jobs 3 high -- true
            open_gate go1; open_gate go2
            async wait --all --no-log"
        ))
        .tells("finished true with result 0");
    let records = Records::of(&sandbox.store());
    for name in ["t1", "t2"] {
        assert!(records.time("low", "run_start") >= records.time(name, "end_time"), "{records:#?}");
    }
    assert!(records.time("high", "run_start") >= records.time("low", "run_start"), "{records:#?}");
}

#[test]
fn the_queue_holds_when_what_stood_in_it_is_collected_and_cleared_away() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(&format!(
        "{PRELUDE}
        make_gate go ready
        export ASYNC_JOBS=1
        async run --quiet first -- bash -c ': >ready; read -r _ <go'
        gate ready
        for name in second third fourth fifth; do async run --quiet $name -- true; done
        async cancel --quiet second fourth
        async wait second
        async init
        async run --quiet sixth -- true
        async status
        open_gate go
        async wait --all --no-log"
    ));
    finished.says("first\trunning").says("third\tqueued").says("fifth\tqueued").says("sixth\tqueued");
    let records = Records::of(&sandbox.store());
    assert!(records.time("third", "run_start") >= records.time("first", "end_time"), "{records:#?}");
    for (one, next) in [("third", "fifth"), ("fifth", "sixth")] {
        assert!(records.time(next, "run_start") >= records.time(one, "end_time"), "{records:#?}");
    }
}

#[test]
fn a_task_that_the_shell_runs_itself_is_not_held_back() {
    let sandbox = Sandbox::default();
    sandbox
        .run(
            "source <(async shim); async_init
            export DEVSTACK_PARALLEL=False ASYNC_JOBS=1
            function outer { async status; async_run inner true; sleep 0.1; }
            async_run t outer
            async_wait t inner
            echo \"wait $?\"",
        )
        .says("t\trunning\t")
        .says("wait 0\n");
    assert!(Records::of(&sandbox.store()).time("t", "run_time") >= 100);
}

#[test]
fn a_queue_that_goes_round_in_circles_keeps_nobody_back() {
    let sandbox = Sandbox::default();
    sandbox.run("async init").exits(0);
    let store = sandbox.store();
    let record = |name: &str, started: u32, behind: &str| {
        let end = "end_time = 9\nrun_time = 1\nrc = 0\n";
        let text =
            format!("[job]\ncommand = x\nstart_time = {started}\nplan = {{\"jobs\":1}}\nqueue = {behind}\n{end}");
        std::fs::write(store.join(format!("{name}.ini")), text).unwrap();
    };
    record("self", 5, "5 self");
    record("one", 6, "7 other");
    record("other", 7, "6 one");
    for tail in ["5 self", "6 one", "7 other", "8 nobody"] {
        std::fs::write(store.join(".queue"), format!("{tail}\n")).unwrap();
        let name = tail.replace(' ', "-");
        let finished = sandbox.run(&format!(
            "async run --quiet --jobs 1 'at-once-{name}' -- true && async wait 'at-once-{name}'
            async run --quiet gate -- sleep 1000
            printf '%s\\n' '{tail}' >\"$DEST/async/.queue\"
            async run --quiet --jobs 1 --after-any gate 'later-{name}' -- true
            async cancel gate
            async wait gate
            async wait 'later-{name}'"
        ));
        finished.exits(0).tells("finished true with result 0");
    }
}
