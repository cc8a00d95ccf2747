//! Explains on standard error what happens, step by step, for `--explain`.
//!
//! Each function is called where the step happens: once for a connection, a session or a commit, never
//! for each delivery. Without `--explain` none of them does anything, and sessions run over their
//! connection directly.
// No text that anybody says, as in the log, and no key: lengths and numbers.

mod overheard;
mod steps;

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use narration::{Narrator, Part};
use pki::{Bundle, Gate, RevocationList, Revocations, Witness};
use wire::{Kind, Reason};

use crate::room::batch::Recorded;
use crate::room::decide::Work;
use crate::room::facts::{ConnectionFacts, LocalEnd};

pub(crate) use overheard::Overheard;

/// The entries and receivers that are told one by one.
const TOLD_MAX: usize = 8;

/// Explains what happens, or does nothing: that is the default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Explainer(Narrator);

impl Explainer {
    /// Returns an explainer with this voice.
    pub(crate) fn new(narrator: Narrator) -> Self {
        Self(narrator)
    }

    /// Returns whether anybody listens.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_on()
    }

    fn tell(&self, about: &str, part: impl FnOnce() -> Part) {
        if self.0.is_on() {
            self.0.tell(about, &part());
        }
    }

    fn tell_of(&self, ip: IpAddr, port: u16, part: impl FnOnce() -> Part) {
        if self.0.is_on() {
            self.0.tell(&client(ip, port), &part());
        }
    }

    /// Step 1: the files were read, and the port was taken.
    pub(crate) fn loaded(
        &self,
        bundle: &Bundle,
        gate: &Gate,
        list: Option<&RevocationList>,
        address: SocketAddr,
    ) {
        self.tell("server", || {
            let certificate = bundle.certificate();
            Part::of(steps::FILES)
                .done("the server's certificate, which anybody may see; its private key stays in this program")
                .more_lines(narration::certificate(&certificate, SystemTime::now()))
                .done(format!("it admits people of {}", narration::ca_in_short(gate.anchor())))
                .done(match list {
                    Some(list) => format!("revocation list: {}", in_words(list)),
                    None => "no revocation list: revoked certificates are let in".to_owned(),
                })
                .done(format!("listening on {address}"))
        });
    }

    /// Step 2: the database is open.
    pub(crate) fn opened(&self, db: &dyn Display, head: u64) {
        self.tell("server", || {
            Part::of(steps::DATABASE)
                .done(format!("{db}: the newest entry is {head}"))
                .more("A commit is on the disk before anyone learns of it (WAL, synchronous=FULL)")
        });
    }

    /// Step 3: a connection was accepted.
    pub(crate) fn accepted(&self, ip: IpAddr, port: u16, local: &LocalEnd) {
        self.tell_of(ip, port, || {
            Part::of(steps::ACCEPT)
                .came(format!("TCP from {ip}, port {port}, to our {local} (address/prefix interface#index)"))
                .more("The address in every stamp is this one, from the socket: no client can choose it")
        });
    }

    /// Step 4: these bytes hold a complete ClientHello.
    pub(crate) fn heard_hello(&self, ip: IpAddr, port: u16, bytes: &[u8]) {
        if self.0.is_on()
            && let Some(part) = narration::client_hello_heard(steps::HELLO, bytes)
        {
            self.tell_of(ip, port, || part);
        }
    }

    /// Step 5: it is this handshake's turn.
    pub(crate) fn permitted(&self, ip: IpAddr, port: u16, waited: Duration) {
        self.tell_of(ip, port, || {
            Part::of(steps::PERMIT).done(format!(
                "it waited {}: only a few ClientHellos are answered at once",
                narration::milliseconds(waited)
            ))
        });
    }

    /// Steps 6 and 7: returns the view of a handshake whose client is judged by this list.
    pub(crate) fn handshake(&self, ip: IpAddr, port: u16, list: &Revocations) -> Handshake {
        if !self.0.is_on() {
            return Handshake(None);
        }
        let list = match list {
            Revocations::List(list) => in_words(list),
            Revocations::Unchecked => "nobody checks (--no-revocation)".to_owned(),
        };
        let tls = [steps::TLS, steps::GATE];
        let server = narration::Server::new(self.0.clone(), client(ip, port), tls, list);
        Handshake(Some(Arc::new(server)))
    }

    /// Step 8: a connection is refused.
    pub(crate) fn refused(&self, ip: IpAddr, port: u16, cause: &str) {
        self.tell_of(ip, port, || {
            Part::of(steps::REFUSE).done(cause).more(
                "The client is told as a TLS alert or a line, and the connection is closed gently",
            )
        });
    }

    /// Step 9: the person has entered.
    pub(crate) fn entered(&self, facts: &ConnectionFacts, session: u64) {
        self.tell_of(facts.ip, facts.port, || {
            let member = &facts.member;
            Part::of(steps::ENTER)
                .done(format!(
                    "yes: {} ({}) is session {session}; its row in `joins` is on the disk",
                    member.id, member.role
                ))
                .more(format!(
                    "serial {}, SHA-256 {}",
                    member.serial, member.fingerprint
                ))
        });
    }

    /// Steps 10, 11, and 15 to 17: returns a connection whose lines are told.
    pub(crate) fn overhear<S>(&self, stream: S, facts: &ConnectionFacts) -> Overheard<S> {
        let about = format!("{} {}", facts.member.id, client(facts.ip, facts.port));
        Overheard::new(stream, self.0.clone(), about)
    }

    /// Step 12: lines, enters and leaves have their places. `gathered` is how long they waited for
    /// others to share the commit.
    pub(crate) fn stamped(&self, work: &Work, gathered: Duration) {
        let entries = &work.rows.entries;
        if entries.is_empty() {
            return;
        }
        self.tell("room", || {
            let part = Part::of(steps::STAMP).done(format!(
                "{} {} in this commit, which waited {} for others to join it",
                entries.len(),
                plural(entries.len(), "entry", "entries"),
                narration::milliseconds(gathered)
            ));
            let part = part.more_lines(entries.iter().take(TOLD_MAX).map(stamp));
            match entries.len().saturating_sub(TOLD_MAX) {
                0 => part,
                more => part.more(format!("and {more} more")),
            }
        });
    }

    /// Step 13: the batch is on the disk, after `took`.
    pub(crate) fn committed(&self, work: &Work, took: Duration) {
        let rows = &work.rows;
        if rows.is_empty() {
            return;
        }
        self.tell("room", || {
            let part = Part::of(steps::COMMIT)
                .done(format!(
                    "one statement, one transaction, on the disk (fsync) after {}",
                    narration::milliseconds(took)
                ))
                .more(format!(
                    "entries: {}, sessions begun: {}, sessions ended: {}",
                    rows.entries.len(),
                    rows.joins.len(),
                    rows.ends.len()
                ));
            match &rows.crl_number {
                Some(number) => part.more(format!("revocation list: number {number}")),
                None => part,
            }
        });
    }

    /// Step 14: everybody may see the entries now.
    pub(crate) fn published(&self, work: &Work, head: u64, here: usize) {
        if work.rows.entries.is_empty() {
            return;
        }
        self.tell("room", || {
            Part::of(steps::PUBLISH).done(format!(
                "the newest entry is {head}; {here} {} here, and each session is sent what it lacks",
                plural(here, "person is", "people are")
            ))
        });
    }

    /// Step 17: a session has ended.
    pub(crate) fn left(&self, id: &dyn Display, session: u64, reason: Reason, cause: Option<&str>) {
        self.tell(&id.to_string(), || {
            let part = Part::of(steps::BYE)
                .done(format!("session {session} has ended: {}", reason.as_str()));
            match cause {
                Some(cause) => part.more(cause),
                None => part,
            }
        });
    }

    /// Step 18: the record is closed.
    pub(crate) fn closed(&self, head: u64) {
        self.tell("server", || {
            Part::of(steps::CLOSE).done(format!(
                "every session has ended; the newest entry is {head}"
            ))
        });
    }
}

/// The view of one handshake; empty when nobody explains.
#[derive(Debug, Clone)]
pub(crate) struct Handshake(Option<Arc<narration::Server>>);

impl Handshake {
    /// Returns the witness for the configuration of TLS.
    pub(crate) fn witness(&self) -> Option<Arc<dyn Witness>> {
        let witness = self.0.clone()?;
        Some(witness)
    }

    /// Tells of the answer, as the network will see it.
    pub(crate) fn answered(&self, bytes: &[u8]) {
        if let Some(server) = &self.0 {
            server.answered(bytes);
        }
    }

    /// Tells why the handshake failed, if the gate did not decide it.
    pub(crate) fn failed(&self, error: Option<&rustls::Error>) {
        if let (Some(server), Some(error)) = (&self.0, error) {
            server.failed(error);
        }
    }

    /// Tells that the handshake is complete.
    pub(crate) fn complete(&self, protocol: Option<&[u8]>) {
        if let Some(server) = &self.0 {
            server.complete(protocol);
        }
    }
}

fn client(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

fn in_words(list: &RevocationList) -> String {
    format!(
        "number {}, signed by our CA, with {} {} on it",
        list.number(),
        list.count(),
        plural(list.count(), "certificate", "certificates")
    )
}

fn stamp(recorded: &Recorded) -> String {
    let entry = &recorded.entry;
    let what = match &entry.kind {
        Kind::Message(line) => format!("a message with {} bytes of text", line.as_str().len()),
        Kind::Enter => "an enter".to_owned(),
        Kind::Leave(_) => "a leave".to_owned(),
    };
    let name = match &recorded.nonce {
        Some(nonce) => format!(", the line {nonce}"),
        None => String::new(),
    };
    format!(
        "entry {} at {}: {what} from {} at {}{name}",
        entry.seq, entry.at, entry.id, entry.ip
    )
}

fn plural(count: usize, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}
