//! What is on the disk when a process is killed between two of its steps, and what the next one makes of it.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use async_core::{Claim, FutureName, Permissions, Request, Start, Store, Wait};
use tempfile::TempDir;

struct Place {
    _temp: TempDir,
    dir: PathBuf,
    store: Store,
    name: FutureName,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dir = temp.path().join("store");
        let (store, _) = Store::init(&dir, Permissions::Private).expect("a store");
        Self { _temp: temp, dir, store, name: "t".parse().expect("a name") }
    }

    /// Starts a future whose life ends with the file that is given back.
    fn begin(&self) -> async_core::Result<File> {
        Ok(self.store.begin(&self.name, &Request::new(&["x".into()]), Start::OnRecord)?.record)
    }

    /// The log as the next waiter gets it.
    fn log(&self) -> Option<String> {
        let Claim::Ready(mut ready) = self.store.claim(&self.name).expect("a claim") else {
            panic!("it is not there");
        };
        ready.log().expect("a log").map(|mut log| {
            let mut text = String::new();
            log.read_to_string(&mut text).expect("text");
            text
        })
    }

    fn record(&self) -> PathBuf {
        self.dir.join("t.ini")
    }

    fn start_time(&self) -> i64 {
        self.store.read(&self.name).expect("a record").map_or(0, |record| record.start_time)
    }
}

#[test]
fn init_takes_a_directory_where_another_init_and_a_start_were_cut_short() {
    let place = Place::new();
    fs::remove_dir(place.dir.join(".collected")).unwrap();
    let left = ["new.4194305.0", "new.4194305.1"].map(|name| place.dir.join(".starting").join(name));
    for path in &left {
        fs::write(path, "").unwrap();
    }
    Store::init(&place.dir, Permissions::Private).unwrap();
    assert!(left.iter().all(|path| !path.exists()));
}

#[test]
fn a_start_that_was_cut_before_it_made_a_log_does_not_get_the_log_of_an_earlier_one() {
    let place = Place::new();
    drop(place.begin().unwrap());
    fs::write(place.store.log_path(&place.name), "mine\n").unwrap();
    assert_eq!(place.log().unwrap(), "mine\n");
    // As it is until the log is made.
    let record = fs::read_to_string(place.record()).unwrap();
    fs::write(place.record(), record.replace("log = own\n", "")).unwrap();
    fs::write(place.store.log_path(&place.name), "of an earlier one\n").unwrap();
    assert_eq!(place.log(), None);
    // Nor does it take it away.
    let started = place.start_time();
    drop(place.begin().unwrap());
    assert!(place.dir.join(format!(".collected/t.{started}.ini")).exists());
    assert!(!place.dir.join(format!(".collected/t.{started}.log")).exists());
}

#[test]
fn a_future_that_makes_room_keeps_its_log_even_if_that_is_cut_short() {
    let place = Place::new();
    drop(place.begin().unwrap());
    fs::write(place.store.log_path(&place.name), "mine\n").unwrap();
    let kept = place.dir.join(format!(".collected/t.{}.log", place.start_time()));
    // This is how it stands after the log and before the record.
    fs::rename(place.store.log_path(&place.name), &kept).unwrap();
    assert_eq!(place.log().unwrap(), "mine\n");
    drop(place.begin().unwrap());
    assert_eq!(fs::read_to_string(&kept).unwrap(), "mine\n");
    assert!(kept.with_extension("ini").exists());
}

#[test]
fn a_status_that_is_not_the_tasks_is_not_taken_for_it() {
    let place = Place::new();
    drop(place.begin().unwrap());
    let Claim::Ready(ready) = place.store.claim(&place.name).unwrap() else {
        panic!("it is not there");
    };
    // The program that was to record the end failed at that.
    assert_eq!(ready.outcome(Some(125)).rc, None);
    let killed = ready.outcome(Some(137));
    assert_eq!((killed.rc, killed.lost), (Some(137), true));
    ready.archive(&async_core::Caller::Program, Wait::none(), &killed).unwrap();
}

#[test]
fn who_gives_up_a_start_leaves_a_later_future_of_the_name_alone() {
    let place = Place::new();
    let argv = ["x".into()];
    let request = Request::new(&argv);
    let first = place.store.begin(&place.name, &request, Start::OnRecord).expect("it begins");
    let id = first.id;
    // From now on nobody holds its life, and somebody else is faster.
    drop(first);
    let second = place.begin().expect("it begins");
    place.store.abandon(&place.name, id);
    place.store.finish(&place.name, 3).expect("its record is there");
    drop(second);
    assert_eq!(place.store.read(&place.name).expect("a record").and_then(|record| record.rc), Some(3));
}
