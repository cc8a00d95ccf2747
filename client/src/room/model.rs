//! The model of a room: everything that a member knows of it, and the consequences of each event
//! and each wish.
//!
//! Nothing here waits, reads, writes or draws.

use std::time::{Duration, Instant};

use wire::{
    Code, Entry, Here, Kind, Line, NewerEntry, NewerKind, Nonce, Refusal, Reply, Role, Welcome,
};

use super::answer;
use super::asking::{Asked, Asking, Outgoing};
use super::here::People;
use super::mention::mentions;
use super::own::OwnLines;
use super::search::{Progress, Search};
use super::timeline::{Item, NoteKind, Timeline};
use crate::limits::{
    HERE_MAX, OWN_LINES_MAX, PAGE_ENTRIES, PING_INTERVAL, QUESTIONS_MAX, UNANSWERED_BEFORE_TOLD,
    WHO_INTERVAL,
};
use crate::link::Event;
use crate::words::{Clock, Failure, sentences, stamped, stamped_newer};

/// Everything that a member knows of a room.
#[derive(Debug)]
pub(crate) struct Room {
    /// The name of the room, and ours in it.
    pub(crate) welcome: Welcome,
    pub(crate) standing: Standing,
    pub(crate) timeline: Timeline,
    pub(crate) people: People,
    pub(crate) own: OwnLines,
    /// How long the last measured answer took.
    pub(crate) round_trip: Option<Duration>,
    /// Why the server cannot store anything at the moment.
    pub(crate) waiting: Option<String>,
    /// The moment of the last event or wish.
    pub(crate) now: Instant,
    /// The search through the record, once somebody has begun one.
    pub(crate) search: Option<Search>,
    /// When the server was heard last, or was last known to be there.
    heard_at: Instant,
    clock: Clock,
    asking: Asking,
    /// The entries of the answer that is coming; no more than were asked for.
    page: Vec<Item>,
    /// The people of the answer that is coming, if a person asked for it; no more than are kept of
    /// those here.
    listed: Vec<Here>,
    /// The lines that were given to the link.
    said: u64,
    is_caught_up: bool,
    wants_who: bool,
    asked_who_at: Option<Instant>,
    pinged_at: Option<Instant>,
    next_ping_at: Instant,
    /// Whether we leave as soon as all our lines are stored.
    leaves_when_stored: bool,
    /// The server's last words, for as long as it is open whether they are the end.
    last_words: Option<String>,
    /// Whether the very first entry has been loaded.
    has_beginning: bool,
}

/// How we stand with the server.
#[derive(Debug)]
pub(crate) enum Standing {
    Connected,
    Lost {
        why: String,
        again_at: Instant,
    },
    /// We have said that we leave.
    Leaving,
    /// The session has ended for good.
    Ended {
        why: String,
    },
}

/// News that a view may want to ring for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    /// Somebody else has just said something.
    Said {
        /// Whether it names us.
        mentions_us: bool,
    },
}

/// The answer to a wish to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// Some of our lines are not stored yet, and we leave when they are. A second wish leaves without
    /// them.
    WhenStored,
    /// The goodbye goes out after everything before it.
    Soon,
    /// We leave at once, whatever still waits.
    AtOnce,
    /// The session has ended already.
    Over,
}

impl Room {
    pub(crate) fn new(welcome: Welcome, clock: Clock, now: Instant) -> Self {
        Self {
            welcome,
            standing: Standing::Connected,
            timeline: Timeline::default(),
            people: People::default(),
            own: OwnLines::default(),
            round_trip: None,
            waiting: None,
            now,
            search: None,
            heard_at: now,
            clock,
            asking: Asking::default(),
            page: Vec::new(),
            listed: Vec::new(),
            said: 0,
            is_caught_up: false,
            wants_who: true,
            asked_who_at: None,
            pinged_at: None,
            next_ping_at: now,
            leaves_when_stored: false,
            last_words: None,
            has_beginning: false,
        }
    }

    /// Tells something that is good to know, below everything that was said.
    pub(crate) fn note(&mut self, words: &str) {
        self.timeline.note(NoteKind::Notice, words);
    }

    /// Tells that something did not happen that the person wanted.
    pub(crate) fn fail(&mut self, words: &str) {
        self.timeline.note(NoteKind::Failure, words);
    }

    /// Tells what the person asked for.
    fn answer(&mut self, words: &str) {
        self.timeline.note(NoteKind::Answer, words);
    }

    /// Returns for how long the server owes an answer and has not been heard, once that is long.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        if !matches!(self.standing, Standing::Connected | Standing::Leaving)
            || self.waiting.is_some()
        {
            return None;
        }
        let waits = [self.own.waiting_since(), self.asking.waiting_since()];
        let since = waits.into_iter().flatten().min()?.max(self.heard_at);
        let silent = self.now.saturating_duration_since(since);
        (silent >= UNANSWERED_BEFORE_TOLD).then_some(silent)
    }

    /// Notes our own role.
    pub(crate) fn learn_own_role(&mut self, role: Role) {
        self.people.is(&self.welcome.id, role);
    }

    /// Notes that nobody has looked for a while, as while the program was stopped. The silence of
    /// that time is not the server's.
    pub(crate) fn looked_away(&mut self) {
        self.heard_at = self.now;
    }

    /// Returns the next thing to send. Call it when the link has a place for it.
    pub(crate) fn next_out(&mut self) -> Option<Outgoing> {
        let out = self.asking.next_out(self.now)?;
        if matches!(out, Outgoing::Command(_, Asked::Ping)) {
            self.pinged_at = Some(self.now);
        }
        Some(out)
    }

    /// Returns whether something is to go out.
    pub(crate) fn has_out(&self) -> bool {
        // What was typed before the end waits until somebody tries again.
        !self.has_ended() && self.asking.has_out()
    }

    /// Notes the name of the line that went out last.
    pub(crate) fn named(&mut self, nonce: Nonce) {
        self.said += 1;
        self.own.named(nonce, self.now);
    }

    /// Returns how many lines were given to the link.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// Returns how many lines may or may not be stored.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.own.unacknowledged()
    }

    /// Returns how many lines were not given to the link yet.
    pub(crate) fn unsent(&self) -> usize {
        self.asking.unsent()
    }

    /// Returns how many things a server made us keep: people here, people in the answer that is
    /// coming, entries, questions.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> [usize; 4] {
        let [here, counted] = self.people.kept();
        [here, counted, self.page.len(), self.asking.questions()]
    }

    // Events.

    /// Takes an event of the link.
    pub(crate) fn hear(&mut self, event: Event) -> News {
        // These come from our own end.
        if !matches!(event, Event::Lost { .. } | Event::Unanswered(_)) {
            self.heard_at = self.now;
        }
        match event {
            Event::Entry(entry) => return self.hear_entry(&entry),
            Event::NewerEntry(entry) => self.hear_newer_entry(&entry),
            Event::Reply(reply) => self.hear_reply(reply),
            Event::CaughtUp(_) => self.is_caught_up = true,
            Event::Refused(refusal) => self.hear_refusal(&refusal),
            Event::Disorder { after, came } => self.note(&sentences::disorder(after, came)),
            Event::OtherHistory { set_aside } => self.hear_other_history(set_aside),
            Event::Lost { failure, pause } => self.lose(failure.in_short(), pause),
            Event::Back { welcome, .. } => {
                self.welcome = *welcome;
                self.standing = Standing::Connected;
                self.waiting = None;
                self.wants_who = true;
                self.next_ping_at = self.now;
            }
            Event::Garbled(fault) => self.note(&fault.to_string()),
            Event::WarningsLeftOut => self.note(&sentences::warnings_left_out()),
            // The window counts the seconds itself, from the moment at which it asked.
            Event::Unanswered(_) | Event::Answered => {}
            // The lines of the wire are for programs.
            Event::Wire(_) => {}
        }
        self.leave_if_stored();
        News::Nothing
    }

    fn hear_entry(&mut self, entry: &Entry) -> News {
        self.waiting = None;
        let mut item = Item::from(entry);
        if let (Kind::Message(line), Item::Said(said)) = (&entry.kind, &mut item)
            && entry.id == self.welcome.id
        {
            let own = self.own.came(entry.seq, line);
            said.is_pasted = own.is_some_and(|own| own.is_pasted);
        }
        self.timeline.push(item);
        self.leave_if_stored();
        match &entry.kind {
            Kind::Enter | Kind::Leave(_) => self.wants_who = true,
            Kind::Message(_) if entry.id == self.welcome.id => {}
            Kind::Message(line) if self.is_caught_up => {
                return News::Said {
                    mentions_us: mentions(line.as_str(), &self.welcome.id),
                };
            }
            Kind::Message(_) => {}
        }
        News::Nothing
    }

    fn hear_newer_entry(&mut self, entry: &NewerEntry) {
        self.timeline.push(entry);
        self.waiting = None;
        self.wants_who |= matches!(entry.kind, NewerKind::Leave { .. });
    }

    fn hear_reply(&mut self, reply: Reply) {
        let is_typed = self.asking.awaited() == Some(Asked::Typed);
        match reply {
            Reply::Ok { nonce, seq } => {
                let is_shown = self.timeline.newest_seq().is_some_and(|last| last >= seq);
                self.own.stored(&nonce, seq, is_shown);
            }
            Reply::At(seq) => match self.asking.awaited() {
                Some(Asked::Ping) => {
                    self.asking.answered();
                    self.round_trip = self.pinged_at.take().map(|at| self.now - at);
                }
                Some(Asked::Typed) => {
                    self.asking.answered();
                    self.answer(&sentences::newest(seq));
                }
                _ => {}
            },
            Reply::Who { count, .. } => {
                self.listed.clear();
                self.people.expect(count);
                self.take_people();
            }
            Reply::Here(here) => {
                if is_typed && self.listed.len() < HERE_MAX {
                    self.listed.push(here.clone());
                }
                self.people.count(here);
                self.take_people();
            }
            Reply::Begin(_) => self.page.clear(),
            Reply::Replayed(entry) if is_typed => self.answer(&stamped(&entry, &self.clock)),
            Reply::Replayed(entry) => self.take_replayed(Item::from(&entry)),
            Reply::ReplayedNewer(entry) if is_typed => {
                self.answer(&stamped_newer(&entry, &self.clock));
            }
            Reply::ReplayedNewer(entry) => self.take_replayed(Item::from(&entry)),
            Reply::End(_) => self.take_page(),
            Reply::Whois(whois) => {
                self.people.is(&whois.id, whois.role);
                self.answer(&answer::whois(&whois, &self.clock));
                if is_typed {
                    self.asking.answered();
                }
            }
            Reply::Other(_) => {
                // Anything else that a newer server may say is for programs.
                let Some((command, words)) = reply.answer() else {
                    return;
                };
                self.timeline.note(NoteKind::Answer, &words);
                if command == "/whois" && is_typed {
                    self.asking.answered();
                }
            }
            Reply::Bye { reason, words } => {
                let words = if words.is_empty() {
                    reason.as_str()
                } else {
                    &words
                };
                self.last_words = Some(format!("the server says: {words}"));
            }
            Reply::Note { words, .. } => self.note(&sentences::note(&words)),
            Reply::Welcome(_) => {}
        }
    }

    fn take_people(&mut self) {
        if !self.people.complete(&self.welcome.id) {
            return;
        }
        if self.asking.answered() == Some(Asked::Typed) {
            let listed = std::mem::take(&mut self.listed);
            self.timeline.tell(Item::People(listed));
        }
    }

    fn take_replayed(&mut self, item: Item) {
        if (self.page.len() as u64) < PAGE_ENTRIES {
            self.page.push(item);
        }
    }

    fn take_page(&mut self) {
        let page = std::mem::take(&mut self.page);
        match self.asking.answered() {
            Some(Asked::Older) => {
                self.has_beginning = page.first().is_none_or(|item| item.first_seq() == Some(1));
                self.timeline.push_older(&page);
            }
            Some(Asked::Newer) => self.timeline.push_newer(&page),
            Some(Asked::Sought) => {
                if let Some(search) = &mut self.search {
                    search.take(page);
                }
                self.ask_further();
            }
            _ => {}
        }
    }

    fn hear_refusal(&mut self, refusal: &Refusal) {
        if let Some(nonce) = &refusal.nonce {
            let line = self.own.refused(nonce);
            let text = line.as_ref().map_or("", Line::as_str);
            self.fail(&format!("not sent ({}): {text}", refusal.words));
            return self.stay();
        }
        if refusal.code == Code::Waiting {
            self.waiting = Some(refusal.words.clone());
            return;
        }
        let meant = self.meant(refusal);
        // Every question has one answer, and this is it.
        match self.asking.answered() {
            Some(Asked::Typed) => self.fail(&format!("refused: {}{meant}", refusal.words)),
            Some(Asked::Sought) => {
                self.stop_search();
                self.fail(&format!("the search stopped: {}", refusal.words));
            }
            _ => {}
        }
    }

    /// Returns words about the person who may have been meant in a question about somebody unknown.
    fn meant(&self, refusal: &Refusal) -> String {
        let asked = self.asking.awaited_typed();
        asked
            .filter(|_| refusal.code == Code::UnknownId)
            .and_then(|command| command.as_str().split_whitespace().nth(1))
            .and_then(|name| self.people.meant_by(name))
            .map_or(String::new(), |id| format!("; did you mean {id}?"))
    }

    fn hear_other_history(&mut self, set_aside: usize) {
        self.timeline.begin_afresh();
        self.has_beginning = false;
        self.search = None;
        self.note(sentences::OTHER_HISTORY);
        // The lines that were set aside were the first to go out, so they are the first here.
        for (at, line) in self.own.give_up().into_iter().enumerate() {
            let fate = if at < set_aside {
                "not acknowledged before, and not sent again"
            } else {
                "not sent"
            };
            self.fail(&format!(
                "{fate}, because the history is a different one: {line}"
            ));
        }
        self.stay();
        self.asking.begin_afresh();
        self.wants_who = true;
    }

    fn lose(&mut self, why: &str, pause: Duration) {
        if !matches!(self.standing, Standing::Lost { .. }) {
            self.timeline.leave_off();
        }
        if let Some(words) = self.last_words.take() {
            self.note(&words);
        }
        self.standing = Standing::Lost {
            why: why.to_owned(),
            again_at: self.now + pause,
        };
        self.asking.lose();
        self.stop_search();
        self.pinged_at = None;
        self.round_trip = None;
    }

    /// Notes that the link has ended for good. `failure` says why, unless we left. Returns whether
    /// nothing is left to show.
    pub(crate) fn end(&mut self, failure: Option<Failure>) -> bool {
        let Some(failure) = failure.filter(|_| !matches!(self.standing, Standing::Leaving)) else {
            return true;
        };
        self.leaves_when_stored = false;
        // The failure repeats them.
        self.last_words = None;
        self.asking.end();
        self.stop_search();
        self.pinged_at = None;
        self.round_trip = None;
        self.waiting = None;
        // In full, because the status line may have no room for it.
        self.fail(&match &failure.hint {
            Some(hint) => format!("{} ({hint})", failure.sentence),
            None => failure.sentence.clone(),
        });
        self.standing = Standing::Ended {
            why: failure.sentence,
        };
        false
    }

    /// Notes that the person tries again after the end.
    pub(crate) fn try_again(&mut self) {
        self.standing = Standing::Lost {
            why: "trying again".to_owned(),
            again_at: self.now,
        };
    }

    // Wishes of the person.

    /// Says a line.
    pub(crate) fn say(&mut self, line: Line, is_pasted: bool) {
        if self.is_over(line.as_str()) {
            return;
        }
        if self.own.is_full() {
            let words = format!("not sent ({OWN_LINES_MAX} lines wait already): {line}");
            return self.fail(&words);
        }
        self.timeline.new_from = None;
        self.own.push(&line, is_pasted);
        self.asking.push(Outgoing::Say(line));
    }

    /// Asks a question that the person typed.
    pub(crate) fn ask_typed(&mut self, command: Line) {
        if self.is_over(command.as_str()) {
            return;
        }
        if matches!(self.standing, Standing::Lost { .. }) {
            return self.fail(&format!(
                "not asked, because there is no connection: {command}"
            ));
        }
        if self.asking.questions() >= QUESTIONS_MAX {
            return self.fail(&format!(
                "not asked ({QUESTIONS_MAX} questions wait already): {command}"
            ));
        }
        self.asking.push(Outgoing::Command(command, Asked::Typed));
    }

    /// Returns whether nothing can be sent any more, and says so.
    fn is_over(&mut self, text: &str) -> bool {
        let is_over = matches!(self.standing, Standing::Ended { .. } | Standing::Leaving);
        if is_over {
            self.fail(&format!("not sent (the connection has ended): {text}"));
        }
        is_over
    }

    /// Returns whether the session has ended for good.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.standing, Standing::Ended { .. })
    }

    /// Leaves when all our lines are stored. The second call leaves at once.
    pub(crate) fn leave(&mut self) -> Parting {
        if let Standing::Ended { .. } = self.standing {
            return Parting::Over;
        }
        if self.unacknowledged() > 0 && !self.leaves_when_stored {
            self.leaves_when_stored = true;
            return Parting::WhenStored;
        }
        let is_at_once = self.leaves_when_stored || !matches!(self.standing, Standing::Connected);
        if is_at_once {
            self.standing = Standing::Leaving;
            return Parting::AtOnce;
        }
        self.say_goodbye();
        Parting::Soon
    }

    fn say_goodbye(&mut self) {
        self.standing = Standing::Leaving;
        self.asking.push(Outgoing::Quit);
    }

    /// Returns whether we leave as soon as all our lines are stored.
    pub(crate) fn leaves_when_stored(&self) -> bool {
        self.leaves_when_stored
            && matches!(self.standing, Standing::Connected | Standing::Lost { .. })
    }

    /// Leaves if the person waits only for our lines, and all are stored.
    fn leave_if_stored(&mut self) {
        let is_connected = matches!(self.standing, Standing::Connected);
        if self.leaves_when_stored && is_connected && self.unacknowledged() == 0 {
            self.say_goodbye();
        }
    }

    /// Stays after all: a line that the person wanted to be stored will not be, and they should see it.
    fn stay(&mut self) {
        if self.leaves_when_stored() {
            self.leaves_when_stored = false;
            self.fail("you are still here, because not every line was stored");
        }
    }

    /// Asks for the entries before the first one that is loaded.
    pub(crate) fn ask_older(&mut self) {
        if self.has_beginning {
            return;
        }
        match self.timeline.first_seq() {
            Some(1) => {}
            Some(first) => {
                let command = format!("/history {PAGE_ENTRIES} before {first}");
                self.ask(&command, Asked::Older);
            }
            None => self.ask(&format!("/history {PAGE_ENTRIES}"), Asked::Older),
        }
    }

    /// Asks for the entries after the last one that is loaded.
    pub(crate) fn ask_newer(&mut self) {
        if let Some(last) = self.timeline.last_seq() {
            let before = last + PAGE_ENTRIES + 1;
            let command = format!("/history {PAGE_ENTRIES} before {before}");
            self.ask(&command, Asked::Newer);
        }
    }

    /// Searches the record before the loaded entries, or goes on where the search for the same words
    /// stopped.
    pub(crate) fn search(&mut self, words: &str) {
        match &mut self.search {
            Some(search) if search.is_for(words) => search.go_on(),
            _ => {
                let before = match self.timeline.first_seq() {
                    Some(first) if !self.has_beginning => first,
                    Some(_) => 1,
                    None => self.welcome.head + 1,
                };
                let at = self.timeline.first_at();
                self.search = Some(Search::new(words, before, at));
            }
        }
        self.ask_further();
    }

    /// Forgets the search: the person searches for something else.
    pub(crate) fn forget_search(&mut self) {
        self.search = None;
    }

    /// Stops the search. It can go on later.
    pub(crate) fn stop_search(&mut self) {
        if let Some(search) = &mut self.search {
            search.stop();
        }
    }

    /// Returns the item that the search has found, now part of the timeline.
    pub(crate) fn take_found(&mut self) -> Option<i64> {
        let Progress::Found(seq) = self.search.as_ref()?.progress else {
            return None;
        };
        let pages = self.search.take()?.into_pages();
        let first = self.timeline.first_seq();
        let end = pages.last().and_then(Item::last_seq).map(|last| last + 1);
        if first.is_some_and(|first| end >= Some(first)) {
            self.has_beginning |= pages.first().and_then(Item::first_seq) == Some(1);
            // Otherwise, these would be the first entries to be dropped.
            self.timeline.look_at(self.timeline.numbers().start);
            self.timeline.push_older(&pages);
        } else {
            self.has_beginning = pages.first().and_then(Item::first_seq) == Some(1);
            self.timeline.jump(pages);
        }
        self.timeline.number_of(seq)
    }

    /// Asks for the next page of the search.
    fn ask_further(&mut self) {
        let Some(search) = &mut self.search else {
            return;
        };
        if search.progress != Progress::Going {
            return;
        }
        if !matches!(self.standing, Standing::Connected) {
            return search.stop();
        }
        let command = format!("/history {PAGE_ENTRIES} before {}", search.before());
        self.ask(&command, Asked::Sought);
    }

    /// Asks the questions that are due: for the people here, and for the time that an answer takes.
    pub(crate) fn ask_what_is_due(&mut self) {
        let due = self
            .asked_who_at
            .is_none_or(|at| self.now.duration_since(at) >= WHO_INTERVAL);
        if self.wants_who && self.is_caught_up && due && !self.asking.contains(Asked::Who) {
            self.ask("/who", Asked::Who);
            self.wants_who = false;
            self.asked_who_at = Some(self.now);
        }
        if self.is_caught_up && self.now >= self.next_ping_at {
            self.ask("/ping", Asked::Ping);
            self.next_ping_at = self.now + PING_INTERVAL;
        }
    }

    fn ask(&mut self, command: &str, what: Asked) {
        if matches!(self.standing, Standing::Connected) && !self.asking.contains(what) {
            let line = Line::parse(command.as_bytes()).expect("a command is a line");
            self.asking.push(Outgoing::Command(line, what));
        }
    }
}
