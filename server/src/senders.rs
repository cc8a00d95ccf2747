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
    runs: HashMap<Sender, Box<Recent>>,
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
    slots: [Option<Stored>; SLOTS],
}

impl Senders {
    /// Whether nothing is known here of a run, so that the database must be asked first.
    pub(crate) fn is_unknown(&self, sender: &Sender) -> bool {
        !self.runs.contains_key(sender)
    }

    /// Takes what the database knows of a run.
    pub(crate) fn learn(&mut self, sender: Sender, stored: impl IntoIterator<Item = Stored>) {
        let mut recent = Box::new(Recent {
            last_n: 0,
            slots: [None; SLOTS],
        });
        for line in stored {
            recent.store(line);
        }
        self.order.push_back(sender.clone());
        self.runs.insert(sender, recent);
    }

    /// What to do with a line. The run must have been learned.
    pub(crate) fn judge(&self, id: &ClientId, nonce: &Nonce, hash: i64) -> Judgement {
        let Some(recent) = self.runs.get(&(id.clone(), nonce.run.clone())) else {
            return Judgement::New;
        };
        match recent.slots[slot(nonce.n)] {
            Some(stored) if stored.n == nonce.n && stored.hash == hash => {
                Judgement::Repeated(stored.seq)
            }
            Some(stored) if stored.n == nonce.n => refuse(
                Code::Reused,
                nonce,
                "this RUN-N was used for another text; the first one stands",
            ),
            // Its place was taken by a line 64 numbers later, or by one later still.
            Some(stored) if stored.n > nonce.n => refuse(
                Code::PassedOver,
                nonce,
                "64 numbers of this run have passed since; whether it was stored is in the record alone",
            ),
            _ if nonce.n <= recent.last_n => refuse(
                Code::PassedOver,
                nonce,
                "later lines of this run have overtaken this one; it was not stored",
            ),
            _ => Judgement::New,
        }
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
        self.slots[slot(line.n)] = Some(line);
    }
}

/// The place of a line among the last 64 of its run.
pub(crate) fn slot(n: u64) -> usize {
    (n % SLOTS as u64) as usize
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
        assert_eq!(story.say(8, "c"), "passed-over", "more than 64 lines ago");
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
