//! The end of a server: it is told to stop, told twice, or killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};

use kit::PATIENCE;
use pty_process::blocking::{Command, Pty};
use tests::{Site, UNLIMITED, program};

use super::{end, run_at, run_client, site};

#[test]
fn a_server_that_is_stopped_says_so_and_has_stored_all_that_it_acknowledged() {
    let site = site();
    let served = site.serve(&UNLIMITED);
    // This test is about the end of the server, so no client waits for it to come back.
    let mut alice = site.enter(&served, "alice", &["--raw", "--give-up-after", "0"]);
    let bob = site.enter(&served, "bob", &["--raw", "--give-up-after", "0"]);
    // Less than a pipe holds, and more than is said at once.
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    alice.send(&lines);
    alice.expect_out("= ok ");
    served.program.signal("-TERM");
    let (alice, bob) = (end(alice), end(bob));
    let server = end(served.program);
    assert_eq!(server.code, Some(0), "{}", server.err);
    for client in [&alice, &bob] {
        client.failed(6, "shutting-down", "connect again when the server is back");
        let bye = "= bye shutting-down the server is being stopped";
        assert_eq!(client.out.lines().last(), Some(bye));
    }
    let stored = site.query("select nonce || ' ' || seq from history where kind = 'message'");
    let acknowledged = alice
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("= ok "));
    let acknowledged: Vec<&str> = acknowledged.collect();
    assert!(!acknowledged.is_empty());
    for answer in &acknowledged {
        assert!(stored.iter().any(|row| row == answer), "{answer} is lost");
    }
    assert_eq!(
        site.query("select id, reason, left_at is null from joins order by session"),
        ["alice,shutting-down,0", "bob,shutting-down,0"]
    );
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_anybody() {
    let site = site();
    let mut served = site.serve(&UNLIMITED);
    let _bob = tests::sit_unread(&site, &served).await;
    served.program.signal("-TERM");
    served.program.expect_err("stopping");
    served.program.signal("-TERM");
    assert_eq!(end(served.program).code, Some(143));
}

#[test]
fn after_a_crash_sessions_end_when_the_server_was_last_known_to_run() {
    let site = site();
    let served = site.serve(&[]);
    let mut alice = site.enter(&served, "alice", &["--bare", "--give-up-after", "0"]);
    alice.send("hello\n");
    alice.expect_out("hello");
    served.program.signal("-KILL");
    assert_eq!(end(served.program).code, None);
    let alice = end(alice);
    assert_eq!(alice.code, Some(4), "{}", alice.err);
    let alive_at = site.query("select value from meta where key = 'alive_at'");
    let open = "select left_at, reason from joins";
    assert_eq!(site.query(open), [","]);

    let mut served = site.serve(&[]);
    let line = served.program.expect_err("a crash left open");
    assert!(
        line.contains(" WARN ") && line.contains("sessions=1"),
        "{line}"
    );
    assert_eq!(site.query(open), [format!("{},server-crash", alive_at[0])]);
    // Lines acknowledged before the crash are there, and the numbers go on.
    let said = run_client(&site, &served.address.to_string(), "bob", "hello again\n");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines = "select seq, text from history where kind = 'message' order by seq";
    assert_eq!(site.query(lines)[0], "2,hello");
    assert_eq!(
        site.query("select count(*) = max(seq) from history"),
        ["1"],
        "no gap"
    );
}

/// A server on a terminal of its own.
struct OnTerminal {
    terminal: Option<Pty>,
    child: Child,
    log: Receiver<String>,
    address: SocketAddr,
}

impl OnTerminal {
    /// Starts the server by these words of a shell, which is the terminal's first program, and waits until it listens.
    fn start(site: &Site, words: &str) -> Self {
        let (log, stderr) = std::io::pipe().expect("a pipe");
        let (terminal, pts) = pty_process::blocking::open().expect("a terminal");
        let command = Command::new("sh")
            .args(["-c", words, "sh"])
            .arg(program("server"))
            .args(["--listen", "127.0.0.1:0"])
            .current_dir(site.folder())
            .stderr(stderr);
        let child = command.spawn(pts).expect("the server starts");
        let (line, lines) = channel();
        std::thread::spawn(move || {
            let read = BufReader::new(log).lines().map_while(Result::ok);
            // A test that is over reads no more.
            read.take_while(|read| line.send(read.clone()).is_ok())
                .count()
        });
        let address = SocketAddr::from(([0; 4], 0));
        let mut server = Self {
            terminal: Some(terminal),
            child,
            log: lines,
            address,
        };
        let said = server.expect("listening on ");
        let address = said.split("listening on ").nth(1);
        let address = address.and_then(|rest| rest.split(' ').next()?.parse().ok());
        server.address = address.unwrap_or_else(|| panic!("no address: {said}"));
        server
    }

    /// Waits for a line of its log.
    fn expect(&mut self, part: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {part:?} in the log"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn close_terminal(&mut self) {
        self.terminal = None;
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("sh")
            .args(["-c", &format!("kill {signal} {}", self.child.id())])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn end(&mut self) -> ExitStatus {
        kit::look_until("the end", || self.child.try_wait().expect("a child"))
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_server_ends_with_its_terminal_and_has_told_everybody() {
    // The server itself is the terminal's first program, or a shell is, which waits for it.
    for words in ["exec \"$@\"", "\"$@\"; exit $?"] {
        let site = site();
        let mut server = OnTerminal::start(&site, words);
        let address = server.address.to_string();
        let bundle = site.bundle("alice");
        let arguments = [
            "--cert",
            &bundle,
            "--server",
            &address,
            "--raw",
            "--give-up-after",
            "0",
        ];
        let mut alice = kit::Running::start(site.folder(), &program("client"), &arguments);
        alice.send("hello\n");
        alice.expect_out("= ok ");
        server.close_terminal();
        server.expect("the terminal was closed");
        end(alice).failed(6, "shutting-down", "connect again when the server is back");
        server.expect("stopped");
        let status = server.end();
        assert!(
            words != "exec \"$@\"" || status.success(),
            "{words}: {status}"
        );
        let joins = "select reason from joins where left_at is not null";
        assert_eq!(site.query(joins), ["shutting-down"], "{words}");
    }
}

#[test]
fn a_hang_up_asks_for_the_files_while_the_terminal_is_there_or_where_nohup_hides_its_end() {
    for words in ["exec \"$@\"", "trap '' HUP; exec \"$@\""] {
        let site = site();
        let mut server = OnTerminal::start(&site, words);
        server.expect("revocation list read");
        server.signal("-HUP");
        server.expect("revocation list read");
        if words.starts_with("trap") {
            // The system's own hang-up asks for no more than ours.
            server.close_terminal();
            server.expect("revocation list read");
            server.signal("-HUP");
            server.expect("revocation list read");
        }
        let bundle = site.bundle("alice");
        let said = run_at(&site, &server.address.to_string(), &bundle, "it goes on\n");
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
}
