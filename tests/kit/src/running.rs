//! A program as people run it: its input, its output line by line, its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use crate::PATIENCE;
use crate::event::LOOK_INTERVAL;

/// A program that is running. It is ended when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    out: Stream,
    err: Stream,
}

/// Lines of a program's output as they come.
#[derive(Debug)]
struct Stream {
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    /// Starts a program in a folder.
    pub fn start(folder: &Path, program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        Self::spawn(command)
    }

    /// Starts a command, whose three streams belong to this.
    pub fn spawn(mut command: Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command
            .env_remove("RUST_LOG")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let out = Stream::new(child.stdout.take().expect("stdout is piped"));
        let err = Stream::new(child.stderr.take().expect("stderr is piped"));
        Self {
            child,
            name,
            out,
            err,
        }
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input. A program that has ended reads nothing more.
    pub fn send(&mut self, input: &str) {
        if let Some(stdin) = &mut self.child.stdin {
            let _gone = stdin
                .write_all(input.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Waits for a line on standard output that contains `part`, and returns it.
    pub fn expect_out(&mut self, part: &str) -> String {
        let found = self.out.expect(part);
        found.unwrap_or_else(|| self.fail(&format!("no {part:?} on stdout")))
    }

    /// Waits for a line on standard error that contains `part`, and returns it.
    pub fn expect_err(&mut self, part: &str) -> String {
        let found = self.err.expect(part);
        found.unwrap_or_else(|| self.fail(&format!("no {part:?} on stderr")))
    }

    /// Sends it a signal, by its number.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        // The shell's own, because the program of that name is not on every system.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill {signal} {}", self.id())])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "cannot signal {}",
            self.name
        );
    }

    /// Closes its input, waits for its end and returns everything that it wrote.
    pub fn finish(mut self) -> Output {
        self.close_input();
        let status = self.wait();
        let stdout = self.out.rest().join("\n").into_bytes();
        let stderr = self.err.rest().join("\n").into_bytes();
        Output {
            status,
            stdout,
            stderr,
        }
    }

    /// Waits for its end, and returns how it ended.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) if Instant::now() < deadline => {
                    // There is no portable way to wait for a process with a deadline.
                    std::thread::sleep(LOOK_INTERVAL);
                }
                _ => self.fail("did not end"),
            }
        }
    }

    fn fail(&mut self, what: &str) -> ! {
        let (out, err) = (self.out.so_far().join("\n"), self.err.so_far().join("\n"));
        panic!(
            "{}: {what}\n--- stdout\n{out}\n--- stderr\n{err}",
            self.name
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Stream {
    fn new(pipe: impl std::io::Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(pipe).take(u64::MAX);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches('\n')
                    .to_owned();
                if sender.send(text).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self {
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for the next line with `part` in it, and keeps the lines before it as seen.
    fn expect(&mut self, part: &str) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            self.seen.push(line.clone());
            if line.contains(part) {
                return Some(line);
            }
        }
    }

    /// Returns everything, now that the program has ended.
    fn rest(&mut self) -> &[String] {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.seen.push(line);
        }
        &self.seen
    }

    fn so_far(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }
}
