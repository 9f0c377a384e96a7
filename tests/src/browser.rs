//! A real browser without a window, driven over the pipe of its DevTools protocol.
//!
//! The protocol is one JSON object after another with NUL between them, so no more than that is needed; the crates for it
//! bring a web socket, a runtime and the whole protocol as generated types.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::LIMIT;
use crate::mark::Mark;

/// The program, which Debian has in a package of that name.
pub const PROGRAM: &str = "chromium";

/// A browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// What it told without being asked, and nobody has looked at yet.
    events: Vec<Value>,
    session: Option<String>,
    calls: u64,
    profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers write to the profile.
        Mark::of_users(self.profile.path()).kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        // It reads commands from descriptor 3 and answers on 4. Its sandbox does not work for root, and the pages are
        // our own.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1", "sh", PROGRAM])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            // It leaves a folder there.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in output.split(0) {
                let Ok(message) = message else { return };
                if sender.send(serde_json::from_slice(&message).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self { child, input, messages, events: Vec::new(), session: None, calls: 0, profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Calls a method and returns its result.
    ///
    /// # Panics
    /// If it fails.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).expect("it reads");
        loop {
            let mut message = self.next();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn next(&self) -> Value {
        self.messages.recv_timeout(LIMIT).expect("it answers")
    }

    /// Opens a page in a window of that size, in px, and waits until it has loaded.
    pub fn open(&mut self, url: &str, (width, height): (u32, u32)) {
        self.resize((width, height));
        self.events.clear();
        self.call("Page.navigate", &json!({"url": url}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push(event);
        }
    }

    /// Resizes the window, in px.
    pub fn resize(&mut self, (width, height): (u32, u32)) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        self.settle();
    }

    /// Sets the system's theme to `light` or `dark`.
    pub fn prefer(&mut self, theme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// The value of an expression in the page; for a promise, the value that it resolves to.
    ///
    /// # Panics
    /// If it throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].take()
    }

    /// Waits until changes are laid out and drawn.
    pub fn settle(&mut self) {
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// Waits until an expression in the page is true.
    ///
    /// # Panics
    /// If it never does.
    pub fn until(&mut self, expression: &str) {
        for _ in 0..600 {
            if self.eval(&format!("Boolean({expression})")) == json!(true) {
                return;
            }
            self.settle();
        }
        panic!("it never comes true: {expression}");
    }

    /// Presses a key, named as pages name it.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = if key.len() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let kind = if kind == "keyDown" && text.is_empty() { "rawKeyDown" } else { kind };
            let params = json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", &params);
        }
        self.settle();
    }

    /// Does something with the mouse at a position in px: `mouseMoved`, `mousePressed`, `mouseReleased`.
    pub fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let held = kind == "mouseMoved";
        let button = if held { "none" } else { "left" };
        let params =
            json!({"type": kind, "x": x, "y": y, "button": button, "buttons": 0, "clickCount": u8::from(!held)});
        self.call("Input.dispatchMouseEvent", &params);
        self.settle();
    }

    /// Turns the wheel at a position in px, with or without the control key.
    pub fn wheel(&mut self, (x, y): (f64, f64), by: f64, control: bool) {
        let modifiers = if control { 2 } else { 0 };
        let params = json!({"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": by, "modifiers": modifiers});
        self.call("Input.dispatchMouseEvent", &params);
        self.settle();
    }

    /// The requests since a page was opened.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.told("Network.requestWillBeSent", "/params/request/url")
    }

    /// What went wrong in the page since it was opened, and what it wrote to the console.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let kinds = [
            ("Runtime.exceptionThrown", "/params/exceptionDetails"),
            ("Runtime.consoleAPICalled", "/params/args"),
            ("Log.entryAdded", "/params/entry"),
        ];
        kinds.iter().flat_map(|(method, pointer)| self.told(method, pointer)).collect()
    }

    fn told(&self, method: &str, pointer: &str) -> Vec<String> {
        let events = self.events.iter().filter(|event| event["method"] == method);
        events
            .map(|event| {
                let value = event.pointer(pointer).unwrap_or(event);
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect()
    }
}
