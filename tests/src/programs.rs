//! The three programs as people run them, built once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions};
use tempfile::TempDir;

use crate::PATIENCE;

/// Flags of a server in whose room everybody says as much as they can, as fast as they can.
pub const WITHOUT_PACE: [&str; 8] = [
    "--line-rate",
    "0",
    "--byte-rate",
    "0",
    "--daily-bytes",
    "0",
    "--daily-runs",
    "0",
];

/// Where a program is. Cargo does not build another package's programs for a test, so the first
/// call builds them; with nothing changed that takes no time.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(build);
    FOLDER
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

fn build() -> PathBuf {
    // A test's own program lies in target/PROFILE/deps.
    let test = std::env::current_exe().expect("a test knows its own program");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps")
        .to_owned();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args([
        "build", "--quiet", "--locked", "-p", "ca-tool", "-p", "server", "-p", "client",
    ]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let built = command.status().expect("cargo can be started");
    assert!(built.success(), "the programs could not be built");
    folder
}

/// Runs a program of ours to its end, with `input` on its standard input.
pub fn run(folder: &Path, name: &str, arguments: &[&str], input: &str) -> Output {
    let mut running = Running::start(folder, &program(name), arguments);
    running.send(input);
    running.finish()
}

/// Whether a tool of others is here. Where it is not, says which test is skipped; never in CI.
pub fn tool_or_skip(tool: &str, test: &str) -> bool {
    let is_here = rare_tool_or_skip(tool, test);
    assert!(
        is_here || std::env::var_os("CI").is_none(),
        "{tool} must be there in CI"
    );
    is_here
}

/// The same for a tool that not even CI installs.
pub fn rare_tool_or_skip(tool: &str, test: &str) -> bool {
    // Any other flag would have tmux start a server.
    let version = if tool == "tmux" { "-V" } else { "--version" };
    let is_here = Command::new(tool)
        .arg(version)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !is_here {
        println!("skipped: {test}: there is no {tool} here");
    }
    is_here
}

/// A folder with a CA in it, where the programs run as people run them.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    ca: Ca,
}

/// The program `server` while it runs.
#[derive(Debug)]
pub struct Served {
    /// The program.
    pub program: Running,
    /// The line in which it says where it listens.
    pub said: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Site {
    /// A folder in which `ca-tool init` ran for this room.
    pub fn new(room: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = Ca::init(&folder.path().join("ca"), &InitOptions::named(room));
        Self {
            folder,
            ca: ca.expect("a new CA"),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The CA.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Somebody's bundle, as it is named within the folder; it is issued if there is none.
    pub fn bundle(&self, name: &str) -> String {
        let bundle = format!("ca/people/{name}.pem");
        if !self.path(&bundle).exists() {
            let issued = self
                .ca
                .issue(&Candidate::named([name]), &IssueOptions::default());
            issued.expect("a certificate");
        }
        bundle
    }

    /// Runs a program in the folder to its end, without any input.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Output {
        run(self.folder(), name, arguments, "")
    }

    /// Starts `server` on a port that is free, and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Served {
        let mut command = Command::new(program("server"));
        command.args(arguments);
        self.serve_by(command)
    }

    /// The same, with the command that starts `server` in the caller's hands.
    pub fn serve_by(&self, mut command: Command) -> Served {
        command.args(["--listen", "127.0.0.1:0"]);
        self.listen(command)
    }

    /// Starts `server` where another one listened before.
    pub fn serve_again(&self, address: SocketAddr, arguments: &[&str]) -> Served {
        let mut command = Command::new(program("server"));
        command.args(arguments);
        self.serve_again_by(address, command)
    }

    /// The same, with the command that starts `server` in the caller's hands.
    pub fn serve_again_by(&self, address: SocketAddr, mut command: Command) -> Served {
        command.args(["--listen", &address.to_string()]);
        self.listen(command)
    }

    fn listen(&self, mut command: Command) -> Served {
        command.current_dir(self.folder());
        let mut program = Running::spawn(command);
        let said = program.expect_err("listening on ");
        let address = said
            .split("listening on ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|address| address.parse().ok());
        Served {
            address: address.unwrap_or_else(|| panic!("no address: {said}")),
            program,
            said,
        }
    }

    /// Starts `client` as somebody; nothing is waited for.
    pub fn client(&self, served: &Served, name: &str, arguments: &[&str]) -> Running {
        let (bundle, server) = (self.bundle(name), served.address.to_string());
        let mut all = vec!["--cert", &bundle, "--server", &server];
        all.extend(arguments);
        Running::start(self.folder(), &program("client"), &all)
    }

    /// Starts `client` as somebody and waits until the server has let it in.
    pub fn enter(&self, served: &Served, name: &str, arguments: &[&str]) -> Running {
        let mut client = self.client(served, name, arguments);
        client.expect_err("connected as ");
        client
    }

    /// What `server query` answers, one text for each row.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let output = self.run("server", &["query", "--csv", sql]);
        let answer = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        answer.lines().skip(1).map(str::to_owned).collect()
    }
}

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

    /// Starts a command; its three streams are taken over.
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

    /// Its process id.
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

    /// Waits for a line on standard output that contains `part`.
    pub fn expect_out(&mut self, part: &str) -> String {
        let found = self.out.expect(part);
        found.unwrap_or_else(|| self.fail(&format!("no {part:?} on stdout")))
    }

    /// Whether such a line comes on standard output before its end.
    pub fn says(&mut self, part: &str) -> bool {
        self.out.expect(part).is_some()
    }

    /// Waits for a line on standard error that contains `part`.
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

    /// Closes its input, waits for its end and gives everything that it wrote.
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

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) if Instant::now() < deadline => {
                    // There is no portable way to wait for a process with a deadline.
                    std::thread::sleep(Duration::from_millis(5));
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

    /// Waits for the next line with `part` in it; lines before it have been seen then.
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

    /// Everything, now that the program has ended.
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
