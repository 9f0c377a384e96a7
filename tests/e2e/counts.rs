//! What a future costs, counted and not timed: processes, and the system calls of the program and of all of them.
//!
//! The number of processes is the same in each run and everywhere. The number of system calls differs a little, with
//! the versions of bash and of the C library and with the timing; bash reads an answer byte by byte, so on a busy
//! machine each further digit of a time is one more call. The bounds leave room for that, but not for a listing of the
//! store or another start.

use std::fs;

use async_bash_shim::{Options, Profile, render};
use async_core::{Claim, FutureName, Permissions, Request, Start, Store, Wait};
use async_tests::counting::{Count, Trace};
use async_tests::shell::Sandbox;
use async_tests::tools::is_there;

/// The largest allowed counts: processes started, programs executed, and system calls, including those of loaders and
/// runtimes. So a future takes 3 processes and 2 programs, and one more of each if somebody waits for it before its
/// end. The bytes of the store's path are added to what `TASK` has: bash reads them one at a time. A program that is not
/// static, as here, also loads the C library's mathematics, which indicatif uses.
const RUN: Count = Count { processes: 1, programs: 0, calls: 235 };
const TASK: Count = Count { processes: 1, programs: 1, calls: 388 };
const WAIT: Count = Count { processes: 1, programs: 1, calls: 383 };
const WAIT_WHILE_RUNNING: Count = Count { processes: 2, programs: 2, calls: 742 };

/// The most system calls that the program may make in its own code. `collect` runs twice if the task is still running
/// at first. Each used subdirectory of the store is opened, checked and closed. Seven calls of a supervisor look for pipes
/// that a reader of the script would wait for.
const SUPERVISE: usize = 103;
const COLLECT: usize = 64;
const COLLECT_WHILE_RUNNING: [usize; 2] = [35, 58];

/// How many calls each component of the store's path adds, whenever the program starts: the component is opened,
/// checked and closed. With debug assertions, the library checks before each close whether the descriptor is open.
const COMPONENT: usize = if cfg!(debug_assertions) { 4 } else { 3 };

/// The task is over before the wait.
const FINISHED: &str = "
ASYNC_QUIET=${quiet-}
function task { :; }
mark run
async_run t task
mark ran
wait $!
mark wait
async_wait t
mark waited
";

/// The task ends after `async_wait` has printed its waiting line.
const RUNNING: &str = "
ASYNC_QUIET=${quiet-}
function task { read -r <go; }
async_run t task
mark wait
async_wait t
mark waited
";

/// The state of the other futures in the store.
#[derive(Clone, Copy, Debug)]
enum Others {
    Running,
    Over,
    Collected,
}

/// Runs a script with the functions of the standalone profile.
fn trace(sandbox: &Sandbox, script: &str) -> Trace {
    let shim = sandbox.path("shim");
    fs::write(&shim, render(&Options::of(Profile::Standalone))).expect("a file");
    let go = sandbox.path("cwd/go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let script = format!("source {}\nfunction mark {{ [[ ! -e /$1 ]]; }}\n{script}", shim.display());
    Trace::of(sandbox, &script, |line| {
        if line.contains("Waiting for completion") && script.contains("<go") {
            fs::write(&go, "\n").expect("a reader");
        }
    })
}

/// Whether it is a call of a supervisor that waits: it may or may not be asleep when its task ends.
fn is_of_a_sleep(name: &str) -> bool {
    matches!(name, "read" | "ppoll" | "wait4" | "getppid")
}

fn with_store(others: usize, state: Others) -> Sandbox {
    let sandbox = Sandbox::default();
    let (store, _) = Store::init(&sandbox.store(), Permissions::Private).expect("a store");
    for number in 0..others {
        let name: FutureName = format!("other{number}").parse().expect("a name");
        let request = [name.as_str().into()];
        store.begin(&name, &Request::new(&request), Start::InProcess(std::process::id())).expect("a future");
        fs::write(store.log_path(&name), "").expect("its log");
        if !matches!(state, Others::Running) {
            store.finish(&name, 0).expect("an end");
        }
        if matches!(state, Others::Collected)
            && let Claim::Ready(ready) = store.claim(&name).expect("a future")
        {
            let outcome = ready.outcome(None);
            ready.archive(&async_core::Caller::Program, Wait::none(), &outcome).expect("it is collected");
        }
    }
    // Something foreign to the store made the logs, after which one process has to count again.
    assert_eq!(store.live_count().expect("a number"), if matches!(state, Others::Collected) { 0 } else { others });
    sandbox
}

#[test]
fn processes_and_system_calls_are_within_their_bounds() {
    if !is_there("strace") {
        return;
    }
    let sandboxes = [Sandbox::default(), Sandbox::default()];
    let store = sandboxes[0].store();
    let way = COMPONENT * store.components().count();
    let task = Count { calls: TASK.calls + store.as_os_str().len(), ..TASK };
    // At the first call of the program the shell searches for it.
    let [finished, running] = [(&sandboxes[0], FINISHED), (&sandboxes[1], RUNNING)]
        .map(|(sandbox, script)| trace(sandbox, &format!("async_init{script}")));
    let mut complaints = Vec::new();
    for (what, found, most) in [
        ("async_run", finished.between("run", "ran"), RUN),
        ("a task and its end", finished.of_task(), task),
        ("async_wait", finished.between("wait", "waited"), WAIT),
        ("async_wait of a running task", running.between("wait", "waited"), WAIT_WHILE_RUNNING),
    ] {
        let most = Count { calls: most.calls + most.programs * way, ..most };
        println!("{what}: {found:?}");
        let same = (found.processes, found.programs) == (most.processes, most.programs);
        if !same || found.calls > most.calls {
            complaints.push(format!("{what}: {found:?}, and may be {most:?}"));
        }
    }
    for (command, trace, most) in [
        ("supervise", &finished, &[SUPERVISE][..]),
        ("collect", &finished, &[COLLECT]),
        ("collect", &running, &COLLECT_WHILE_RUNNING),
    ] {
        let runs = trace.of_command(command);
        let found: Vec<usize> = runs.iter().map(Vec::len).collect();
        let most: Vec<usize> = most.iter().map(|most| most + way).collect();
        println!("{command}: {found:?}");
        if found.len() != most.len() || found.iter().zip(&most).any(|(found, most)| found > most) {
            complaints.push(format!("{command}: {found:?} system calls, and may be {most:?}: {runs:#?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
#[ignore = "in the full set"]
fn other_futures_in_the_store_cost_nothing() {
    if !is_there("strace") {
        return;
    }
    let mut complaints = Vec::new();
    for state in [Others::Running, Others::Over, Others::Collected] {
        // Counting the other running futures reads a hundred of them, and the list of all.
        for (script, quiet, commands, few, many) in [
            (FINISHED, "yes", &["supervise", "collect"][..], 10, 1000),
            (FINISHED, "no", &["supervise", "collect"], 200, 1000),
            (RUNNING, "no", &["collect"], 200, 1000),
        ] {
            let script = format!("quiet={quiet}\n{script}");
            let [few, many] = [few, many].map(|others| trace(&with_store(others, state), &script));
            for command in commands {
                let [mut few, mut many] = [&few, &many].map(|trace| trace.of_command(command));
                if *command == "supervise" {
                    few.iter_mut().chain(&mut many).for_each(|calls| calls.retain(|name| !is_of_a_sleep(name)));
                }
                if quiet == "no" {
                    few.iter_mut().chain(&mut many).for_each(|calls| calls.retain(|name| name != "getdents64"));
                }
                if few != many {
                    complaints.push(format!("{command}, others {state:?}: few: {few:?}\nmany: {many:?}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
#[ignore = "in the full set"]
fn a_task_for_which_a_sample_was_due_counts_like_a_shorter_one() {
    if !is_there("strace") {
        return;
    }
    let longer = FINISHED.replace("{ :; }", "{ read -r -t 0.25 <>go; :; }");
    let [short, long] = [FINISHED, &longer].map(|script| {
        let calls = trace(&with_store(200, Others::Over), script).of_command("supervise").concat();
        calls.into_iter().filter(|name| !is_of_a_sleep(name)).collect::<Vec<_>>()
    });
    assert_eq!(short, long);
}

#[test]
fn a_list_opens_each_record_looks_whether_it_is_a_file_and_reads_it() {
    if !is_there("strace") {
        return;
    }
    let calls_for = |futures: usize| {
        let trace = trace(&with_store(futures, Others::Over), "async status >/dev/null");
        trace.of_command("status").first().map(Vec::len).expect("a list")
    };
    let [few, many] = [10, 110].map(calls_for);
    // And closes it. The names come in a few batches.
    assert!(many - few <= 100 * (COMPONENT + 1) + 10, "{few} system calls for 10 futures, {many} for 110");
}

#[test]
fn other_processes_cost_a_cancel_nothing() {
    if !is_there("strace") {
        return;
    }
    let calls_among = |others: usize| {
        let script = format!(
            "async_init
            others=()
            for ((i = 0; i < {others}; i++)); do sleep 1000 & others+=($!); done
            async_run t sleep 1000
            async cancel --quiet t
            kill \"${{others[@]}}\""
        );
        // It may need more than one signal, and reads its record each time.
        trace(&Sandbox::default(), &script).calls_with("supervise", "\"/proc/")
    };
    let [few, many] = [1, 200].map(calls_among);
    // It may have to look at its tree again.
    assert!(0 < few && many < few + 100, "{few} looks of the supervisor at processes among few, {many} among many");
}

#[test]
fn a_long_grace_costs_a_cancel_nothing() {
    if !is_there("strace") {
        return;
    }
    let looks_within = |grace: &str| {
        let script = format!(
            "async_init
            function deaf {{ trap '' TERM; echo >deaf; sleep 1000; }}
            async_run t deaf
            until [[ -e deaf ]]; do sleep 0.01; done
            async cancel --quiet --grace {grace} t"
        );
        trace(&Sandbox::default(), &script).calls_with("supervise", "\"/proc/")
    };
    let [short, long] = ["0", "3s"].map(looks_within);
    assert!(0 < short && long < short + 30, "{short} looks at processes without a grace, {long} in 3 s");
}

#[test]
fn a_cancel_of_many_without_supervisors_looks_for_what_is_left_of_all_at_once() {
    if !is_there("strace") {
        return;
    }
    let looks_among = |futures: usize| {
        let script = format!(
            "async_init
            for ((i = 0; i < {futures}; i++)); do async run t$i -- sleep 1000; done
            for ((i = 0; i < {futures}; i++)); do kill -KILL \"$(async pid t$i)\"; done
            stopped=$(async cancel --all 2>&1)
            [[ $(grep -c 'stopped without its supervisor: 1 process terminated$' <<<\"$stopped\") == {futures} ]]"
        );
        trace(&Sandbox::default(), &script).calls_with("cancel", "\"/proc\"")
    };
    let [few, many] = [1, 6].map(looks_among);
    // Not all of them end at once.
    assert!(0 < few && many < few + 12, "{few} looks at all processes for one future, {many} for six");
}
