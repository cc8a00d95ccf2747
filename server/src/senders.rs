//! What makes sending a line again safe: of each run of a client, the last lines and their places.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};
use wire::limits::UNACKNOWLEDGED_LINES_MAX;
use wire::{ClientId, Code, Line, Nonce, Refusal, Run};

/// The runs that are kept in memory; the others are in the database.
const RUNS_MAX: usize = 4096;

const SLOTS: usize = UNACKNOWLEDGED_LINES_MAX;

/// A run of one person's client.
pub type Sender = (ClientId, Run);

/// The runs that were heard from lately.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    runs: HashMap<Sender, Recent>,
    /// Oldest first.
    order: VecDeque<Sender>,
}

/// One line of a run that is in the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its number within the run.
    pub(crate) n: u64,
    /// Its place in the transcript.
    pub(crate) seq: u64,
    /// By which a repetition of its text is recognised.
    pub(crate) hash: i64,
    /// Which of the 64 rows of its run it has. They are taken in turn, not by N, which may jump.
    pub(crate) slot: usize,
}

/// What to do with a line that has a RUN-N.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is new: store it.
    New,
    /// It is stored already, there.
    Repeated(u64),
    /// It cannot be stored any more.
    Refused(Refusal),
}

#[derive(Debug)]
struct Recent {
    /// The highest N that was heard, stored or not.
    last_n: u64,
    /// The last 64, by their N.
    lines: VecDeque<Stored>,
}

impl Senders {
    /// Whether nothing is known here of a run, so that the database must be asked first.
    pub(crate) fn is_unknown(&self, sender: &Sender) -> bool {
        !self.runs.contains_key(sender)
    }

    /// Takes what the database knows of a run.
    pub(crate) fn learn(&mut self, sender: Sender, stored: impl IntoIterator<Item = Stored>) {
        let mut lines: Vec<Stored> = stored.into_iter().collect();
        lines.sort_by_key(|line| line.n);
        let recent = Recent {
            last_n: lines.last().map_or(0, |last| last.n),
            lines: lines.into(),
        };
        self.order.push_back(sender.clone());
        self.runs.insert(sender, recent);
    }

    /// What to do with a line. The run must have been learned.
    pub(crate) fn judge(&self, id: &ClientId, nonce: &Nonce, hash: i64) -> Judgement {
        let Some(recent) = self.runs.get(&(id.clone(), nonce.run.clone())) else {
            return Judgement::New;
        };
        let at = recent.lines.binary_search_by_key(&nonce.n, |line| line.n);
        match at.map(|at| recent.lines[at]) {
            Ok(stored) if stored.hash == hash => Judgement::Repeated(stored.seq),
            Ok(_) => refuse(
                Code::Reused,
                nonce,
                "this RUN-N was used for another text; the first one stands",
            ),
            Err(0) if recent.lines.len() == SLOTS => refuse(
                Code::PassedOver,
                nonce,
                "64 later lines of this run are stored; whether this one is, only the record knows",
            ),
            _ if nonce.n <= recent.last_n => refuse(
                Code::PassedOver,
                nonce,
                "later lines of this run have overtaken this one; it was not stored",
            ),
            _ => Judgement::New,
        }
    }

    /// Which row of its run the next line has.
    pub(crate) fn next_slot(&self, id: &ClientId, run: &Run) -> usize {
        let recent = self.runs.get(&(id.clone(), run.clone()));
        let last = recent.and_then(|recent| recent.lines.back());
        last.map_or(0, |last| (last.slot + 1) % SLOTS)
    }

    /// Notes that a line has its place now.
    pub(crate) fn store(&mut self, id: &ClientId, run: &Run, line: Stored) {
        if let Some(recent) = self.runs.get_mut(&(id.clone(), run.clone())) {
            recent.store(line);
        }
    }

    /// Notes that a line was refused: its N is spent.
    pub(crate) fn spend(&mut self, id: &ClientId, nonce: &Nonce) {
        if let Some(recent) = self.runs.get_mut(&(id.clone(), nonce.run.clone())) {
            recent.last_n = recent.last_n.max(nonce.n);
        }
    }

    /// Forgets the oldest runs, which the database still knows. Not while lines are being judged.
    pub(crate) fn forget_old(&mut self) {
        while self.order.len() > RUNS_MAX {
            if let Some(sender) = self.order.pop_front() {
                self.runs.remove(&sender);
            }
        }
    }
}

impl Recent {
    fn store(&mut self, line: Stored) {
        self.last_n = self.last_n.max(line.n);
        self.lines.push_back(line);
        if self.lines.len() > SLOTS {
            self.lines.pop_front();
        }
    }
}

/// By which a repeated text is recognised: the first 8 bytes of its SHA-256.
pub(crate) fn hash(line: &Line) -> i64 {
    let digest = Sha256::digest(line.as_str());
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
        id: ClientId,
        seq: u64,
    }

    impl Story {
        fn new() -> Self {
            let id = ClientId::parse("alice").expect("a name");
            let mut senders = Senders::default();
            senders.learn((id.clone(), Run::parse("k3v9q2a7").expect("a run")), []);
            Self {
                senders,
                id,
                seq: 0,
            }
        }

        /// Says a text as line `n` and tells in short what came of it.
        fn say(&mut self, n: u64, text: &str) -> String {
            let nonce = Nonce::parse(&format!("k3v9q2a7-{n}")).expect("a nonce");
            let hash = hash(&Line::parse(text.as_bytes()).expect("a line"));
            match self.senders.judge(&self.id, &nonce, hash) {
                Judgement::New => {
                    self.seq += 1;
                    let stored = Stored {
                        n,
                        seq: self.seq,
                        hash,
                        slot: self.senders.next_slot(&self.id, &nonce.run),
                    };
                    self.senders.store(&self.id, &nonce.run, stored);
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
    fn rows_are_taken_in_turn_however_n_jumps() {
        let mut story = Story::new();
        for n in 1..=64 {
            story.say(n * 64, "a");
        }
        let run = Run::parse("k3v9q2a7").expect("a run");
        let lines: Vec<Stored> = story
            .senders
            .runs
            .values()
            .flat_map(|recent| recent.lines.iter().copied())
            .collect();
        let slots: std::collections::BTreeSet<usize> = lines.iter().map(|l| l.slot).collect();
        assert_eq!(slots.len(), SLOTS);
        // A server that is started again goes on with the row of the oldest.
        let mut senders = Senders::default();
        senders.learn((story.id.clone(), run.clone()), lines.into_iter().rev());
        assert_eq!(senders.next_slot(&story.id, &run), 0);
    }

    #[test]
    fn a_refused_n_is_spent() {
        let mut story = Story::new();
        story
            .senders
            .spend(&story.id, &Nonce::parse("k3v9q2a7-5").expect("a nonce"));
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
            senders.learn(sender(i), []);
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
