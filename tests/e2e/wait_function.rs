//! `async_wait` of the standalone functions, with the options that it shares with `async wait`.

#![allow(clippy::unwrap_used, reason = "tests")]

use async_tests::fault::{in_each_case, in_each_standalone_case};
use async_tests::fixtures::store::Held;

/// `ends NAME RC`: a finished future with a log.
const ENDS: &str = r#"
function prints { echo "log of $1"; return "$2"; }
function ends { async_run "$1" prints "$@" && wait "$!" || :; } 2>/dev/null
"#;

#[test]
fn all_that_are_named_are_waited_for_and_in_the_end_it_is_said_which_failed() {
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ENDS}
            function late {{ gate go; echo log of late; return 5; }}
            make_gate go
            ends a 0; ends b 3; ends c 0; ends d 4
            async_run late late 2>/dev/null
            {{ async_wait --quiet late a b c d; echo \"wait $?\"; }} &
            open_gate go
            wait \"$!\"
            async_wait b d --quiet; echo \"again $?\"
            async_wait --quiet d; echo \"d $?\""
        ));
        finished.says("log of late\nlog of a\nlog of b\nlog of c\nlog of d\nwait 5\nagain 3\nd 4\n");
        finished
            .complains("async: 3 of 5 failed: `late` with status 5, `b` with status 3, `d` with status 4\n")
            .complains("async: 2 of 2 failed: `b` with status 3, `d` with status 4\n")
            .lacks("1 of 1")
            .lacks("Stopping async wait");
    });
}

#[test]
fn what_could_not_be_waited_for_has_failed_at_its_place_and_the_others_are_waited_for() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "{ENDS}
            ends docs 0; ends last 4; async_run bad/name true
            async_wait docs dosc bad/name last; echo \"wait $?\"
            ends first 2; async_wait first nobody; echo \"first $?\""
        ))
        .says("log of docs\nlog of last\nwait 125\nlog of first\nfirst 2\n")
        .complains("async: there is no future `dosc` in ")
        .complains("async: `bad/name` was not started, so there is nothing to wait for\n")
        .complains(
            "async: 3 of 4 failed: `dosc` could not be waited for, `bad/name` could not be waited for, \
             `last` with status 4\n",
        );
        // The suggested name belongs to an existing future.
        case.run("async_run docs sleep 1000; async_wait dosc").complains("; did you mean `docs`?\n").exits(125);
        // If a log can't be printed the wait ends, and a later wait can print it.
        case.run(&format!(
            "{ENDS} ends a 0; ends b 0
            async_wait a b >/dev/full; echo \"full $?\"
            async_wait a b; echo \"wait $?\""
        ))
        .says("full 125\nlog of a\nlog of b\nwait 0\n");
    });
}

#[test]
fn without_names_it_is_all_that_the_script_has_started() {
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ENDS}
            function inner {{ exec 2>/dev/null; async_run deep prints deep 6; async_wait; echo \"deep $?\"; return 2; }}
            async_wait; echo \"nothing $?\"
            async run others -- sh -c 'echo log of others'
            ends b 0; ends a 3; ends c 0; async_wait c >/dev/null
            async_run late inner
            async_wait --quiet; echo \"wait $?\"
            async_wait; echo \"nothing $?\"
            async_wait --all; echo \"all $?\""
        ));
        finished
            .says("nothing 0\nlog of b\nlog of a\nlog of deep\ndeep 6\nwait 3\nnothing 0\nlog of others\nall 0\n")
            .complains("async: 2 of 3 failed: `a` with status 3, `late` with status 2\n");
        // A script that has called this one has its own futures.
        case.run(&format!(
            "{ENDS} ends mine 0
            bash -c 'source <(async shim); async_wait; echo \"called $?\"; async_wait --all; echo \"all $?\"'
            async_wait; echo \"wait $?\""
        ))
        .says("called 0\nall 0\nlog of mine\nwait 0\n")
        .complains("async: `mine` belongs to the script with process id ");
    });
}

#[test]
fn the_first_to_end_is_handed_over_with_its_own_status() {
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ENDS}
            function waits {{ gate \"$1\"; echo \"log of $1\"; return \"$2\"; }}
            function dies {{ gate dies; kill -KILL \"$BASHPID\"; }}
            function orphaned {{ : >ready; gate orphaned; }}
            make_gate a b dies orphaned ready
            async_run a waits a 3; async_run b waits b 4; async_run dies dies
            {{ sleep 0.1; open_gate b; }} &
            async_wait --any a b dies; echo \"any $?\"
            open_gate a
            name=$(async_wait --any --no-log a b); echo \"$name $?\"
            {{ sleep 0.1; open_gate dies; }} &
            async_wait --any; echo \"any $?\"
            async_run orphaned orphaned; gate ready
            supervisor=$!
            {{ sleep 0.1; kill -KILL \"$supervisor\"; }} &
            async_wait --any orphaned; echo \"any $?\"
            open_gate orphaned
            async_wait --any a b; echo \"none $?\"
            async_wait --any a nobody; echo \"unknown $?\"
            async_wait --any; echo \"nothing $?\""
        ));
        finished
            .says("log of b\nb\nany 4\na 3\ndies\nany 137\norphaned\nany 137\nnone 125\nunknown 125\nnothing 2\n")
            .complains("async: there is nothing to wait for in ");
    });
}

#[test]
fn when_the_time_is_up_the_status_is_124() {
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ENDS}
            function waits {{ gate go; echo the log; return 3; }}
            function orphaned {{ : >ready; gate orphaned; }}
            make_gate go ready orphaned
            ends over 0; async_run t waits
            async_wait --timeout 50ms over t; echo \"wait $?\"
            async_wait --timeout 0 --any t; echo \"any $?\"
            async_wait --timeout 1ms --fail-fast t; echo \"fast $?\"
            async_wait --timeout 1ms; echo \"all $?\"
            {{ sleep 0.1; open_gate go; }} &
            async_wait --timeout 1h t; echo \"wait $?\"
            # Its shell knows the status of one that left no result, though it has not waited for it so far.
            async_run orphaned orphaned; gate ready
            supervisor=$!
            {{ sleep 0.1; kill -KILL \"$supervisor\"; }} &
            async_wait --timeout 1h orphaned; echo \"orphaned $?\"
            open_gate orphaned"
        ));
        finished
            .says("log of over\nwait 124\nany 124\nfast 124\nall 124\nthe log\nwait 3\norphaned 137\n")
            .complains("async: the time was up before the end of `t`: wait again, or longer\n");
    });
}

#[test]
fn the_first_failure_cancels_the_others_and_is_the_status() {
    in_each_standalone_case(|case| {
        for (wait, listed) in [
            ("async_wait --fail-fast slow ok fails", true),
            ("async_wait --fail-fast", true),
            ("async wait --fail-fast slow ok fails", false),
        ] {
            let finished = case.run(&format!(
                "{ENDS}
                function slow {{ echo log of slow; : >ready; sleep 1000; }}
                function fails {{ gate go; echo log of fails; return 3; }}
                make_gate ready go
                async_run slow slow; async_run fails fails; gate ready
                ends ok 0
                {{ sleep 0.1; open_gate go; }} &
                {wait}; echo \"wait $?\"
                async_wait slow >/dev/null; echo \"slow $?\""
            ));
            let slow = if listed { "slow 143\n" } else { "slow 125\n" };
            finished
                .says(&format!("log of ok\nlog of fails\nlog of slow\nwait 3\n{slow}"))
                .complains("with result 143 in 0 seconds (killed by signal 15, SIGTERM; cancelled)\n");
            let how = "`fails` with status 3, `slow` with status 143 (killed by signal 15, SIGTERM; cancelled)\n";
            finished.complains(&format!("async: 2 of 3 failed: {how}"));
        }
        // If one had failed before, or does not exist, the others are cancelled too; if none fails, nothing is.
        case.run(&format!(
            "{ENDS}
            ends bad 4; async_wait bad >/dev/null
            async_run a sleep 1000; async_wait --fail-fast a bad; echo \"before $?\"
            async_run b sleep 1000; async_wait --fail-fast b nobody; echo \"nobody $?\"
            ends c 0; ends d 0; async_wait --fail-fast c d c; echo \"well $?\"
            async_wait --fail-fast; echo \"nothing $?\""
        ))
        .says("before 4\nnobody 125\nlog of c\nlog of d\nwell 0\nnothing 0\n");
    });
}

#[test]
fn a_wait_prints_less_and_keeps_what_it_is_to_keep() {
    in_each_standalone_case(|case| {
        let finished = case.run(&format!(
            "{ENDS}
            ends a 3; ends b 0
            async_wait --keep --quiet a b; echo \"keep $?\"
            async_wait --keep -q --any a b; echo \"any $?\"
            async_wait --no-log --quiet b; echo \"b $?\"
            async_wait a; echo \"a $?\""
        ));
        finished.says("keep 3\na\nany 3\nb 0\nlog of a\na 3\n");
    });
}

#[test]
fn an_option_that_there_is_not_is_wrong_usage_and_nothing_is_waited_for() {
    in_each_standalone_case(|case| {
        for wrong in [
            "--nope t",
            "-x",
            "--help",
            "--json t",
            "--timeout t",
            "--timeout soon t",
            "--all t",
            "--any --fail-fast t",
            "--keep --fail-fast t",
        ] {
            case.run(&format!("{ENDS} ends t 3; async_wait {wrong}; echo \"wait $?\"; async_wait t; echo \"t $?\""))
                .says("wait 2\nlog of t\nt 3\n")
                .complains("async: async_wait");
        }
        // A name may look like one.
        case.run("async_run -- --all false; async_wait -- --all; echo \"wait $?\"").says("wait 1\n");
        case.run("async_wait --nope").complains("async_wait has no option '--nope'; a name like that goes behind --");
    });
}

#[test]
fn traps_run_at_once_during_each_kind_of_wait() {
    in_each_standalone_case(|case| {
        for wait in [
            "async_wait --timeout 1h t",
            "async_wait --any t u",
            "async_wait --fail-fast t u",
            "async_wait t u",
            "async_wait",
        ] {
            // Only the trap opens the gate.
            case.run(&format!(
                "make_gate go
                function waits {{ gate go; return 3; }}
                function slow {{ gate never; }}
                trap 'echo trapped; open_gate go' USR1
                async_run t waits; async_run u true
                [[ '{wait}' != *--any* ]] || {{ async_wait u; make_gate never; async_run u slow; }}
                {{ sleep 0.3; kill -USR1 $$; }} &
                {wait}; echo \"wait $?\""
            ))
            .says("trapped\n")
            .says("wait 3\n");
        }
    });
}

#[test]
fn a_cleanup_has_the_first_status_that_is_not_0() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "{ENDS}
            async_cleanup; echo \"nothing $?\"
            ends a 0; ends b 3; ends c 4
            async_cleanup; echo \"cleanup $?\"
            ends a 0; async_cleanup; echo \"well $?\"
            ends d 3; echo nothing >\"$DEST/async/broken.ini\"
            async_cleanup; echo \"broken $?\""
        ))
        .says("nothing 0\nlog of a\nlog of b\nlog of c\ncleanup 3\nlog of a\nwell 0\nlog of d\nbroken 125\n")
        .complains("async: 2 of 3 failed: `b` with status 3, `c` with status 4\n");
    });
    let held = Held::default();
    held.begin("a").finish(0);
    held.begin("b").finish(3);
    held.sandbox.run("async cleanup").complains("async: 1 of 2 failed: `b` with status 3\n").exits(3);
    held.sandbox.run("async cleanup").exits(0);
}

#[test]
fn what_is_queued_stopped_or_in_the_script_itself_is_waited_for_with_options_too() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "{ENDS}
            export ASYNC_JOBS=1
            async_run a sleep 0.1; async_run b prints b 3; async_run c prints c 0
            async_wait --timeout 1h b a c; echo \"queued $?\"
            async_run d prints d 0; async_run e prints e 4
            async_wait --fail-fast d e; echo \"fast $?\"
            ASYNC_JOBS=
            async_run f sleep 0.2; kill -STOP \"$(async_pidof f)\"; {{ sleep 0.1; kill -CONT \"$(async_pidof f)\"; }} &
            async_wait --any f; echo \"stopped $?\"
            ASYNC_PARALLEL=false
            async_run g prints g 5; async_wait --any g; echo \"here $?\""
        ))
        .says("log of b\nlog of c\nqueued 3\n")
        .says("fast 4\nf\nstopped 0\nlog of g\ng\nhere 5\n");
    });
}

#[test]
fn however_many_failed_a_line_says_so() {
    in_each_standalone_case(|case| {
        let finished = case.run(
            "names=()
            for i in {1..250}; do async_run \"a rather long name of number $i\" false; names+=(\"a rather long name of number $i\"); done
            async_run last sleep 0.3
            async_wait \"${names[@]}\" last; echo \"wait $?\"
            async_wait --fail-fast \"${names[@]}\"; echo \"fast $?\"",
        );
        finished.says("wait 1\nfast 1\n").complains("async: 250 of 251 failed: `a rather").complains(" more\n");
    });
}

#[test]
fn a_wait_for_all_fails_if_something_could_not_be_started() {
    in_each_standalone_case(|case| {
        for wait in ["async_wait", "async_wait --all", "async_cleanup"] {
            let finished = case.run(&format!(
                "async_run ok true; async_run --after nobody late true; {wait}; echo \"first $?\"; {wait}; echo \"then $?\"
                async_run --bogus t true; async_run u false; {wait}; echo \"both $?\"
                async_run v sleep 1000; async_run --if-absent v true; async cancel --quiet v; async_wait v; {wait}; echo \"absent $?\""
            ));
            finished.complains("`async_run --after nobody late true` has started nothing\n");
            finished.says("first 125\n").says("then 0\n").says("both 1\n").says("absent 0\n");
        }
    });
}

#[test]
fn what_did_not_start_has_failed_even_if_an_earlier_one_of_its_name_is_collected() {
    in_each_standalone_case(|case| {
        let finished = case.run(
            "make_gate go; function waits { read -r _ <go; true; }
            async_run t waits; async_run t echo second; echo \"refused $?\"
            open_gate go; async_wait t; echo \"one $?\"; async_wait; echo \"all $?\"; async_wait; echo \"then $?\"
            async_run u waits; until async_run u true; do open_gate go; async_wait u; done; async_wait; echo \"retried $?\"
            async_run v true; async_wait v; async_run v /no/such; async_wait v; async_wait; echo \"unstarted $?\"
            async_run w nosuch; async_run w true; async_wait w; async_wait; echo \"mended $?\"",
        );
        finished.says("unstarted 125\n").says("mended 0\n");
        finished.says("refused 125\n").says("one 0\nall 125\nthen 0\n").says("retried 0\n");
        finished.complains("`async_run t ...` has started nothing\n");
    });
}

#[test]
fn what_could_not_be_started_is_named_as_it_was_typed() {
    in_each_standalone_case(|case| {
        case.run(
            "async_run / true; async_run a /bin/nosuch x/y; async_run b nosuch //; async_wait; echo \"wait $?\"
            async_run c nosuch /d/; async_run d true; async_wait d; echo \"d $?\"",
        )
        .complains("`async_run / true` has started nothing\n")
        .complains("`async_run a /bin/nosuch x/y` has started nothing\n")
        .complains("`async_run b nosuch //` has started nothing\n")
        .says("wait 125\n")
        .says("d 0\n");
    });
}

#[test]
fn a_task_waits_for_all_that_it_has_started_itself_and_for_nothing_else() {
    in_each_standalone_case(|case| {
        case.run(
            "function starts { async_run in true; async_wait; echo \"starts $?\"; }
            function starts_nothing { async_wait; echo \"nothing $?\"; async_cleanup; echo \"cleanup $?\"; }
            async_run zz nosuch; async_run a starts; async_run --timeout 5m b starts_nothing
            async_wait a b; echo \"wait $?\"",
        )
        .says("starts 0\n")
        .says("nothing 0\n")
        .says("cleanup 0\n")
        .says("wait 0\n")
        .lacks("has started nothing");
    });
}

#[test]
fn a_wait_for_all_fails_if_the_result_of_one_is_gone() {
    let gone = [
        ("rm \"$DEST\"/async/a.ini", "the result of `a`, which this script has started, is gone: somebody has removed"),
        (": >\"$DEST\"/async/a.ini", "a.ini"),
        ("rm -r \"$DEST\"/async", ""),
        (
            "(cd /; env -u _ASYNC_STORE async wait --quiet a)",
            "the result of `a`, which this script has started, is gone: process ",
        ),
        ("async_run a true", "`a` ended with status 3, and a later future has its name"),
        ("async_run a true; async_wait a", "`a` ended with status 3, and a later future has its name"),
    ];
    in_each_standalone_case(|case| {
        for (how, because) in gone {
            for wait in
                ["async_wait", "async_wait --all", "async_cleanup", "(async_wait)", "ASYNC_ON_EXIT=wait; async_end"]
            {
                // A wait without names does not take an unreadable record for this script's.
                let finished = case.run(&format!(
                    "{ENDS}
                    ends ok 0; ends a 3; {how}
                    {wait}; echo \"first $?\"
                    async_run b true; async_wait; echo \"then $?\""
                ));
                let expected = if how.starts_with("async_run") { "first 3\n" } else { "first 125\n" };
                finished.says(expected).complains(because);
                if !(wait.starts_with('(') || wait.contains("end") || how.starts_with(':') || because.is_empty()) {
                    finished.says("then 0\n");
                }
            }
        }
    });
}

#[test]
fn a_wait_for_all_that_goes_well_says_so_whatever_was_collected_before() {
    in_each_standalone_case(|case| {
        case.run(&format!(
            "{ENDS}
            ends a 3; ends b 4; ends c 0; ends d 0
            async_wait a; (async_wait b); left=$(async_wait c); async_wait --quiet --keep d
            async_wait; echo \"all $?\"; async_wait; echo \"none $?\"
            ends e 3; async_init; async_wait; echo \"init $?\"
            ends a 0; async_wait --any; ends a 0; async_cleanup; echo \"cleanup $?\""
        ))
        .says("all 0\n")
        .says("none 0\n")
        .says("init 0\n")
        .says("cleanup 0\n");
    });
}

#[test]
fn the_end_of_a_script_that_waits_fails_if_something_could_not_be_started() {
    in_each_standalone_case(|case| {
        let finished =
            case.run("export ASYNC_ON_EXIT=wait; async_run ok true; async_run --after nobody late true; async_end");
        finished.complains("`async_run --after nobody late true` has started nothing\n").exits(125);
        let finished =
            case.run("export ASYNC_ON_EXIT=wait; async_run ok true; async_run --after nobody late true; exit 0");
        finished.complains("`async_run --after nobody late true` has started nothing\n").exits(125);
    });
}

#[test]
fn a_cleanup_tells_of_what_the_script_ran_itself_too() {
    in_each_standalone_case(|case| {
        case.run("ASYNC_PARALLEL=false; async_run a false; async_run b true; async_cleanup; echo \"cleanup $?\"")
            .says("cleanup 1\n");
    });
}

#[test]
fn a_cleanup_in_devstack_fails_if_somebody_else_has_taken_a_result() {
    in_each_case(|case| {
        if case.profile != "devstack" {
            return;
        }
        case.run(&format!(
            "{ENDS}
            async_init; ends ok 0; ends done 3; async_wait done; ends a 3; async wait --quiet a
            async_cleanup; echo \"cleanup $?\""
        ))
        .says("cleanup 125\n")
        .complains("the result of `a`, which this script has started, is gone: process ");
        case.run(&format!("{ENDS} async_init; ends a 3; async_wait a; ends b 0; async_cleanup; echo \"cleanup $?\""))
            .says("cleanup 0\n");
    });
}

#[test]
fn the_end_of_a_script_that_waits_is_for_what_its_tasks_started_too_and_for_a_script_that_is_a_task_itself() {
    in_each_standalone_case(|case| {
        let inner = "export ASYNC_ON_EXIT=wait; function fails { sleep 0.2; return 3; }; function outer { async_run inner fails; }";
        case.run(&format!("{inner}; async_run o outer")).exits(3);
        let script = case.sourced(&format!("{inner}; async_run a fails; async_run b touch done"));
        case.run(&format!(
            "cat >script.bash <<'EOF'
{script}
EOF
            async run nightly -- \"$BASH\" script.bash; async run --after nightly after -- touch after
            async wait nightly; echo \"nightly $?\"; async wait after; echo \"after $?\"; [[ -e done && ! -e after ]]; echo \"files $?\""
        ))
        .says("nightly 3\n")
        .says("after 125\n")
        .says("files 0\n");
    });
}
