//! The supervisor that `async run` leaves behind, on its own, so that it can be traced: `supervise --dir STORE
//! [--planned] NAME PROGRAM ARGUMENT...`, with the record as its standard input.

use std::cell::Cell;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use async_core::{Begun, FutureName, Permissions, RecordId, Store, Task, descriptor, supervise};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (store, rest) = match &args[..] {
        [option, dir, rest @ ..] if option == "--dir" => (Store::open(dir.as_ref(), Permissions::Private), rest),
        _ => return ExitCode::from(2),
    };
    let (planned, rest) = match rest {
        [option, rest @ ..] if option == "--planned" => (true, rest),
        rest => (false, rest),
    };
    let [name, program, arguments @ ..] = rest else {
        return ExitCode::from(2);
    };
    let mut command = Box::new(Command::new(program));
    command.arg0("sh").args(arguments).stdin(Stdio::null());
    let name: FutureName = name.parse().unwrap_or_else(|_| std::process::exit(2));
    let Ok(record) = descriptor::take(0) else {
        return ExitCode::from(2);
    };
    let id = match RecordId::of(&record) {
        Ok(id) => id,
        Err(error) => {
            eprintln!("error {error}");
            return ExitCode::from(125);
        }
    };
    let caller_knows = Cell::new(false);
    let hears = |text: &str| {
        if !caller_knows.replace(true) {
            // As if the caller had stopped listening.
            let _ = writeln!(io::stderr(), "{text}");
        }
    };
    let supervised = store.and_then(|store| {
        let mut report = |result: io::Result<Begun>| {
            match result {
                Ok(_) => hears("started "),
                Err(error) => {
                    store.abandon(&name, id);
                    hears(&format!("failed {error}"));
                }
            }
            Ok(())
        };
        let end = supervise(&store, &name, record, planned, Task::Program(command), &mut report);
        if end.is_err() && !caller_knows.get() {
            store.abandon(&name, id);
        }
        end
    });
    match supervised {
        Ok(end) => ExitCode::from(u8::try_from(end.rc).unwrap_or(u8::MAX)),
        Err(error) => {
            hears(&format!("error {error}"));
            ExitCode::from(125)
        }
    }
}
