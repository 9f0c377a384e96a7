//! The program `async`: named futures for shell scripts.

use std::process::ExitCode;

fn main() -> ExitCode {
    async_cli::run(std::env::args_os())
}
