//! `--json`: what programs get, held against the schema that is written down.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::shell::{Finished, Sandbox};
use async_tests::{assert_like_snapshot, made_up, root};
use jsonschema::Validator;
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("async-cli/schema/async-1.json")).unwrap()).unwrap()
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
fn the_schema_is_what_the_program_prints() {
    let sandbox = Sandbox::default();
    let printed: Value = serde_json::from_str(&sandbox.run("async schema").stdout).unwrap();
    assert_eq!(printed, schema());
    jsonschema::meta::validate(&printed).unwrap();
}

#[test]
fn futures_in_every_state_are_valid() {
    let sandbox = Sandbox::default();
    made_up::store(&sandbox);
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
    made_up::empty_store(&sandbox);
    let finished = sandbox.run(
        r"{
            async run exact -- printf '%s\n' 'a b' '' $'c\nd' $'\xff'
            async run killed -- bash -c 'kill -KILL $$'
            async run --timeout 0.01 --grace 1 slow -- sleep 1000
            async run fails -- false
            async block -- fails
            async run --after fails never -- true
            async run cancelled -- sleep 1000
            async cancel cancelled
            async run waits -- sleep 1000
            async run --after waits queued -- true
            async run done -- true
            for name in exact killed slow never; do async block -- $name; done
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
    made_up::empty_store(&sandbox);
    let finished = sandbox.run("async status --json");
    assert_eq!(status(&finished)["futures"], json!([]));
    assert_eq!((finished.stderr.as_str(), finished.status), ("", 0));
}

#[test]
fn what_can_not_be_read_is_told_beside_a_valid_document() {
    let sandbox = Sandbox::default();
    made_up::store(&sandbox);
    fs::write(sandbox.store().join("bad.ini"), "nonsense\n").unwrap();
    let finished = sandbox.run("async status --json");
    assert_eq!(future(&status(&finished), "docs")["rc"], 0);
    finished.complains("bad.ini is not a record").exits(125);
}

#[test]
fn the_runs_of_a_name_are_valid() {
    let sandbox = Sandbox::default();
    made_up::empty_store(&sandbox);
    let finished = sandbox.run(
        "for status in 4 0; do
            async run t -- bash -c \"exit $status\"
            async wait t
        done >&2
        async run t -- bash -c 'exit 7' >&2
        async block -- t
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
    made_up::empty_store(&sandbox);
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
fn the_schema_refuses_what_is_not_so() {
    let sandbox = Sandbox::default();
    made_up::store(&sandbox);
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
