//! The number of live futures stays right, however the store changes.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use async_core::{Claim, FutureName, Permissions, RecordId, Request, Start, Store, Wait};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use proptest::prelude::*;
use tempfile::TempDir;

struct Place {
    _temp: TempDir,
    dir: PathBuf,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let dir = temp.path().join("store");
        let (store, _) = Store::init(&dir, Permissions::Private).expect("a store");
        Self { _temp: temp, dir, store }
    }

    fn counts(&self) -> (usize, usize) {
        (self.store.live_count().expect("a number"), self.store.names().expect("the names").len())
    }

    /// What a stranger to the store does, in a later step of the clock by which the kernel tells the times of changes: on
    /// an older one that has steps of some ms.
    fn strangely(&self, change: impl FnOnce()) {
        let stamp = |dir: &Path| fs::metadata(dir).map(|metadata| (metadata.ctime(), metadata.ctime_nsec())).ok();
        let before = stamp(&self.dir);
        while stamp(&self.dir) == before {
            fs::write(self.dir.join("strange"), "").expect("a file");
            fs::remove_file(self.dir.join("strange")).expect("the same file");
        }
        change();
    }
}

fn begin(store: &Store, name: &FutureName) {
    // One of that name may run.
    let _ = store.begin(name, &Request::new(&["x".into()]), Start::OnRecord);
}

fn collect(store: &Store, name: &FutureName) {
    if let Claim::Ready(ready) = store.claim(name).expect("a look") {
        let outcome = ready.outcome(None);
        ready.archive(&async_core::Caller::Program, Wait::none(), &outcome).expect("it is collected");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Collect,
    Abandon,
    Init,
    Ask,
    StrangeRecord,
    StrangeRemoval,
    Garbage,
    NoNumber,
    LinkForNumber,
    FolderForNumber,
}

fn take(place: &Place, step: Step, name: &FutureName) {
    let path = place.dir.join(format!("{name}.ini"));
    let number = place.dir.join(".count");
    let clear = || {
        let _ = fs::remove_file(&number).or_else(|_| fs::remove_dir(&number));
    };
    match step {
        Step::Begin => begin(&place.store, name),
        Step::Collect => collect(&place.store, name),
        Step::Abandon => {
            if let Ok(record) = fs::File::open(&path) {
                place.store.abandon(name, RecordId::of(&record).expect("a record"));
            }
        }
        Step::Init => drop(Store::init(&place.dir, Permissions::Private).expect("a store")),
        Step::Ask => drop(place.counts()),
        Step::StrangeRecord => place.strangely(|| {
            fs::write(&path, "[job]\ncommand = x\nstart_time = 5\n").expect("a record");
        }),
        Step::StrangeRemoval => place.strangely(|| {
            let _ = fs::remove_file(&path);
        }),
        Step::Garbage => {
            clear();
            fs::write(&number, "1\n").expect("garbage");
        }
        Step::NoNumber => clear(),
        Step::LinkForNumber => {
            clear();
            symlink("/dev/full", &number).expect("a link");
        }
        Step::FolderForNumber => {
            clear();
            fs::create_dir(&number).expect("a folder");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_number_is_right_after_any_steps(
        steps in prop::collection::vec(
            (
                prop_oneof![
                    4 => Just(Step::Begin),
                    4 => Just(Step::Collect),
                    1 => Just(Step::Abandon),
                    1 => Just(Step::Init),
                    4 => Just(Step::Ask),
                    1 => Just(Step::StrangeRecord),
                    1 => Just(Step::StrangeRemoval),
                    1 => Just(Step::Garbage),
                    1 => Just(Step::NoNumber),
                    1 => Just(Step::LinkForNumber),
                    1 => Just(Step::FolderForNumber),
                ],
                prop_oneof![Just("a"), Just("b"), Just("c")],
            ),
            1..30,
        ),
    ) {
        let place = Place::new();
        for (step, name) in steps {
            take(&place, step, &name.parse().expect("a name"));
        }
        let (noted, there) = place.counts();
        prop_assert_eq!(noted, there);
    }
}

#[test]
fn many_at_once_keep_the_number_right() {
    let place = Place::new();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &place.store;
            scope.spawn(move || {
                for number in 0..40 {
                    let name = format!("{thread}-{}", number % 8).parse().expect("a name");
                    begin(store, &name);
                    if number % 3 != 0 {
                        collect(store, &name);
                    }
                }
            });
        }
    });
    let (noted, there) = place.counts();
    assert_eq!(noted, there);
    assert!(there > 0);
}

#[test]
fn nobody_waits_for_one_that_was_stopped_while_it_changed_the_number() {
    let place = Place::new();
    let number = place.dir.join(".count");
    let stopped = File::options().read(true).write(true).open(&number).expect("the number");
    let all = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).expect("a small number"),
        l_whence: i16::try_from(libc::SEEK_SET).expect("a small number"),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(stopped.as_fd(), FcntlArg::F_OFD_SETLK(&all)).expect("a lock");
    begin(&place.store, &"t".parse().expect("a name"));
    assert_eq!(place.counts(), (1, 1));
    assert_eq!(stopped.metadata().expect("a file").nlink(), 0, "it has been put aside");
}
