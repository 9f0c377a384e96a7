//! Command lines: the arguments of `async`, or behind a first byte of 1 or 2 the words of `async_run` and of devstack's,
//! with a NUL character between two. They are read, and nothing is run.
//!
//! What reads one command alone reads what the whole definition reads. What is refused is told in text that a terminal
//! shows as it is, and exits as wrong usage or help does. The words of `async_run` are its options, a good name and the
//! command, with nothing of the command changed.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use async_cli::fuzzing::{self, Asked, Refused};
use async_core::{FutureName, Plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let split = |text: &[u8]| text.split(|&byte| byte == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect();
    match input {
        [1, text @ ..] => words(split(text), false),
        [2, text @ ..] => words(split(text), true),
        text => command_line([vec!["async".into()], split(text)].concat()),
    }
});

fn command_line(args: Vec<OsString>) {
    let (alone, together) = fuzzing::read(&args);
    match together {
        Ok(together) => assert!(alone.is_none_or(|alone| alone == together), "{args:?}"),
        Err(Refused { text, status }) => {
            assert!(alone.is_none(), "{args:?} is read as {alone:?}, and refused: {text}");
            assert!([0, 2].contains(&status), "{args:?} exits with {status}: {text}");
            is_harmless(&text);
        }
    }
}

fn words(words: Vec<OsString>, devstack: bool) {
    match fuzzing::words(&words, devstack) {
        Ok(Asked { name, command, skip, plan }) => {
            assert_eq!(name.parse::<FutureName>().map(|name| name.to_string()), Ok(name.clone()));
            assert!(!command.is_empty() && command == words[skip..], "{words:?} is the command {command:?}");
            assert!(words[..skip].iter().any(|word| word.as_os_str() == name.as_str()), "{words:?} have no {name}");
            if let Some(plan) = plan {
                assert!(
                    !devstack && plan.jobs != Some(0) && plan.timeout.is_none_or(|timeout| timeout >= 0),
                    "{plan:?}"
                );
                let text = serde_json::to_string(&plan).expect("JSON");
                assert_eq!(serde_json::from_str::<Plan>(&text).expect("a plan"), plan, "{text}");
            }
        }
        Err((text, status)) => {
            assert_eq!(status, 2, "{words:?}: {text}");
            assert!(!text.is_empty(), "{words:?}");
        }
    }
}

/// What a terminal would act on: controls, and those of the direction of text.
fn is_harmless(text: &str) {
    let acted_on = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(acted_on), "{text:?}");
}
