//! What is to be seen of where a future ran.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use async_tests::cluster::Cluster;
use serde_json::Value;

#[test]
fn all_views_say_where_it_ran_and_how_long_it_was_queued_there() {
    let Some(cluster) = Cluster::start() else { return };
    let finished = cluster.run(
        "async init
        async run here -- true
        async run --on slurm --sbatch '--hold -w node2' t -- bash -c 'echo out'
        until async status t | grep -q JobHeldUser; do sleep 0.05; done
        async status --json t >queued.json
        scontrol release \"$(sed -n 's/^job = //p' \"$ASYNC_DIR/t.ini\" | tail -n 1)\"
        async wait here t >/dev/null
        async status --all --json t >over.json
        async timing --table; async timing --json >timing.json
        async timing --html page.html --svg picture.svg --trace trace.json",
    );
    finished.exits(0).says("QUEUED");
    let read = |name: &str| fs::read_to_string(cluster.sandbox().path("cwd").join(name)).unwrap();
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();
    let queued = &json("queued.json")["futures"][0];
    assert_eq!((&queued["state"], &queued["on"]), (&"queued".into(), &"slurm".into()), "{queued}");
    assert_eq!((&queued["reason"], &queued["node"]), (&"JobHeldUser".into(), &Value::Null), "{queued}");
    let over = &json("over.json")["futures"][0];
    assert_eq!((&over["job"], &over["node"], &over["reason"]), (&"1".into(), &"node2".into(), &Value::Null), "{over}");
    let timing = json("timing.json");
    let timed = timing["timings"].as_array().unwrap().iter().find(|future| future["name"] == "t").unwrap();
    assert_eq!((&timed["on"], &timed["node"]), (&"slurm:1".into(), &"node2".into()), "{timed}");
    assert!(timed["queued_ms"].as_i64().unwrap() > 0 && timed["run_time_ms"].as_i64().unwrap() < 30_000, "{timed}");
    let place = ", on node2 (slurm:1)";
    assert!(
        read("page.html").contains(place) && read("picture.svg").contains(place) && read("trace.json").contains(place)
    );
    assert!(read("page.html").contains("held elsewhere") && read("page.html").contains("was queued on a cluster"));
    assert!(read("picture.svg").contains("queue elsewhere") && read("picture.svg").contains("was queued on a cluster"));
    assert!(read("trace.json").contains("queued on the cluster"));
}
