//! What is kept of futures that are over, in this run and in those before it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use async_core::timing::Run;
use async_core::{Claim, Entry, FutureName, Permissions, Request, Start, Store, Wait};
use tempfile::TempDir;

/// A store in a folder of its own.
fn store() -> (TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let (store, _) = Store::init(&place.path().join("store"), Permissions::Private).unwrap();
    (place, store)
}

fn name(text: &str) -> FutureName {
    text.parse().unwrap()
}

/// A finished future with that start, status and log.
fn finished(store: &Store, future: &str, start: i64, rc: i32, run_time: i64, log: &str) {
    let text = format!("[job]\ncommand = x\nstart_time = {start}\nrun_time = {run_time}\nrc = {rc}\n");
    fs::write(store.dir().join(format!("{future}.ini")), text).unwrap();
    // As a start does it: an earlier log keeps its content.
    let path = store.log_path(&name(future));
    let _ = fs::remove_file(&path);
    fs::write(path, log).unwrap();
}

fn collect(store: &Store, future: &str) {
    let name = name(future);
    let Claim::Ready(ready) = store.claim(&name).unwrap() else { panic!("it is over") };
    let outcome = ready.outcome(None);
    ready.archive(&async_core::Caller::Program, Wait::none(), &outcome).unwrap();
}

fn init(store: &Store, keep: usize) {
    Store::init_keeping(store.dir(), Permissions::Private, keep, &async_core::Caller::Program).unwrap();
}

fn text(earlier: &Entry) -> String {
    let mut text = String::new();
    earlier.open_log().unwrap().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The logs of a future's earlier runs, newest first.
fn logs(store: &Store, future: &str) -> Vec<String> {
    store.earlier(&name(future)).unwrap().iter().map(text).collect()
}

fn starts(store: &Store) -> Vec<i64> {
    store.past_runs().unwrap().iter().map(|run| run.started).collect()
}

#[test]
fn each_future_of_a_name_keeps_its_log_whatever_the_name_looks_like() {
    let (_place, store) = store();
    for future in ["t", "t.1", "t.1-2", "-", "a b"] {
        for (start, log) in [(100, "first"), (200, "second"), (150, "after the clock stepped back")] {
            finished(&store, future, start, 0, 1, log);
            collect(&store, future);
        }
        assert_eq!(logs(&store, future), ["second", "after the clock stepped back", "first"], "{future}");
    }
}

#[test]
fn futures_of_one_name_and_start_keep_their_own_records_and_logs() {
    let (_place, store) = store();
    for (rc, log) in [(1, "first"), (2, "second"), (3, "third")] {
        finished(&store, "t", 100, rc, 1, log);
        collect(&store, "t");
    }
    let found: Vec<_> =
        store.earlier(&name("t")).unwrap().iter().map(|earlier| (earlier.record.rc, text(earlier))).collect();
    assert_eq!(found, [(Some(3), "third".into()), (Some(2), "second".into()), (Some(1), "first".into())]);

    // One that is still there is another one, as its process is.
    finished(&store, "t", 100, 4, 1, "not collected");
    let record = fs::OpenOptions::new().append(true).open(store.record_path(&name("t")));
    record.unwrap().write_all(b"pid = 7\n").unwrap();
    let (run, _) = Run::of_store(&store).unwrap();
    let mut reported: Vec<_> = run
        .tasks
        .iter()
        .map(|task| (task.status.rc, fs::read_to_string(task.log.as_ref().unwrap().path()).unwrap()))
        .collect();
    reported.sort();
    let wanted = [(1, "first"), (2, "second"), (3, "third"), (4, "not collected")];
    assert_eq!(reported, wanted.map(|(rc, log)| (Some(rc), log.to_owned())));
}

#[test]
fn a_log_is_not_kept_beside_the_record_of_another_future() {
    let (_place, store) = store();
    // One that ran in the shell itself has no log.
    let without = "[job]\ncommand = x\nstart_time = 100\nlog = none\nrc = 9\n";
    fs::write(store.dir().join(".collected/t.100.ini"), without).unwrap();
    // And this log is left of a record that somebody has removed.
    fs::write(store.dir().join(".collected/t.100-1.log"), "stray").unwrap();
    finished(&store, "t", 100, 3, 1, "mine");
    collect(&store, "t");
    let found = store.earlier(&name("t")).unwrap();
    assert_eq!(found.iter().map(|earlier| earlier.record.rc).collect::<Vec<_>>(), [Some(3), Some(9)]);
    assert_eq!(text(&found[0]), "mine");
    assert_eq!(found[1].log, None);
    assert_eq!(fs::read_to_string(store.dir().join("t.log")).unwrap(), "mine");
}

#[test]
fn who_was_stopped_after_the_log_was_kept_is_followed_by_one_who_finds_it_so() {
    let (_place, store) = store();
    finished(&store, "t", 100, 3, 1, "mine");
    fs::hard_link(store.dir().join("t.log"), store.dir().join(".collected/t.100.log")).unwrap();
    collect(&store, "t");
    assert_eq!(logs(&store, "t"), ["mine"]);
    assert!(store.dir().join(".collected/t.100.ini").exists());
}

#[test]
fn where_there_are_no_links_the_newest_log_is_found_in_its_first_place() {
    let (_place, store) = store();
    for (start, log) in [(100, "first"), (200, "second")] {
        finished(&store, "t", start, 0, 1, log);
        collect(&store, "t");
        fs::remove_file(store.dir().join(format!(".collected/t.{start}.log"))).unwrap();
    }
    let found = store.earlier(&name("t")).unwrap();
    assert_eq!((text(&found[0]).as_str(), &found[1].log), ("second", &None));
    // Then the name is used again.
    finished(&store, "t", 300, 0, 1, "third");
    assert_eq!(store.earlier(&name("t")).unwrap()[0].log, None);
}

#[test]
fn an_init_keeps_the_newest_runs_and_what_was_never_collected() {
    let (_place, store) = store();
    for start in [100, 200, 300, 400] {
        finished(&store, "t", start, 0, 1, &format!("log {start}"));
        collect(&store, "t");
        finished(&store, "left", start + 5, 4, 1, "nobody waited");
        init(&store, 2);
        assert_eq!(store.collected().unwrap(), []);
        assert!(!store.log_path(&name("t")).exists());
    }
    assert_eq!(starts(&store), [400, 300]);
    assert_eq!(logs(&store, "t"), ["log 400", "log 300"]);
    assert_eq!(logs(&store, "left"), ["nobody waited", "nobody waited"]);
    let futures = store.past_runs().unwrap()[0].futures().unwrap();
    let seen: Vec<_> = futures.iter().map(|(name, record)| (name.as_str(), record.rc)).collect();
    assert_eq!(seen, [("t", Some(0)), ("left", Some(4))]);
}

#[test]
fn a_run_without_futures_is_none_and_pushes_none_out() {
    let (_place, store) = store();
    finished(&store, "t", 100, 0, 1, "log");
    for _ in 0..3 {
        init(&store, 1);
    }
    assert_eq!(starts(&store), [100]);
}

#[test]
fn two_runs_of_one_start_are_both_kept() {
    let (_place, store) = store();
    for log in ["first", "second"] {
        finished(&store, "t", 100, 0, 1, log);
        init(&store, 5);
    }
    assert_eq!(starts(&store), [100, 100]);
    assert_eq!(logs(&store, "t").len(), 2);
}

#[test]
fn to_keep_no_runs_is_to_remove_all_of_them() {
    let (_place, store) = store();
    finished(&store, "t", 100, 0, 1, "log");
    init(&store, 5);
    finished(&store, "t", 200, 0, 1, "log");
    collect(&store, "t");
    finished(&store, "t", 300, 0, 1, "log");
    init(&store, 0);
    assert_eq!((starts(&store), logs(&store, "t")), (vec![], vec![]));
}

#[test]
fn a_store_with_nothing_but_earlier_runs_is_a_store() {
    let (_place, store) = store();
    finished(&store, "t", 100, 0, 1, "log");
    init(&store, 5);
    // As it is when an init is cut short.
    fs::remove_dir(store.dir().join(".collected")).unwrap();
    File::create(store.dir().join("notes.txt")).unwrap();
    init(&store, 5);
    assert_eq!(starts(&store), [100]);
}

#[test]
fn what_is_no_run_is_left_alone() {
    let (_place, store) = store();
    let strange = store.dir().join(".runs/mine");
    fs::create_dir_all(&strange).unwrap();
    init(&store, 0);
    assert!(Path::new(&strange).exists());
}

#[test]
fn the_usual_run_time_is_the_median_of_the_successful_ones() {
    let (_place, store) = store();
    assert_eq!(store.usual_run_time(&name("t")), None);
    for (start, rc, run_time) in [(1, 0, 900), (2, 1, 5), (3, 0, 1000), (4, 0, 60_000), (5, 137, 5)] {
        finished(&store, "t", start, rc, run_time, "");
        if start % 2 == 0 {
            init(&store, 9);
        } else {
            collect(&store, "t");
        }
    }
    assert_eq!(store.usual_run_time(&name("t")), Some(1000));
    // Of two in the middle it is the shorter one, as in comparisons.
    finished(&store, "t", 6, 0, 800, "");
    collect(&store, "t");
    assert_eq!(store.usual_run_time(&name("t")), Some(900));
    // The newest ones count.
    for start in 100..130 {
        finished(&store, "t", start, 0, 70, "");
        collect(&store, "t");
    }
    assert_eq!(store.usual_run_time(&name("t")), Some(70));
    assert_eq!(store.usual_run_time(&name("other")), None);
}

#[test]
fn a_record_and_its_log_are_of_one_run_whoever_makes_another_meanwhile() {
    const FUTURES: usize = 300;
    let (place, store) = store();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    init(&store, usize::MAX);
                }
            });
        }
        for _ in 0..FUTURES {
            let started = store.begin(&name("t"), &Request::new(&[]), Start::OnRecord).unwrap();
            store.finish(&name("t"), 0).unwrap();
            drop(started);
            // An init may be faster.
            if let Claim::Ready(ready) = store.claim(&name("t")).unwrap() {
                let outcome = ready.outcome(None);
                ready.archive(&async_core::Caller::Program, Wait::none(), &outcome).unwrap();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    init(&store, usize::MAX);
    let entries = |dir: &Path| -> Vec<_> { fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect() };
    let files = entries(&place.path().join("store/.runs")).into_iter().flat_map(|run| entries(&run));
    let records = files.filter(|path| path.extension().is_some_and(|extension| extension == "ini"));
    let (with, without): (Vec<_>, Vec<_>) = records.partition(|path| path.with_extension("log").exists());
    assert!(without.is_empty(), "{} have one, and none is beside {without:#?}", with.len());
    assert_eq!(with.len(), FUTURES);
}
