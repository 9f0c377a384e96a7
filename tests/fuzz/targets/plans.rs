//! Plans and queues: the files of a store, with a NUL character between two.
//!
//! The first byte is a limit and a start, the first file is `.queue` from the second byte on, the second one `.slots`, and each of the
//! rest a record: `c` for a collected one, `h` for one whose life and place in the queue are held, or `-` for another;
//! a letter, which is its name; and what it says beside its command.
//!
//! Whatever the files hold, and in whatever circle they lead: everything returns, no more tasks run than the limit says, in
//! the order in which they came, and the run that the records tell of can be done again.

#![no_main]

use std::fs::{self, File};
use std::path::Path;
use std::sync::LazyLock;

use async_core::fuzzing::{self, Running};
use async_core::store::COLLECTED;
use async_core::timing::{Run, Schedule};
use async_core::{FutureName, Permissions, Record, Store};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// More than that only take longer.
const MOST_FUTURES: usize = 12;

/// Where the folder for temporary files is: in memory, if it is run by xtask.
static PLACE: LazyLock<(TempDir, Store)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::init(&folder.path().join("store"), Permissions::Private).expect("a store");
    (folder, store)
});

fuzz_target!(|input: &[u8]| {
    let [limit, files @ ..] = input else { return };
    let (_, store) = &*PLACE;
    let held = set_up(store, files);
    for name in store.names().expect("the names") {
        if let Ok(Some(record)) = store.read(&name) {
            look(store, &name, &record, held.is_empty());
        }
    }
    tell(store);
    drop(held);
    queue(store, u32::from(limit % 4) + 1, limit / 4);
    clear(store);
});

/// Makes the files. Gives those that somebody holds.
fn set_up(store: &Store, files: &[u8]) -> Vec<File> {
    let mut files = files.split(|&byte| byte == 0);
    for name in [".queue", ".slots"] {
        if let Some(text) = files.next().filter(|text| !text.is_empty()) {
            fs::write(store.dir().join(name), text).expect("a file");
        }
    }
    let mut held = Vec::new();
    for file in files.take(MOST_FUTURES) {
        let [kind, letter @ b'a'..=b'z', said @ ..] = file else { continue };
        let name = char::from(*letter);
        let text = [b"[job]\ncommand = x\n", said].concat();
        let Ok(record) = fuzzing::parse(&text) else { continue };
        let path = match kind {
            b'c' => store.dir().join(COLLECTED).join(format!("{name}.{}.ini", record.start_time)),
            _ => store.dir().join(format!("{name}.ini")),
        };
        fs::write(&path, &text).expect("a record");
        if *kind == b'h' {
            held.extend(hold(store, &path, name, &record));
        }
    }
    held
}

/// A record whose future lives, and stands in the queue where its plan has a limit.
fn hold(store: &Store, path: &Path, name: char, record: &Record) -> Option<File> {
    let file = open(path);
    file.try_lock().ok()?;
    if record.plan.as_ref().is_some_and(|plan| plan.jobs.is_some()) {
        let name = name.to_string().parse().expect("a name");
        fuzzing::enter_queue(store, &name, &file, record).expect("it stands in the queue");
    }
    Some(file)
}

fn open(path: &Path) -> File {
    File::options().read(true).append(true).open(path).expect("the record")
}

/// Asks what its supervisor and those who wait for it would ask. It may sleep where nobody holds anything.
fn look(store: &Store, name: &FutureName, record: &Record, may_sleep: bool) {
    let _ = fuzzing::is_cancelled_around(store, record);
    // The names of its plan may be nobody's.
    let _ = fuzzing::dependencies(store, record, may_sleep);
    for other in store.names().expect("the names") {
        let _ = store.donate(name, &other, std::process::id());
    }
    if let Some(place) = fuzzing::recorded_place(record) {
        let _ = fuzzing::run_at_once(store, &place, 1).expect("an answer");
        if may_sleep {
            let _ = fuzzing::run_in_turn(store, place, 1).expect("its turn");
        }
    }
}

/// Takes the run apart and does it again.
fn tell(store: &Store) {
    let Ok((run, _)) = Run::of_store(store) else { return };
    assert!(run.length() >= 0 && run.tasks.iter().all(|task| task.run_time >= 0 && task.start <= task.run_start));
    let Ok(schedule) = Schedule::of(&run) else { return };
    let replay = schedule.replay().expect("what was taken apart can be done again");
    assert_eq!(replay.total, run.length(), "{run:?}");
    let path = schedule.critical_path(&replay);
    let gapless = path.windows(2).all(|two| two[0].end == two[1].start);
    let whole =
        path.first().is_none_or(|first| first.start == 0) && path.last().is_none_or(|last| last.end == replay.total);
    assert!(gapless && whole && path.is_empty() == (replay.total == 0), "{path:?} of {run:?}");
    assert!(schedule.bound() <= replay.total, "{run:?}");
    let _ = schedule.advice(&replay);
}

/// Lets new futures into the queue that the files describe, one after the other.
fn queue(store: &Store, limit: u32, start: u8) {
    let mut entered = Vec::new();
    for letter in ['p', 'q', 'r', 's', 't', 'u'] {
        let name: FutureName = letter.to_string().parse().expect("a name");
        let path = store.dir().join(format!("{name}.ini"));
        let text = format!("[job]\ncommand = x\nstart_time = {start}\nplan = {{\"jobs\":{limit}}}\n");
        fs::write(&path, text).expect("a record");
        let (file, record) = (open(&path), store.read(&name).expect("the record").expect("a record"));
        let place = fuzzing::enter_queue(store, &name, &file, &record).expect("it stands in the queue");
        entered.push((file, place));
    }
    let mut running: Vec<Running> = Vec::new();
    while !entered.is_empty() {
        for (number, (_, place)) in entered.iter().enumerate().rev().filter(|(number, _)| *number > 0) {
            let early = fuzzing::run_at_once(store, place, limit).expect("an answer");
            assert!(early.is_none(), "it is not the turn of number {number}");
        }
        let (file, place) = entered.remove(0);
        let slot = fuzzing::run_at_once(store, &place, limit).expect("an answer");
        let free = running.len() < limit as usize;
        assert_eq!(slot.is_some(), free, "{} of {limit} run", running.len());
        running.extend(slot);
        fuzzing::leave_queue(&file);
    }
}

fn clear(store: &Store) {
    for folder in [store.dir().to_owned(), store.dir().join(COLLECTED)] {
        for entry in fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                fs::remove_file(path).expect("it is removed");
            }
        }
    }
}
