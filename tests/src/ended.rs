//! How a program ended, in a form that tests compare.

use std::process::Output;

use kit::Running;

use crate::{Site, run};

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Ended {
    /// Checks the exit code, the error and the hint of a program that failed.
    #[track_caller]
    pub fn failed(&self, code: i32, error: &str, hint: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        let line = |kind: &str, part: &str| {
            let mut lines = self.err.lines();
            lines.any(|line| line.contains(&format!("{kind}: ")) && line.contains(part))
        };
        assert!(line("error", error), "{}", self.err);
        assert!(line("hint", hint), "{}", self.err);
    }
}

/// Closes a program's input, as the end of a pipe does, waits for its end, and returns how it ended.
pub fn finish(running: Running) -> Ended {
    running.finish().into()
}

/// Waits until a program ends by itself, while its input stays open, and returns how it ended.
pub fn end(mut running: Running) -> Ended {
    running.wait();
    running.finish().into()
}

/// Runs `client` to its end with a person's bundle and with `input` on its standard input.
pub fn run_client(site: &Site, server: &str, name: &str, input: &str) -> Ended {
    run_at(site, server, &site.bundle(name), input)
}

/// Runs `client` to its end with any bundle.
pub fn run_at(site: &Site, server: &str, cert: &str, input: &str) -> Ended {
    let arguments = ["--cert", cert, "--server", server, "--bare"];
    run(site.folder(), "client", &arguments, input).into()
}
