//! The checker compares what clients did and saw with the stored record, in the manner of
//! `jepsen.tests.kafka` for one partition. It knows promises, not code.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};

/// Everything that the clients did and saw, in the order in which it happened.
#[derive(Debug, Clone, Default)]
pub struct History {
    log: Arc<Mutex<Vec<Logged>>>,
}

/// One client's part of a history.
#[derive(Debug, Clone)]
pub struct Journal {
    history: History,
    id: String,
}

/// An event, and the client that it happened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The client's ID.
    pub id: String,
    /// The event.
    pub event: Happened,
}

/// The events that can happen to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It begins to read after this entry; `None` if it begins with whatever comes first.
    Began(Option<u64>),
    /// It was told that this is another history, and begins at its newest entry.
    Afresh,
    /// It is about to say a line for the first time.
    Invoked {
        /// The line's RUN-N.
        nonce: String,
        /// The text.
        text: String,
    },
    /// The line was acknowledged.
    Stored {
        /// The line's RUN-N.
        nonce: String,
        /// Its sequence number.
        seq: u64,
    },
    /// The line was refused: it is not stored and never will be.
    Refused {
        /// The line's RUN-N.
        nonce: String,
        /// The code of the refusal.
        code: String,
    },
    /// The connection broke before an answer, so the client will never know whether the line is stored.
    Unknown {
        /// The line's RUN-N.
        nonce: String,
    },
    /// An entry came.
    Received {
        /// Its sequence number.
        seq: u64,
        /// Its author.
        id: String,
        /// The author's address.
        ip: String,
        /// The [`hash`] of all of it.
        hash: u64,
    },
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its sequence number.
    pub seq: u64,
    /// Its author.
    pub id: String,
    /// The author's address.
    pub ip: String,
    /// The text.
    pub text: String,
    /// The line's RUN-N.
    pub nonce: Option<String>,
    /// The [`hash`] of all of it.
    pub hash: u64,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// An acknowledged line is not stored, or not there.
    Lost {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
        /// Where it was said to be.
        seq: u64,
        /// Where it is.
        found: Option<u64>,
    },
    /// The stored text is not the text that was said.
    Changed {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
    },
    /// A refused line is stored.
    RefusedYetStored {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
        /// Where.
        seq: u64,
    },
    /// A line is stored that nobody said.
    NeverSaid {
        /// Where.
        seq: u64,
    },
    /// One RUN-N is stored more than once.
    Twice {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
        /// Where.
        seqs: Vec<u64>,
    },
    /// A line was acknowledged with two places, or acknowledged and refused.
    TwoAnswers {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
    },
    /// An entry was received that is not stored so.
    Phantom {
        /// The client that received it.
        by: String,
        /// Its sequence number.
        seq: u64,
    },
    /// A client received an entry that does not follow the one before it.
    Step {
        /// The client.
        by: String,
        /// The entry before, or where it began.
        after: u64,
        /// The entry that came.
        came: u64,
    },
    /// A line that was said after another one's acknowledgement stands before it.
    Reordered {
        /// The author.
        id: String,
        /// Its RUN-N.
        nonce: String,
        /// Where it stands.
        seq: u64,
        /// The place that had been acknowledged before it was said.
        after: u64,
    },
    /// A client was told that its history is another one.
    Afresh {
        /// The client.
        by: String,
    },
    /// The stored places are not 1, 2, 3, ...
    Hole {
        /// The place before.
        after: u64,
        /// The next that is there.
        found: u64,
    },
    /// After the faults stopped, something did not finish in time.
    Undrained {
        /// The client.
        by: String,
        /// The thing that it still waits for.
        what: String,
    },
}

impl History {
    /// Returns a history in which nothing has happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the part of one client, by its ID.
    pub fn journal(&self, id: &str) -> Journal {
        Journal {
            history: self.clone(),
            id: id.to_owned(),
        }
    }

    /// Returns everything that has happened so far.
    pub fn so_far(&self) -> Vec<Logged> {
        self.log().clone()
    }

    fn log(&self) -> MutexGuard<'_, Vec<Logged>> {
        self.log.lock().expect("nobody panics while logging")
    }
}

impl Journal {
    /// Returns its author.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Notes an event.
    pub fn note(&self, event: Happened) {
        let id = self.id.clone();
        self.history.log().push(Logged { id, event });
    }

    /// Says a line and notes it, so that nothing that happens after it was said stands before it.
    pub fn invoke(&self, text: &str, say: impl FnOnce() -> String) -> String {
        let mut log = self.history.log();
        let nonce = say();
        log.push(Logged {
            id: self.id.clone(),
            event: Happened::Invoked {
                nonce: nonce.clone(),
                text: text.to_owned(),
            },
        });
        nonce
    }

    /// Notes an entry that came.
    pub fn receive(&self, entry: &wire::Entry) {
        self.note(Happened::Received {
            seq: entry.seq,
            id: entry.id.to_string(),
            ip: entry.ip.to_string(),
            hash: hash(&entry.to_string()),
        });
    }
}

/// Returns a hash of a whole entry as it is sent: seq, time, author, address and text.
pub fn hash(entry: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    hasher.finish()
}

/// Returns every entry of a database.
pub async fn rows(db: &Path) -> Vec<Row> {
    let options = SqliteConnectOptions::new().filename(db);
    let mut connection = options.connect().await.expect("the database opens");
    let rows = sqlx::query(ROWS).fetch_all(&mut connection).await;
    let row = |row: &sqlx::sqlite::SqliteRow| Row {
        seq: row.get::<i64, _>("seq").unsigned_abs(),
        id: row.get("id"),
        ip: row.get("ip"),
        text: row.get("text"),
        nonce: row.get("nonce"),
        hash: hash(row.get("entry")),
    };
    rows.expect("the database can be read")
        .iter()
        .map(row)
        .collect()
}

const ROWS: &str = "
    select seq, id, ip, text, nonce, seq || ' ' || transcript.at || ' ' || line as entry
    from history join transcript using (seq)
    order by seq";

/// Returns every promise that was broken, given a history and the stored record.
pub fn check(history: &[Logged], rows: &[Row]) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_places(rows, &mut violations);
    check_lines(history, rows, &mut violations);
    check_received(history, rows, &mut violations);
    violations
}

/// Fails the test if a promise was broken. First prints how much was compared, so that a test is seen to
/// have had something to compare.
pub fn assert_clean(what: &str, history: &[Logged], rows: &[Row]) {
    let count = |is: fn(&Happened) -> bool| history.iter().filter(|l| is(&l.event)).count();
    println!(
        "{what}: {} entries stored, {} lines invoked, {} acknowledged, {} refused, {} unknown, {} entries received",
        rows.len(),
        count(|e| matches!(e, Happened::Invoked { .. })),
        count(|e| matches!(e, Happened::Stored { .. })),
        count(|e| matches!(e, Happened::Refused { .. })),
        count(|e| matches!(e, Happened::Unknown { .. })),
        count(|e| matches!(e, Happened::Received { .. })),
    );
    let violations = check(history, rows);
    let shown = &violations[..violations.len().min(20)];
    assert!(
        violations.is_empty(),
        "{what}: {} promises broken: {shown:#?}",
        violations.len()
    );
}

/// One sequence, without gaps.
fn check_places(rows: &[Row], violations: &mut Vec<Violation>) {
    let mut after = 0;
    for row in rows {
        if row.seq != after + 1 {
            let found = row.seq;
            violations.push(Violation::Hole { after, found });
        }
        after = row.seq;
    }
}

/// Everything known about one line.
#[derive(Debug, Default)]
struct Line<'a> {
    text: Option<&'a str>,
    /// The highest place that had been acknowledged to anybody when it was said.
    said_after: u64,
    acknowledged: Option<u64>,
    is_refused: bool,
    has_two_answers: bool,
    stored: Vec<&'a Row>,
}

/// The author of a line, and its RUN-N.
type Name<'a> = (&'a str, &'a str);

fn check_lines(history: &[Logged], rows: &[Row], violations: &mut Vec<Violation>) {
    let mut lines: BTreeMap<Name<'_>, Line<'_>> = BTreeMap::new();
    let mut highest = 0;
    for Logged { id, event } in history {
        match event {
            Happened::Invoked { nonce, text } => {
                let line = lines.entry((id, nonce)).or_default();
                line.text = Some(text);
                line.said_after = highest;
            }
            Happened::Stored { nonce, seq } => {
                let line = lines.entry((id, nonce)).or_default();
                line.has_two_answers |= line.is_refused;
                line.has_two_answers |= line.acknowledged.is_some_and(|first| first != *seq);
                line.acknowledged = Some(*seq);
                highest = highest.max(*seq);
            }
            Happened::Refused { nonce, .. } => {
                let line = lines.entry((id, nonce)).or_default();
                line.has_two_answers |= line.acknowledged.is_some();
                line.is_refused = true;
            }
            Happened::Unknown { .. }
            | Happened::Began(_)
            | Happened::Afresh
            | Happened::Received { .. } => {}
        }
    }
    for row in rows {
        let Some(nonce) = &row.nonce else { continue };
        lines.entry((&row.id, nonce)).or_default().stored.push(row);
    }
    for (name, line) in &lines {
        check_line(*name, line, violations);
    }
}

fn check_line((id, nonce): Name<'_>, line: &Line<'_>, violations: &mut Vec<Violation>) {
    let (id, nonce) = (id.to_owned(), nonce.to_owned());
    let found = line.stored.first().map(|row| row.seq);
    if line.has_two_answers {
        let (id, nonce) = (id.clone(), nonce.clone());
        violations.push(Violation::TwoAnswers { id, nonce });
    }
    if let Some(seq) = line.acknowledged
        && !line.stored.iter().any(|row| row.seq == seq)
    {
        violations.push(Violation::Lost {
            id: id.clone(),
            nonce: nonce.clone(),
            seq,
            found,
        });
    }
    let Some(seq) = found else { return };
    if line.is_refused {
        violations.push(Violation::RefusedYetStored {
            id: id.clone(),
            nonce: nonce.clone(),
            seq,
        });
    }
    if line.stored.len() > 1 {
        violations.push(Violation::Twice {
            id: id.clone(),
            nonce: nonce.clone(),
            seqs: line.stored.iter().map(|row| row.seq).collect(),
        });
    }
    match line.text {
        None => violations.push(Violation::NeverSaid { seq }),
        Some(text) if line.stored.iter().any(|row| row.text != text) => {
            let (id, nonce) = (id.clone(), nonce.clone());
            violations.push(Violation::Changed { id, nonce });
        }
        Some(_) => {}
    }
    // One place is enough to judge: a second one is a violation of its own.
    if seq <= line.said_after {
        let after = line.said_after;
        violations.push(Violation::Reordered {
            id,
            nonce,
            seq,
            after,
        });
    }
}

/// Checks that each client reads on by one, and that each entry it reads is stored.
fn check_received(history: &[Logged], rows: &[Row], violations: &mut Vec<Violation>) {
    let stored: HashMap<u64, &Row> = rows.iter().map(|row| (row.seq, row)).collect();
    let mut last: HashMap<&str, Option<u64>> = HashMap::new();
    for Logged { id: by, event } in history {
        match event {
            Happened::Began(after) => {
                last.insert(by, *after);
            }
            // The record is never another one under a crowd.
            Happened::Afresh => {
                last.insert(by, None);
                violations.push(Violation::Afresh { by: by.clone() });
            }
            Happened::Received { seq, id, ip, hash } => {
                let same = |row: &&Row| row.id == *id && row.ip == *ip && row.hash == *hash;
                if stored.get(seq).filter(|row| same(row)).is_none() {
                    let (by, seq) = (by.clone(), *seq);
                    violations.push(Violation::Phantom { by, seq });
                }
                let before = last.insert(by, Some(*seq)).flatten();
                if let Some(after) = before.filter(|after| after + 1 != *seq) {
                    let (by, came) = (by.clone(), *seq);
                    violations.push(Violation::Step { by, after, came });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a row of alice's as the checker sees it.
    fn row(seq: u64, n: u64) -> Row {
        Row {
            seq,
            id: "alice".to_owned(),
            ip: "::1".to_owned(),
            text: format!("text {n}"),
            nonce: Some(format!("k3v9q2a7-{n}")),
            hash: seq * 1000 + n,
        }
    }

    fn alice(event: Happened) -> Logged {
        let id = "alice".to_owned();
        Logged { id, event }
    }

    fn nonce(n: u64) -> String {
        format!("k3v9q2a7-{n}")
    }

    fn invoked(n: u64) -> Logged {
        let text = format!("text {n}");
        alice(Happened::Invoked {
            nonce: nonce(n),
            text,
        })
    }

    fn stored(n: u64, seq: u64) -> Logged {
        alice(Happened::Stored {
            nonce: nonce(n),
            seq,
        })
    }

    fn refused(n: u64) -> Logged {
        let code = "too-long".to_owned();
        alice(Happened::Refused {
            nonce: nonce(n),
            code,
        })
    }

    fn received(seq: u64, n: u64) -> Logged {
        let Row { id, ip, hash, .. } = row(seq, n);
        alice(Happened::Received { seq, id, ip, hash })
    }

    fn began(after: u64) -> Logged {
        alice(Happened::Began(Some(after)))
    }

    #[test]
    fn a_good_history_is_clean() {
        let rows = [row(1, 1), row(2, 2), row(3, 4)];
        let history = [
            began(0),
            invoked(1),
            invoked(2),
            invoked(3),
            received(1, 1),
            stored(1, 1),
            stored(2, 2),
            refused(3),
            // Its fate is not known, and it is stored.
            invoked(4),
            alice(Happened::Unknown { nonce: nonce(4) }),
            received(2, 2),
            received(3, 4),
            // The fate of this one is not known either, and it is not stored.
            invoked(5),
        ];
        assert_eq!(check(&history, &rows), []);
    }

    /// One violation each, from the smallest history that has it.
    #[test]
    fn each_broken_promise_is_found() {
        let (id, by) = ("alice".to_owned(), "alice".to_owned());
        let one = || vec![row(1, 1)];
        let cases: Vec<(Vec<Logged>, Vec<Row>, Violation)> = vec![
            (
                vec![invoked(1), stored(1, 1)],
                vec![],
                Violation::Lost {
                    id: id.clone(),
                    nonce: nonce(1),
                    seq: 1,
                    found: None,
                },
            ),
            (
                vec![invoked(1), invoked(2), stored(2, 1)],
                vec![row(1, 1), row(2, 2)],
                Violation::Lost {
                    id: id.clone(),
                    nonce: nonce(2),
                    seq: 1,
                    found: Some(2),
                },
            ),
            (
                vec![invoked(1)],
                vec![Row {
                    text: "other".to_owned(),
                    ..row(1, 1)
                }],
                Violation::Changed {
                    id: id.clone(),
                    nonce: nonce(1),
                },
            ),
            (
                vec![invoked(1), refused(1)],
                one(),
                Violation::RefusedYetStored {
                    id: id.clone(),
                    nonce: nonce(1),
                    seq: 1,
                },
            ),
            (vec![], one(), Violation::NeverSaid { seq: 1 }),
            (
                vec![invoked(1)],
                vec![row(1, 1), row(2, 1)],
                Violation::Twice {
                    id: id.clone(),
                    nonce: nonce(1),
                    seqs: vec![1, 2],
                },
            ),
            (
                vec![invoked(1), stored(1, 1), refused(1)],
                vec![],
                Violation::TwoAnswers {
                    id: id.clone(),
                    nonce: nonce(1),
                },
            ),
            (
                vec![received(1, 2)],
                vec![],
                Violation::Phantom {
                    by: by.clone(),
                    seq: 1,
                },
            ),
            (
                vec![invoked(1), invoked(2), began(0), received(2, 2)],
                vec![row(1, 1), row(2, 2)],
                Violation::Step {
                    by: by.clone(),
                    after: 0,
                    came: 2,
                },
            ),
            (
                vec![invoked(1), received(1, 1), received(1, 1)],
                one(),
                Violation::Step {
                    by,
                    after: 1,
                    came: 1,
                },
            ),
            (
                vec![invoked(1), stored(1, 2), invoked(2)],
                vec![row(1, 2), row(2, 1)],
                Violation::Reordered {
                    id,
                    nonce: nonce(2),
                    seq: 1,
                    after: 2,
                },
            ),
            (
                vec![alice(Happened::Afresh)],
                vec![],
                Violation::Afresh {
                    by: "alice".to_owned(),
                },
            ),
            (
                vec![invoked(1)],
                vec![row(2, 1)],
                Violation::Hole { after: 0, found: 2 },
            ),
        ];
        for (history, rows, expected) in cases {
            let found = check(&history, &rows);
            assert!(found.contains(&expected), "{expected:?} not in {found:?}");
        }
    }

    #[test]
    fn a_restart_of_a_client_is_no_gap() {
        let rows = [row(1, 1), row(2, 2)];
        let history = [
            invoked(1),
            invoked(2),
            began(0),
            received(1, 1),
            received(2, 2),
            began(0),
            received(1, 1),
        ];
        assert_eq!(check(&history, &rows), []);
    }
}
