//! The timeline as a page and as a picture, in a real browser.

#![allow(clippy::unwrap_used, reason = "tests")]

mod address;
mod contrast;
mod findings;
mod interaction;
mod layout;
mod safety;

use async_tests::browser::{self, Browser};
use async_tests::fixtures::records::{self, Crafted};
use async_tests::shell::Sandbox;
use async_tests::tools;

/// The widths of a phone, of half a screen, and of a screen, in px.
const WIDTHS: [u32; 3] = [400, 800, 1600];

/// The rendering of a run in a browser.
struct Stage {
    browser: Browser,
    sandbox: Sandbox,
}

impl Stage {
    /// None without a browser, which it reports.
    fn new() -> Option<Self> {
        tools::is_there(browser::PROGRAM).then(|| Self { browser: Browser::start(), sandbox: Sandbox::default() })
    }

    /// Writes the file for that option and opens it.
    fn open(&mut self, option: &str, futures: &[Crafted], width: u32) {
        let store = self.sandbox.path("crafted");
        let _ = std::fs::remove_dir_all(&store);
        let _ = records::store(&store, futures);
        let file = self.sandbox.path(&format!("timeline.{}", option.trim_start_matches('-')));
        let mut command = self.sandbox.command("async");
        command.arg("--dir").arg(&store).arg("timing").arg(option).arg(&file);
        let ended = self.sandbox.finish(&mut command);
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        self.browser.open(&format!("file://{}", file.display()), (width, 900));
    }

    fn numbers(&mut self, expression: &str) -> Vec<f64> {
        let value = self.browser.eval(expression);
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    fn text(&mut self, expression: &str) -> String {
        self.browser.eval(expression).as_str().unwrap().to_owned()
    }
}

/// The length of a run, in ms.
fn length(futures: &[Crafted]) -> i64 {
    futures.iter().map(|future| future.end().max(future.wait.1)).max().unwrap()
}
