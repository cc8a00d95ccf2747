//! Makes resending a line safe: remembers the last lines of each run of a client, and their seqs.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{ClientId, Code, Nonce, Refusal, Run};

/// The runs that are kept in memory; the database has the others.
const RUNS_MAX: usize = 4096;

/// The lines of a run that are kept: as many as a client may resend.
pub(crate) const LINES_MAX: usize = UNACKNOWLEDGED_LINES_MAX;

/// A run of one person's client.
pub type Sender = (ClientId, Run);

/// The runs that were heard from recently.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    runs: HashMap<Sender, Known>,
    /// Oldest first.
    order: VecDeque<Sender>,
}

/// The part of a run that is remembered; empty for a run that begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The seq of its first line, by which the record identifies it.
    pub(crate) first: Option<u64>,
    /// The seq of its newest line.
    pub(crate) last: Option<u64>,
    /// The highest N that was received, stored or not.
    pub(crate) last_n: u64,
    /// Its last lines, at most 64, ordered by N.
    pub(crate) lines: VecDeque<Stored>,
    /// Whether lines may have been stored that are not known here.
    pub(crate) is_cut: bool,
}

/// One line of a run that is in the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its number within the run.
    pub(crate) n: u64,
    /// Its seq.
    pub(crate) seq: u64,
    /// Recognises a repetition of its text.
    pub(crate) hash: i64,
}

/// The position of a new line in its run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first line of its run; `None` when this is the first.
    pub(crate) first: Option<u64>,
    /// The previous line of its run.
    pub(crate) prev: Option<u64>,
}

/// The decision about a line that has a RUN-N.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is new and has to be stored. `begins_run` is true if it is the first stored line of its
    /// run.
    New { begins_run: bool },
    /// It is already stored, with this seq.
    Repeated(u64),
    /// It can no longer be stored.
    Refused(Refusal),
}

impl Senders {
    /// Returns whether nothing is known here of a run, so that the database must be asked first.
    pub(crate) fn is_unknown(&self, sender: &Sender) -> bool {
        !self.runs.contains_key(sender)
    }

    /// Takes the database's knowledge of a run.
    pub(crate) fn learn(&mut self, sender: Sender, known: Known) {
        self.order.push_back(sender.clone());
        self.runs.insert(sender, known);
    }

    /// Decides about a line. The run must have been learned.
    pub(crate) fn judge(&self, sender: &Sender, nonce: &Nonce, hash: i64) -> Judgement {
        let Some(known) = self.runs.get(sender) else {
            return Judgement::New { begins_run: true };
        };
        // Nearly every line is like this.
        if nonce.n > known.last_n {
            let begins_run = known.first.is_none();
            return Judgement::New { begins_run };
        }
        let at = known.lines.binary_search_by_key(&nonce.n, |line| line.n);
        match at.map(|at| known.lines[at]) {
            Ok(stored) if stored.hash == hash => Judgement::Repeated(stored.seq),
            Ok(_) => refuse(
                Code::Reused,
                nonce,
                "this RUN-N was used for another text; the first one stands",
            ),
            Err(0) if known.is_cut => refuse(
                Code::PassedOver,
                nonce,
                &format!(
                    "{LINES_MAX} later lines of this run are stored; look in the history for this one"
                ),
            ),
            _ => refuse(
                Code::PassedOver,
                nonce,
                "later lines of this run have overtaken this one; it was not stored",
            ),
        }
    }

    /// Notes the seq of a stored line. Returns its position in the run.
    pub(crate) fn store(&mut self, sender: &Sender, line: Stored) -> Place {
        let Some(known) = self.runs.get_mut(sender) else {
            return Place {
                first: None,
                prev: None,
            };
        };
        known.store(line)
    }

    /// Notes that a line was refused: its N is used up.
    pub(crate) fn spend(&mut self, sender: &Sender, nonce: &Nonce) {
        if let Some(known) = self.runs.get_mut(sender) {
            known.last_n = known.last_n.max(nonce.n);
        }
    }

    /// Forgets the oldest runs, which the database still knows. Do not call it while lines are
    /// being judged.
    pub(crate) fn forget_old(&mut self) {
        while self.order.len() > RUNS_MAX {
            if let Some(sender) = self.order.pop_front() {
                self.runs.remove(&sender);
            }
        }
    }
}

impl Known {
    /// Returns what the record says of a run: its first line, its newest line with its N, and the
    /// lines before that, as many as were read. If one of them was deleted, nothing is known of the
    /// lines before it.
    pub(crate) fn read(first: u64, last: u64, n: u64, newest_first: Vec<Option<Stored>>) -> Self {
        let is_full = newest_first.len() >= LINES_MAX;
        let is_broken = newest_first.iter().any(Option::is_none);
        let mut lines: VecDeque<Stored> = newest_first.into_iter().map_while(|line| line).collect();
        lines.make_contiguous().reverse();
        Self {
            first: Some(first),
            last: Some(last),
            last_n: n,
            lines,
            is_cut: is_full || is_broken,
        }
    }

    fn store(&mut self, line: Stored) -> Place {
        let place = Place {
            first: self.first,
            prev: self.last,
        };
        self.first.get_or_insert(line.seq);
        self.last = Some(line.seq);
        self.last_n = self.last_n.max(line.n);
        self.lines.push_back(line);
        if self.lines.len() > LINES_MAX {
            self.lines.pop_front();
            self.is_cut = true;
        }
        place
    }
}

impl Stored {
    /// Returns an entry as a line of a run; `None` when it does not belong to the run.
    pub(crate) fn read(seq: u64, run: &Run, nonce: &str, text: &str) -> Option<Self> {
        let nonce = Nonce::parse(nonce).ok()?;
        let stored = Self {
            n: nonce.n,
            seq,
            hash: hash(text),
        };
        (nonce.run == *run).then_some(stored)
    }
}

/// Returns the first 8 bytes of a text's SHA-256, which recognise a repetition.
pub(crate) fn hash(text: &str) -> i64 {
    let digest = Sha256::digest(text);
    let first = digest.first_chunk().expect("a SHA-256 has 32 bytes");
    i64::from_be_bytes(*first)
}

fn refuse(code: Code, nonce: &Nonce, words: &str) -> Judgement {
    Judgement::Refused(Refusal::new(code, words).of(Some(nonce.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Story {
        senders: Senders,
        sender: Sender,
        seq: u64,
    }

    impl Story {
        fn new() -> Self {
            let id = ClientId::parse("alice").expect("a name");
            let mut senders = Senders::default();
            let sender = (id, Run::parse("k3v9q2a7").expect("a run"));
            senders.learn(sender.clone(), Known::default());
            Self {
                senders,
                sender,
                seq: 0,
            }
        }

        /// Says a text as line `n`. Returns the decision in short.
        fn say(&mut self, n: u64, text: &str) -> String {
            let nonce = Nonce::parse(&format!("k3v9q2a7-{n}")).expect("a nonce");
            let hash = hash(text);
            match self.senders.judge(&self.sender, &nonce, hash) {
                Judgement::New { begins_run } => {
                    let is_known = self.senders.runs[&self.sender].first.is_some();
                    assert_eq!(begins_run, !is_known);
                    self.seq += 1;
                    let stored = Stored {
                        n,
                        seq: self.seq,
                        hash,
                    };
                    self.senders.store(&self.sender, stored);
                    format!("new {}", self.seq)
                }
                Judgement::Repeated(seq) => format!("repeated {seq}"),
                Judgement::Refused(refusal) => refusal.code.as_str().to_owned(),
            }
        }
    }

    #[test]
    fn a_line_sent_again_keeps_its_place() {
        let mut story = Story::new();
        assert_eq!(story.say(1, "a"), "new 1");
        assert_eq!(story.say(2, "b"), "new 2");
        assert_eq!(story.say(1, "a"), "repeated 1");
        assert_eq!(story.say(2, "b"), "repeated 2");
        assert_eq!(story.say(1, "other"), "reused");
    }

    #[test]
    fn n_may_jump_and_never_goes_back() {
        let mut story = Story::new();
        assert_eq!(story.say(7, "a"), "new 1");
        assert_eq!(story.say(3, "b"), "passed-over");
        assert_eq!(story.say(8, "c"), "new 2");
        assert_eq!(story.say(8 + 64, "d"), "new 3");
        assert_eq!(story.say(8, "c"), "repeated 2", "the line before");
        assert_eq!(story.say(7, "a"), "repeated 1");
        for n in 100..100 + 62 {
            story.say(n, "e");
        }
        assert_eq!(story.say(7, "a"), "passed-over", "64 lines ago");
        assert_eq!(story.say(8, "c"), "repeated 2");
    }

    #[test]
    fn each_line_follows_the_one_before_it_in_its_run() {
        let mut story = Story::new();
        let mut follow = |n, seq| {
            let stored = Stored { n, seq, hash: 0 };
            let place = story.senders.store(&story.sender, stored);
            (place.first, place.prev)
        };
        assert_eq!(follow(1, 7), (None, None));
        assert_eq!(follow(2, 9), (Some(7), Some(7)));
        assert_eq!(follow(9, 30), (Some(7), Some(9)));
    }

    #[test]
    fn a_deleted_line_is_never_stored_a_second_time() {
        let line = |n| {
            Some(Stored {
                n,
                seq: 10 * n,
                hash: hash("a"),
            })
        };
        let mut story = Story::new();
        // The second of five lines was deleted, so that the first is not found either.
        let known = Known::read(10, 50, 5, vec![line(5), line(4), line(3), None]);
        story.senders.learn(story.sender.clone(), known);
        assert_eq!(story.say(3, "a"), "repeated 30");
        assert_eq!(story.say(2, "a"), "passed-over");
        assert_eq!(story.say(1, "a"), "passed-over");
        assert_eq!(story.say(6, "a"), "new 1");

        // The newest was deleted, and with it everything before it.
        let known = Known::read(10, 50, 5, vec![None]);
        story.senders.learn(story.sender.clone(), known);
        assert_eq!(story.say(5, "a"), "passed-over");
        let stored = Stored {
            n: 6,
            seq: 60,
            hash: 0,
        };
        let place = story.senders.store(&story.sender, stored);
        assert_eq!((place.first, place.prev), (Some(10), Some(50)));
    }

    #[test]
    fn a_refused_n_is_spent() {
        let mut story = Story::new();
        story
            .senders
            .spend(&story.sender, &Nonce::parse("k3v9q2a7-5").expect("a nonce"));
        assert_eq!(story.say(5, "a"), "passed-over");
        assert_eq!(story.say(6, "a"), "new 1");
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_asked_for_again() {
        let mut senders = Senders::default();
        let sender = |i: usize| {
            let run = Run::parse(&format!("run{i:08}")).expect("a run");
            (ClientId::parse("alice").expect("a name"), run)
        };
        for i in 0..RUNS_MAX + 10 {
            senders.learn(sender(i), Known::default());
        }
        senders.forget_old();
        assert_eq!(
            (senders.runs.len(), senders.order.len()),
            (RUNS_MAX, RUNS_MAX)
        );
        assert!(senders.is_unknown(&sender(9)));
        assert!(!senders.is_unknown(&sender(10)));
    }
}
