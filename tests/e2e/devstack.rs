//! In a real devstack checkout, if `$DEVSTACK_DIR` names one.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use async_tests::shell::{Finished, Sandbox};
use async_tests::tools::skip_even_in_ci;
use async_tests::{here, root};

/// Runs a script with a copy of the checkout as its `$TOP_DIR`, with our file in place of devstack's own as
/// docs/devstack.md says, and without variables that say how tasks run. None without a checkout.
fn in_checkout(script: &str) -> Option<Finished> {
    let Some(devstack) = std::env::var_os("DEVSTACK_DIR").map(PathBuf::from) else {
        // Not every gate can fetch one.
        skip_even_in_ci("DEVSTACK_DIR names no devstack checkout: git clone https://opendev.org/openstack/devstack");
        return None;
    };
    let sandbox = Sandbox::default();
    let copy = sandbox.path("devstack");
    let copied = Command::new("cp").arg("-r").arg(&devstack).arg(&copy).status().unwrap();
    assert!(copied.success());
    fs::copy(root().join("async-bash-shim/inc/async"), copy.join("inc/async")).unwrap();
    Some(sandbox.run(&format!("unset DEVSTACK_PARALLEL; TOP_DIR=$TMPDIR/devstack\n{script}")))
}

/// devstack's own `functions` sources our `inc/async` in place of its own, with no other change.
#[test]
fn devstacks_functions_source_our_file() {
    let script = r#"set -o errexit
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
        echo "the end""#;
    let Some(finished) = in_checkout(script) else { return };
    finished
        .exits(0)
        .says("installing role\n")
        .says("Not waiting for async task ks-domain that we never started")
        .says("finished install_it with result 0 in 0 seconds")
        .says(" Async summary\n")
        .says("waits: ")
        .says("the end\n");
}

/// devstack's own functions that create accounts, called like its stack.sh calls them: the first role is added while
/// something else happens, and then waited for.
#[test]
fn devstacks_accounts_are_created_in_parallel() {
    let script = format!("source '{}'", here().join("support/devstack_accounts.bash").display());
    let Some(finished) = in_checkout(&script) else { return };
    finished
        .exits(0)
        .says("]: running: get_or_add_user_domain_role admin id default\n")
        .says("]: finished create_nova_accounts with result 0 in ")
        .says("]: finished create_glance_accounts with result 0 in ")
        .says("]: finished create_cinder_accounts with result 0 in ")
        .says(" Async summary\n")
        .says("DEVSTACK_PARALLEL is True\n")
        .lacks("Running synchronously")
        .lacks("alone: ");
}
