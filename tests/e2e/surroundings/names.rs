//! The user's functions and aliases with the names of commands that the functions call.

use async_tests::shell::{Bash, bashes, binary_dir};
use async_tests::strace::in_parallel;

use super::probe::{Outcome, PROFILES, Probe, try_all};

/// Builtins. If the shell itself has a function with one of these names, a call may be refused.
const BUILTINS: &[&str] = &[
    ":", "[", "builtin", "cd", "command", "declare", "echo", "enable", "eval", "exec", "exit", "export", "false",
    "jobs", "kill", "let", "local", "printf", "read", "return", "set", "shift", "shopt", "source", "test", "trap",
    "true", "type", "unset", "wait",
];

/// Programs. There is no reason to refuse a call because of one.
const TOOLS: &[&str] = &["async", "awk", "cat", "date", "env", "ls", "mkfifo", "rm", "sed", "sleep", "stat"];

/// Words that are not commands; they can only be aliases.
const KEYWORDS: &[&str] = &[
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "select", "then", "time", "until", "while", "{", "}",
];

/// The words that can be functions, each with the outcome.
fn words() -> impl Iterator<Item = (&'static str, Outcome)> {
    let builtins = BUILTINS.iter().map(|&word| (word, Outcome::RightOrRefused));
    builtins.chain(TOOLS.iter().map(|&word| (word, Outcome::Right)))
}

/// A probe that writes its lines without that word.
fn probe(placed: &str, word: &str, outcome: Outcome) -> Probe {
    let echo = if word == "echo" { r"\printf '%s\n'" } else { r"\echo" };
    Probe { echo, ..Probe::new(format!("a function `{word}` {placed}"), outcome) }
}

/// A function that only leaves a mark.
fn function(name: &str) -> String {
    format!("function {name} {{ >>\"$root/called\"; }}")
}

#[test]
#[ignore = "in the full set"]
fn a_function_that_was_there_before_is_not_called_in_the_place_of_a_command() {
    try_all(|_| words().map(|(word, outcome)| probe("from before", word, outcome).before(function(word))).collect());
}

#[test]
#[ignore = "in the full set"]
fn a_function_that_came_later_is_not_called_in_the_place_of_a_command() {
    try_all(|_| words().map(|(word, outcome)| probe("from after", word, outcome).after(function(word))).collect());
}

#[test]
fn a_function_from_the_environment_is_not_called_in_the_place_of_a_command() {
    try_all(|profile| {
        let exported = |(word, outcome)| {
            // As export -f in another bash leaves it.
            probe("from the environment", word, outcome)
                .env(format!("BASH_FUNC_{word}%%"), "() {  >> \"$root/called\"\n}")
        };
        // Functions from before are much the same.
        words().filter(|_| profile == "standalone").map(exported).collect()
    });
}

#[test]
fn a_function_named_as_the_programs_path_is_not_called_in_its_place() {
    try_all(|_| {
        let path = binary_dir().join("async").display().to_string();
        let probe = || Probe::new("a function with the program's path", Outcome::Right).env("ASYNC_BIN", &path);
        vec![probe().before(function(&path)), probe().after(function(&path))]
    });
}

/// A script with those words as aliases for something else.
fn aliased(words: &[&str], what: &str, sourced_by: &str, later: bool) -> Probe {
    let mut text = "shopt -s expand_aliases\nalias --".to_owned();
    text.extend(words.iter().map(|word| format!(" '{word}=evil'")));
    let end = r#"\shopt -q expand_aliases || >>"$root/called""#;
    let probe = Probe::new(format!("{what} {sourced_by}"), Outcome::Right).sourced_by(sourced_by).end(end);
    if later { probe.after(text) } else { probe.before(text) }
}

/// The failures if all words are aliases, with the names of those that also fail alone.
fn check_aliases(bash: &Bash, profile: &str, sourced_by: &str, later: bool) -> Result<(), String> {
    let words: Vec<&str> = [BUILTINS, TOOLS, KEYWORDS].concat();
    let what = if later { "aliases from after" } else { "aliases from before" };
    aliased(&words, what, sourced_by, later).check(bash, profile).map_err(|complaint| {
        let bad = |word: &&&str| aliased(&[word], what, sourced_by, later).check(bash, profile).is_err();
        format!("{complaint}    alone: {:?}\n", words.iter().filter(bad).collect::<Vec<_>>())
    })
}

#[test]
fn aliases_change_nothing_and_are_expanded_after_it_as_before() {
    let ways = [
        r#". "$root/shim.bash""#,
        r#"\source <("$program" shim --profile "$profile")"#,
        r#"\eval "$("$program" shim --profile "$profile")""#,
    ];
    let mut cases = Vec::new();
    for bash in bashes() {
        for profile in PROFILES {
            for (way, later) in [(ways[0], false), (ways[1], false), (ways[2], false), (ways[0], true)] {
                cases.push((bash.clone(), profile, way, later));
            }
        }
    }
    let complaints = in_parallel(&cases, |(bash, profile, way, later)| check_aliases(bash, profile, way, *later));
    assert!(complaints.is_empty(), "{}", complaints.concat());
}

#[test]
fn aliases_that_were_not_expanded_are_not_after_it_either() {
    try_all(|_| {
        let end = r#"if shopt -q expand_aliases; then >>"$root/called"; fi"#;
        vec![
            Probe::new("no aliases", Outcome::Right).end(end),
            Probe::new("aliases that are not expanded", Outcome::Right)
                .before("alias if=evil local=evil builtin=evil set=evil async=evil")
                .end(end),
        ]
    });
}
