//! How a program ended, to be compared with how it should have.

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

/// Closes a program's input, as the end of a pipe does, and waits for its end.
pub fn finish(running: Running) -> Ended {
    running.finish().into()
}

/// Waits until a program ends by itself; its input stays open.
pub fn end(mut running: Running) -> Ended {
    running.wait();
    running.finish().into()
}

/// Runs `client` with somebody's bundle to its end, with `input` on its standard input.
pub fn run_client(site: &Site, server: &str, name: &str, input: &str) -> Ended {
    run_at(site, server, &site.bundle(name), input)
}

/// Runs `client` with a bundle of any kind to its end.
pub fn run_at(site: &Site, server: &str, cert: &str, input: &str) -> Ended {
    let arguments = ["--cert", cert, "--server", server, "--bare"];
    run(site.folder(), "client", &arguments, input).into()
}
