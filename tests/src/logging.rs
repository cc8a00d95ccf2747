//! The program `server` with its log in the test's hands.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use kit::look_until;

use crate::{Site, program};

/// The program `server`, with its standard error in the test's hands.
#[derive(Debug)]
pub struct Logging {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Logging {
    /// Starts it, and takes its address from the first lines that it logs. Nobody reads the rest of
    /// the log unless the test does.
    pub fn start(site: &Site, rust_log: Option<&str>) -> (Self, BufReader<ChildStderr>) {
        let mut command = Command::new(program("server"));
        command.args(["--listen", "127.0.0.1:0", "--log-file", "room.log"]);
        command.env_remove("RUST_LOG");
        if let Some(rust_log) = rust_log {
            command.env("RUST_LOG", rust_log);
        }
        let mut child = command
            .current_dir(site.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let address = loop {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "it did not listen");
            if let Some((_, rest)) = line.split_once("listening on ") {
                let address = rest.split(' ').next().expect("an address");
                break address.parse().expect("an address");
            }
        };
        (Self { child, address }, log)
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, and returns how long that took.
    pub fn stop(mut self) -> Duration {
        let begun = Instant::now();
        let id = self.child.id();
        let told = Command::new("sh")
            .args(["-c", &format!("kill {id}")])
            .status();
        assert!(told.is_ok_and(|status| status.success()));
        let end = || self.child.try_wait().expect("its end");
        let status = look_until("the server's end", end);
        assert!(status.success(), "{status}");
        begun.elapsed()
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
