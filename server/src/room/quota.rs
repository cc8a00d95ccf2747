//! Counts what each ID has added to the record in a day, and limits it. Nothing here waits, reads
//! or writes.
//!
//! Days are UTC days, by the times of the entries: so the count is the same after a restart.

use std::collections::{BTreeMap, HashMap};

use tracing::warn;
use wire::{ClientId, Code, Refusal, Timestamp};

/// The most that one ID may add to the record in a day; 0 for no limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// Each line counts its text, and [`ROW_BYTES`].
    pub(crate) bytes: u64,
    /// Runs that have a line: each is a row of `senders`.
    pub(crate) runs: u64,
}

/// The bytes and runs that an ID has added to the record in a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub(crate) bytes: u64,
    pub(crate) runs: u64,
}

/// The bytes that a line counts besides its text: its row also has a time, a name and an address.
/// Without this, lines of one byte would fill the disk and count almost nothing.
pub(crate) const ROW_BYTES: u64 = 128;

/// While room is short, an ID that has added more than this fraction of its daily bytes is refused.
const SHARES_OF_A_DAY: u64 = 4;

/// The bytes after which it is refused if the day has no limit.
const SHARE_BYTES: u64 = 16 * 1024 * 1024;

/// The counts of one day. Bounded: an ID is in it only if it has said something that day.
#[derive(Debug)]
pub(crate) struct Quotas {
    quota: Quota,
    day: i64,
    used: HashMap<ClientId, Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    used: Used,
    /// Whether the log already reports that the quota is used up.
    is_told: bool,
}

impl Quotas {
    /// Continues from the counts found in the record, whose newest entry has this time.
    pub(crate) fn new(quota: Quota, newest: Timestamp, found: BTreeMap<ClientId, Used>) -> Self {
        let counted = |(id, used)| {
            let is_told = false;
            (id, Counted { used, is_told })
        };
        Self {
            quota,
            day: day(newest),
            used: found.into_iter().map(counted).collect(),
        }
    }

    /// Counts a line that is to be recorded at `at`.
    ///
    /// # Errors
    ///
    /// The refusal of the line. Then nothing was counted.
    pub(crate) fn take(
        &mut self,
        id: &ClientId,
        text_bytes: usize,
        begins_run: bool,
        at: Timestamp,
        space: Space,
    ) -> Result<(), Refusal> {
        if day(at) != self.day {
            self.day = day(at);
            self.used.clear();
        }
        let counted = match self.used.get_mut(id) {
            Some(counted) => counted,
            None => self.used.entry(id.clone()).or_default(),
        };
        let more = Used {
            bytes: counted.used.bytes + text_bytes as u64 + ROW_BYTES,
            runs: counted.used.runs + u64::from(begins_run),
        };
        let Err(refusal) = self.quota.judge(counted.used, more, at, space) else {
            counted.used = more;
            return Ok(());
        };
        if !counted.is_told {
            counted.is_told = true;
            warn!(%id, code = refusal.code.as_str(), "lines are refused: {}", refusal.words);
        }
        Err(refusal)
    }
}

impl Quota {
    /// Checks that an ID with the count `used` may go up to `more`.
    fn judge(&self, used: Used, more: Used, at: Timestamp, space: Space) -> Result<(), Refusal> {
        let share = match self.bytes {
            0 => SHARE_BYTES,
            bytes => bytes / SHARES_OF_A_DAY,
        };
        let anew = end_of_day(at);
        if space != Space::Enough && used.bytes > share {
            let words = format!(
                "the server's disk is filling up, and you wrote more than {} today; wait until there is room, or until {anew}",
                size(share)
            );
            return Err(Refusal::new(Code::DiskLow, words));
        }
        if self.bytes > 0 && more.bytes > self.bytes {
            let words = format!(
                "one person may write {} a day, and this line would exceed that; you can go on after {anew}",
                size(self.bytes)
            );
            return Err(Refusal::new(Code::Quota, words));
        }
        if self.runs > 0 && more.runs > self.runs && more.runs > used.runs {
            let words = format!(
                "you have started the client {} times today, the maximum; keep using one that has already spoken, or wait until {anew}",
                self.runs
            );
            return Err(Refusal::new(Code::Quota, words));
        }
        Ok(())
    }
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Returns the day of a time, counted from the beginning of 1970.
fn day(at: Timestamp) -> i64 {
    at.unix_millis().div_euclid(DAY_MILLIS)
}

/// Returns the beginning of a time's day.
pub(crate) fn start_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(day(at) * DAY_MILLIS)
}

fn end_of_day(at: Timestamp) -> Timestamp {
    Timestamp::from_unix_millis((day(at) + 1) * DAY_MILLIS)
}

/// Returns a number of bytes in words.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        bytes if bytes >= MIB && bytes % MIB == 0 => format!("{} MiB", bytes / MIB),
        bytes if bytes >= KIB && bytes % KIB == 0 => format!("{} KiB", bytes / KIB),
        bytes => format!("{bytes} bytes"),
    }
}

/// The free space for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Space {
    /// Enough for everybody.
    #[default]
    Enough,
    /// Little: the lines of people who wrote much today are refused.
    Short,
    /// Hardly any: every line is refused.
    Low,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENING: Timestamp = Timestamp::EPOCH;

    /// Everybody may write 10,000 bytes and begin three runs.
    fn quotas() -> Quotas {
        let quota = Quota {
            bytes: 10_000,
            runs: 3,
        };
        Quotas::new(quota, EVENING, BTreeMap::new())
    }

    fn id(name: &str) -> ClientId {
        ClientId::parse(name).expect("a name")
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_unix_millis(hours * 60 * 60 * 1000)
    }

    /// Returns the result of a line: an empty text, or the code and the words.
    fn say(quotas: &mut Quotas, name: &str, bytes: usize, begins: bool, hours: i64) -> String {
        said(quotas.take(&id(name), bytes, begins, at(hours), Space::Enough))
    }

    fn said(taken: Result<(), Refusal>) -> String {
        taken
            .err()
            .map_or(String::new(), |refusal| refusal.to_string())
    }

    #[test]
    fn everybody_has_a_daily_number_of_bytes_and_starts_anew_the_next_day() {
        let mut quotas = quotas();
        assert_eq!(say(&mut quotas, "alice", 4096, false, 1), "");
        assert_eq!(say(&mut quotas, "alice", 4096, false, 1), "");
        let used_up = "! quota - one person may write 10000 bytes a day, and this line would exceed that; you can go on after 1970-01-02T00:00:00.000Z";
        assert_eq!(say(&mut quotas, "alice", 4096, false, 23), used_up);
        // A line that still fits is taken, and a refused one counts nothing.
        assert_eq!(say(&mut quotas, "alice", 1424, false, 23), "");
        assert_eq!(say(&mut quotas, "alice", 1, false, 23), used_up);
        assert_eq!(say(&mut quotas, "bob", 4096, false, 23), "");
        assert_eq!(say(&mut quotas, "alice", 4096, false, 24), "");
    }

    #[test]
    fn lines_of_one_byte_use_up_a_day_as_well() {
        let mut quotas = quotas();
        let lines = (0..1000).take_while(|_| say(&mut quotas, "alice", 1, false, 0).is_empty());
        assert_eq!(lines.count(), 10_000 / 129);
    }

    #[test]
    fn everybody_has_a_daily_number_of_runs_and_those_that_began_continue() {
        let mut quotas = quotas();
        for _ in 0..3 {
            assert_eq!(say(&mut quotas, "alice", 1, true, 0), "");
        }
        assert_eq!(
            say(&mut quotas, "alice", 1, true, 0),
            "! quota - you have started the client 3 times today, the maximum; keep using one that has already spoken, or wait until 1970-01-02T00:00:00.000Z"
        );
        assert_eq!(say(&mut quotas, "alice", 1, false, 0), "");
        assert_eq!(say(&mut quotas, "bob", 1, true, 0), "");
        assert_eq!(say(&mut quotas, "alice", 1, true, 24), "");
    }

    #[test]
    fn while_room_is_short_those_who_wrote_much_are_refused_and_nobody_else() {
        let mut quotas = quotas();
        assert_eq!(say(&mut quotas, "alice", 2500, false, 0), "");
        let mut short = |name: &str| said(quotas.take(&id(name), 10, false, at(1), Space::Short));
        assert_eq!(
            short("alice"),
            "! disk-low - the server's disk is filling up, and you wrote more than 2500 bytes today; wait until there is room, or until 1970-01-02T00:00:00.000Z"
        );
        assert_eq!(short("bob"), "");
        assert_eq!(say(&mut quotas, "alice", 10, false, 2), "");
    }

    #[test]
    fn without_a_daily_limit_only_a_filling_disk_stops_people_who_wrote_much() {
        let quota = Quota { bytes: 0, runs: 0 };
        let used = Used {
            bytes: SHARE_BYTES,
            runs: 1_000_000,
        };
        let mut quotas = Quotas::new(quota, EVENING, [(id("alice"), used)].into());
        assert_eq!(say(&mut quotas, "alice", 4096, true, 1), "");
        let short = quotas.take(&id("alice"), 1, false, at(1), Space::Short);
        let words = "the server's disk is filling up, and you wrote more than 16 MiB today";
        assert!(said(short).contains(words));
    }

    #[test]
    fn counts_found_in_the_record_hold_on_their_day_and_not_on_the_next() {
        let used = Used {
            bytes: 9_900,
            runs: 3,
        };
        for (hours, is_taken) in [(23, false), (24, true)] {
            let quota = quotas().quota;
            let mut quotas = Quotas::new(quota, at(1), [(id("alice"), used)].into());
            let taken = say(&mut quotas, "alice", 1, false, hours).is_empty();
            assert_eq!(taken, is_taken, "{hours}");
        }
    }

    #[test]
    fn people_who_said_nothing_today_take_no_memory() {
        let mut quotas = quotas();
        for n in 0..100 {
            say(&mut quotas, &format!("person{n}"), 1, false, 0);
        }
        say(&mut quotas, "alice", 1, false, 24);
        assert_eq!(quotas.used.len(), 1);
    }
}
