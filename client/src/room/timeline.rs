//! The timeline: the part of the transcript that is loaded, and the item in it that the person
//! looks at.
//!
//! The loaded part has no gaps and is bounded: lines far from where the person looks are dropped,
//! and asked for again when they look there. Texts stand here as they came; each view makes them
//! fit for its medium.

use std::collections::VecDeque;

use wire::{ClientId, Entry, Here, Kind, NewerEntry, NewerKind, Timestamp};

use crate::limits::{LOADED_BYTES_MAX, MOVES_MAX, NEWEST_MAX};

/// The bytes that an item costs besides its text.
const ITEM_BYTES: usize = 200;

/// One thing in the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A line.
    Said(Said),
    /// Enters and leaves without anything said between them.
    Moved(Vec<Move>),
    /// An entry of a newer server whose meaning is not known here.
    Other(Other),
    /// A note of the program, in this place.
    Note(Note),
    /// The answer to `/who`, for a person who typed it.
    People(Vec<Here>),
}

/// Words of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) kind: NoteKind,
    pub(crate) text: String,
}

/// The reason for which the program says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// Something happened that is good to know.
    Notice,
    /// The person asked.
    Answer,
    /// Something that the person wanted did not happen.
    Failure,
}

/// A line that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) id: ClientId,
    pub(crate) ip: String,
    pub(crate) text: String,
    /// Whether we pasted it here. A paste keeps its shape.
    pub(crate) is_pasted: bool,
}

/// The arrival or departure of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) id: ClientId,
    pub(crate) ip: String,
    /// The reason to leave; `None` for an arrival.
    pub(crate) left: Option<String>,
}

/// An entry of a newer server whose meaning is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    /// Its words.
    pub(crate) text: String,
}

/// The loaded items, and the one that the person looks at.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    items: VecDeque<Item>,
    /// The number of the first item. Items before it will have lower ones.
    front: i64,
    bytes: usize,
    /// The newest entries, whether they are loaded or not.
    newest: VecDeque<Item>,
    /// Whether entries have come that are newer than the loaded ones.
    is_detached: bool,
    /// The last item that the person sees; `None` while they follow the newest.
    looked_at: Option<i64>,
    /// Lines that came while the person looked elsewhere.
    pub(crate) unread: usize,
    /// The first entry that counts as new.
    pub(crate) new_from: Option<u64>,
}

impl Timeline {
    /// Adds an entry that has just come.
    pub(crate) fn push(&mut self, entry: impl Into<Item>) {
        let item = entry.into();
        self.newest.push_back(item.clone());
        if self.newest.len() > NEWEST_MAX {
            self.newest.pop_front();
        }
        if let Item::Said(said) = &item
            && self.looked_at.is_some()
        {
            self.unread += 1;
            self.new_from.get_or_insert(said.seq);
        }
        if !self.is_detached {
            self.append(item);
            self.trim();
        }
    }

    /// Adds something that is not in the transcript, below everything that was said.
    pub(super) fn tell(&mut self, item: Item) {
        self.bytes += item.bytes();
        self.items.push_back(item);
        self.trim();
    }

    /// Adds a note of the program.
    pub(super) fn note(&mut self, kind: NoteKind, text: &str) {
        let text = text.to_owned();
        self.tell(Item::Note(Note { kind, text }));
    }

    /// Shows these entries alone, oldest first, because the loaded ones are far from them.
    pub(super) fn jump(&mut self, page: Vec<Item>) {
        self.front += self.items.len().cast_signed() as i64;
        self.items = page.into();
        self.bytes = self.items.iter().map(Item::bytes).sum();
        self.is_detached = true;
        self.looked_at = Some(self.front);
    }

    /// Returns the number of the item that holds an entry.
    pub(super) fn number_of(&self, seq: u64) -> Option<i64> {
        let holds = |item: &Item| {
            item.first_seq().is_some_and(|first| first <= seq)
                && item.last_seq().is_some_and(|last| last >= seq)
        };
        let at = self.items.iter().position(holds)?;
        Some(self.front + at.cast_signed() as i64)
    }

    /// Returns when the first loaded entry was recorded.
    pub(crate) fn first_at(&self) -> Option<Timestamp> {
        self.items.iter().find_map(Item::at)
    }

    /// Adds entries from before the first one that is loaded, oldest first.
    pub(crate) fn push_older(&mut self, page: &[Item]) {
        let first = self.first_seq().unwrap_or(u64::MAX);
        let is_older = |item: &&Item| item.first_seq().is_some_and(|seq| seq < first);
        for item in page.iter().rev().filter(is_older).cloned() {
            self.bytes += item.bytes();
            match (item, self.items.front_mut()) {
                (Item::Moved(before), Some(Item::Moved(moves))) if moves.len() < MOVES_MAX => {
                    moves.splice(0..0, before);
                }
                (item, _) => {
                    self.items.push_front(item);
                    self.front -= 1;
                }
            }
        }
        self.trim();
    }

    /// Adds entries from after the last one that is loaded, oldest first.
    pub(crate) fn push_newer(&mut self, page: &[Item]) {
        if !self.is_detached {
            return;
        }
        for item in page {
            if self
                .last_seq()
                .is_none_or(|last| item.first_seq() == Some(last + 1))
            {
                self.append(item.clone());
            }
        }
        self.attach();
        self.trim();
    }

    /// Joins the loaded entries with the newest ones, if they touch.
    fn attach(&mut self) {
        let Some(next) = self.last_seq().map(|last| last + 1) else {
            return;
        };
        let touches = self
            .newest
            .front()
            .is_none_or(|first| first.first_seq() <= Some(next));
        if !touches {
            return;
        }
        let is_missing = |item: &&Item| item.first_seq() >= Some(next);
        let rest: Vec<Item> = self.newest.iter().filter(is_missing).cloned().collect();
        rest.into_iter().for_each(|item| self.append(item));
        self.is_detached = false;
    }

    fn append(&mut self, item: Item) {
        self.bytes += item.bytes();
        match (item, self.items.back_mut()) {
            (Item::Moved(after), Some(Item::Moved(moves))) if moves.len() < MOVES_MAX => {
                moves.extend(after);
            }
            (item, _) => self.items.push_back(item),
        }
    }

    /// Drops the items that are farthest from where the person looks.
    fn trim(&mut self) {
        while self.bytes > LOADED_BYTES_MAX && self.items.len() > 1 {
            let middle = self.front + (self.items.len() / 2).cast_signed() as i64;
            let dropped = match self.looked_at {
                Some(item) if item < middle => {
                    self.is_detached = true;
                    self.items.pop_back()
                }
                _ => {
                    self.front += 1;
                    self.items.pop_front()
                }
            };
            self.bytes -= dropped.map_or(0, |item| item.bytes());
        }
    }

    /// Forgets everything: another transcript has taken the place of this one.
    pub(crate) fn begin_afresh(&mut self) {
        *self = Self {
            front: self.front,
            ..Self::default()
        };
    }

    /// Returns the last item that the person sees; `None` while they follow the newest.
    pub(crate) fn looked_at(&self) -> Option<i64> {
        self.looked_at
    }

    /// Looks back at an item. Items far from it are the first to be dropped.
    pub(crate) fn look_at(&mut self, item: i64) {
        self.looked_at = Some(item);
    }

    /// Goes back to the newest entries.
    pub(crate) fn look_at_newest(&mut self) {
        if self.is_detached {
            self.items.clear();
            self.bytes = 0;
            self.is_detached = false;
            let newest = std::mem::take(&mut self.newest);
            newest.iter().for_each(|item| self.append(item.clone()));
            self.newest = newest;
        }
        self.looked_at = None;
        self.unread = 0;
    }

    /// Makes the next entry the first new one.
    pub(crate) fn leave_off(&mut self) {
        self.new_from = None;
        if let Some(last) = self.newest_seq() {
            self.new_from = Some(last + 1);
        }
    }

    /// Returns the first entry that is loaded.
    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.items.iter().find_map(Item::first_seq)
    }

    /// Returns the last entry that is loaded.
    pub(crate) fn last_seq(&self) -> Option<u64> {
        self.items.iter().rev().find_map(Item::last_seq)
    }

    /// Returns the newest entry that has come, loaded or not.
    pub(crate) fn newest_seq(&self) -> Option<u64> {
        self.newest.back().and_then(Item::last_seq)
    }

    /// Returns whether entries have come that are newer than the loaded ones.
    pub(crate) fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// Returns the bytes of the texts that are kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the numbers of the items, first and one past the last.
    pub(crate) fn numbers(&self) -> std::ops::Range<i64> {
        self.front..self.front + self.items.len().cast_signed() as i64
    }

    /// Returns an item by its number.
    pub(crate) fn item(&self, number: i64) -> Option<&Item> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        self.items.get(index)
    }

    /// Returns the nearest line before or after an item (or before the end) that holds a text,
    /// ignoring case.
    pub(crate) fn find(&self, text: &str, from: Option<i64>, is_back: bool) -> Option<i64> {
        let text = text.to_lowercase();
        let holds = |number: &i64| self.item(*number).is_some_and(|item| item.holds(&text));
        let numbers = self.numbers();
        if is_back {
            (numbers.start..from.unwrap_or(numbers.end))
                .rev()
                .find(holds)
        } else {
            (from.map_or(numbers.start, |from| from + 1)..numbers.end).find(holds)
        }
    }
}

impl Move {
    fn bytes(&self) -> usize {
        self.left.as_ref().map_or(0, String::len) + ITEM_BYTES
    }
}

impl From<&Entry> for Item {
    fn from(entry: &Entry) -> Self {
        let (seq, at, id, ip) = (entry.seq, entry.at, entry.id.clone(), entry.ip.to_string());
        let left = match &entry.kind {
            Kind::Message(line) => {
                let text = line.to_string();
                return Item::Said(Said {
                    seq,
                    at,
                    id,
                    ip,
                    text,
                    is_pasted: false,
                });
            }
            Kind::Enter => None,
            Kind::Leave(reason) => Some(reason.to_string()),
        };
        Item::Moved(vec![Move {
            seq,
            at,
            id,
            ip,
            left,
        }])
    }
}

impl From<&NewerEntry> for Item {
    fn from(entry: &NewerEntry) -> Self {
        let (seq, at) = (entry.seq, entry.at);
        match &entry.kind {
            NewerKind::Leave { id, ip, reason } => Item::Moved(vec![Move {
                seq,
                at,
                id: id.clone(),
                ip: ip.to_string(),
                left: Some(reason.clone()),
            }]),
            NewerKind::Other(words) => Item::Other(Other {
                seq,
                at,
                text: words.clone(),
            }),
        }
    }
}

impl Item {
    /// Returns whether it is a line that holds a text, or whose author does. The text is in lower
    /// case.
    pub(super) fn holds(&self, text: &str) -> bool {
        let Item::Said(said) = self else {
            return false;
        };
        said.text.to_lowercase().contains(text) || said.id.as_str().to_lowercase().contains(text)
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Item::Said(said) => said.text.len() + ITEM_BYTES,
            Item::Moved(moves) => moves.iter().map(Move::bytes).sum(),
            Item::Other(other) => other.text.len() + ITEM_BYTES,
            Item::Note(note) => note.text.len() + ITEM_BYTES,
            Item::People(people) => (people.len() + 1) * ITEM_BYTES,
        }
    }

    /// Returns the seq of the first entry in it; a note has none.
    pub(super) fn first_seq(&self) -> Option<u64> {
        match self {
            Item::Said(said) => Some(said.seq),
            Item::Moved(moves) => moves.first().map(|first| first.seq),
            Item::Other(other) => Some(other.seq),
            Item::Note(_) | Item::People(_) => None,
        }
    }

    /// Returns the seq of the last entry in it; a note has none.
    pub(crate) fn last_seq(&self) -> Option<u64> {
        match self {
            Item::Said(said) => Some(said.seq),
            Item::Moved(moves) => moves.last().map(|last| last.seq),
            Item::Other(other) => Some(other.seq),
            Item::Note(_) | Item::People(_) => None,
        }
    }

    /// Returns when it happened; a note has no time.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Item::Said(said) => Some(said.at),
            Item::Moved(moves) => moves.first().map(|first| first.at),
            Item::Other(other) => Some(other.at),
            Item::Note(_) | Item::People(_) => None,
        }
    }

    /// Returns whether the new entries begin within it.
    pub(crate) fn begins(&self, new_from: u64, before: Option<u64>) -> bool {
        self.last_seq().is_some_and(|last| last >= new_from)
            && before.is_none_or(|before| before < new_from)
    }
}

#[cfg(test)]
mod tests {
    use wire::Line;

    use super::*;

    fn entry(seq: u64, text: &str) -> Entry {
        Entry {
            seq,
            at: Timestamp::EPOCH,
            id: ClientId::parse("bob").expect("a name"),
            ip: "192.0.2.9".parse().expect("an address"),
            kind: match text {
                "" => Kind::Enter,
                text => Kind::Message(Line::parse(text.as_bytes()).expect("a line")),
            },
        }
    }

    fn item(seq: u64, text: &str) -> Item {
        Item::from(&entry(seq, text))
    }

    fn seqs(timeline: &Timeline) -> Vec<u64> {
        timeline.items.iter().filter_map(Item::first_seq).collect()
    }

    #[test]
    fn enters_and_leaves_stand_together() {
        let mut timeline = Timeline::default();
        for (seq, text) in (1..).zip(["", "", "hi", "", ""]) {
            timeline.push(&entry(seq, text));
        }
        assert_eq!(seqs(&timeline), [1, 3, 4]);
        timeline.begin_afresh();
        timeline.push(&entry(4, ""));
        timeline.push_older(&[item(1, "hi"), item(2, ""), item(3, "")]);
        assert_eq!(seqs(&timeline), [1, 2]);
    }

    #[test]
    fn the_loaded_part_is_bounded_and_without_gaps_at_every_place() {
        let mut timeline = Timeline::default();
        let long = "x".repeat(4000);
        let count = 5000;
        for seq in 1..=count {
            timeline.push(&entry(seq, &long));
        }
        assert!(timeline.bytes() <= LOADED_BYTES_MAX);
        assert_eq!(timeline.last_seq(), Some(count));
        let first = timeline.first_seq().expect("entries");
        assert!(first > 1);
        // Back to the very beginning, page by page.
        while let Some(first) = timeline.first_seq().filter(|first| *first > 1) {
            timeline.look_at(timeline.numbers().start);
            let page: Vec<Item> = (first.saturating_sub(200).max(1)..first)
                .map(|seq| item(seq, &long))
                .collect();
            timeline.push_older(&page);
            assert!(timeline.bytes() <= LOADED_BYTES_MAX);
        }
        assert!(timeline.is_detached());
        let all: Vec<u64> = (1..=timeline.last_seq().expect("entries")).collect();
        assert_eq!(seqs(&timeline), all);
        // And forwards again, while more comes.
        timeline.push(&entry(count + 1, "and on"));
        assert_eq!(timeline.unread, 1);
        while timeline.is_detached() {
            let last = timeline.last_seq().expect("entries");
            timeline.look_at(timeline.numbers().end - 1);
            let page: Vec<Item> = (last + 1..=(last + 200).min(count))
                .map(|seq| item(seq, &long))
                .collect();
            timeline.push_newer(&page);
            assert!(timeline.bytes() <= LOADED_BYTES_MAX);
        }
        assert_eq!(timeline.last_seq(), Some(count + 1));
        let seqs = seqs(&timeline);
        assert!(seqs.windows(2).all(|two| two[0] + 1 == two[1]));
    }

    #[test]
    fn the_way_to_the_newest_is_short() {
        let mut timeline = Timeline::default();
        timeline.push(&entry(1, "old"));
        timeline.is_detached = true;
        timeline.look_at(0);
        for seq in 2..2000 {
            timeline.push(&entry(seq, "new"));
        }
        assert_eq!(seqs(&timeline), [1]);
        timeline.look_at_newest();
        assert_eq!(timeline.first_seq(), Some(1500));
        assert_eq!(timeline.last_seq(), Some(1999));
        assert_eq!((timeline.unread, timeline.new_from), (0, Some(2)));
    }

    #[test]
    fn a_text_is_found_before_and_after() {
        let mut timeline = Timeline::default();
        for (seq, text) in (1..).zip(["one Fish", "two", "", "red fish"]) {
            timeline.push(&entry(seq, text));
        }
        assert_eq!(timeline.find("fish", None, true), Some(3));
        assert_eq!(timeline.find("fish", Some(3), true), Some(0));
        assert_eq!(timeline.find("fish", Some(0), true), None);
        assert_eq!(timeline.find("FISH", Some(0), false), Some(3));
        assert_eq!(timeline.find("BOB", Some(3), true), Some(1));
    }
}
