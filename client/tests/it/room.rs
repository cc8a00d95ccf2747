//! A scripted server and the real program, so that a test tells its story in a few lines.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use kit::mint::{Authority, Leaf};
use pki::{Bundle, CaHints, Gate, Revocations, ServerTls};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A listening server that follows the test's script, and a folder for files.
pub(crate) struct Room {
    pub(crate) authority: Authority,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) port: u16,
    listener: TcpListener,
    tls: ServerTls,
    revoked: Option<u64>,
    knows_our_dialect: bool,
}

impl Room {
    pub(crate) async fn open() -> Self {
        let authority = Authority::new("Networks 101");
        let leaf = Leaf::server(&["localhost", "127.0.0.1"]);
        Self::open_as(authority, &leaf).await
    }

    /// A room whose server has this certificate.
    pub(crate) async fn open_as(authority: Authority, leaf: &Leaf) -> Self {
        let bundle = authority.bundle(leaf, &authority, &[]);
        let bundle = Bundle::parse(bundle.as_bytes(), "server.pem".as_ref()).expect("a bundle");
        let gate = Gate::new(bundle.anchor().clone(), false).expect("a gate");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self {
            authority,
            folder: tempfile::tempdir().expect("a folder"),
            port: listener.local_addr().expect("an address").port(),
            listener,
            tls: ServerTls::new(&bundle, Arc::new(gate), CaHints::default()),
            revoked: None,
            knows_our_dialect: true,
        }
    }

    pub(crate) fn revoking(self, serial: u64) -> Self {
        Self {
            revoked: Some(serial),
            ..self
        }
    }

    /// A server of another kind, which does not know our dialect.
    pub(crate) fn of_another_kind(self) -> Self {
        Self {
            knows_our_dialect: false,
            ..self
        }
    }

    /// Puts a bundle into the room's folder.
    pub(crate) fn write(&self, name: &str, bundle: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bundle).expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let owner_only = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, owner_only).expect("a mode");
        }
        path
    }

    /// The program as alice, who knows the server from her bundle.
    pub(crate) fn alice(&self, arguments: &[&str]) -> Person {
        self.person(&Leaf::person("alice"), arguments)
    }

    pub(crate) fn person(&self, leaf: &Leaf, arguments: &[&str]) -> Person {
        let server = format!("127.0.0.1:{}", self.port);
        let notes = [("server", server.as_str())];
        let bundle = self.authority.bundle(leaf, &self.authority, &notes);
        let path = self.write("alice.pem", &bundle);
        let mut all = vec!["--cert", path.to_str().expect("a path in UTF-8")];
        all.extend(arguments);
        Person::start(&all)
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let accepted = timeout(DEADLINE, self.listener.accept());
        accepted.await.expect("somebody comes").expect("accepted").0
    }

    /// Lets nobody in: the alert goes out, and the connection is closed properly.
    pub(crate) async fn refuse(&self) {
        let (_, mut tcp) = self.handshake().await.expect_err("a refusal");
        tcp.shutdown().await.expect("a closed connection");
        let mut rest = Vec::new();
        let drained = timeout(DEADLINE, tcp.read_to_end(&mut rest)).await;
        // However the other end closes: it has had the time to read.
        let _ = drained.expect("the client goes");
    }

    async fn handshake(&self) -> Result<TlsStream<TcpStream>, (std::io::Error, TcpStream)> {
        let tcp = self.accept_tcp().await;
        let revocations = match self.revoked {
            None => Revocations::Unchecked,
            Some(serial) => {
                let list = self.authority.revocation_list(serial);
                let list = self.tls.gate().revocation_list(&list, SystemTime::now());
                Revocations::List(Arc::new(list.expect("a list")))
            }
        };
        let (config, _) = self.tls.accept(revocations).expect("a configuration");
        let mut config = (*config).clone();
        if !self.knows_our_dialect {
            config.alpn_protocols.clear();
        }
        let accepted = TlsAcceptor::from(Arc::new(config))
            .accept(tcp)
            .into_fallible();
        timeout(DEADLINE, accepted).await.expect("a handshake")
    }

    /// A session before its greeting.
    pub(crate) async fn accept(&self) -> Session {
        let stream = self.handshake().await.map_err(|(error, _)| error);
        Session {
            stream: BufReader::new(stream.expect("a handshake")),
        }
    }

    /// A session that was greeted.
    pub(crate) async fn greet(&self) -> Session {
        let mut session = self.accept().await;
        session.send(GREETING).await;
        session
    }

    /// A session that was greeted and follows from the head.
    pub(crate) async fn enter(&self) -> Session {
        let mut session = self.greet().await;
        assert_eq!(session.next().await, "/follow head");
        session.send("= at 41").await;
        session
    }
}

pub(crate) const GREETING: &str = "= welcome id=alice role=student ip=192.0.2.7 \
     room=\"Networks 101\" head=41 epoch=9f86 clock=2026-11-21T10:00:00.123Z version=0.1.0 moon=full";

/// The server's end of a connection.
pub(crate) struct Session {
    stream: BufReader<TlsStream<TcpStream>>,
}

impl Session {
    pub(crate) async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let sent = timeout(DEADLINE, sent).await.expect("the client reads");
        sent.expect("the client is there");
    }

    /// The same, to a client that may go.
    #[cfg(unix)]
    pub(crate) async fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let sent = timeout(DEADLINE, self.stream.write_all(bytes)).await;
        sent.expect("the client reads")
    }

    /// The client's next line.
    pub(crate) async fn next(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(DEADLINE, self.stream.read_line(&mut line)).await;
        read.expect("the client says something").expect("a line");
        assert!(line.ends_with('\n'), "the client is gone after {line:?}");
        line.trim_end_matches('\n').to_owned()
    }

    /// The client's next line, which says something: its RUN-N and the text.
    pub(crate) async fn said(&mut self) -> (String, String) {
        let line = self.next().await;
        let rest = line
            .strip_prefix("/say ")
            .expect("the client says something");
        let (nonce, text) = rest.split_once(' ').expect("RUN-N and a text");
        (nonce.to_owned(), text.to_owned())
    }

    /// Takes the next line that is said, acknowledges it as `seq` and shows it.
    pub(crate) async fn take(&mut self, seq: u64) -> String {
        let (nonce, text) = self.said().await;
        self.send(&format!("= ok {nonce} {seq}")).await;
        self.send(&entry(seq, &text)).await;
        text
    }

    /// Says goodbye to a client that has said `/quit`, and sees it close properly.
    pub(crate) async fn goodbye(mut self) {
        assert_eq!(self.next().await, "/quit");
        self.send("= bye goodbye").await;
        self.closed().await;
    }

    /// Waits until the client has closed, with a close_notify.
    pub(crate) async fn closed(mut self) {
        let mut rest = Vec::new();
        let read = timeout(DEADLINE, self.stream.read_to_end(&mut rest)).await;
        read.expect("the client closes").expect("a close_notify");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    /// Closes with a close_notify; the client has said nothing more, and closes too.
    pub(crate) async fn hang_up(mut self) {
        let closed = timeout(DEADLINE, self.stream.shutdown()).await;
        closed.expect("no delay").expect("closed");
        self.closed().await;
    }

    /// Closes with a close_notify.
    pub(crate) async fn close(mut self) {
        let closed = timeout(DEADLINE, self.stream.shutdown()).await;
        closed.expect("no delay").expect("closed");
    }
}

/// An entry of bob's.
pub(crate) fn entry(seq: u64, text: &str) -> String {
    format!("{seq} 2026-11-21T10:00:00.123Z [bob@192.0.2.9] {text}")
}

/// Returns what a terminal was sent by the plain mode without the sequences of its own: for the
/// wrapping of rows, for bold words, for the row of the person who types, and for pastes.
#[cfg(unix)]
pub(crate) fn without_our_sequences(written: &[u8]) -> String {
    let mut text = String::from_utf8(written.to_vec()).expect("UTF-8");
    for ours in ["[?7l", "[?7h", "[1m", "[22m", "[K", "[?2004h", "[?2004l"] {
        text = text.replace(&format!("\x1b{ours}"), "");
    }
    text
}

/// The program, running.
pub(crate) struct Person {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
}

/// Everything that the program left behind.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Person {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_client")).args(arguments))
    }

    pub(crate) fn start_by(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("TZ", "CST-8")
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    pub(crate) async fn types(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(bytes.as_ref()).await.expect("it reads");
        stdin.flush().await.expect("it reads");
    }

    pub(crate) fn stops_typing(&mut self) {
        self.stdin = None;
    }

    /// Takes standard output away from the program.
    pub(crate) fn closes_stdout(&mut self) {
        self.child.stdout = None;
    }

    /// The next line on standard output.
    pub(crate) async fn shows(&mut self) -> String {
        let stdout = self.child.stdout.as_mut().expect("standard output is open");
        let mut line = Vec::new();
        loop {
            let byte = timeout(DEADLINE, stdout.read_u8()).await;
            match byte
                .expect("it shows something")
                .expect("it shows something")
            {
                b'\n' => return String::from_utf8(line).expect("text"),
                byte => line.push(byte),
            }
        }
    }

    /// Waits until it tells this on standard error.
    #[cfg(unix)]
    pub(crate) async fn tells(&mut self, part: &str) {
        let stderr = self.child.stderr.as_mut().expect("standard error is open");
        let mut told = Vec::new();
        while !String::from_utf8_lossy(&told).contains(part) {
            let byte = timeout(DEADLINE, stderr.read_u8()).await;
            told.push(
                byte.expect("it tells something")
                    .expect("it tells something"),
            );
        }
    }

    #[cfg(unix)]
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        // The shell's own, because the program of that name is not on every system.
        let kill = format!("kill -s {name} {id}");
        let sent = Command::new("sh").args(["-c", &kill]).status().await;
        assert!(sent.expect("a signal").success());
    }

    /// Waits for its end; what was not yet read of its output.
    pub(crate) async fn ends(mut self) -> Outcome {
        self.stdin = None;
        self.ends_by_itself().await
    }

    /// The same, while standard input stays open.
    pub(crate) async fn ends_by_itself(mut self) -> Outcome {
        let _stdin = self.stdin.take();
        let output = timeout(DEADLINE, self.child.wait_with_output()).await;
        let output = output.expect("it ends").expect("its output");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

impl Outcome {
    /// Returns the exit code, and the messages that are not about the connection.
    pub(crate) fn told(&self) -> (Option<i32>, Vec<&str>) {
        let told = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with("client: connected as "));
        (self.code, told.collect())
    }
}
