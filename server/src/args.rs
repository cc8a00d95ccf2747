//! Command-line arguments: raw, until [`Serve::load`] has read and checked the files.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::{IntErrorKind, ParseIntError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use narration::Narrator;
use pki::{CaHints, Gate, RevocationList};
use tokio::net::TcpListener;
use wire::limits::TEXT_BYTES_MAX;

use crate::config::{Config, Limits, SameId};
use crate::door::socket::listen;
use crate::os;
use crate::watch::bundle::read_bundle;
use crate::watch::revocation::read_list;

/// A room where your certificate is your name.
#[derive(Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
// A negative number is a value, to be refused as one, and no flag of digits.
#[command(allow_negative_numbers = true)]
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
  server query --csv --out attendance.csv \"select * from attendance\"")]
    Query {
        /// The query in SQL. Tables: joins, history, senders, meta; views: transcript, attendance.
        sql: String,
        /// The database file.
        #[arg(long, default_value = "chat.db", value_name = "FILE")]
        db: PathBuf,
        /// Write the answer as CSV for a spreadsheet: a ' stands before texts that it would take for
        /// formulas, and a file begins with the mark by which Excel knows UTF-8.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// With --csv: write each text to the byte, without that mark, for programs.
        #[arg(long, requires = "csv")]
        raw: bool,
        /// Write the answer as JSON. A second column of the same name gets a number, as in id_2.
        #[arg(long)]
        json: bool,
        /// Write the answer to this file, which only you can read. It takes the place of an older
        /// one when it is whole.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
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
    /// Admit people whose certificates are revoked or on hold.
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
    /// Explain on standard error each step of the flowchart: the messages of TLS, each certificate and
    /// its checks, commits, and lines by their length. Never a key, and nothing of what people say.
    #[arg(long)]
    pub explain: bool,
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
    #[arg(long, default_value_t = Limits::default().line_rate, value_parser = whole::<u32>, value_name = "N")]
    line_rate: u32,
    /// Lines that one person may send in a burst.
    #[arg(long, default_value_t = Limits::default().line_burst, value_parser = whole::<u32>, value_name = "N")]
    line_burst: u32,
    /// Bytes of text per second for one person, at least 128; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().byte_rate, value_name = "BYTES",
        value_parser = parse_byte_rate)]
    byte_rate: u32,
    /// Bytes of text that one person may send in a burst, at least 4096.
    #[arg(long, default_value_t = Limits::default().byte_burst, value_name = "BYTES",
        value_parser = parse_byte_burst)]
    byte_burst: u32,
    /// Bytes that one person may add to the record in a UTC day; each line counts its text plus 128
    /// bytes; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().daily_bytes_max, value_parser = whole::<u64>, value_name = "BYTES")]
    daily_bytes: u64,
    /// How many starts of a client one person may speak from in a UTC day; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().daily_runs_max, value_parser = whole::<u64>, value_name = "N")]
    daily_runs: u64,
    /// Connections at once, within the limit on open files; 0 for as many as that limit allows.
    #[arg(long, default_value_t = Limits::default().connections_max, value_parser = whole::<usize>, value_name = "N")]
    connections: usize,
    /// Handshakes in progress at once; beyond this number the slowest is ended; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().handshakes_max, value_parser = whole::<usize>, value_name = "N")]
    handshakes: usize,
    /// Handshakes in progress at once from one address (an IPv6 /64 counts as one); further ones
    /// wait; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().handshakes_per_address_max, value_parser = whole::<usize>, value_name = "N")]
    handshakes_per_address: usize,
    /// New sessions per minute for one ID; 0 for no limit.
    #[arg(long, default_value_t = Limits::default().sessions_per_minute_max, value_parser = whole::<u32>, value_name = "N")]
    sessions_per_minute: u32,
    /// Entries shown on joining to clients that do not say where to start.
    #[arg(long, default_value_t = Limits::default().backlog_entries, value_parser = whole::<u64>, value_name = "N")]
    backlog: u64,
}

/// Returns the flag that somebody may have looked for, if it has another name here. Then takes clap's
/// own guess, which knows less, out of the refusal.
pub fn hint(refused: &mut clap::Error) -> Option<&'static str> {
    let hint = guess(refused)?;
    for clap_says in [
        ContextKind::SuggestedArg,
        ContextKind::Suggested,
        ContextKind::Usage,
    ] {
        refused.remove(clap_says);
    }
    Some(hint)
}

fn guess(refused: &clap::Error) -> Option<&'static str> {
    const LISTEN: &str = "--listen [IP:]PORT names the port and the address, as in --listen 28111";
    if refused.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let ContextValue::String(flag) = refused.get(ContextKind::InvalidArg)? else {
        return None;
    };
    match flag.trim_start_matches('-').split('=').next()? {
        "port" | "p" | "host" | "address" | "addr" | "ip" | "bind" | "b" | "l" => Some(LISTEN),
        "database" | "data" | "file" | "d" => Some("--db FILE names the database"),
        "bundle" | "key" | "certificate" | "c" | "ca" | "cacert" => Some(
            "--cert FILE names the server's bundle: certificate, key and CA certificate in one file",
        ),
        "revocation" | "revoked" | "crl-file" => Some("--crl FILE names the revocation list"),
        "log" | "logfile" | "o" => Some("--log-file FILE writes the log to a file too"),
        "verbose" | "v" | "debug" | "quiet" | "q" => {
            Some("RUST_LOG chooses what is logged, for example RUST_LOG=debug or RUST_LOG=warn")
        }
        "output" => Some("--out FILE writes the answer to a file"),
        _ => None,
    }
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
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        let port = text.parse().map(Listen::Everywhere);
        return port.map_err(|_| format!("{text} is not a port; {PORTS}"));
    }
    if let Ok(address) = text.parse() {
        return Ok(Listen::At(address));
    }
    if let Some(zoned) = parse_zoned(text) {
        return zoned.map(Listen::At);
    }
    Err(why_not_an_address(text))
}

const PORTS: &str = "ports go from 0 to 65535, and 0 takes any that is free";

/// Reads `[fe80::1%eth0]:27332`. The standard library reads zones that are numbers, and people write names. Returns
/// `None` for a text of another form.
fn parse_zoned(text: &str) -> Option<Result<SocketAddr, String>> {
    let (ip, rest) = text.strip_prefix('[')?.split_once('%')?;
    let (zone, port) = rest.split_once("]:")?;
    let (ip, port): (Ipv6Addr, u16) = (ip.parse().ok()?, port.parse().ok()?);
    // A machine that does not list its interfaces has none that could be found.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let number = interfaces
        .iter()
        .find(|interface| interface.name == zone)
        .and_then(|interface| interface.index);
    Some(match number {
        Some(number) => Ok(SocketAddrV6::new(ip, port, 0, number).into()),
        None => {
            let mut names: Vec<_> = interfaces.into_iter().map(|found| found.name).collect();
            names.sort_unstable();
            names.dedup();
            Err(format!(
                "this machine has no interface {zone}, but {}",
                names.join(", ")
            ))
        }
    })
}

/// Says what a text is that is no address with a port, and how to write one.
fn why_not_an_address(text: &str) -> String {
    let port = wire::PORT;
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split('/').next().unwrap_or_default();
        let why = why_not_an_address(host);
        return match host.parse::<SocketAddr>() {
            Ok(_) => format!("leave out {scheme}://, as in {host}"),
            Err(_) => format!("leave out {scheme}://; {why}"),
        };
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => return format!("it has no port; write {ip}:{port}"),
        Ok(IpAddr::V6(ip)) => return format!("it has no port; write [{ip}]:{port}"),
        Err(_) => {}
    }
    let (host, its_port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    match its_port {
        Some(its_port) if is_address => format!("{its_port:?} is not a port; {PORTS}"),
        _ if host.starts_with(char::is_alphanumeric) && host.chars().all(is_of_a_name) => format!(
            "{host} is a name, and a server listens on addresses: 127.0.0.1:{port} for this machine alone, or a port \
             alone, such as {port}, for every address that it has"
        ),
        _ => format!(
            "write an address and a port, such as 0.0.0.0:{port} or [::1]:{port}, or a port alone"
        ),
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '.' | '_')
}

/// Reads a whole number, which no unit follows.
fn whole<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => {
                "this is more than any limit can be; 0 stands for no limit".to_owned()
            }
            _ => "write a whole number, without a unit".to_owned(),
        })
}

/// Reads the bytes of a burst, which must hold the longest line.
fn parse_byte_burst(text: &str) -> Result<u32, String> {
    match whole(text)? {
        burst if (burst as usize) < TEXT_BYTES_MAX => Err(format!(
            "write at least {TEXT_BYTES_MAX}, the bytes of the longest line"
        )),
        burst => Ok(burst),
    }
}

/// Refuses a rate at which the longest line would wait until its client gave up the connection.
fn parse_byte_rate(text: &str) -> Result<u32, String> {
    const BYTE_RATE_MIN: u32 = 128;
    match whole(text)? {
        rate if rate == 0 || rate >= BYTE_RATE_MIN => Ok(rate),
        _ => Err(format!("write 0 for no limit, or at least {BYTE_RATE_MIN}")),
    }
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
            narrator: Narrator::default(),
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
        match self.listen.unwrap_or(Listen::Everywhere(wire::PORT)) {
            Listen::At(address) => {
                listen(address).map_err(|failure| cannot_listen(address, &failure))
            }
            Listen::Everywhere(port) => listen_everywhere(port, listen),
        }
    }
}

/// Listens on every address of this host, of IPv4 alone where there is no IPv6.
fn listen_everywhere<L>(port: u16, listen: impl Fn(SocketAddr) -> io::Result<L>) -> Result<L> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let without_ipv6 = match listen(all) {
        Ok(listener) => return Ok(listener),
        // The host has IPv6, and IPv4 would meet the same.
        Err(failure)
            if matches!(
                failure.kind(),
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Err(cannot_listen(all, &failure));
        }
        Err(failure) => failure,
    };
    let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    // The second failure is the one to mend: a host without IPv6 is no fault.
    let listener = listen(ipv4).map_err(|failure| cannot_listen(ipv4, &failure))?;
    tracing::warn!(error = %without_ipv6, "this host has no IPv6; listening on {ipv4}");
    Ok(listener)
}

fn cannot_listen(address: SocketAddr, failure: &io::Error) -> anyhow::Error {
    let port = address.port();
    let (why, hint) = match failure.kind() {
        io::ErrorKind::AddrInUse => {
            let holder = match os::holder_of(port) {
                Some(os::Holder { process, name }) => {
                    format!("process {process} ({name}) has port {port}")
                }
                None => format!("another program has port {port}"),
            };
            let hint =
                "is a server already running? Stop it, or choose another port with --listen PORT";
            (holder, hint.to_owned())
        }
        io::ErrorKind::PermissionDenied => (
            failure.to_string(),
            "ports below 1024 are reserved for the system; choose another with --listen PORT"
                .to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "this machine does not have that address".to_owned(),
            format!("--listen {port} listens on every address that it has"),
        ),
        _ if needs_a_zone(address) => (
            "fe80 addresses are good on one network link only, and it is not named".to_owned(),
            format!(
                "add the link's interface, as in --listen '[{}%eth0]:{port}'",
                address.ip()
            ),
        ),
        _ => return anyhow::Error::msg(format!("cannot listen on {address}: {failure}")),
    };
    let error = format!("cannot listen on {address}: {why}");
    Hinted { error, hint }.into()
}

fn needs_a_zone(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address)
        if address.ip().is_unicast_link_local() && address.scope_id() == 0)
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
        for bad in ["1", "127"] {
            let why = parse_byte_rate(bad).expect_err(bad);
            assert_eq!(why, "write 0 for no limit, or at least 128");
        }
    }

    #[test]
    fn a_number_that_is_none_is_refused_in_our_words() {
        for (bad, words) in [
            ("", "a whole number"),
            ("-1", "a whole number"),
            ("4 KiB", "without a unit"),
            ("1.5", "a whole number"),
            ("1e6", "a whole number"),
            ("4294967296", "more than any limit"),
        ] {
            for flag in [
                "--line-rate",
                "--byte-rate",
                "--byte-burst",
                "--sessions-per-minute",
            ] {
                let refused = Args::try_parse_from(["server", &format!("{flag}={bad}")]);
                let refused = refused.expect_err(bad).to_string();
                let is_clear = refused.contains(words) && !refused.contains("digit");
                assert!(is_clear || bad.is_empty(), "{refused}");
            }
        }
        for flag in [
            "--daily-bytes",
            "--daily-runs",
            "--connections",
            "--handshakes",
            "--backlog",
            "--handshakes-per-address",
            "--line-burst",
        ] {
            let refused = Args::try_parse_from(["server", flag, "-5"]).expect_err(flag);
            assert!(
                refused.to_string().contains("write a whole number"),
                "{refused}"
            );
            let refused = Args::try_parse_from(["server", flag, "many"]).expect_err(flag);
            assert!(
                refused.to_string().contains("write a whole number"),
                "{refused}"
            );
        }
        assert!(
            parse_byte_burst("4095")
                .expect_err("too few")
                .contains("4096")
        );
        assert_eq!(parse_byte_burst("4096"), Ok(4096));
    }

    #[test]
    fn without_ipv6_the_failure_of_ipv4_is_told_and_otherwise_the_first_one() {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let both = |first: fn() -> io::Error, second: fn() -> io::Result<&'static str>| {
            let listened = listen_everywhere(1, |address| match address.is_ipv6() {
                true => Err(first()),
                false => second(),
            });
            listened.map_err(|error| error.to_string())
        };
        let in_use = || io::Error::from(io::ErrorKind::AddrInUse);
        assert_eq!(both(unsupported, || Ok("IPv4")), Ok("IPv4"));
        let told = both(unsupported, || Err(io::ErrorKind::AddrInUse.into())).expect_err("taken");
        assert_eq!(
            told,
            "cannot listen on 0.0.0.0:1: another program has port 1"
        );
        let told = both(in_use, || Ok("never asked")).expect_err("taken");
        assert_eq!(told, "cannot listen on [::]:1: another program has port 1");
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
        for (bad, why) in [
            ("", "such as 0.0.0.0:27332 or [::1]:27332, or a port alone"),
            (":28111", "such as 0.0.0.0:27332"),
            ("-1", "such as 0.0.0.0:27332"),
            (
                "localhost",
                "localhost is a name, and a server listens on addresses: 127.0.0.1:27332",
            ),
            ("localhost:28111", "localhost is a name"),
            (
                "https://localhost",
                "leave out https://; localhost is a name",
            ),
            (
                "https://192.0.2.1/room",
                "leave out https://; it has no port; write 192.0.2.1:27332",
            ),
            ("tcp://192.0.2.1:9", "leave out tcp://, as in 192.0.2.1:9"),
            ("192.0.2.1", "it has no port; write 192.0.2.1:27332"),
            ("192.0.2.1:", "\"\" is not a port"),
            ("192.0.2.1:http", "\"http\" is not a port"),
            ("::1", "it has no port; write [::1]:27332"),
            ("[::1]", "it has no port; write [::1]:27332"),
            (
                "[::1]:99999",
                "\"99999\" is not a port; ports go from 0 to 65535",
            ),
            ("65536", "65536 is not a port; ports go from 0 to 65535"),
            (
                "[fe80::1%no-such-link]:9",
                "this machine has no interface no-such-link, but ",
            ),
        ] {
            let told = parse_listen(bad).expect_err(bad);
            assert!(told.contains(why), "{bad}: {told}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zone_is_a_name_or_a_number() {
        let interfaces = if_addrs::get_if_addrs().expect("interfaces");
        let loopback = interfaces.iter().find(|interface| interface.is_loopback());
        let (name, index) = loopback
            .map(|found| (&found.name, found.index))
            .expect("loopback");
        let number = index.expect("a number");
        let expected = SocketAddrV6::new("fe80::1".parse().expect("an address"), 9, 0, number);
        for zone in [name, &number.to_string()] {
            let listen = parse_listen(&format!("[fe80::1%{zone}]:9"));
            assert_eq!(listen, Ok(Listen::At(expected.into())));
        }
    }

    #[test]
    fn a_link_local_address_without_a_zone_is_refused_with_the_form_that_is_right() {
        let address = "[fe80::1]:9".parse().expect("an address");
        let failure = cannot_listen(address, &io::ErrorKind::InvalidInput.into());
        let hinted: &Hinted = failure.downcast_ref().expect("a hint");
        assert_eq!(
            hinted.hint,
            "add the link's interface, as in --listen '[fe80::1%eth0]:9'"
        );
        assert!(
            hinted.error.contains("on one network link only"),
            "{hinted}"
        );
    }
}
