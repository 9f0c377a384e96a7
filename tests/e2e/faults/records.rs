//! Records that lie, or are not records.

use std::fs;
use std::io::Write;

use async_tests::fault::in_each_case;

#[test]
fn after_a_reboot_or_with_its_pid_reused_a_future_is_lost_at_once() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        // Process 1 is alive, and foreign.
        for (name, life) in [("locked", ""), ("self", "life = 1 999 another-boot\n"), ("reused", "life = 1 999 BOOT\n")]
        {
            let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
            let life = life.replace("BOOT", boot.trim());
            fs::write(
                sandbox.store().join(format!("{name}.ini")),
                format!("[job]\ncommand = old\nstart_time = 1000\npid = 1\n{life}"),
            )
            .unwrap();
            sandbox.run("async status").says(&format!("{name}\tlost"));
            sandbox
                .run(
                    &case
                        .sourced(&format!("async_wait {name}; echo \"wait $?\"; async_wait {name}; echo \"again $?\"")),
                )
                .tells("with result unknown (lost)\n")
                .tells("its process is gone and left no result\n")
                .says("wait 125\n")
                .says(if case.profile == "devstack" { "again 0\n" } else { "again 125\n" });
        }
    });
}

#[test]
fn a_name_that_was_lost_can_be_used_again() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        fs::write(sandbox.store().join("t.ini"), "[job]\ncommand = old\nstart_time = 1000\npid = 1\n").unwrap();
        sandbox
            .run(&case.sourced("async_run t echo new; async_wait t; echo \"wait $?\""))
            .complains("`t` was started before and lost")
            .says("new\n")
            .says("wait 0\n");
    });
}

#[test]
fn a_record_of_the_original_is_collected() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox
            .run(&case.script(
                "printf '\\n[job]\\npid = 1\\nend_time = 5000\\nstart_time = 1000\\ncommand = old & words\\n' >\"$DEST/async/t.ini\"
                echo old log >\"$DEST/async/t.log\"
                async_log t %command
                async_pidof t
                async_wait t",
            ))
            .tells("[Async t:1]: old & words\n")
            .says("1\n")
            .says("old log\n")
            .tells(" in 4 seconds");
    });
}

#[test]
fn what_is_no_record_is_named_and_the_others_go_on() {
    let big = vec![b'x'; 10 << 20];
    let kinds: [(&str, &[u8]); 6] = [
        ("torn", b"[job]\ncommand = x\nstart_ti"),
        ("empty", b""),
        ("binary", b"\x7fELF\x00\xff\xfe\n\x00\n"),
        ("huge", &big),
        ("foreign", b"[section]\nkey = value\n"),
        ("nonsense", b"[job]\ncommand = x\nstart_time = soon\n"),
    ];
    in_each_case(|case| {
        for (kind, bytes) in kinds {
            let sandbox = case.sandbox();
            sandbox.run(&case.script("async_run good echo fine; wait $!; async_run z echo last; wait $!")).exits(0);
            let file = sandbox.store().join("bad.ini");
            fs::write(&file, bytes).unwrap();
            let named = format!("{} is not a record that can be read: ", file.display());
            sandbox.run("async status").complains(&named).says("good\tfinished").says("z\tfinished").exits(125);
            sandbox.run(&case.sourced("async_wait bad; echo \"wait $?\"")).complains(&named).says("wait 125\n");
            sandbox
                .run(&case.sourced("async_pidof bad; async_log bad x; async_run bad true; echo \"run $?\""))
                .says("run 125\n");
            sandbox
                .run(&case.sourced("async_cleanup; echo \"cleanup $?\""))
                .complains(&named)
                .says("fine\n")
                .says("last\n");
            assert_eq!(fs::read(&file).unwrap(), bytes, "{kind} is left as it was");
            sandbox
                .run(&case.sourced("async_init; echo \"init $?\"; ls \"$DEST/async\""))
                .complains("bad.ini is no record that can be read, so it was left alone\n")
                .says("init 0\n")
                .says("bad.ini\n");
            assert_eq!(fs::read(&file).unwrap(), bytes, "{kind} is left as it was");
        }
    });
}

#[test]
fn a_clock_that_steps_back_during_a_task() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        // According to the record, the task starts in an hour.
        sandbox
            .run(&case.script(
                "make_gate go ready
                function task { : >ready; gate go; }
                async_run t task
                gate ready
                printf 'start_time = %s\\n' \"$(($(date +%s%3N) + 3600000))\" >>\"$DEST/async/t.ini\"
                async status
                open_gate go
                async_wait t
                async_print_timing",
            ))
            .tells("with result 0 in 0 seconds\n")
            .says("minus waits: 0")
            .lacks("-3");
        // And a record of the original, which only has the wall clock.
        let mut file = fs::File::create(sandbox.store().join("old.ini")).unwrap();
        file.write_all(b"[job]\ncommand = old\nstart_time = 9000\nend_time = 1000\npid = 1\n").unwrap();
        sandbox.run(&case.sourced("async_wait old")).tells(" in 0 seconds").lacks("-8");
    });
}

#[test]
fn control_characters_of_a_record_or_path_are_spelt_out_in_errors() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        fs::write(sandbox.store().join("t.ini"), "[job]\ncommand = x\nstart_time = \u{1b}[31m\n").unwrap();
        sandbox.run("async status").complains(r"`start_time` can't be `\u{1b}[31m`").lacks("\u{1b}");
        sandbox.run(r"async --dir $'/no\e[31m/such' status").complains(r"/no\u{1b}[31m/such").lacks("\u{1b}");
    });
}

#[test]
fn control_characters_of_a_record_are_spelt_out_in_the_table() {
    in_each_case(|case| {
        let sandbox = case.sandbox();
        sandbox.run(&case.script("")).exits(0);
        let text = "[job]\ncommand = \u{1b}[31mx\nstart_time = 1000\npid = \u{1b}[31m\n";
        fs::write(sandbox.store().join("t.ini"), text).unwrap();
        sandbox.run("async status").says("\t\\u{1b}[31m\t").says("\t\\u{1b}[31mx\n").lacks("\u{1b}");
    });
}

#[test]
fn a_running_future_whose_pid_is_no_number_is_waited_for() {
    in_each_case(|case| {
        case.run(
            r#"printf '[job]\ncommand = x\nstart_time = 1000\npid = 4 2\nlog = none\n' >"$DEST/async/t.ini"
            (
                flock -x 9
                : >locked
                sleep 0.3
                printf 'end_time = 5000\nrc = 3\n' >&9
            ) 9>>"$DEST/async/t.ini" &
            until [[ -e locked ]]; do sleep 0.01; done
            async_wait t
            echo "wait $?""#,
        )
        .tells("finished x with result 3 in 4 seconds\n")
        .says("wait 3\n");
    });
}

#[test]
fn control_characters_of_arguments_are_spelt_out_in_usage_errors_and_in_json() {
    in_each_case(|case| {
        let finished = case.run(
            "odd=$'\\e[31m\\u009b\\u202e'
            for arg in \"$odd\" \"--$odd\" \"wait --$odd\" \"wait --timeout $odd x\" \"completions $odd\" \"--for $odd wait\"; do
                async $arg; echo \"usage $?\"
            done
            async run \"$odd\" -- echo \"$odd\" >/dev/null
            async status --json
            async --dir \"$PWD/$odd\" init; async --dir \"$PWD/$odd\" status --json
            async wait \"$odd\"",
        );
        assert_eq!(finished.stdout.matches("usage 2\n").count(), 6, "{finished}");
        for output in [&finished.stdout, &finished.stderr] {
            // Except for the log, which stays as it is.
            let logs = output.matches("\n\u{1b}[31m\u{9b}\u{202e}\n").count();
            let found = output.matches(['\u{1b}', '\u{9b}', '\u{202e}']).count();
            assert_eq!(found, 3 * logs, "{finished}");
        }
        finished.says(r"\u001b[31m\u009b\u202e").complains(r"'\u{1b}[31m\u{9b}\u{202e}'");
    });
}
