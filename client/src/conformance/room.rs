//! The room in which a client is examined: what was said in it, and its answers to commands. It does
//! as PROTOCOL.md says; the examinations do the rest.
// In memory and for one client: nothing here is anybody's record.

use std::net::IpAddr;
use std::time::SystemTime;

use wire::{COMMANDS, ClientId, Code, Entry, Kind, Line, Nonce, Refusal, Role, Start, Timestamp};

/// The entries of the room, and the person whose client is examined in it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: ClientId,
    pub(super) role: Role,
    pub(super) ip: IpAddr,
    entries: Vec<Entry>,
    /// The lines that were stored under a RUN-N.
    stored: Vec<(Nonce, u64)>,
    /// Whether the database was replaced: it knows no entry that a client has seen.
    pub(super) is_another: bool,
}

/// Another person of the room, who says what a client must understand.
const OTHER: &str = "bob";
const OTHERS_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

/// The entries that a plain session is sent first.
const BACKLOG: usize = 20;

impl Room {
    /// A room in which only the other person has been.
    pub(super) fn new(id: ClientId, role: Role, ip: IpAddr) -> Self {
        let mut room = Self {
            id,
            role,
            ip,
            entries: Vec::new(),
            stored: Vec::new(),
            is_another: false,
        };
        room.record(other(), OTHERS_IP, Kind::Enter);
        room
    }

    pub(super) fn head(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq)
    }

    /// Records that the examined client's holder enters, unless they are here.
    pub(super) fn admit(&mut self) {
        let is_here = self.entries.iter().any(|entry| entry.id == self.id);
        if !is_here {
            self.record(self.id.clone(), self.ip, Kind::Enter);
        }
    }

    /// Records a line of the other person, and returns its entry.
    pub(super) fn others_line(&mut self, text: &Line) -> String {
        self.record(other(), OTHERS_IP, Kind::Message(text.clone()))
    }

    /// Records a line of the client, unless it was stored under this RUN-N before. Returns the lines
    /// that answer it.
    pub(super) fn store(&mut self, nonce: Option<&Nonce>, text: &Line) -> Vec<String> {
        let Some(nonce) = nonce else {
            return vec![self.record(self.id.clone(), self.ip, Kind::Message(text.clone()))];
        };
        let ok = |seq| format!("= ok {nonce} {seq}");
        if let Some((_, seq)) = self.stored.iter().find(|(stored, _)| stored == nonce) {
            return vec![ok(*seq)];
        }
        let entry = self.record(self.id.clone(), self.ip, Kind::Message(text.clone()));
        self.stored.push((nonce.clone(), self.head()));
        vec![entry, ok(self.head())]
    }

    /// Takes the seq of an entry that is written by hand, and returns it with its time.
    pub(super) fn skip(&mut self) -> (u64, Timestamp) {
        self.record(other(), OTHERS_IP, Kind::Enter);
        (self.head(), now())
    }

    fn record(&mut self, id: ClientId, ip: IpAddr, kind: Kind) -> String {
        let entry = Entry {
            seq: self.head() + 1,
            at: now(),
            id,
            ip,
            kind,
        };
        let line = entry.to_string();
        self.entries.push(entry);
        line
    }

    /// Returns the lines with which a plain session begins.
    pub(super) fn backlog(&self) -> Vec<String> {
        let from = self.entries.len().saturating_sub(BACKLOG);
        self.sent(self.entries.get(from..).unwrap_or_default())
    }

    /// Returns the lines that answer `/follow`.
    pub(super) fn follow(&self, start: Start) -> Vec<String> {
        match start {
            Start::Beginning => self.sent(&self.entries),
            Start::Head => self.sent(&[]),
            Start::After { seq, at } => {
                let place = self
                    .entries
                    .iter()
                    .position(|entry| (entry.seq, entry.at) == (seq, at));
                match place.filter(|_| !self.is_another) {
                    Some(place) => self.sent(&self.entries[place + 1..]),
                    None => vec![
                        Refusal::new(
                            Code::OtherHistory,
                            format!("entry {seq} is not the one you know; /follow 0 or /follow head starts afresh"),
                        )
                        .to_string(),
                    ],
                }
            }
        }
    }

    fn sent(&self, entries: &[Entry]) -> Vec<String> {
        let lines = entries.iter().map(Entry::to_string);
        let at = format!("= at {}", self.head());
        lines.chain([at]).collect()
    }

    /// Returns the lines that answer `/history`.
    pub(super) fn history(&self, last: Option<u64>, before: Option<u64>) -> Vec<String> {
        let before = before.unwrap_or(u64::MAX);
        let those = self.entries.iter().filter(|entry| entry.seq < before);
        let those: Vec<&Entry> = those.collect();
        let last = last.map_or(those.len(), |last| {
            usize::try_from(last).unwrap_or(usize::MAX)
        });
        let shown = those[those.len().saturating_sub(last)..]
            .iter()
            .map(|entry| format!("= {entry}"));
        between("history", shown)
    }

    /// Returns the lines that answer `/who`.
    pub(super) fn who(&self) -> Vec<String> {
        let here = self.people().map(|(id, role, ip)| {
            let name = full_name(&id);
            format!(
                "= here {id} role={role} ip={ip} since={} sessions=1{name}",
                now()
            )
        });
        let count = here.len();
        let who = format!("= who {} count={count}", self.head());
        [who].into_iter().chain(here).collect()
    }

    fn people(&self) -> [(ClientId, Role, IpAddr); 2] {
        [
            (other(), Role::Instructor, OTHERS_IP),
            (self.id.clone(), self.role, self.ip),
        ]
    }

    /// Returns the line that answers `/whois`.
    pub(super) fn whois(&self, id: &ClientId) -> String {
        match self.people().into_iter().find(|(known, ..)| known == id) {
            Some((id, role, ip)) => {
                let name = full_name(&id);
                format!(
                    "= whois {id} role={role} ip={ip} since={} sessions=1{name}",
                    now()
                )
            }
            None => Refusal::new(Code::UnknownId, format!("{id} was never here")).to_string(),
        }
    }
}

/// Returns the lines that answer `/help`.
pub(super) fn help() -> Vec<String> {
    let lines = COMMANDS.iter().map(|c| format!("= help {}", c.name));
    between("help", lines)
}

/// Returns the current time as the wire writes it.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn between(topic: &str, lines: impl Iterator<Item = String>) -> Vec<String> {
    [format!("= begin {topic}")]
        .into_iter()
        .chain(lines)
        .chain([format!("= end {topic}")])
        .collect()
}

/// Returns the last pair of a line about a person. The one who is not examined has a full name, with
/// spaces in it.
fn full_name(id: &ClientId) -> &'static str {
    match id.as_str() {
        OTHER => " name=\"Okafor, Bob (Bobby)\"",
        _ => "",
    }
}

fn other() -> ClientId {
    ClientId::parse(OTHER).expect("a valid ID")
}
