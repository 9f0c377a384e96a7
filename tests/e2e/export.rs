//! The files of `async timing` for other programs, as those programs read them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use async_tests::fixtures::records::{self, Crafted, many, of_each_kind};
use async_tests::shell::{Finished, Sandbox};
use async_tests::small_disk::is_root;
use async_tests::tools;
use serde_json::Value;

/// `async timing` with those arguments, on a store of those futures.
fn timing(sandbox: &Sandbox, futures: &[Crafted], args: &[&str]) -> Finished {
    let store = sandbox.path("crafted");
    let _ = fs::remove_dir_all(&store);
    let _ = records::store(&store, futures);
    sandbox.finish(sandbox.command("async").arg("--dir").arg(&store).arg("timing").args(args))
}

/// What the option writes to standard output.
fn exported(futures: &[Crafted], option: &str) -> String {
    let ended = timing(&Sandbox::default(), futures, &[option, "-"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{option}");
    ended.stdout
}

/// Futures with everything that is special in any of the formats.
fn odd() -> Vec<Crafted> {
    vec![
        Crafted {
            command: "echo ]]> \u{1}\u{fffe}\u{feff} \\ \" <&>".into(),
            log: b"a\0b\x1b[1mc\xef\xbf\xbe\xff ]]> <&>\n".to_vec(),
            ..Crafted::new("a\"b\\c {d=\"e\"} # é", 0, 10)
        },
        Crafted::new("twice", 20, 10),
        Crafted::new("twice", 40, 10),
        Crafted::new("no\u{fffe}character\u{ffff}", 60, 10),
    ]
}

fn snapshot(name: &str, text: &str) {
    let settings = || {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots/export");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings().bind(|| insta::assert_snapshot!(name, text));
}

// ---- Trace

/// Checks a trace against the rules of the Trace Event Format in the exporter's documentation.
fn check_trace(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    assert_eq!(file["displayTimeUnit"], "ms");
    let events = file["traceEvents"].as_array().unwrap().clone();
    let mut threads = BTreeMap::<i64, Vec<(i64, i64)>>::new();
    let mut named = Vec::new();
    let mut last = 0;
    for event in &events {
        let number = |key: &str| event[key].as_i64().unwrap_or_else(|| panic!("`{key}` of {event}"));
        assert!(event["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
        let (_, tid) = (number("pid"), number("tid"));
        match event["ph"].as_str().unwrap() {
            "X" => {
                let (ts, dur) = (number("ts"), number("dur"));
                assert!(ts >= last && dur >= 0, "out of order: {event}");
                last = ts;
                assert!(named.contains(&tid), "its thread has no name: {event}");
                threads.entry(tid).or_default().push((ts, ts + dur));
            }
            "C" => assert!(number("ts") >= 0 && event["args"]["cores"].is_f64(), "{event}"),
            "M" => match event["name"].as_str().unwrap() {
                "process_name" => assert!(event["args"]["name"].is_string(), "{event}"),
                "thread_name" => {
                    assert!(event["args"]["name"].is_string(), "{event}");
                    assert!(!named.contains(&tid), "two names: {event}");
                    named.push(tid);
                }
                "thread_sort_index" => assert!(event["args"]["sort_index"].is_i64(), "{event}"),
                other => panic!("no metadata: {other}"),
            },
            other => panic!("no phase that is used: {other}"),
        }
    }
    for (tid, slices) in threads {
        let mut open: Vec<(i64, i64)> = Vec::new();
        for slice in slices {
            while open.last().is_some_and(|outer| outer.1 <= slice.0) {
                open.pop();
            }
            let fits = open.last().is_none_or(|outer| slice.1 <= outer.1);
            assert!(fits, "thread {tid}: {slice:?} sticks out of {open:?}");
            open.push(slice);
        }
    }
    events
}

#[test]
fn a_trace_keeps_the_rules_of_its_format() {
    // Two shells that wait at the same time, one of them beyond the end of the run that it waits in.
    let together = vec![
        Crafted { wait: (500, 3000), ..Crafted::new("one", 0, 3000) },
        Crafted { wait: (1000, 4000), ..Crafted::new("two", 10, 3990) },
        Crafted { wait: (2000, 2500), ..Crafted::new("three", 20, 2480) },
    ];
    for futures in [of_each_kind(), many(200), odd(), together, Vec::new()] {
        check_trace(&exported(&futures, "--trace"));
    }
}

#[test]
fn a_trace_has_a_thread_for_each_future_and_the_waits_in_it() {
    let text = exported(&of_each_kind(), "--trace");
    let events = check_trace(&text);
    let tests = events.iter().find(|event| event["ph"] == "X" && event["name"] == "tests").unwrap();
    assert_eq!((tests["ts"].as_i64(), tests["dur"].as_i64()), (Some(3_000_000), Some(4_000_000)));
    assert_eq!((&tests["args"]["command"], &tests["args"]["status"]), (&"do tests".into(), &"failed, status 1".into()));
    let waits: Vec<_> = events
        .iter()
        .filter(|event| event["tid"] == tests["tid"] && event["cat"] == "wait")
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(waits, ["wait for tests-core", "wait for tests-cli"]);
    let lines = |text: &str| text.replace("},{", "},\n{");
    snapshot("trace", &lines(&text));
}

#[test]
fn a_trace_says_what_was_used() {
    let futures = [
        Crafted {
            lines: "samples = 500 700 4 500 1000\nusage = 1400 100 600 8 16\n".into(),
            ..Crafted::new("a", 0, 1000)
        },
        Crafted { lines: "usage = 50 50 600 0 0\n".into(), ..Crafted::new("b", 1000, 1000) },
        Crafted::new("unmeasured", 0, 10),
    ];
    let events = check_trace(&exported(&futures, "--trace"));
    let args =
        |name: &str| events.iter().find(|event| event["ph"] == "X" && event["name"] == name).unwrap()["args"].clone();
    let expected = r#"{"command": "do a", "status": "succeeded", "user_ms": 1400, "system_ms": 100, "max_resident_kib": 600,
        "max_tree_resident_kib": 700, "blocks_read": 8, "blocks_written": 16}"#;
    assert_eq!(args("a"), serde_json::from_str::<Value>(expected).unwrap());
    assert_eq!(args("unmeasured").as_object().unwrap().len(), 2);
    let counted: Vec<(i64, f64)> = events
        .iter()
        .filter(|event| event["ph"] == "C" && event["name"] == "used cores")
        .map(|event| (event["ts"].as_i64().unwrap(), event["args"]["cores"].as_f64().unwrap()))
        .collect();
    assert_eq!(counted, [(0, 1.0), (500_000, 2.0), (1_000_000, 0.1), (2_000_000, 0.0)]);
}

// ---- JUnit

/// The schema of Jenkins' xUnit plugin for JUnit reports, if it is here.
fn schema() -> Option<PathBuf> {
    let given = std::env::var_os("ASYNC_TEST_JUNIT_XSD").map(PathBuf::from).filter(|path| path.is_file());
    if given.is_none() {
        tools::skip("ASYNC_TEST_JUNIT_XSD names no schema of JUnit reports: see .ci/run");
    }
    given.filter(|_| tools::is_there_from("xmllint", "libxml2-utils"))
}

#[test]
fn a_report_is_what_build_servers_take_for_one() {
    let Some(schema) = schema() else { return };
    let place = tempfile::tempdir().unwrap();
    for futures in [of_each_kind(), many(200), odd(), Vec::new()] {
        let report = exported(&futures, "--junit");
        // The schema is older than this attribute, which newer readers want.
        let first = report.find("<testsuite ").unwrap_or(report.len());
        let skipped = report[..first].find(" skipped=").unwrap();
        let end = skipped + report[skipped..].match_indices('"').nth(1).unwrap().0 + 1;
        let file = place.path().join("report.xml");
        fs::write(&file, report[..skipped].to_owned() + &report[end..]).unwrap();
        let seen = Command::new("xmllint").args(["--noout", "--schema"]).arg(&schema).arg(&file).output().unwrap();
        assert!(seen.status.success(), "{}\n{report}", String::from_utf8_lossy(&seen.stderr));
    }
}

#[test]
fn a_report_tells_failures_from_errors_and_has_the_logs() {
    let report = exported(&of_each_kind(), "--junit");
    snapshot("junit", &report);
    let [svg, odd] = ["--svg", "--junit"].map(|option| exported(&odd(), option));
    assert!(odd.contains("abc\\u{fffe}\u{fffd} ]]&gt; &lt;&amp;&gt;"), "{odd}");
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(odd.chars().chain(svg.chars()).find(|&c| !allowed(c)), None);
}

// ---- OpenMetrics

/// Whether Python has the parser of Prometheus' own client.
fn has_parser() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import prometheus_client.openmetrics.parser"]);
    let there = command.output().is_ok_and(|output| output.status.success());
    if !there {
        tools::skip("prometheus-client is missing: apt-get install python3-prometheus-client");
    }
    there
}

/// Reads a file with both parsers and prints each sample as a line of JSON.
const PARSE: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as new
from prometheus_client.parser import text_string_to_metric_families as old
text = open(sys.argv[1]).read()
def samples(parse):
    return [[f.name, f.type, s.name, s.labels, s.value, s.timestamp] for f in parse(text) for s in f.samples]
assert samples(new) == samples(old), 'the two formats differ'
print(json.dumps([[f.unit, *s] for f in new(text) for s in [[f.name, f.type, s.name, s.labels, s.value, s.timestamp] for s in f.samples]]))
";

#[test]
fn metrics_are_read_by_prometheus_own_parsers() {
    if !has_parser() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    for futures in [of_each_kind(), many(200), odd(), Vec::new()] {
        let file = place.path().join("async.prom");
        fs::write(&file, exported(&futures, "--openmetrics")).unwrap();
        let seen = Command::new("python3").args(["-c", PARSE]).arg(&file).output().unwrap();
        assert!(seen.status.success(), "{}", String::from_utf8_lossy(&seen.stderr));
        let samples: Value = serde_json::from_slice(&seen.stdout).unwrap();
        let of = |name: &str| -> Vec<Value> {
            samples.as_array().unwrap().iter().filter(|sample| sample[1] == name).cloned().collect()
        };
        let times = of("async_future_run_duration_seconds");
        assert_eq!(times.len(), futures.len());
        for (sample, future) in times.iter().zip(&futures) {
            assert_eq!((&sample[0], &sample[2]), (&"seconds".into(), &"gauge".into()));
            let found = futures.iter().any(|it| {
                #[allow(clippy::cast_precision_loss, reason = "some seconds")]
                let seconds = it.run as f64 / 1000.0;
                sample[4]["name"] == it.name && sample[5] == seconds
            });
            assert!(found, "{sample} {future:?}");
        }
        assert!(samples.as_array().unwrap().iter().all(|sample| sample[6].is_null()), "a time stamp");
    }
}

#[test]
fn metrics_end_with_eof_and_tell_the_futures_of_one_name_apart() {
    snapshot("openmetrics", &exported(&of_each_kind(), "--openmetrics"));
    let metrics = exported(&odd(), "--openmetrics");
    assert!(metrics.ends_with("\n# EOF\n"));
    for line in [
        r#"async_future_run_duration_seconds{name="a\"b\\c {d=\"e\"} # é",number="1"} 0.01"#,
        r#"async_future_run_duration_seconds{name="twice",number="1"} 0.01"#,
        r#"async_future_run_duration_seconds{name="twice",number="2"} 0.01"#,
    ] {
        assert!(metrics.lines().any(|seen| seen == line), "{line}\n{metrics}");
    }
}

// ---- Files

/// All options that write a file.
const OPTIONS: [&str; 5] = ["--html", "--svg", "--trace", "--junit", "--openmetrics"];

#[test]
fn all_files_are_written_in_one_go_and_each_is_named() {
    let sandbox = Sandbox::default();
    let mut args = Vec::new();
    for option in OPTIONS {
        args.extend([option, &option[2..]]);
    }
    let ended = timing(&sandbox, &of_each_kind(), &args);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains(" Elapsed time: 7.7 sec\n"), "{}", ended.stdout);
    let named = "\nTimeline: html\nPicture: svg\nTrace: trace\nReport: junit\nMetrics: openmetrics\n";
    assert!(ended.stdout.ends_with(named), "{}", ended.stdout);
    for option in OPTIONS {
        let file = sandbox.path("cwd").join(&option[2..]);
        assert!(fs::metadata(&file).unwrap().len() > 1000, "{option}");
    }
    assert_eq!(fs::read_dir(sandbox.path("cwd")).unwrap().count(), OPTIONS.len(), "nothing else is left");
}

#[test]
fn a_file_that_cant_be_written_keeps_no_other_from_being() {
    let sandbox = Sandbox::default();
    let args = ["--html", "no/page", "--svg", "svg", "--trace", "no/trace", "--junit", "junit"];
    let ended = timing(&sandbox, &of_each_kind(), &args);
    assert_eq!(ended.status, 125);
    assert!(ended.stdout.ends_with("\nPicture: svg\nReport: junit\n"), "{}", ended.stdout);
    ended
        .complains("async: can't write the timeline to no/page: ")
        .complains("async: can't write the trace to no/trace: ");
}

#[test]
fn a_file_on_standard_output_has_it_for_itself() {
    let sandbox = Sandbox::default();
    let ended = timing(&sandbox, &of_each_kind(), &["--trace", "-", "--html", "page.html"]);
    assert_eq!(ended.status, 0);
    check_trace(&ended.stdout);
    let ended = timing(&sandbox, &of_each_kind(), &["--json", "--html", "page.html"]);
    assert_eq!(ended.status, 0);
    serde_json::from_str::<Value>(&ended.stdout).unwrap();
    let ended = timing(&sandbox, &of_each_kind(), &["--trace", "-", "--svg", "-"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
    assert_eq!(ended.stderr, "async: standard output (-) can be one of the files only\n");
    let ended = timing(&sandbox, &of_each_kind(), &["--trace", "-", "--json"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (2, ""));
}

#[test]
fn a_file_that_can_not_be_written_is_an_error_that_names_it_and_the_old_one_stays() {
    let sandbox = Sandbox::default();
    for option in OPTIONS {
        let ended = timing(&sandbox, &of_each_kind(), &[option, "missing/file"]);
        assert_eq!(ended.status, 125, "{option}");
        assert!(ended.stderr.starts_with("async: can't write the "), "{}", ended.stderr);
        assert!(
            ended.stderr.ends_with(" to missing/file: No such file or directory (os error 2)\n"),
            "{}",
            ended.stderr
        );
        let store = sandbox.path("crafted").display().to_string();
        let ended = sandbox.run(&format!("async --dir '{store}' timing {option} - >/dev/full"));
        ended.complains("async: can't write the output: No space left on device").exits(125);
    }
    let file = sandbox.path("cwd/page.html");
    fs::write(&file, "old").unwrap();
    let store = sandbox.path("crafted").display().to_string();
    let ended = sandbox.run(&format!("ulimit -f 8; async --dir '{store}' timing --html page.html"));
    assert_eq!(ended.status, 125);
    assert!(ended.stderr.contains("page.html: File too large"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(fs::read_dir(sandbox.path("cwd")).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_file_is_replaced_whole_and_what_is_no_file_is_refused() {
    let sandbox = Sandbox::default();
    let cwd = sandbox.path("cwd");
    let write = |path: &str| {
        let ended = timing(&sandbox, &of_each_kind(), &["--svg", path]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{path}");
    };
    let is_picture = |path: &Path| fs::read_to_string(path).unwrap().starts_with("<svg ");

    let file = cwd.join("file");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&file).unwrap();
    write("file");
    let after = fs::metadata(&file).unwrap();
    assert!(is_picture(&file) && before.ino() != after.ino());
    assert_eq!(after.mode() & 0o777, 0o640);

    symlink("file", cwd.join("link")).unwrap();
    fs::write(&file, "old").unwrap();
    write("link");
    assert!(is_picture(&file) && cwd.join("link").is_symlink());

    // No mode goes beyond what such a file normally has.
    for (mode, kept) in [(0o6777, 0o666), (0o755, 0o644), (0o600, 0o600)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        write("file");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, kept, "{mode:o}");
    }

    nix::unistd::mkfifo(&cwd.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(cwd.join("folder")).unwrap();
    for path in ["/dev/null", "fifo", "folder", "folder/", "folder/.", "nowhere/file", "file/file", "loop"] {
        if path == "loop" {
            symlink("loop", cwd.join("loop")).unwrap();
        }
        let ended = timing(&sandbox, &of_each_kind(), &["--svg", path]);
        assert_eq!(ended.status, 125, "{path}");
        assert!(ended.stderr.starts_with(&format!("async: can't write the picture to {path}: ")), "{}", ended.stderr);
    }
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let left: Vec<_> = fs::read_dir(&cwd).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".async-")), "{left:?}");
}

#[test]
fn no_file_is_written_by_way_of_another_user() {
    if !is_root("a file of another user") {
        return;
    }
    let sandbox = Sandbox::default();
    let there = sandbox.path("there");
    let stranger = Some(4_000_001);
    fs::create_dir(&there).unwrap();
    let write = |path: &Path| timing(&sandbox, &of_each_kind(), &["--html", path.to_str().unwrap()]);

    // Over a setuid file that another user has planted: the page belongs to us alone.
    let planted = there.join("planted");
    fs::write(&planted, "#!/bin/sh").unwrap();
    chown(&planted, stranger, stranger).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o6777)).unwrap();
    assert_eq!(write(&planted).status, 0);
    let page = fs::metadata(&planted).unwrap();
    assert_eq!((page.uid(), page.mode() & 0o7777), (0, 0o644));

    // It follows none of their symlinks, wherever in the path, and all of ours.
    let target = sandbox.path("cwd/target");
    for (ours, link, path) in [(false, "link", "link"), (false, "dir", "dir/file"), (true, "own", "own")] {
        fs::create_dir_all(sandbox.path("cwd/folder")).unwrap();
        symlink(if link == "dir" { sandbox.path("cwd/folder") } else { target.clone() }, there.join(link)).unwrap();
        if !ours {
            lchown(there.join(link), stranger, stranger).unwrap();
        }
        let ended = write(&there.join(path));
        assert_eq!(ended.status, if ours { 0 } else { 125 }, "{link}: {}", ended.stderr);
        assert_eq!(target.exists(), ours, "{link}");
        assert!(fs::read_dir(sandbox.path("cwd/folder")).unwrap().next().is_none());
    }
}

#[test]
fn a_log_that_is_a_symlink_gets_into_no_page_and_no_report() {
    let sandbox = Sandbox::default();
    sandbox.run("echo 's3cret' >secret").exits(0);
    let script = "async run t -- echo hi; until [[ $(async status) == *finished* ]]; do :; done
        rm \"$DEST/async/t.log\"; ln -s \"$PWD/secret\" \"$DEST/async/t.log\"
        async timing --html page.html --junit report.xml; echo \"timing $?\"
        cat page.html report.xml";
    sandbox.run(script).says("timing 0\n").says("is a symlink, not a regular file of ours").lacks("s3cret");
}

#[test]
fn an_empty_run_and_a_running_one_have_pictures_too() {
    let sandbox = Sandbox::default();
    for option in OPTIONS {
        let ended = timing(&sandbox, &[], &[option, "-"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{option}");
        assert!(!ended.stdout.is_empty());
    }
    let ended = sandbox.run(
        "source <(async shim); async_init; async_run task sleep 60
         async timing --trace - | grep -o '\"status\":\"[a-z]*\"' | sort -u; kill %1",
    );
    assert!(ended.stdout.contains("\"status\":\"running\"\n"), "{ended:?}");
}
