//! The client under examination, as a program that this one starts: its input, everything that it
//! prints, its end. It may do its worst: it is given no time and no memory without a bound.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::limits::{
    CHUNKS_MAX, END_TIMEOUT, KILLED_TIMEOUT, OUTPUT_BYTES_MAX, STDERR_BYTES_MAX, TYPE_TIMEOUT,
};
use crate::os;

/// A program that runs. Dropping it ends it, and every program that it started.
#[derive(Debug)]
pub(super) struct Examinee {
    child: Child,
    stdin: Option<ChildStdin>,
    printed: mpsc::Receiver<Vec<u8>>,
    said: JoinHandle<Vec<u8>>,
}

/// A program that has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// `None` if it had to be killed.
    pub(super) status: Option<ExitStatus>,
    /// The beginning of its standard output.
    pub(super) stdout: Vec<u8>,
    /// Whether it printed more than that.
    pub(super) is_cut: bool,
    /// The end of its standard error.
    pub(super) stderr: Vec<u8>,
}

impl Examinee {
    /// Starts a command with these arguments and environment variables.
    ///
    /// # Errors
    ///
    /// When the system cannot start it.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&str, OsString)],
    ) -> std::io::Result<Self> {
        let [program, arguments @ ..] = command else {
            return Err(std::io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        os::lead_a_group(&mut command);
        let mut child = command.spawn()?;
        let (chunks, printed) = mpsc::channel(CHUNKS_MAX);
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(pass_on(stdout, chunks));
        }
        let stderr = child.stderr.take();
        let said = tokio::spawn(async {
            match stderr {
                Some(stderr) => last_of(stderr).await,
                None => Vec::new(),
            }
        });
        Ok(Self {
            child,
            stdin,
            printed,
            said,
        })
    }

    /// Types a line. A program that has ended, or reads nothing, is noticed by what it does not do.
    pub(super) async fn type_line(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            let typed = async {
                stdin.write_all(format!("{text}\n").as_bytes()).await?;
                stdin.flush().await
            };
            let _unread = timeout(TYPE_TIMEOUT, typed).await;
        }
    }

    /// Ends its input.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, however long that takes.
    pub(super) async fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Waits until it ends by itself, with its input open. Returns whether it did.
    pub(super) async fn ends_within(&mut self, time: Duration) -> bool {
        timeout(time, self.child.wait()).await.is_ok()
    }

    /// Lets it end: by itself, then because its input ends, then by force.
    pub(super) async fn finish(mut self) -> Ended {
        let mut ended = Ended::default();
        for _ in 0..2 {
            let deadline = Instant::now() + END_TIMEOUT;
            ended.status = self.end_by(deadline, &mut ended).await;
            if ended.status.is_some() {
                break;
            }
            self.close_input();
        }
        os::kill_group(&mut self.child);
        // Its last words: the pipes end with the last program that holds them.
        let deadline = Instant::now() + KILLED_TIMEOUT;
        while let Ok(Some(chunk)) = timeout_at(deadline, self.printed.recv()).await {
            ended.keep(&chunk);
        }
        if let Ok(Ok(said)) = timeout_at(deadline, &mut self.said).await {
            ended.stderr = said;
        }
        ended
    }

    /// Keeps what it prints until it ends, or until the deadline.
    async fn end_by(&mut self, deadline: Instant, ended: &mut Ended) -> Option<ExitStatus> {
        let mut is_printing = true;
        loop {
            tokio::select! {
                chunk = self.printed.recv(), if is_printing => match chunk {
                    Some(chunk) => ended.keep(&chunk),
                    None => is_printing = false,
                },
                status = timeout_at(deadline, self.child.wait()) => {
                    return status.ok().and_then(Result::ok);
                }
            }
        }
    }
}

impl Drop for Examinee {
    fn drop(&mut self) {
        os::kill_group(&mut self.child);
        self.said.abort();
    }
}

impl Ended {
    fn keep(&mut self, chunk: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.stdout.len();
        self.is_cut |= chunk.len() > room;
        self.stdout
            .extend_from_slice(&chunk[..chunk.len().min(room)]);
    }

    /// Returns the end of its standard error, if it said anything.
    pub(super) fn last_words(&self) -> Option<String> {
        let said = String::from_utf8_lossy(&self.stderr);
        let last: Vec<&str> = said
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let from = last.len().saturating_sub(LAST_LINES);
        (!last.is_empty()).then(|| last[from..].join(" / "))
    }
}

/// The lines of standard error that are shown of a client that failed.
const LAST_LINES: usize = 3;

/// Passes on what a program prints. With many chunks waiting, the program waits too.
async fn pass_on(mut stdout: impl AsyncRead + Unpin, chunks: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = stdout.read(&mut buffer).await {
        if chunks.send(buffer[..read].to_vec()).await.is_err() {
            return;
        }
    }
}

/// Reads a program's standard error to its end, and returns the last of it.
async fn last_of(mut stderr: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut last = Vec::new();
    let mut buffer = vec![0; STDERR_BYTES_MAX];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        last.extend_from_slice(&buffer[..read]);
        last.drain(..last.len().saturating_sub(STDERR_BYTES_MAX));
    }
    last
}
