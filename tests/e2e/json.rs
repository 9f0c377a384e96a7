//! `--json`: what programs get, held against the schema that is written down.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::sync::LazyLock;

use async_tests::assert_like_snapshot;
use async_tests::fixtures::runs;
use async_tests::fixtures::store::{Held, Running};
use async_tests::shell::{Finished, Sandbox};
use jsonschema::Validator;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// The schema that the program prints. Tests of the types hold it against them.
fn schema() -> Value {
    static PRINTED: LazyLock<Value> = LazyLock::new(|| {
        let printed = Sandbox::default().run("async schema").stdout;
        serde_json::from_str(&printed).unwrap()
    });
    PRINTED.clone()
}

/// The schema of one kind of document.
fn validator(document: &str) -> Validator {
    let mut schema = schema();
    assert!(schema["$defs"][document].is_object(), "{document} is in the schema");
    schema["anyOf"] = json!([{ "$ref": format!("#/$defs/{document}") }]);
    jsonschema::validator_for(&schema).unwrap()
}

/// The document that was printed, which is valid.
fn document(finished: &Finished, kind: &str) -> Value {
    let value: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"));
    if let Err(error) = validator(kind).validate(&value) {
        panic!("{error} at {}: {finished}", error.instance_path());
    }
    assert_eq!(value["version"], 1);
    value
}

fn status(finished: &Finished) -> Value {
    document(finished, "FuturesDocument")
}

fn future<'a>(document: &'a Value, name: &str) -> &'a Value {
    let futures = document["futures"].as_array().unwrap();
    futures.iter().find(|future| future["name"] == name).unwrap_or_else(|| panic!("{name} in {document:#}"))
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(&schema()).unwrap();
}

#[test]
fn futures_in_every_state_are_valid() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let finished = sandbox.run("async status --all --json");
    let mut seen = status(finished.exits(1));
    assert_eq!(seen["store"], sandbox.store().to_str().unwrap());
    seen["store"] = json!("STORE");
    for future in seen["futures"].as_array_mut().unwrap() {
        if let Some(log) = future["log"].as_str() {
            future["log"] = json!(log.replace(sandbox.store().to_str().unwrap(), "STORE"));
        }
        if future["state"] == "running" {
            assert!(future["run_time_ms"].as_i64().unwrap() > 7_000_000, "{future:#}");
            future["run_time_ms"] = json!("RUN TIME");
        }
    }
    assert_like_snapshot("status", "json", &format!("{seen:#}\n"));
}

#[test]
fn runs_are_valid_and_numbered_as_they_are_printed() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(
        "{
            async run t -- echo first
            async wait t
            async init
            async run t -- false
            async wait -q --keep t
        } >&2
        async log --list-runs --json t",
    );
    let document = document(finished.exits(0), "RunsDocument");
    let runs = document["runs"].as_array().unwrap();
    let told: Vec<_> = runs.iter().map(|run| (&run["run"], &run["name"], &run["state"], &run["rc"])).collect();
    assert_eq!(
        told,
        [
            (&json!(1), &json!("t"), &json!("finished"), &json!(1)),
            (&json!(2), &json!("t"), &json!("collected"), &json!(0))
        ]
    );
    assert_eq!(fs::read_to_string(runs[1]["log"].as_str().unwrap()).unwrap(), "first\n");
}

#[test]
fn real_futures_are_valid_and_told_exactly() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        r"{
            async run exact -- printf '%s\n' 'a b' '' $'c\nd' $'\xff'
            async run killed -- bash -c 'kill -KILL $$'
            async run --timeout 0.01 --grace 1 slow -- sleep 1000
            async run fails -- false
            async wait --keep --quiet fails
            async run --after fails never -- true
            async run cancelled -- sleep 1000
            async cancel cancelled
            async run waits -- sleep 1000
            async run --after waits queued -- true
            async run done -- true
            for name in exact killed slow never; do async wait --keep --quiet $name; done
            async wait done
        } >&2
        async status --json --all
        async cancel waits >&2",
    );
    let seen = status(&finished);
    let of = |name: &str| future(&seen, name);
    assert_eq!(of("exact")["argv"], json!(["printf", "%s\\n", "a b", "", "c\nd", [255]]));
    assert_eq!(of("exact")["command"], r"printf '%s\n' 'a b' '' $'c\nd' $'\xff'");
    assert_eq!(of("exact")["failed"], false);
    assert_eq!(fs::read(of("exact")["log"].as_str().unwrap()).unwrap(), b"a b\n\nc\nd\n\xff\n");
    assert_eq!([&of("killed")["rc"], &of("killed")["signal"]], [137, 9]);
    assert_eq!(of("killed")["signal_name"], "KILL");
    assert_eq!([&of("slow")["rc"], &of("slow")["cause"]], [&json!(124), &json!("timeout")]);
    assert_eq!([&of("slow")["plan"]["timeout_ms"], &of("slow")["plan"]["grace_ms"]], [10, 1000]);
    assert_eq!(of("never")["cause"], "skipped");
    assert_eq!(of("cancelled")["cause"], "cancelled");
    assert_eq!(of("cancelled")["terminated"], 1);
    assert_eq!([&of("waits")["state"], &of("waits")["rc"]], [&json!("running"), &Value::Null]);
    assert!(of("waits")["run_time_ms"].is_u64() && of("waits")["pid"].is_u64());
    assert_eq!([&of("queued")["state"], &of("queued")["run_time_ms"]], [&json!("queued"), &Value::Null]);
    assert_eq!(of("queued")["plan"]["after"], json!(["waits"]));
    assert_eq!(of("done")["state"], "collected");
    assert!(of("done")["wait_end_ms"].as_i64() >= of("done")["wait_start_ms"].as_i64());
}

#[test]
fn what_runs_in_a_shell_itself_has_no_process_of_its_own() {
    let finished = Sandbox::default().run(
        "source <(async shim)
        DEVSTACK_PARALLEL=False
        function looks { async status --json >seen; }
        async_init
        async_run t looks >&2
        cat seen",
    );
    let seen = status(&finished);
    assert_eq!([&future(&seen, "t")["synchronous"], &future(&seen, "t")["pid"]], [&json!(true), &Value::Null]);
}

#[test]
fn a_store_with_an_odd_name_is_told_exactly() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run(r"dir=$'\xff'; async --dir $dir init; async --dir $dir status --json");
    assert_eq!(status(&finished)["store"], json!([255]));
}

#[test]
fn an_empty_store_is_an_empty_list() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run("async status --json");
    assert_eq!(status(&finished)["futures"], json!([]));
    assert_eq!((finished.stderr.as_str(), finished.status), ("", 0));
}

#[test]
fn what_can_not_be_read_is_told_beside_a_valid_document() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    fs::write(sandbox.store().join("bad.ini"), "nonsense\n").unwrap();
    let finished = sandbox.run("async status --json");
    assert_eq!(future(&status(&finished), "docs")["rc"], 0);
    finished.complains("bad.ini is not a record").exits(125);
}

#[test]
fn the_runs_of_a_name_are_valid() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        "for status in 4 0; do
            async run t -- bash -c \"exit $status\"
            async wait t
        done >&2
        async run t -- bash -c 'exit 7' >&2
        async wait --keep --quiet t
        async log --list-runs --json t",
    );
    let seen = document(&finished, "RunsDocument");
    let runs: Vec<_> = seen["runs"].as_array().unwrap().iter().map(|run| [&run["run"], &run["rc"]]).collect();
    assert_eq!(runs, [[1, 7], [2, 0], [3, 4]]);
    assert_eq!([&seen["runs"][0]["state"], &seen["runs"][1]["state"]], ["finished", "collected"]);
    sandbox.run("async log --json t").exits(2);
}

#[test]
fn the_timing_of_a_run_is_valid() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        "for name in a b; do async run $name -- true; done >&2
        async wait a b >&2
        async timing --json --what-if run:a=50%",
    );
    let seen = document(&finished, "TimingDocument");
    let names: Vec<_> = seen["timings"].as_array().unwrap().iter().map(|future| &future["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(seen["what_if"]["length_ms"].is_i64());
}

#[test]
fn the_history_of_a_future_and_of_whole_runs_is_valid() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    for command in ["true", "bash -c 'exit 3'"] {
        sandbox.run(&format!("async run a -- {command} && async wait a >&2; async init")).exits(0);
    }
    let seen = document(&sandbox.run("async timing --history a --json"), "HistoryDocument");
    let each = |key: &str| seen["history"].as_array().unwrap().iter().map(|past| past[key].clone()).collect::<Value>();
    assert_eq!([&seen["name"], &seen["broke_trend"]], [&json!("a"), &Value::Null]);
    assert_eq!([each("succeeded"), each("rc")], [json!([true, false]), json!([0, 3])]);
    assert_eq!(seen["median_ms"], seen["history"][0]["run_time_ms"]);
    let seen = document(&sandbox.run("async timing --history --json"), "HistoryDocument");
    assert_eq!([&seen["name"], &seen["history"][1]["ended"]], [&Value::Null, &json!("1 failed")]);
    assert_eq!([&seen["history"][0]["succeeded"], &seen["history"][0]["rc"]], [&json!(true), &Value::Null]);
}

fn waited(finished: &Finished) -> Value {
    document(finished, "WaitedDocument")
}

/// The values of those fields, of each future.
fn fields(document: &Value, names: &[&str]) -> Value {
    let futures = document["futures"].as_array().unwrap();
    futures.iter().map(|future| names.iter().map(|name| future[name].clone()).collect::<Value>()).collect()
}

/// How a wait ended, and what else it was about.
fn end(document: &Value) -> [Value; 4] {
    ["ended", "status", "left", "not_there"].map(|field| document[field].clone())
}

#[test]
fn a_future_that_is_started_is_told_of_and_nothing_else_is_said() {
    let sandbox = Sandbox::default();
    let started = sandbox.run("async run --json t -- sleep 1000");
    let seen = document(started.exits(0), "StartDocument");
    assert_eq!(started.stderr, "");
    assert_eq!([&seen["name"], &seen["state"], &seen["rc"]], [&json!("t"), &json!("running"), &Value::Null]);
    assert!(seen["pid"].is_u64() && seen["task_pid"].is_u64(), "{seen:#}");
    let held_back = sandbox.run("async run --json --after t later -- true");
    let seen = document(held_back.exits(0), "StartDocument");
    assert_eq!([&seen["state"], &seen["plan"]["after"]], [&json!("queued"), &json!(["t"])]);
    // It is the same as in a listing.
    let listed = status(&sandbox.run("async status --json"));
    assert_eq!(future(&listed, "later"), &{
        let mut object = seen.as_object().unwrap().clone();
        object.retain(|key, _| !["version", "store", "started"].contains(&key.as_str()));
        Value::from(object)
    });
    sandbox.run("async cancel t").exits(0);
}

#[test]
fn a_future_that_is_started_and_waited_for_is_told_of_once_it_is_over() {
    let sandbox = Sandbox::default();
    let finished = sandbox.run("async run --json --wait t -- bash -c 'echo the log; exit 3'");
    let seen = document(finished.exits(3), "StartDocument");
    assert_eq!(finished.stderr, "");
    assert_eq!([&seen["state"], &seen["rc"], &seen["failed"]], [&json!("collected"), &json!(3), &json!(true)]);
    assert!(seen["wait_end_ms"].as_i64() >= seen["wait_start_ms"].as_i64());
    assert_eq!(fs::read_to_string(seen["log"].as_str().unwrap()).unwrap(), "the log\n");
    assert_eq!(status(&sandbox.run("async status --json"))["futures"], json!([]));
}

#[test]
fn what_is_not_started_is_an_error_and_no_document() {
    let finished = Sandbox::default().run("async run --json t -- there-is-no-such-program");
    finished.complains("there is no program `there-is-no-such-program`").exits(127);
    assert_eq!(finished.stdout, "");
}

#[test]
fn who_wants_json_does_not_want_quiet() {
    for command in ["run --json --quiet t -- true", "wait --json --quiet t", "cancel --json --quiet t"] {
        Sandbox::default().run(&format!("async {command}")).complains("cannot be used with").exits(2);
    }
}

#[test]
fn a_wait_is_told_of_in_one_document() {
    let held = Held::default();
    let (mut a, b, c) = (held.begin("a"), held.begin("b"), held.begin("c"));
    let waiter = held.start(&["wait", "--json", "a", "b", "c"]);
    a.wait_for_waiter();
    a.print("the log\n");
    a.finish(0);
    b.wait_for_waiter();
    b.finish(137);
    c.finish(0);
    let finished = waiter.rest();
    let seen = waited(finished.exits(137));
    assert_eq!(finished.stderr, "async: 1 of 3 failed: `b` with status 137\n");
    assert_eq!(
        fields(&seen, &["name", "state", "rc", "signal_name"]),
        json!([["a", "collected", 0, null], ["b", "collected", 137, null], ["c", "collected", 0, null]])
    );
    assert_eq!(end(&seen), [json!("complete"), json!(137), json!([]), json!([])]);
    let first = &seen["futures"][0];
    assert_eq!(fs::read_to_string(first["log"].as_str().unwrap()).unwrap(), "the log\n");
    // What was said to be so is so.
    let listed = status(&held.sandbox.run("async status --all --json"));
    let collected = future(&listed, "a");
    for field in ["state", "rc", "run_time_ms", "end_time_ms", "wait_start_ms", "wait_end_ms"] {
        assert_eq!(collected[field], first[field], "{field}");
    }
    assert_eq!(future(&listed, "c")["state"], "collected");
}

#[test]
fn a_wait_that_stops_at_a_failure_tells_of_what_it_has_cancelled() {
    let held = Held::default();
    held.sandbox.run("async run runs -- sleep 1000").exits(0);
    held.begin("fails").finish(3);
    let finished = held.sandbox.run("async wait --json --fail-fast runs fails");
    let seen = waited(finished.exits(3));
    let wanted = json!([["fails", 3, null], ["runs", 143, "cancelled"]]);
    assert_eq!(fields(&seen, &["name", "rc", "cause"]), wanted);
    assert_eq!(end(&seen), [json!("failed"), json!(3), json!([]), json!([])]);
}

#[test]
fn what_is_over_when_the_time_is_up_is_handed_over() {
    let held = Held::default();
    held.begin("over").finish(0);
    let _task = held.begin("runs");
    let finished = held.sandbox.run("async wait --json --timeout 1ms over runs");
    finished.complains("async: the time was up before the end of `runs`: wait again, or longer\n");
    let seen = waited(finished.exits(124));
    assert_eq!(fields(&seen, &["name"]), json!([["over"]]));
    assert_eq!(end(&seen), [json!("timeout"), json!(124), json!(["runs"]), json!([])]);
    assert_eq!(held.store.names().unwrap(), ["runs".parse().unwrap()]);
}

#[test]
fn a_wait_for_any_tells_of_one() {
    let held = Held::default();
    let tasks = ["a", "b", "c"].map(|name| held.begin(name));
    // Each gets another one, though each is told of all.
    let waiters = ["a b c", "b a c"].map(|names| {
        let args = ["wait", "--any", "--json"].into_iter().chain(names.split(' ')).collect::<Vec<_>>();
        held.start(&args)
    });
    waiters.iter().for_each(Running::wait_for_inotify);
    let [a, b, c] = tasks;
    a.finish(1);
    b.finish(1);
    let mut names: Vec<_> = waiters
        .map(|waiter| {
            let seen = waited(waiter.rest().exits(1));
            assert_eq!([&seen["ended"], &seen["status"]], [&json!("complete"), &json!(1)]);
            assert_eq!(seen["futures"].as_array().unwrap().len(), 1);
            seen["futures"][0]["name"].as_str().unwrap().to_owned()
        })
        .into();
    names.sort();
    assert_eq!(names, ["a", "b"]);
    c.finish(0);
    let seen = waited(held.sandbox.run("async wait --any --json").exits(0));
    assert_eq!(fields(&seen, &["name", "rc"]), json!([["c", 0]]));
}

#[test]
fn a_wait_for_all_goes_on_and_tells_what_it_could_not_do() {
    let held = Held::default();
    held.begin("fails").finish(2);
    held.begin("gone").end();
    fs::write(held.path("broken.ini"), "nothing\n").unwrap();
    let finished = held.sandbox.run("async wait --all --json");
    finished.complains("broken.ini is not a record").complains("async: 3 of 3 failed: ");
    let mut seen = waited(finished.exits(125));
    seen["futures"].as_array_mut().unwrap().sort_by_key(|future| future["name"].to_string());
    assert_eq!(fields(&seen, &["name", "rc", "failed"]), json!([["fails", 2, true], ["gone", null, true]]));
    assert_eq!(end(&seen), [json!("error"), json!(125), json!(["broken"]), json!([])]);
}

#[test]
fn a_wait_that_keeps_the_futures_tells_of_them_as_they_are() {
    let held = Held::default();
    held.begin("t").finish(3);
    for _ in 0..2 {
        let seen = waited(held.sandbox.run("async wait --keep --json t").exits(3));
        assert_eq!(fields(&seen, &["name", "state", "wait_end_ms"]), json!([["t", "finished", null]]));
    }
}

#[test]
fn what_somebody_else_has_collected_was_not_there() {
    let held = Held::default();
    let (a, b) = (held.begin("a"), held.begin("b"));
    let waiter = held.start(&["wait", "--json", "a", "b"]);
    a.wait_for_waiter();
    b.finish(4);
    held.sandbox.run("async wait b").exits(4);
    a.finish(0);
    // Its status counts all the same.
    let seen = waited(waiter.rest().exits(4));
    assert_eq!(fields(&seen, &["name"]), json!([["a"]]));
    assert_eq!(end(&seen), [json!("complete"), json!(4), json!([]), json!(["b"])]);
}

#[test]
fn of_two_that_wait_for_the_same_futures_each_is_told_of_once() {
    let held = Held::default();
    let names: Vec<String> = (0..40).map(|number| format!("t{number:02}")).collect();
    let tasks: Vec<_> = names.iter().map(|name| held.begin(name)).collect();
    let waiter = |names: &mut dyn Iterator<Item = &String>| {
        let args: Vec<&str> = ["wait", "--json"].into_iter().chain(names.map(String::as_str)).collect();
        held.start(&args)
    };
    let waiters = [waiter(&mut names.iter()), waiter(&mut names.iter().rev())];
    tasks[0].wait_for_waiter();
    tasks[39].wait_for_waiter();
    for task in tasks {
        task.finish(0);
    }
    let mut told: Vec<String> = Vec::new();
    for waiter in waiters {
        let seen = waited(waiter.rest().exits(0));
        told.extend(seen["futures"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()));
    }
    told.sort();
    assert_eq!(told, names);
}

#[test]
fn more_futures_are_told_of_than_files_may_be_open_at_first() {
    let sandbox = Sandbox::default();
    runs::many(&sandbox, 200);
    let seen = waited(sandbox.run("ulimit -S -n 100; async wait --all --json").exits(0));
    assert_eq!(seen["futures"].as_array().unwrap().len(), 200);
    assert_eq!(seen["ended"], "complete");
}

#[test]
fn what_can_not_be_told_can_still_be_collected() {
    let held = Held::default();
    for command in ["wait --json a", "wait --any --json a", "wait --all --json", "cleanup --json"] {
        held.begin("a").finish(3);
        let full = held.sandbox.run(&format!("async {command} >/dev/full"));
        full.complains("async: can't write the output: ").exits(125);
        held.sandbox.run("async wait a").tells("with result 3 ").exits(3);
    }
    held.sandbox.run("async run --wait --json t -- false >/dev/full").exits(125);
    held.sandbox.run("async wait t").tells("with result 1 ").exits(1);
    // It runs, whether or not that can be said.
    held.sandbox.run("async run --json t -- true >/dev/full").complains("can't write the output: ").exits(0);
    held.sandbox.run("async wait t").exits(0);
}

#[test]
fn a_wait_that_is_interrupted_has_handed_over_nothing() {
    let held = Held::default();
    let (over, runs) = (held.begin("over"), held.begin("runs"));
    let waiter = held.start(&["wait", "--json", "over", "runs"]);
    over.finish(0);
    runs.wait_for_waiter();
    kill(Pid::from_raw(i32::try_from(waiter.pid()).unwrap()), Signal::SIGINT).unwrap();
    let finished = waiter.rest();
    assert_eq!(finished.stdout, "");
    finished.exits(130);
    held.sandbox.run("async wait over").exits(0);
}

#[test]
fn a_cleanup_is_told_of_as_a_wait_is() {
    let held = Held::default();
    held.begin("a").finish(0);
    held.begin("b").finish(7);
    let finished = held.sandbox.run("async cleanup --json");
    let seen = waited(finished.exits(7));
    assert_eq!(finished.stderr, "async: 1 of 2 failed: `b` with status 7\n");
    assert_eq!(fields(&seen, &["name", "rc"]), json!([["a", 0], ["b", 7]]));
    assert_eq!(end(&seen), [json!("complete"), json!(7), json!([]), json!([])]);
    fs::write(held.path("broken.ini"), "nothing\n").unwrap();
    held.begin("c").finish(0);
    let finished = held.sandbox.run("async cleanup --json");
    let seen = waited(finished.complains("broken.ini is not a record").exits(125));
    assert_eq!(fields(&seen, &["name"]), json!([["c"]]));
    assert_eq!(end(&seen), [json!("error"), json!(125), json!(["broken"]), json!([])]);
}

#[test]
fn what_was_cancelled_is_told_of_and_how() {
    let held = Held::default();
    let sandbox = &held.sandbox;
    held.begin("over").finish(0);
    held.begin_in_process("in a shell");
    sandbox
        .run(
            "{
                async run ends -- sleep 1000
                async run --after 'in a shell' waits -- true
                mkfifo ready never
                async run stays -- bash -c 'trap \"\" TERM; echo >ready; read <>never'
                read <ready
                async run orphan -- sleep 1000
                kill -KILL $(async pid orphan)
                async wait --keep --quiet orphan || :
            } >&2",
        )
        .exits(0);
    let told = |finished: &Finished| document(finished, "CancellationsDocument");
    let what = ["name", "result", "state", "terminated", "killed", "rc", "cause"];
    let finished = sandbox.run("async cancel --json over ends waits orphan");
    assert_eq!(
        fields(&told(finished.exits(0)), &what),
        json!([
            ["over", "over", "finished", null, null, 0, null],
            ["ends", "stopped", "finished", 1, 0, 143, "cancelled"],
            ["waits", "stopped", "finished", 0, 0, 143, "cancelled"],
            ["orphan", "orphaned", "lost", 1, 0, null, null],
        ])
    );
    assert_eq!(finished.stderr, "");
    let finished = sandbox.run("async cancel --json --grace 10ms stays");
    let stays = json!(["stays", "stopped", "finished", 1, 1, 137, "cancelled"]);
    assert_eq!(fields(&told(finished.exits(0)), &what), json!([stays]));
    let finished = sandbox.run("async cancel --json --all");
    finished.complains("runs in the shell ");
    assert_eq!(
        fields(&told(finished.exits(125)), &["name", "result", "state"]),
        json!([["in a shell", "in_shell", "running"], ["orphan", "orphaned", "lost"]])
    );
    let unknown = sandbox.run("async cancel --json nobody");
    unknown.complains("there is no future `nobody`");
    assert_eq!(unknown.stdout, "");
}

#[test]
fn the_schema_refuses_what_is_not_so() {
    let sandbox = Sandbox::default();
    runs::store(&sandbox);
    let seen = status(&sandbox.run("async status --json"));
    let validator = validator("FuturesDocument");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = seen.clone();
        change(&mut changed);
        assert!(!validator.is_valid(&changed), "{changed:#}");
    };
    refused(&|it| it["version"] = json!(2));
    refused(&|it| it["store"] = json!(5));
    refused(&|it| it["futures"] = json!({}));
    refused(&|it| it["futures"][0]["state"] = json!("fine"));
    refused(&|it| it["futures"][0]["cause"] = json!("bored"));
    refused(&|it| it["futures"][0]["rc"] = json!(256));
    refused(&|it| it["futures"][0]["argv"] = json!([[256]]));
    for (key, _) in seen["futures"][0].as_object().unwrap() {
        refused(&|it| drop(it["futures"][0].as_object_mut().unwrap().remove(key)));
    }
}

#[test]
fn what_a_task_used_over_time_and_uses_now_is_valid() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        "{ async run runs -- sleep 1000; async run over -- sleep 0.5; async wait --keep over; } >&2
        async status --json",
    );
    let seen = status(&finished);
    assert!(future(&seen, "runs")["usage_now"].is_object() && future(&seen, "over")["samples"].is_object(), "{seen:#}");
    finished.exits(0);
}

#[test]
fn what_a_task_used_is_told_with_what_it_waited_for() {
    let sandbox = Sandbox::default();
    runs::empty_store(&sandbox);
    let finished = sandbox.run(
        "{ source <(async shim)
            function computes { for ((i = 0; i < 100000; i++)); do :; done; }
            function child_computes { bash -c 'for ((i = 0; i < 100000; i++)); do :; done'; }
            async_run function computes
            async_run child child_computes
            async run program -- bash -c 'for ((i = 0; i < 100000; i++)); do :; done'
            async run sleeps -- sleep 0.3
            async_run --after nobody never true
            ASYNC_PARALLEL=false; async_run here computes
            for name in function child program sleeps here; do async wait --keep --quiet $name; done
        } >&2
        async status --json
        async timing --openmetrics -",
    );
    let (json, metrics) = finished.stdout.split_once("# HELP").unwrap();
    let seen: Value = serde_json::from_str(json).unwrap();
    for name in ["function", "child", "program"] {
        let usage = &future(&seen, name)["usage"];
        assert!(usage["user_time_ms"].as_i64().unwrap() >= 10, "{name}: {usage}");
        assert!(usage["system_time_ms"].as_i64().unwrap() >= 0, "{name}: {usage}");
        assert!((500..1_000_000).contains(&usage["max_resident_kib"].as_i64().unwrap()), "{name}: {usage}");
        let line = format!("async_future_processor_seconds{{name=\"{name}\",number=\"1\"}} 0.");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    let sleeps = &future(&seen, "sleeps")["usage"];
    let used = ["user_time_ms", "system_time_ms"].map(|what| sleeps[what].as_i64().unwrap());
    assert!(used.iter().sum::<i64>() < 300, "it only slept: {sleeps}");
    assert_eq!(future(&seen, "here")["usage"], Value::Null);
}
