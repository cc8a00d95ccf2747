//! The server's configuration after its files were read and checked.
//!
//! Every limit that a flag or a test changes is in `Limits`. The limits of the protocol are in
//! `wire::limits`; a limit that nobody changes is beside the code that keeps it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use narration::Narrator;
use pki::{Bundle, CaHints, Gate, RevocationList};

/// Everything that a server needs to run.
#[derive(Debug)]
pub struct Config {
    /// The bundle's file, which is read again when it changes.
    pub cert: PathBuf,
    /// The server's certificate and key, and the CA that it trusts.
    pub bundle: Bundle,
    /// Decides which certificates are admitted.
    pub gate: Arc<Gate>,
    /// The revocation list and its file; `None` for `--no-revocation`.
    pub crl: Option<(PathBuf, Arc<RevocationList>)>,
    /// The database file.
    pub db: PathBuf,
    /// The room's name, from the CA's certificate.
    pub room: String,
    /// Explains each step, or does nothing.
    pub narrator: Narrator,
    /// Whether each entry is printed to standard output once it is committed.
    pub show: bool,
    /// How to treat a second connection of an ID.
    pub same_id: SameId,
    /// Whether the server names its CA to every client that connects.
    pub ca_hints: CaHints,
    /// Every limit.
    pub limits: Limits,
}

/// How to treat a second connection of an ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum SameId {
    /// The newer session replaces the older one.
    #[default]
    Replace,
    /// The newer session is refused.
    Refuse,
    /// Both sessions stay.
    Allow,
}

/// Every limit, units last. The limits of a line are in [`wire::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Lines per second for one ID, over all its sessions; 0 for no limit. Enforced by
    /// backpressure.
    pub line_rate: u32,
    /// Lines that one ID may send in a burst before the rate applies.
    pub line_burst: u32,
    /// Bytes of text per second for one ID, over all its sessions; 0 for no limit. Enforced by
    /// backpressure.
    pub byte_rate: u32,
    /// Bytes of text that one ID may send in a burst before the rate applies: at least one line's.
    pub byte_burst: u32,
    /// Bytes that one ID may add to the record in a UTC day: each line counts its text, and 128
    /// bytes for its row; 0 for no limit.
    pub daily_bytes_max: u64,
    /// The runs that one ID may begin in a UTC day: each is a row of `senders`; 0 for no limit.
    pub daily_runs_max: u64,
    /// Connections at once; 0 for no limit.
    pub connections_max: usize,
    /// Handshakes in progress, which wait for their clients; 0 for no limit. They cost memory;
    /// processor time is given to a few at once.
    pub handshakes_max: usize,
    /// Handshakes in progress from one address, an IPv6 /64 counting as one; 0 for no limit.
    pub handshakes_per_address_max: usize,
    /// New sessions of one ID within a minute; 0 for no limit.
    pub sessions_per_minute_max: u32,
    /// Sessions of one ID at once, where several are allowed.
    pub sessions_per_id_max: usize,
    /// Entries shown on joining in the plain dialect.
    pub backlog_entries: u64,
    /// How long a connection may take to send its ClientHello, and then to complete its handshake.
    pub handshake_timeout: Duration,
    /// `handshake_timeout` while others wait for the place.
    pub crowded_handshake_timeout: Duration,
    /// How long a ClientHello may wait for its answer: longer than a handshake may take, so that
    /// handshakes which are never completed turn nobody away.
    pub handshake_wait_timeout: Duration,
    /// Connections from one address that have no session yet.
    pub waiting_per_address_max: usize,
    /// How long a write may make no progress before its session has stalled.
    pub write_stall_timeout: Duration,
    /// How long a client of our dialect, or the operating system of any other client, may be
    /// silent.
    pub silence_timeout: Duration,
    /// Entries in one commit.
    pub batch_entries_max: usize,
    /// From the start of one commit to the start of the next while lines keep coming: two thirds of
    /// it after a commit of 32 lines or more, then as long again if fewer have come than last time;
    /// longer where sending takes longer.
    pub commit_gap: Duration,
    /// The size of the transcript's newest part, which is kept in memory.
    pub tail_bytes_max: usize,
    /// How much of that part is read from the database at the start.
    pub tail_bytes_at_start: usize,
    /// Entries in one page of history.
    pub page_entries_max: u64,
    /// Bytes of a page that are kept; the rest is read again when it is needed.
    pub page_bytes_max: usize,
    /// Bytes in one write to a client.
    pub write_bytes_max: usize,
    /// Lines that wait while the database cannot be written, besides a batch.
    pub waiting_asks_max: usize,
    /// How long a person may be without a session before the leave is written.
    pub absence_max: Duration,
    /// `absence_max` after the server was started.
    pub absence_after_start_max: Duration,
    /// How often the files of the revocation list and the bundle are checked for changes.
    pub file_poll_interval: Duration,
    /// Remaining validity of a certificate below which the greeting warns its owner.
    pub expiry_notice: Duration,
    /// How long a session may go on receiving entries after it was told that the server stops.
    pub stop_entries_timeout: Duration,
    /// How long a session that was ended has to receive the reason.
    pub end_timeout: Duration,
    /// How long sessions have to end when the server stops.
    pub stop_sessions_timeout: Duration,
    /// How long the stopping server waits for a database that cannot be written.
    pub stop_database_timeout: Duration,
    /// How long the start may look for damage in the database.
    pub check_at_start_timeout: Duration,
    /// How long the start may count what everybody wrote on the day of the newest entry.
    pub count_at_start_timeout: Duration,
    /// The write-ahead log: the size it is truncated to after it was emptied, and above which the
    /// operator is warned.
    pub journal_bytes_max: u64,
    /// How often the database records that the server is running.
    pub alive_interval: Duration,
    /// Log lines per second about refused attempts.
    pub refusals_logged_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_rate: 10,
            line_burst: 20,
            // Sixteen of the longest lines in a burst, then one per second.
            byte_rate: 4096,
            byte_burst: 64 * 1024,
            daily_bytes_max: 64 * 1024 * 1024,
            // A script that starts a client every two minutes begins 720.
            daily_runs_max: 1000,
            connections_max: 4096,
            handshakes_max: 256,
            handshakes_per_address_max: 16,
            sessions_per_minute_max: 10,
            sessions_per_id_max: 16,
            backlog_entries: 20,
            handshake_timeout: Duration::from_secs(10),
            crowded_handshake_timeout: Duration::from_secs(2),
            handshake_wait_timeout: Duration::from_secs(30),
            waiting_per_address_max: 512,
            write_stall_timeout: Duration::from_secs(60),
            silence_timeout: Duration::from_secs(75),
            batch_entries_max: 1000,
            // Unnoticeable, and at 2,000 lines a second it saves a quarter of the processor.
            commit_gap: Duration::from_millis(3),
            tail_bytes_max: 16 * 1024 * 1024,
            tail_bytes_at_start: 1024 * 1024,
            page_entries_max: 256,
            page_bytes_max: 64 * 1024,
            write_bytes_max: 64 * 1024,
            waiting_asks_max: 2000,
            absence_max: Duration::from_secs(15),
            absence_after_start_max: Duration::from_secs(60),
            file_poll_interval: Duration::from_millis(500),
            // Long enough to ask for a new certificate, short enough not to warn people all term.
            expiry_notice: Duration::from_secs(14 * 24 * 60 * 60),
            stop_entries_timeout: Duration::from_secs(2),
            end_timeout: Duration::from_secs(1),
            stop_sessions_timeout: Duration::from_secs(6),
            stop_database_timeout: Duration::from_secs(8),
            check_at_start_timeout: Duration::from_millis(500),
            count_at_start_timeout: Duration::from_millis(200),
            journal_bytes_max: 64 * 1024 * 1024,
            alive_interval: Duration::from_secs(30),
            refusals_logged_per_second: 10,
        }
    }
}
