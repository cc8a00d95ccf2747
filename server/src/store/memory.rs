//! The record in memory, for simulated networks and clocks.
//!
//! SQLite works on a separate thread, which a simulated clock cannot pause. This module keeps what
//! SQLite would keep, and everything above it is the server's own code: the recorder, the room, the
//! sessions. The program `server` cannot reach it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pki::CrlNumber;
use wire::{ClientId, Entry, FullName, Kind, Nonce, Reason, Role, Timestamp};

use crate::room::batch::Recorded;
use crate::room::found::WasHere;
use crate::room::presence::Left;
use crate::room::quota::{ROW_BYTES, Used, start_of_day};
use crate::room::senders::{LINES_MAX, Stored};
use crate::transcript::fault::DatabaseError;
use crate::transcript::record::{
    Answer, Batch, Found, Known, LastSession, Pages, Record, Sender, Space,
};

/// Stands for the disk: it outlives every server that opens it.
// A lock, because a disk has no owner either; nothing waits while it is held.
#[derive(Debug, Clone)]
pub struct Memory {
    disk: Arc<Mutex<Disk>>,
}

/// A server's handle on a [`Memory`], through which alone it is written.
#[derive(Debug)]
pub struct Opened {
    memory: Memory,
}

#[derive(Debug)]
struct Disk {
    epoch: String,
    head: u64,
    alive_at: Timestamp,
    crl_number: CrlNumber,
    history: BTreeMap<u64, Recorded>,
    senders: BTreeMap<u64, Run>,
    joins: BTreeMap<u64, Join>,
    is_full: bool,
    before: Duration,
    after: Duration,
}

/// A row of `senders`.
#[derive(Debug)]
struct Run {
    sender: Sender,
    last: u64,
    n: u64,
}

/// The columns of a row of `joins` that are ever read.
#[derive(Debug)]
struct Join {
    id: ClientId,
    role: Role,
    name: Option<FullName>,
    ip: IpAddr,
    at: Timestamp,
    ended: Option<(Timestamp, Reason)>,
    leave_seq: Option<u64>,
}

impl Memory {
    /// Returns an empty record. Its epoch distinguishes it from every other one.
    pub fn new(epoch: &str) -> Self {
        let disk = Disk {
            epoch: epoch.to_owned(),
            head: 0,
            alive_at: Timestamp::EPOCH,
            crl_number: CrlNumber::parse("0").expect("a number"),
            history: BTreeMap::new(),
            senders: BTreeMap::new(),
            joins: BTreeMap::new(),
            is_full: false,
            before: Duration::ZERO,
            after: Duration::ZERO,
        };
        Self {
            disk: Arc::new(Mutex::new(disk)),
        }
    }

    /// Opens the record as a starting server does: sessions that a crash left open are closed.
    pub fn open(&self) -> (Opened, Found) {
        let memory = self.clone();
        (Opened { memory }, self.disk().open())
    }

    /// From now on a commit takes `before` until it is stored, and then `after` until that is
    /// known. A server that dies in between died before or after the moment that counts.
    pub fn take_time(&self, before: Duration, after: Duration) {
        let mut disk = self.disk();
        (disk.before, disk.after) = (before, after);
    }

    /// Makes the disk full, or gives it room again.
    pub fn fill(&self, is_full: bool) {
        self.disk().is_full = is_full;
    }

    /// Returns the newest entry's seq.
    pub fn head(&self) -> u64 {
        self.disk().head
    }

    /// Returns every entry with the RUN-N of its line, if it has one.
    pub fn entries(&self) -> Vec<(Entry, Option<String>)> {
        let disk = self.disk();
        let rows = disk.history.values();
        rows.map(|row| (row.entry.clone(), row.nonce.as_ref().map(Nonce::to_string)))
            .collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("nobody panics while holding it")
    }
}

impl Disk {
    fn open(&mut self) -> Found {
        let mut crashed = 0;
        for join in self.joins.values_mut().filter(|join| join.ended.is_none()) {
            join.ended = Some((join.at.max(self.alive_at), Reason::ServerCrash));
            crashed += 1;
        }
        let mut here = BTreeMap::new();
        for (session, join) in &self.joins {
            if join.leave_seq.is_none() {
                here.insert(join.id.as_str(), (*session, join));
            }
        }
        let here = here.into_values().map(|(session, join)| {
            let reason = join.ended.map_or(Reason::ServerCrash, |(_, why)| why);
            let (id, ip) = (join.id.clone(), join.ip);
            let left = Left {
                id,
                ip,
                session,
                reason,
            };
            WasHere {
                left,
                since: join.at,
                role: join.role,
                name: join.name.clone(),
            }
        });
        let mut ids: Vec<String> = self
            .joins
            .values()
            .map(|join| join.id.to_string())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let last = self.history.last_key_value();
        Found {
            epoch: self.epoch.clone(),
            head: last.map_or(0, |(seq, _)| *seq).max(self.head),
            last_at: last.map_or(Timestamp::EPOCH, |(_, row)| row.entry.at),
            last_session: self
                .joins
                .last_key_value()
                .map_or(0, |(session, _)| *session),
            crl_number: self.crl_number.clone(),
            crashed,
            here: here.collect(),
            ids,
            used: self.used(),
        }
    }

    /// Returns what each ID has added on the day of the newest entry.
    fn used(&self) -> BTreeMap<ClientId, Used> {
        let mut used: BTreeMap<ClientId, Used> = BTreeMap::new();
        let Some((_, newest)) = self.history.last_key_value() else {
            return used;
        };
        let start = start_of_day(newest.entry.at);
        for (seq, row) in self.history.iter().filter(|(_, row)| row.entry.at >= start) {
            if let Kind::Message(line) = &row.entry.kind {
                let id = row.entry.id.clone();
                let used = used.entry(id).or_default();
                used.bytes += line.as_str().len() as u64 + ROW_BYTES;
                used.runs += u64::from(self.senders.contains_key(seq));
            }
        }
        used
    }

    /// Stores all of a batch or nothing of it, as a transaction does.
    fn store(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let path = || PathBuf::from("memory");
        if self.is_full {
            return Err(DatabaseError::Full { path: path() });
        }
        let is_there = |row: &Recorded| self.history.contains_key(&row.entry.seq);
        if batch.entries.iter().any(is_there) {
            let what = "a seq that is there already";
            return Err(DatabaseError::Damaged {
                path: path(),
                what: what.to_owned(),
            });
        }
        for join in &batch.joins {
            let row = Join {
                id: join.facts.member.id.clone(),
                role: join.facts.member.role,
                name: join.facts.member.name.clone(),
                ip: join.facts.ip,
                at: join.at,
                ended: None,
                leave_seq: None,
            };
            self.joins.insert(join.session, row);
        }
        for row in &batch.entries {
            self.history.insert(row.entry.seq, row.clone());
        }
        for (first, newest) in &batch.runs {
            let (last, n) = (newest.seq, newest.n);
            if let Some(sender) = newest.begun.clone() {
                self.senders.insert(*first, Run { sender, last, n });
            } else if let Some(run) = self.senders.get_mut(first) {
                (run.last, run.n) = (last, n);
            }
        }
        for end in &batch.ends {
            if let Some(join) = self.joins.get_mut(&end.session) {
                join.ended = Some((end.at, end.reason));
            }
        }
        for leave in &batch.leaves {
            for (_, join) in self.joins.range_mut(..=leave.newest_session) {
                if join.id == leave.id {
                    join.leave_seq.get_or_insert(leave.seq);
                }
            }
        }
        (self.head, self.alive_at) = (head, alive_at);
        if let Some(number) = &batch.crl_number {
            self.crl_number = number.clone();
        }
        Ok(())
    }
}

impl Record for Opened {
    async fn commit(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> Result<(), DatabaseError> {
        let (before, after) = {
            let disk = self.memory.disk();
            (disk.before, disk.after)
        };
        tokio::time::sleep(before).await;
        self.memory.disk().store(batch, head, alive_at)?;
        tokio::time::sleep(after).await;
        Ok(())
    }

    async fn known_run(&mut self, sender: &Sender) -> Result<Known, DatabaseError> {
        let disk = self.memory.disk();
        let run = disk.senders.iter().find(|(_, run)| run.sender == *sender);
        let Some((first, run)) = run else {
            return Ok(Known::default());
        };
        let mut lines = Vec::new();
        let mut seq = Some(run.last);
        while let Some(at) = seq.filter(|_| lines.len() < LINES_MAX) {
            let row = disk.history.get(&at);
            lines.push(row.and_then(|row| stored(row, &sender.1)));
            seq = row.and_then(|row| row.prev);
        }
        Ok(Known::read(*first, run.last, run.n, lines))
    }

    fn check(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn space(&mut self) -> Space {
        Space::Enough
    }

    async fn close(self) -> Result<(), DatabaseError> {
        Ok(())
    }
}

impl Pages for Memory {
    fn page(&self, after: u64, to: u64, entries_max: u64) -> Answer<'_, Option<(String, u64)>> {
        let disk = self.disk();
        let entries_max = usize::try_from(entries_max).unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        let mut last = None;
        let rows = disk.history.range(after + 1..);
        for (seq, row) in rows.take_while(|(seq, _)| **seq <= to).take(entries_max) {
            row.entry.encode(&mut lines);
            last = Some(*seq);
        }
        let lines = String::from_utf8_lossy(&lines).into_owned();
        answer(last.map(|last| (lines, last)))
    }

    fn time_of(&self, seq: u64) -> Answer<'_, Option<Timestamp>> {
        let disk = self.disk();
        answer(disk.history.get(&seq).map(|row| row.entry.at))
    }

    fn last_session<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<LastSession>> {
        let disk = self.disk();
        let join = disk.joins.values().rev().find(|join| join.id == *id);
        answer(join.map(|join| LastSession {
            role: join.role,
            name: join.name.clone(),
            ip: join.ip,
            left_at: join.ended.map(|(at, _)| at),
            reason: join.ended.map(|(_, why)| why),
        }))
    }

    fn start_of_tail(&self, head: u64, bytes: usize) -> Answer<'_, u64> {
        let disk = self.disk();
        let mut start = head;
        let mut left = bytes;
        while let Some(row) = disk.history.get(&start) {
            let length = match &row.entry.kind {
                Kind::Message(line) => line.as_str().len(),
                Kind::Enter => 0,
                Kind::Leave(reason) => reason.as_str().len(),
            };
            let Some(rest) = left.checked_sub(length + 80) else {
                break;
            };
            (start, left) = (start - 1, rest);
        }
        answer(start)
    }
}

fn answer<'a, T: Send + 'a>(answer: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok(answer)))
}

fn stored(row: &Recorded, run: &wire::Run) -> Option<Stored> {
    let (Kind::Message(line), Some(nonce)) = (&row.entry.kind, &row.nonce) else {
        return None;
    };
    Stored::read(row.entry.seq, run, &nonce.to_string(), line.as_str())
}

#[cfg(test)]
mod tests {
    use wire::{Line, Run};

    use super::*;
    use crate::room::batch::Newest;
    use crate::store::sqlite::Database;

    /// Returns the entries of one person whose lines are one run. The first entry is not part of
    /// it.
    fn batch(from: u64, texts: &[&str]) -> Batch {
        let alice = ClientId::parse("张三").expect("a name");
        let run = Run::parse("k3v9q2a7").expect("a run");
        let mut batch = Batch::default();
        for (seq, text) in (from..).zip(texts) {
            let kind = match *text {
                "entered" => Kind::Enter,
                "left" => Kind::Leave(Reason::Lost),
                said => Kind::Message(Line::parse(said.as_bytes()).expect("a line")),
            };
            let is_line = matches!(kind, Kind::Message(_));
            let at = Timestamp::from_unix_millis(1_795_255_200_000 + seq.cast_signed());
            let ip = "2001:db8::1".parse().expect("an address");
            let entry = Entry {
                seq,
                at,
                id: alice.clone(),
                ip,
                kind,
            };
            batch.entries.push(Recorded {
                entry,
                session: 1,
                nonce: is_line.then(|| Nonce::parse(&format!("k3v9q2a7-{seq}")).expect("a nonce")),
                prev: (is_line && seq > 2).then(|| seq - 1),
            });
            if is_line {
                let begun = (from <= 2).then(|| (alice.clone(), run.clone()));
                batch.runs.insert(2, Newest { begun, seq, n: seq });
            }
        }
        batch
    }

    #[tokio::test]
    async fn memory_keeps_what_sqlite_keeps() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("chat.db");
        let (mut sqlite, readers, empty) = Database::open(&path, &crate::config::Limits::default())
            .await
            .expect("a database");
        let memory = Memory::new(&empty.epoch);
        let (mut opened, found) = memory.open();
        assert_eq!(found, empty);

        let many = ["x"; 70];
        let batches: [(u64, &[&str]); 3] = [
            (1, &["entered", "hello", "你好", "] [bob@::1] hi"]),
            (5, &many),
            (75, &["left"]),
        ];
        for (from, texts) in batches {
            let batch = batch(from, texts);
            let head = from + texts.len() as u64 - 1;
            let at = Timestamp::from_unix_millis(1_795_255_300_000);
            sqlite.commit(&batch, head, at).await.expect("a commit");
            opened.commit(&batch, head, at).await.expect("a commit");
            // Both refuse a batch twice, and for good.
            for failure in [
                sqlite.commit(&batch, head, at).await,
                opened.commit(&batch, head, at).await,
            ] {
                let fault = failure.expect_err("a seq that is there").fault();
                assert_eq!(fault, crate::transcript::fault::Fault::Fatal);
            }
        }
        for (after, to, max) in [(0, 75, 256), (0, 75, 2), (3, 4, 9), (75, 99, 9), (9, 4, 9)] {
            let page = readers.page(after, to, max).await.expect("a page");
            assert_eq!(memory.page(after, to, max).await.expect("a page"), page);
        }
        for seq in [0, 1, 75, 76] {
            let time = readers.time_of(seq).await.expect("a time");
            assert_eq!(memory.time_of(seq).await.expect("a time"), time);
        }
        for bytes in [0, 80, 84, 85, 500, 1_000_000] {
            let start = readers.start_of_tail(75, bytes).await.expect("a start");
            let found = memory.start_of_tail(75, bytes).await.expect("a start");
            assert_eq!(found, start, "{bytes}");
        }
        let sender = |run: &str| {
            let id = ClientId::parse("张三").expect("a name");
            (id, Run::parse(run).expect("a run"))
        };
        for sender in [sender("k3v9q2a7"), sender("another1")] {
            let kept = sqlite.known_run(&sender).await.expect("a run");
            assert_eq!(opened.known_run(&sender).await.expect("a run"), kept);
        }
        sqlite.close().await.expect("a good end");
        drop(readers);
        let (_sqlite, _readers, again) = Database::open(&path, &crate::config::Limits::default())
            .await
            .expect("a database");
        assert_eq!(memory.open().1, again);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_is_broken_off_was_stored_or_was_not() {
        for (before, after, is_stored) in [(2, 0, false), (0, 2, true)] {
            let memory = Memory::new("9f86");
            let (mut opened, _) = memory.open();
            memory.take_time(Duration::from_secs(before), Duration::from_secs(after));
            let batch = batch(1, &["hello"]);
            let commit = opened.commit(&batch, 1, Timestamp::EPOCH);
            let broken_off = tokio::time::timeout(Duration::from_secs(1), commit).await;
            assert!(broken_off.is_err());
            assert_eq!(memory.entries().len(), usize::from(is_stored));
        }
    }

    #[tokio::test]
    async fn a_full_disk_keeps_nothing_and_passes() {
        let memory = Memory::new("9f86");
        let (mut opened, _) = memory.open();
        memory.fill(true);
        let batch = batch(1, &["hello"]);
        let full = opened.commit(&batch, 1, Timestamp::EPOCH).await;
        let fault = full.expect_err("a full disk").fault();
        assert_eq!(fault, crate::transcript::fault::Fault::Passing("disk full"));
        assert_eq!(memory.entries(), []);
        memory.fill(false);
        let again = opened.commit(&batch, 1, Timestamp::EPOCH).await;
        again.expect("room");
        assert_eq!(memory.entries().len(), 1);
    }
}
