//! The client under examination, as a program that this one starts: its input, everything that it
//! prints, its end. It may do its worst: it is given no time and no memory without a bound.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::limits::{
    END_TIMEOUT, KILLED_TIMEOUT, OUTPUT_BYTES_MAX, STDERR_BYTES_MAX, TEMPTATION, TYPE_TIMEOUT,
};
use crate::os;

/// A program that runs. Dropping it ends it, and every program that it started.
#[derive(Debug)]
pub(super) struct Examinee {
    child: Child,
    /// Its ID, until its group was ended.
    leader: Option<u32>,
    stdin: Option<ChildStdin>,
    printed: JoinHandle<(Vec<u8>, bool)>,
    said: JoinHandle<()>,
    /// The end of its standard error so far.
    words: Words,
    /// Ends both readers, although others may hold the pipes.
    is_over: DropGuard,
}

/// What one task reads and another may look at.
type Words = Arc<Mutex<Vec<u8>>>;

/// A program that has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// The beginning of its standard output.
    pub(super) stdout: Vec<u8>,
    /// Whether it printed more than that.
    pub(super) is_cut: bool,
    /// The end of its standard error: of all of it if the program ended soon, and otherwise of what it
    /// had said before, because a program that lives on speaks of later things.
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
        let is_over = CancellationToken::new();
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let printed = tokio::spawn(first_of(stdout, is_over.clone()));
        let words = Words::default();
        let said = tokio::spawn(last_of(stderr, words.clone(), is_over.clone()));
        Ok(Self {
            leader: child.id(),
            child,
            stdin,
            printed,
            said,
            words,
            is_over: is_over.drop_guard(),
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

    /// Returns the end of what it has said on standard error so far.
    pub(super) fn words_so_far(&self) -> Vec<u8> {
        lock(&self.words).clone()
    }

    /// Lets it end: by itself, then because its input ends, then by force. `words` is what it had said
    /// when the examination was over.
    pub(super) async fn finish(mut self, words: Vec<u8>) -> Ended {
        let mut ended = Ended::default();
        let has_ended_soon = self.ends_within(TEMPTATION).await;
        for _ in 0..2 {
            if self.ends_within(END_TIMEOUT).await {
                break;
            }
            self.close_input();
        }
        os::kill_group(&mut self.child, self.leader.take());
        // The pipes end with the last program that holds them, which may be none of ours.
        let is_over = self.is_over.token().clone();
        let all = self.words.clone();
        let reading = async { tokio::join!(&mut self.printed, &mut self.said) };
        tokio::pin!(reading);
        let (printed, _said) = match timeout(KILLED_TIMEOUT, &mut reading).await {
            Ok(both) => both,
            Err(_) => {
                is_over.cancel();
                reading.await
            }
        };
        // A reader does not panic, and nobody aborts it.
        if let Ok(printed) = printed {
            (ended.stdout, ended.is_cut) = printed;
        }
        ended.stderr = match has_ended_soon {
            true => lock(&all).clone(),
            false => words,
        };
        ended
    }
}

impl Drop for Examinee {
    fn drop(&mut self) {
        if self.leader.is_some() {
            os::kill_group(&mut self.child, self.leader.take());
        }
    }
}

impl Ended {
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

/// Reads what a program prints to its end. Returns the beginning of it, and whether there was more.
async fn first_of(
    stdout: Option<impl AsyncRead + Unpin>,
    is_over: CancellationToken,
) -> (Vec<u8>, bool) {
    let (mut first, mut is_cut) = (Vec::new(), false);
    each_read(stdout, is_over, |read| {
        let room = OUTPUT_BYTES_MAX - first.len();
        is_cut |= read.len() > room;
        first.extend_from_slice(&read[..read.len().min(room)]);
    })
    .await;
    (first, is_cut)
}

/// Reads a program's standard error to its end, and keeps the last of it.
async fn last_of(stderr: Option<impl AsyncRead + Unpin>, words: Words, is_over: CancellationToken) {
    each_read(stderr, is_over, |read| {
        let mut last = lock(&words);
        last.extend_from_slice(read);
        let surplus = last.len().saturating_sub(STDERR_BYTES_MAX);
        last.drain(..surplus);
    })
    .await;
}

fn lock(words: &Words) -> MutexGuard<'_, Vec<u8>> {
    // Nothing panics halfway through a change of it.
    words.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn each_read(
    pipe: Option<impl AsyncRead + Unpin>,
    is_over: CancellationToken,
    mut keep: impl FnMut(&[u8]),
) {
    let Some(mut pipe) = pipe else {
        return;
    };
    let mut buffer = vec![0; READ_BYTES];
    let reading = async {
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            keep(&buffer[..read]);
        }
    };
    let _read_or_over = is_over.run_until_cancelled(reading).await;
}

const READ_BYTES: usize = 8 * 1024;
