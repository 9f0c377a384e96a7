//! The user's variables that share the functions' names, or mean something to bash.

use std::collections::BTreeSet;

use async_tests::shell::{Sandbox, bashes};
use async_tests::strace::in_parallel;
use regex::Regex;

use super::probe::{Outcome, Probe, in_each, shim, sourced, try_all};

/// A value that leaves a mark if bash ever evaluates it as arithmetic.
const EVIL: &str = r#"'a[$(>>"$root/called")0]'"#;

/// Every word in the functions' text that may be one of their variables.
fn names(profile: &str) -> BTreeSet<String> {
    let code = || shim(profile).lines().filter(|line| !line.trim_start().starts_with('#'));
    let name = Regex::new(r"\b(_async_|_ASYNC_|async_|ASYNC_)\w+").unwrap();
    let functions: BTreeSet<&str> =
        code().filter_map(|line| line.strip_prefix("function ")?.split(' ').next()).collect();
    let names = code().flat_map(|line| name.find_iter(line)).map(|found| found.as_str());
    names.filter(|name| !functions.contains(name)).map(str::to_owned).collect()
}

/// The variables that are local to a function.
fn locals(profile: &str) -> Vec<String> {
    names(profile).into_iter().filter(|name| name.starts_with("_async_")).collect()
}

#[test]
fn a_read_only_variable_of_the_functions_is_refused_or_does_no_harm() {
    try_all(|profile| {
        let probe = |name: &String| {
            Probe::new(format!("{name} is read-only"), Outcome::RightOrRefused).after(format!("readonly {name}"))
        };
        names(profile).iter().map(probe).collect()
    });
}

#[test]
fn a_read_only_variable_of_bash_does_no_harm() {
    try_all(|_| {
        [
            "IFS",
            "IFS=:",
            "TMOUT=1",
            "REPLY=x",
            "PS4='+ '",
            "BASH_ENV=/dev/null",
            "PATH",
            "OPTIND",
            "PWD",
            "_TIME_BEGIN=1",
        ]
        .iter()
        .map(|name| Probe::new(format!("readonly {name}"), Outcome::Right).after(format!("readonly {name}")))
        .collect()
    });
}

/// Gives a variable of that name an attribute, or a value that locals of the name inherit.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("-i", "declare -i NAME; NAME=7"),
    ("-n", "declare -n NAME=users"),
    ("-u", "declare -u NAME; NAME=text"),
    ("-a", "declare -a NAME; NAME=(x y)"),
    ("-A", "declare -A NAME; NAME=([x]=y)"),
    ("an evil value", "NAME=EVIL"),
];

fn inherited<'a>(what: &str, attribute: &str, names: impl IntoIterator<Item = &'a String>) -> Probe {
    // In bash 5.0 and later.
    let mut text = "shopt -s localvar_inherit 2>/dev/null; users=kept\n".to_owned();
    for name in names {
        text += &attribute.replace("NAME", name).replace("EVIL", EVIL);
        text.push('\n');
    }
    Probe::new(what, Outcome::RightOrRefused).after(text)
}

#[test]
fn attributes_that_locals_inherit_change_no_status_and_evaluate_nothing() {
    try_all(|profile| {
        let names = locals(profile);
        let probe = |(what, text): &(&str, &str)| inherited(&format!("all names with {what}"), text, &names);
        ATTRIBUTES.iter().map(probe).collect()
    });
}

#[test]
#[ignore = "in the full set"]
fn an_attribute_of_one_variable_changes_no_status_and_evaluates_nothing() {
    // All names under the first bash only: there are many.
    let bash = &bashes()[0];
    let cases: Vec<Probe> = locals("standalone")
        .iter()
        .flat_map(|name| {
            ATTRIBUTES.iter().map(move |(what, text)| inherited(&format!("{name} with {what}"), text, [name]))
        })
        .collect();
    let complaints = in_parallel(&cases, |probe| probe.check(bash, "standalone"));
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.len(), complaints.concat());
}

#[test]
#[ignore = "in the full set"]
fn a_value_of_the_users_is_never_evaluated() {
    let end = "async_print_timing; async_cleanup; async_wait no; :";
    let plain = [
        "_ASYNC_BG_TIME",
        "_ASYNC_WAIT_TIME",
        "_TIME_BEGIN",
        "ASYNC_JOBS",
        "DEVSTACK_PARALLEL",
        "ASYNC_PARALLEL",
        "ASYNC_OWNER",
    ];
    let others = [
        "declare -A _TIME_TOTAL; _TIME_TOTAL[async_wait]=EVIL; _TIME_BEGIN=1",
        "declare -a _TIME_TOTAL; _TIME_TOTAL[0]=EVIL; _TIME_BEGIN=1",
        "_TIME_TOTAL=EVIL _TIME_BEGIN=EVIL",
        "ASYNC_FUTURE=EVIL; export ASYNC_FUTURE",
        "unset SECONDS; SECONDS=EVIL",
        "{ BASH_XTRACEFD=EVIL; } 2>/dev/null",
    ];
    try_all(|profile| {
        let texts = plain.iter().map(|name| format!("{name}=EVIL")).chain(others.iter().map(|&text| text.to_owned()));
        let own = names(profile);
        // That variable is the path of the null device, and nothing else.
        let own = own
            .iter()
            .filter(|name| name.starts_with("_ASYNC_") && *name != "_ASYNC_NULL")
            .map(|name| format!("{name}=EVIL"));
        let probes = texts.chain(own).flat_map(|text| {
            let set = text.replace("EVIL", EVIL);
            let probe = |when| Probe::new(format!("{text} {when}"), Outcome::Honest).end(end);
            [probe("before").before(&set), probe("after").after(&set)]
        });
        probes.collect()
    });
}

#[test]
#[ignore = "in the full set"]
fn a_timeout_for_prompts_does_not_concern_a_queued_task() {
    in_each(|bash, profile| {
        for set in ["export TMOUT=1", "readonly TMOUT=1", "export TMOUT=1; set -o posix"] {
            // The previous one takes longer than the timeout.
            let script = format!(
                "{set}
                export ASYNC_JOBS=1
                function second {{ echo \"hello $1\"; }}
                async_run first sleep 1.3
                async_run then second there
                async_wait first
                echo \"first $?\"
                async_wait then
                echo \"then $?\""
            );
            let finished = Sandbox::new(&bash.path).run(&sourced(profile, &script));
            finished.says("first 0\n").says("hello there\n").says("then 0\n");
        }
    });
}
