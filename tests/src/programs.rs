//! The three programs as people run them, built once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions};
use kit::Running;
use tempfile::TempDir;

/// Flags of a server that limits nobody: not how fast and how much they say, and not how often they
/// connect.
pub const UNLIMITED: [&str; 10] = [
    "--line-rate",
    "0",
    "--byte-rate",
    "0",
    "--daily-bytes",
    "0",
    "--daily-runs",
    "0",
    "--sessions-per-minute",
    "0",
];

/// Returns the path of a program. Cargo does not build another package's programs for a test, so the
/// first call builds them, which takes no time if nothing changed.
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

/// Runs one of our programs to its end, with `input` on its standard input.
pub fn run(folder: &Path, name: &str, arguments: &[&str], input: &str) -> Output {
    let mut running = Running::start(folder, &program(name), arguments);
    running.send(input);
    running.finish()
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
    /// Makes a folder in which `ca-tool init` ran for this room.
    pub fn new(room: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = Ca::init(&folder.path().join("ca"), &InitOptions::named(room));
        Self {
            folder,
            ca: ca.expect("a new CA"),
        }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Returns the CA.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Returns the path of a person's bundle within the folder, and issues it if there is none.
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

    /// The same, with a command of the caller's that starts `server`.
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

    /// The same, with a command of the caller's that starts `server`.
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

    /// Starts `client` as a person, and waits for nothing.
    pub fn client(&self, served: &Served, name: &str, arguments: &[&str]) -> Running {
        let (bundle, server) = (self.bundle(name), served.address.to_string());
        let mut all = vec!["--cert", &bundle, "--server", &server];
        all.extend(arguments);
        Running::start(self.folder(), &program("client"), &all)
    }

    /// Starts `client` as a person, and waits until the server has admitted it.
    pub fn enter(&self, served: &Served, name: &str, arguments: &[&str]) -> Running {
        let mut client = self.client(served, name, arguments);
        client.expect_err("connected as ");
        client
    }

    /// Returns what `server query` answers: one text for each row.
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
