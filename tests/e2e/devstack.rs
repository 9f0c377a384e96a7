//! In a real devstack checkout, where `$DEVSTACK_DIR` names one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use async_tests::root;
use async_tests::shell::Sandbox;

/// devstack's own `functions` sources our `inc/async` in place of its own, and nothing else is changed.
#[test]
fn devstacks_functions_source_our_file() {
    let Some(devstack) = std::env::var_os("DEVSTACK_DIR").map(PathBuf::from) else {
        eprintln!("skipped: DEVSTACK_DIR does not name a devstack checkout");
        return;
    };
    let sandbox = Sandbox::default();
    let copy = sandbox.path("devstack");
    let copied = Command::new("cp").arg("-r").arg(&devstack).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::copy(root().join("async-bash-shim/inc/async"), copy.join("inc/async")).unwrap();

    let finished = sandbox.run(
        r#"set -o errexit
        TOP_DIR=$TMPDIR/devstack
        source "$TOP_DIR/functions"
        async_init
        function install_it { echo "installing $*"; }
        async_run ks-role install_it role
        async_runfunc install_it
        async_wait ks-{role,domain}
        async_wait install_it
        async_cleanup
        async_print_timing
        echo "waits: ${_TIME_TOTAL[async_wait]}"
        echo "the end""#,
    );
    assert_eq!(finished.status, 0, "{finished:?}");
    for wanted in [
        "installing role\n",
        "Not waiting for async task ks-domain that we never started",
        "finished install_it with result 0 in 0 seconds",
        " Async summary\n",
        "waits: ",
        "the end\n",
    ] {
        assert!(finished.stdout.contains(wanted), "{wanted}: {finished:?}");
    }
}
