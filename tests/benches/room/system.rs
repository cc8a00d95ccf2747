//! The servers that are measured, each as a process of its own: ours, and those it is compared with,
//! set up so that nothing holds them back.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::{PATIENCE, Running, UNLIMITED, processor_time, program};

use crate::site::Site;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum System {
    /// This project's server.
    Ours,
    /// Debian's mosquitto.
    Mosquitto,
    /// Debian's nats-server.
    Nats,
}

/// A server while it runs.
pub(crate) struct Served {
    running: Running,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Ours => "ours",
            System::Mosquitto => "mosquitto",
            System::Nats => "nats",
        }
    }

    /// Returns the version, as the program says it.
    pub(crate) fn version(self) -> String {
        let (program, argument) = match self {
            System::Ours => (program("server"), "--version"),
            System::Mosquitto => ("mosquitto".into(), "-h"),
            System::Nats => ("nats-server".into(), "--version"),
        };
        let output = Command::new(&program).arg(argument).output();
        let output = output.unwrap_or_else(|failure| panic!("{}: {failure}", program.display()));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().next().unwrap_or_default().to_owned()
    }
}

impl Served {
    /// Starts a server that admits this number of people and has no data.
    pub(crate) fn start(system: System, site: &Site, people: usize) -> Self {
        site.issue(people);
        let folder = tempfile::tempdir_in(site.path("")).expect("a folder");
        match system {
            System::Ours => Self::ours(site, &folder.path().join("chat.db"), folder),
            System::Mosquitto => Self::mosquitto(site, folder),
            System::Nats => Self::nats(site, folder, people),
        }
    }

    /// Starts our server on a database.
    pub(crate) fn start_ours(site: &Site, db: &Path) -> Self {
        let folder = tempfile::tempdir_in(site.path("")).expect("a folder");
        Self::ours(site, db, folder)
    }

    fn ours(site: &Site, db: &Path, folder: TempDir) -> Self {
        let mut command = Command::new(program("server"));
        command
            .arg("--cert")
            .arg(site.server())
            .arg("--crl")
            .arg(site.list())
            .arg("--db")
            .arg(db)
            .args(["--listen", "127.0.0.1:0"])
            .args(UNLIMITED)
            .args(["--connections", "0"]);
        let mut running = Running::spawn(command);
        let said = running.expect_err("listening on ");
        let address = said
            .split("listening on ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .and_then(|address| address.parse().ok());
        Self {
            running,
            address: address.unwrap_or_else(|| panic!("no address: {said}")),
            _folder: folder,
        }
    }

    fn mosquitto(site: &Site, folder: TempDir) -> Self {
        let port = free_port();
        let config = format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\ntls_version tlsv1.3\n\
            require_certificate true\nuse_identity_as_username true\npersistence false\n\
            max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\n\
            set_tcp_nodelay true\nlog_type error\nuser root\n",
            site.path("ca/ca.pem").display(),
            site.path("server.crt").display(),
            site.path("server.key").display(),
        );
        Self::other("mosquitto", &config, port, folder)
    }

    fn nats(site: &Site, folder: TempDir, people: usize) -> Self {
        let port = free_port();
        let mut users = String::new();
        for client in 0..people {
            let subject = site.subject(client);
            let _never_fails = writeln!(users, "    {{ user: \"{subject}\" }}");
        }
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nmax_connections: 65536\nmax_pending: 1GB\n\
            write_deadline: \"60s\"\nping_interval: \"10m\"\n\
            tls {{\n  cert_file: \"{}\"\n  key_file: \"{}\"\n  ca_file: \"{}\"\n  \
            verify_and_map: true\n  timeout: 10\n}}\n\
            jetstream {{ store_dir: \"{}\", max_file_store: 16GB, max_memory_store: 1GB }}\n\
            authorization {{\n  timeout: 10\n  users: [\n{users}  ]\n}}\n",
            site.path("server.crt").display(),
            site.path("server.key").display(),
            site.path("ca/ca.pem").display(),
            folder.path().join("jetstream").display(),
        );
        Self::other("nats-server", &config, port, folder)
    }

    fn other(program: &str, config: &str, port: u16, folder: TempDir) -> Self {
        let path = folder.path().join("config");
        fs::write(&path, config).expect("a file");
        let mut command = Command::new(program);
        command.arg("-c").arg(&path);
        let running = Running::spawn(command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + PATIENCE;
        // There is no line that both print when they listen.
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{program} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            running,
            address,
            _folder: folder,
        }
    }

    /// Returns the user and system time of the process so far.
    pub(crate) fn cpu(&self) -> Duration {
        processor_time(self.running.id())
    }

    /// Returns the resident memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        tests::resident_kib(self.running.id())
    }

    /// Stops it cleanly.
    pub(crate) fn stop(mut self) {
        self.running.signal("-TERM");
        self.running.wait();
    }
}

/// Returns the user and system time of this process.
pub(crate) fn own_cpu() -> Duration {
    processor_time(std::process::id())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
