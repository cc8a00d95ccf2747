//! Command-line arguments: raw, until [`Serve::load`] has read and checked the files.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use pki::{CaHints, Gate, RevocationList};
use tokio::net::TcpListener;
use wire::limits::TEXT_BYTES_MAX;

use crate::config::{Config, Limits, SameId};
use crate::door::socket::listen;
use crate::watch::bundle::read_bundle;
use crate::watch::revocation::read_list;

/// A room where your certificate is your name.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Args {
    /// A subcommand, if one is given.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve the room.
    #[command(flatten)]
    pub serve: Serve,
}

const EXAMPLES: &str = "Examples:
  server                                      in the folder where `ca-tool init` ran
  server --db lab.db --listen 192.0.2.1:9000  a different database and address
  server query \"select * from transcript\"     everything said so far

Exit codes:
  0   it was told to stop
  1   anything else
  2   the command line is not understood
  74  the disk failed, or the database is damaged
  75  it was stopped while lines could not be stored";

/// The commands of the program besides serving the room.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Query the database with SQL, read-only.
    #[command(after_help = "Examples:
  server query \"select * from transcript\"
  server query --csv \"select * from attendance\" > attendance.csv")]
    Query {
        /// The query in SQL. Tables: joins, history, senders, meta; views: transcript, attendance.
        sql: String,
        /// The database file.
        #[arg(long, default_value = "chat.db", value_name = "FILE")]
        db: PathBuf,
        /// Write the answer as CSV.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// Write the answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How to serve the room.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The server's bundle: its certificate, its key and the CA certificate. It is read again when
    /// it changes, and on SIGHUP.
    #[arg(long, default_value = "ca/server.pem", value_name = "FILE")]
    cert: PathBuf,
    /// The revocation list. It is read again when it changes, and on SIGHUP.
    #[arg(long, default_value = "ca/crl.pem", value_name = "FILE")]
    crl: PathBuf,
    /// Admit people whose certificates are revoked.
    #[arg(long, conflicts_with = "strict_revocation")]
    no_revocation: bool,
    /// Admit nobody while the revocation list is past its nextUpdate.
    #[arg(long)]
    strict_revocation: bool,
    /// The database file; created if it does not exist.
    #[arg(long, default_value = "chat.db", value_name = "FILE")]
    db: PathBuf,
    /// The address to listen on.
    #[arg(long, value_name = "[IP:]PORT", value_parser = parse_listen, help = format!(
        "Address and port to listen on; a port alone means every address [default: [::]:{}]",
        wire::PORT
    ))]
    listen: Option<Listen>,
    /// Print each entry to standard output once it is committed.
    #[arg(long)]
    show: bool,
    /// Also append the log to this file. It holds connections, refusals and errors, and nothing of
    /// what people say.
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// How to treat a second connection of an ID.
    #[arg(long, value_enum, default_value_t)]
    same_id: SameId,
    /// Name the CA to everybody who connects. Browsers and other programs with several certificates
    /// can then choose the right one, but strangers learn who runs this server.
    #[arg(long)]
    ca_hints: bool,
    /// Lines per second for one person; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().line_rate, value_name = "N")]
    line_rate: u32,
    /// Lines that one person may send in a burst.
    #[arg(long, default_value_t = Limits::default().line_burst, value_name = "N")]
    line_burst: u32,
    /// Bytes of text per second for one person, at least 128; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().byte_rate, value_name = "BYTES",
        value_parser = parse_byte_rate)]
    byte_rate: u32,
    /// Bytes of text that one person may send in a burst, at least 4096.
    #[arg(long, default_value_t = Limits::default().byte_burst, value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(TEXT_BYTES_MAX as i64..))]
    byte_burst: u32,
    /// Bytes that one person may add to the record in a UTC day; each line counts its text plus 128
    /// bytes; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().daily_bytes_max, value_name = "BYTES")]
    daily_bytes: u64,
    /// How many starts of a client one person may speak from in a UTC day; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().daily_runs_max, value_name = "N")]
    daily_runs: u64,
    /// Connections at once, within the limit on open files; 0 for as many as that limit allows.
    #[arg(long, default_value_t = Limits::default().connections_max, value_name = "N")]
    connections: usize,
    /// Handshakes in progress at once; beyond this number the slowest is ended; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().handshakes_max, value_name = "N")]
    handshakes: usize,
    /// Handshakes in progress at once from one address (an IPv6 /64 counts as one); further ones
    /// wait; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().handshakes_per_address_max, value_name = "N")]
    handshakes_per_address: usize,
    /// New sessions per minute for one ID; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().sessions_per_minute_max, value_name = "N")]
    sessions_per_minute: u32,
    /// Entries shown on joining to clients that do not say where to start.
    #[arg(long, default_value_t = Limits::default().backlog_entries, value_name = "N")]
    backlog: u64,
}

/// The address that a server is to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listen {
    /// This address and port.
    At(SocketAddr),
    /// This port, on every address.
    Everywhere(u16),
}

fn parse_listen(text: &str) -> Result<Listen, String> {
    let port = text.parse().map(Listen::Everywhere);
    let address = text.parse().map(Listen::At);
    port.or(address).map_err(|_| {
        format!(
            "write an address and a port, such as 0.0.0.0:{0} or [::1]:{0}, or a port alone",
            wire::PORT
        )
    })
}

/// Refuses a rate at which the longest line would wait until its client gave up the connection.
fn parse_byte_rate(text: &str) -> Result<u32, String> {
    const BYTE_RATE_MIN: u32 = 128;
    text.parse()
        .ok()
        .filter(|rate| *rate == 0 || *rate >= BYTE_RATE_MIN)
        .ok_or_else(|| format!("write 0 for no limit, or at least {BYTE_RATE_MIN}"))
}

impl Serve {
    /// Reads the files and checks them. Refuses early.
    ///
    /// # Errors
    ///
    /// When a file is missing, has the wrong contents, or does not fit the others.
    pub fn load(&self) -> Result<Config> {
        self.check_log()?;
        let bundle = read_bundle(&self.cert).map_err(|error| {
            let hint = error.hint();
            Hinted::maybe(error.to_string(), hint)
        })?;
        let gate = Gate::new(bundle.anchor().clone(), self.strict_revocation)
            .with_context(|| format!("cannot use {}", self.cert.display()))?;
        let gate = Arc::new(gate);
        Ok(Config {
            crl: self.load_list(&gate)?,
            room: gate.anchor().subject.to_string(),
            cert: self.cert.clone(),
            bundle,
            gate,
            db: self.db.clone(),
            show: self.show,
            same_id: self.same_id,
            ca_hints: match self.ca_hints {
                true => CaHints::On,
                false => CaHints::Off,
            },
            limits: Limits {
                line_rate: self.line_rate,
                line_burst: self.line_burst,
                byte_rate: self.byte_rate,
                byte_burst: self.byte_burst,
                daily_bytes_max: self.daily_bytes,
                daily_runs_max: self.daily_runs,
                connections_max: self.connections,
                handshakes_max: self.handshakes,
                handshakes_per_address_max: self.handshakes_per_address,
                sessions_per_minute_max: self.sessions_per_minute,
                backlog_entries: self.backlog,
                ..Limits::default()
            },
        })
    }

    /// Refuses a log path that names a file the server needs: a log is appended to whatever file it
    /// is given.
    fn check_log(&self) -> Result<()> {
        let Some(log) = &self.log_file else {
            return Ok(());
        };
        let place = |path: &Path| {
            path.canonicalize()
                .or_else(|_| std::path::absolute(path))
                .ok()
        };
        let beside = |ending: &str| {
            let mut name = self.db.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        let others = [
            ("the database", self.db.clone()),
            ("a file of the database", beside("-wal")),
            ("a file of the database", beside("-shm")),
            ("a file of the database", beside(".lock")),
            ("the bundle", self.cert.clone()),
            ("the revocation list", self.crl.clone()),
        ];
        for (subject, other) in others {
            if place(log).is_some_and(|log| place(&other) == Some(log)) {
                let error = format!("the log {} is {subject}", log.display());
                let hint = "--log-file needs a file that the server does not use".to_owned();
                return Err(Hinted { error, hint }.into());
            }
        }
        Ok(())
    }

    fn load_list(&self, gate: &Gate) -> Result<Option<(PathBuf, Arc<RevocationList>)>> {
        if self.no_revocation {
            return Ok(None);
        }
        let list = read_list(&self.crl, gate).map_err(|error| {
            let hint = "`ca-tool init` creates ca/crl.pem; --crl names another file, and --no-revocation turns the check off";
            Hinted { error: error.to_string(), hint: hint.into() }
        })?;
        Ok(Some((self.crl.clone(), Arc::new(list))))
    }

    /// Listens on the address that was given, or on every address of this host.
    ///
    /// # Errors
    ///
    /// When the system refuses the address.
    pub fn listen(&self) -> Result<TcpListener> {
        let (address, without_ipv6) = match self.listen.unwrap_or(Listen::Everywhere(wire::PORT)) {
            Listen::At(address) => (address, None),
            Listen::Everywhere(port) => (
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
                Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            ),
        };
        let failure = match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(failure) => failure,
        };
        if let Some(ipv4) = without_ipv6
            && failure.kind() != std::io::ErrorKind::AddrInUse
            && let Ok(listener) = listen(ipv4)
        {
            tracing::warn!(error = %failure, "this host has no IPv6; listening on {ipv4}");
            return Ok(listener);
        }
        let error = format!("cannot listen on {address}: {failure}");
        let hint = match failure.kind() {
            std::io::ErrorKind::AddrInUse => Some(
                "another program uses this port; is a server already running? Choose another port with --listen PORT",
            ),
            std::io::ErrorKind::PermissionDenied => Some(
                "ports below 1024 are reserved for the system; choose another with --listen PORT",
            ),
            std::io::ErrorKind::AddrNotAvailable => Some("this host does not have that address"),
            _ => None,
        };
        Err(Hinted::maybe(error, hint.map(str::to_owned)))
    }
}

/// An error with a hint.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Hinted {
    error: String,
    /// Advice for the user.
    pub hint: String,
}

impl Hinted {
    fn maybe(error: String, hint: Option<String>) -> anyhow::Error {
        match hint {
            Some(hint) => Self { error, hint }.into(),
            None => anyhow::Error::msg(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_rate_at_which_a_line_would_wait_for_minutes_is_refused() {
        for (text, rate) in [("0", 0), ("128", 128), ("4096", 4096)] {
            assert_eq!(parse_byte_rate(text), Ok(rate));
        }
        for bad in ["", "1", "127", "-1", "4294967296", "4 KiB"] {
            let why = parse_byte_rate(bad).expect_err(bad);
            assert_eq!(why, "write 0 for no limit, or at least 128");
        }
    }

    #[test]
    fn a_server_listens_at_an_address_or_on_a_port() {
        let at = |text: &str| Listen::At(text.parse().expect("an address and a port"));
        for (text, listen) in [
            ("192.0.2.1:9000", at("192.0.2.1:9000")),
            ("[::1]:9000", at("[::1]:9000")),
            ("28111", Listen::Everywhere(28111)),
        ] {
            assert_eq!(parse_listen(text), Ok(listen));
        }
        for bad in [
            "",
            "localhost:28111",
            "192.0.2.1",
            "::1",
            "65536",
            ":28111",
            "-1",
        ] {
            let why = parse_listen(bad).expect_err(bad);
            assert!(
                why.contains("such as 0.0.0.0:27332 or [::1]:27332"),
                "{why}"
            );
        }
    }
}
