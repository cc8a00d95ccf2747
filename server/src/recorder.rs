//! The recorder orders what is said. It is the only writer of the transcript.
//!
//! It takes what is waiting, stamps it, commits it in one statement, and only then publishes it:
//! nothing is shown to anyone that is not on the disk.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pki::CrlNumber;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wire::{ClientId, Code, Entry, Kind, Line, Nonce, Reason, Refusal, Reply, Timestamp};

use crate::config::Limits;
use crate::database::{Batch, Database, DatabaseError, Facts, Fault, Found, Join, Pages, Recorded};
use crate::outbound::Owed;
use crate::pace::Pace;
use crate::presence::{Left, Live, Presence, Rules};
use crate::senders::{self, Judgement, Sender, Senders, Stored};
use crate::stamp::{Step, stamp};
use crate::tail::{Segment, Tail};
use crate::transcript::View;

/// How many asks may be on their way to the recorder; each session has at most 64 lines among
/// them and waits for a place.
const ASKS_MAX: usize = 4096;

/// How often a commit is tried again while the database cannot be written.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// How often the free space is looked at.
const DISK_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Lines are refused when less is free than this, or than a fiftieth of a smaller disk.
const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// What can be asked of the recorder.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A session wants to begin.
    Enter(Box<Enter>),
    /// A session says something.
    Say(Said),
    /// A line of a session was refused; its N is spent.
    Spend { id: ClientId, nonce: Nonce },
    /// A session has ended.
    Leave {
        id: ClientId,
        session: u64,
        reason: Reason,
    },
    /// A revocation list was taken.
    ListSeen(CrlNumber),
}

/// A session that wants to begin.
#[derive(Debug)]
pub(crate) struct Enter {
    pub(crate) facts: Facts,
    pub(crate) handle: SessionHandle,
    pub(crate) reply: oneshot::Sender<Result<Entered, Refusal>>,
}

/// A session that has begun: its row in `joins`, and the enter if there is one, are committed.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) session: u64,
    pub(crate) pace: Arc<Pace>,
}

/// A line, and who wants it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) id: ClientId,
    pub(crate) session: u64,
    pub(crate) nonce: Option<Nonce>,
    pub(crate) line: Line,
    /// One of the 64 lines that a session may have under way, given back when it is answered.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// How the recorder reaches a session.
#[derive(Debug, Clone)]
pub(crate) struct SessionHandle {
    /// Answers; the session never has more of them under way than there is room for.
    pub(crate) owed: mpsc::Sender<Owed>,
    /// The reason to end; the first one counts.
    pub(crate) end: mpsc::Sender<End>,
}

/// Why a session is told to end.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// The same for the person.
    pub(crate) words: String,
}

/// How others reach the recorder.
pub(crate) type Asks = mpsc::Sender<Ask>;

/// Why the recorder ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The database failed; what it holds of the last batch is not known.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The server was stopped while the database could not be written.
    #[error(
        "{cause}, and the server was told to stop: {lines} lines were not stored, and nobody was told that they were"
    )]
    NotStored {
        /// Why it could not be written.
        cause: &'static str,
        /// How many lines.
        lines: usize,
    },
}

/// The recorder, before it runs.
#[derive(Debug)]
pub(crate) struct Recorder {
    asks: mpsc::Receiver<Ask>,
    /// What came in while the database could not be written.
    waiting: VecDeque<Ask>,
    database: Database,
    room: Room,
    view: watch::Sender<View>,
    limits: Limits,
    stop: CancellationToken,
    disk: Disk,
}

/// What the recorder knows: everything that a batch is made from.
#[derive(Debug)]
struct Room {
    head: u64,
    last_at: Timestamp,
    last_session: u64,
    presence: Presence<SessionHandle>,
    senders: Senders,
    /// By what a name looks like: the names that were ever here.
    skeletons: HashMap<String, ClientId>,
    disk_is_low: bool,
}

/// A batch, and what follows when it is committed.
#[derive(Debug, Default)]
struct Work {
    rows: Batch,
    outcomes: Vec<Outcome>,
    presence_changed: bool,
}

/// What somebody is told when the batch is committed.
#[derive(Debug)]
enum Outcome {
    Entered(oneshot::Sender<Result<Entered, Refusal>>, Entered),
    Refused(oneshot::Sender<Result<Entered, Refusal>>, Refusal),
    Answered(SessionHandle, Owed),
    Ended(SessionHandle, End),
}

impl Recorder {
    /// A recorder over an open database, how to reach it, and where it publishes.
    pub(crate) async fn new(
        database: Database,
        pages: &Pages,
        found: Found,
        rules: Rules,
        limits: Limits,
        stop: CancellationToken,
    ) -> Result<(Self, Asks, watch::Receiver<View>), sqlx::Error> {
        let tail = load_tail(pages, found.head, &limits).await?;
        let mut presence = Presence::new(rules);
        let until = Instant::now() + limits.absence_after_start_max;
        for (left, since, role) in found.here {
            presence.remember(left, since, role, until);
        }
        let view = View {
            head: found.head,
            tail: Arc::new(tail),
            here: Arc::new(presence.here()),
            waiting: None,
        };
        let (view, views) = watch::channel(view);
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        let ids = found.ids.iter().filter_map(|id| ClientId::parse(id).ok());
        let room = Room {
            head: found.head,
            last_at: found.last_at,
            last_session: found.last_session,
            presence,
            senders: Senders::default(),
            skeletons: ids.map(|id| (id.skeleton(), id)).collect(),
            disk_is_low: false,
        };
        let disk = Disk::new(database.path().to_owned());
        let waiting = VecDeque::new();
        Ok((
            Self {
                asks,
                waiting,
                database,
                room,
                view,
                limits,
                stop,
                disk,
            },
            sender,
            views,
        ))
    }

    /// Records until nobody can ask any more, then closes the database.
    pub(crate) async fn run(mut self) -> Result<(), RecorderError> {
        let mut alive = tokio::time::interval(self.limits.alive_interval);
        let mut asks = Vec::new();
        loop {
            if self.waiting.is_empty() {
                let due = self.room.presence.next_due();
                tokio::select! {
                    taken = self.asks.recv_many(&mut asks, self.limits.batch_entries_max) => {
                        if taken == 0 {
                            break;
                        }
                    }
                    _ = alive.tick() => {}
                    () = sleep_until(due) => {}
                }
            } else {
                let take = self.waiting.len().min(self.limits.batch_entries_max);
                asks.extend(self.waiting.drain(..take));
            }
            self.record(asks.drain(..)).await?;
        }
        self.end_what_is_left().await?;
        self.database.close().await?;
        Ok(())
    }

    /// One batch: stamp, commit, publish, answer.
    async fn record(&mut self, asks: impl Iterator<Item = Ask>) -> Result<(), RecorderError> {
        let asks: Vec<Ask> = asks.collect();
        for sender in self.room.unknown_senders(&asks) {
            let stored = self.database.stored(&sender).await?;
            self.room.senders.learn(sender, stored);
        }
        self.room.disk_is_low = self.disk.is_low();
        let mut work = Work::default();
        let (now, clock) = (Instant::now(), Timestamp::from(SystemTime::now()));
        for left in self.room.presence.overdue(now) {
            self.room.leave(left, clock, &mut work);
        }
        for ask in asks {
            self.room.apply(ask, now, clock, &mut work);
        }
        self.commit(&work.rows).await?;
        self.publish(&work);
        for outcome in work.outcomes {
            outcome.tell();
        }
        self.room.senders.forget_old();
        Ok(())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<(), RecorderError> {
        let mut told = false;
        let mut stopped_at = None;
        loop {
            let alive_at = Timestamp::from(SystemTime::now());
            let failure = match self.database.commit(batch, self.room.head, alive_at).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let Fault::Passing(cause) = failure.fault() else {
                return Err(failure.into());
            };
            // Nobody is waiting for the sign of life; the next batch carries it.
            if batch.is_empty() {
                return Ok(());
            }
            if !told {
                error!(error = %failure, "the database cannot be written; lines wait");
                self.view.send_modify(|view| view.waiting = Some(cause));
                told = true;
            }
            let deadline = self.limits.stop_database_timeout;
            if self.stop.is_cancelled() {
                let since: &mut Instant = stopped_at.get_or_insert_with(Instant::now);
                if since.elapsed() > deadline {
                    let lines = self.count_lines(batch);
                    return Err(RecorderError::NotStored { cause, lines });
                }
            }
            self.wait_out(cause).await;
        }
        if told {
            info!("the database can be written again");
            self.view.send_modify(|view| view.waiting = None);
        }
        Ok(())
    }

    /// Lets a moment pass in which newcomers are turned away and everything else is kept.
    async fn wait_out(&mut self, cause: &'static str) {
        let moment = tokio::time::sleep(RETRY_INTERVAL);
        tokio::pin!(moment);
        loop {
            let has_room = self.waiting.len() < self.limits.waiting_asks_max;
            tokio::select! {
                () = &mut moment => return,
                ask = self.asks.recv(), if has_room => match ask {
                    Some(Ask::Enter(enter)) => {
                        let words = format!("nothing can be recorded now ({cause}); try again later");
                        let refusal = Refusal::new(Code::TryLater, words);
                        Outcome::Refused(enter.reply, refusal).tell();
                    }
                    Some(ask) => self.waiting.push_back(ask),
                    None => {
                        moment.await;
                        return;
                    }
                },
            }
        }
    }

    fn publish(&self, work: &Work) {
        let entries = work.rows.entries.iter().map(|recorded| &recorded.entry);
        let segment = Segment::encode(entries);
        if work.rows.entries.is_empty() && !work.presence_changed {
            return;
        }
        self.view.send_modify(|view| {
            view.head = self.room.head;
            view.tail = Arc::new(view.tail.with(segment, self.limits.tail_bytes_max));
            if work.presence_changed {
                view.here = Arc::new(self.room.presence.here());
            }
        });
    }

    /// Sessions that never came to say that they ended, because they were given up.
    async fn end_what_is_left(&mut self) -> Result<(), RecorderError> {
        let at = Timestamp::from(SystemTime::now());
        let ends = self
            .room
            .presence
            .sessions()
            .map(|live| (live.session, at.max(live.since), Reason::ShuttingDown));
        let batch = Batch {
            ends: ends.collect(),
            ..Batch::default()
        };
        self.commit(&batch).await
    }

    fn count_lines(&self, batch: &Batch) -> usize {
        let is_line = |recorded: &&Recorded| matches!(recorded.entry.kind, Kind::Message(_));
        let waiting = self
            .waiting
            .iter()
            .filter(|ask| matches!(ask, Ask::Say(_)))
            .count();
        batch.entries.iter().filter(is_line).count() + waiting + self.asks.len()
    }
}

impl Room {
    /// Turns one ask into rows, and into what is told when they are committed. Only this decides.
    fn apply(&mut self, ask: Ask, now: Instant, clock: Timestamp, work: &mut Work) {
        match ask {
            Ask::Enter(enter) => self.enter(*enter, now, clock, work),
            Ask::Say(said) => self.say(said, clock, work),
            Ask::Spend { id, nonce } => self.senders.spend(&id, &nonce),
            Ask::Leave {
                id,
                session,
                reason,
            } => self.end(&id, session, reason, now, clock, work),
            Ask::ListSeen(number) => {
                let newest = work
                    .rows
                    .crl_number
                    .take()
                    .map_or(number.clone(), |n| n.max(number));
                work.rows.crl_number = Some(newest);
            }
        }
    }

    fn enter(&mut self, enter: Enter, now: Instant, clock: Timestamp, work: &mut Work) {
        let Enter {
            facts,
            handle,
            reply,
        } = enter;
        let id = facts.identity.id().clone();
        if let Err(refusal) = self.presence.may_enter(&id, now) {
            work.outcomes.push(Outcome::Refused(reply, refusal));
            return;
        }
        self.warn_of_look_alike(&id);
        self.last_session += 1;
        let session = self.last_session;
        let at = self.stamp(clock);
        let live = Live {
            session,
            identity: facts.identity.clone(),
            ip: facts.ip,
            since: at,
            handle,
        };
        let entered = self.presence.enter(live, now);
        for old in entered.replaced {
            info!(
                %id, old_serial = %old.identity.serial(), serial = %facts.identity.serial(),
                old_ip = %old.ip, ip = %facts.ip, "replaced by a newer session"
            );
            let words = format!(
                "{id} came in again from {} at {at}; two terminals at once need a server with --same-id allow",
                facts.ip
            );
            work.rows.ends.push((old.session, at, Reason::Replaced));
            work.outcomes.push(Outcome::Ended(
                old.handle,
                End {
                    reason: Reason::Replaced,
                    words,
                },
            ));
        }
        let ip = facts.ip;
        work.rows.joins.push(Join { session, at, facts });
        work.presence_changed = true;
        if entered.is_new {
            self.write(
                Entry {
                    seq: 0,
                    at,
                    id,
                    ip,
                    kind: Kind::Enter,
                },
                session,
                None,
                work,
            );
        }
        let entered = Entered {
            session,
            pace: entered.pace,
        };
        work.outcomes.push(Outcome::Entered(reply, entered));
    }

    fn say(&mut self, said: Said, clock: Timestamp, work: &mut Work) {
        let Said {
            id,
            session,
            nonce,
            line,
            permit,
        } = said;
        // A session that was replaced can say nothing after its successor entered.
        let Some(live) = self.presence.live(&id, session) else {
            return;
        };
        let (handle, ip) = (live.handle.clone(), live.ip);
        let hash = senders::hash(&line);
        let judgement = match &nonce {
            Some(nonce) => self.senders.judge(&id, nonce, hash),
            None => Judgement::New,
        };
        let answer = match judgement {
            Judgement::Repeated(seq) => nonce.map(|nonce| ok(nonce, seq)),
            Judgement::Refused(refusal) => Some(format!("{refusal}\n")),
            Judgement::New if self.disk_is_low => {
                if let Some(nonce) = &nonce {
                    self.senders.spend(&id, nonce);
                }
                let words =
                    "the server's disk is nearly full; nothing is taken until there is room";
                Some(format!(
                    "{}\n",
                    Refusal::new(Code::DiskLow, words).of(nonce)
                ))
            }
            Judgement::New => {
                let at = self.stamp(clock);
                let kind = Kind::Message(line);
                let entry = Entry {
                    seq: 0,
                    at,
                    id: id.clone(),
                    ip,
                    kind,
                };
                let seq = self.write(entry, session, nonce.as_ref(), work);
                if let Some(nonce) = &nonce {
                    let stored = Stored {
                        n: nonce.n,
                        seq,
                        hash,
                    };
                    self.senders.store(&id, &nonce.run, stored);
                    work.rows.senders.push(((id, nonce.run.clone()), stored));
                }
                nonce.map(|nonce| ok(nonce, seq))
            }
        };
        work.outcomes
            .push(Outcome::Answered(handle, Owed::Answer(answer, permit)));
    }

    fn end(
        &mut self,
        id: &ClientId,
        session: u64,
        reason: Reason,
        now: Instant,
        clock: Timestamp,
        work: &mut Work,
    ) {
        // A replaced session's row was closed when its successor entered.
        let Some(since) = self.presence.live(id, session).map(|live| live.since) else {
            return;
        };
        let at = self.stamp(clock).max(since);
        work.rows.ends.push((session, at, reason));
        work.presence_changed = true;
        if let Some(left) = self.presence.end(id, session, reason, now, at) {
            self.leave(left, clock, work);
        }
    }

    fn leave(&mut self, left: Left, clock: Timestamp, work: &mut Work) {
        let Left {
            id,
            ip,
            session,
            reason,
        } = left;
        let at = self.stamp(clock);
        let entry = Entry {
            seq: 0,
            at,
            id: id.clone(),
            ip,
            kind: Kind::Leave(reason),
        };
        let seq = self.write(entry, session, None, work);
        work.rows.leaves.push((id, seq, session));
        work.presence_changed = true;
    }

    /// Gives an entry the next place. A gap would read as a lost line, so a place is taken only
    /// for what the same commit stores.
    fn write(&mut self, entry: Entry, session: u64, nonce: Option<&Nonce>, work: &mut Work) -> u64 {
        self.head += 1;
        let entry = Entry {
            seq: self.head,
            ..entry
        };
        let nonce = nonce.map(ToString::to_string);
        work.rows.entries.push(Recorded {
            entry,
            session,
            nonce,
        });
        self.head
    }

    fn stamp(&mut self, clock: Timestamp) -> Timestamp {
        let (at, step) = stamp(clock, self.last_at);
        if let Step::Back(behind) = step {
            error!(
                ?behind,
                "the clock is far behind the last entry; times go on from the clock"
            );
        }
        self.last_at = at;
        at
    }

    /// The runs that the database must be asked about before these lines are judged.
    fn unknown_senders(&self, asks: &[Ask]) -> Vec<Sender> {
        let mut unknown: Vec<Sender> = Vec::new();
        for ask in asks {
            let (id, nonce) = match ask {
                Ask::Say(Said {
                    id,
                    nonce: Some(nonce),
                    ..
                })
                | Ask::Spend { id, nonce } => (id, nonce),
                _ => continue,
            };
            let sender = (id.clone(), nonce.run.clone());
            if self.senders.is_unknown(&sender) && !unknown.contains(&sender) {
                unknown.push(sender);
            }
        }
        unknown
    }

    fn warn_of_look_alike(&mut self, id: &ClientId) {
        let known = self
            .skeletons
            .entry(id.skeleton())
            .or_insert_with(|| id.clone());
        if known != id {
            warn!(%id, other = %known, "this name looks like another one that was here");
        }
    }
}

impl Outcome {
    /// Tells it. Who is not there any more need not be told.
    fn tell(self) {
        let told = match self {
            Outcome::Entered(reply, entered) => reply.send(Ok(entered)).is_ok(),
            Outcome::Refused(reply, refusal) => reply.send(Err(refusal)).is_ok(),
            Outcome::Answered(handle, owed) => handle.owed.try_send(owed).is_ok(),
            Outcome::Ended(handle, end) => handle.end.try_send(end).is_ok(),
        };
        if !told {
            tracing::trace!("a session ended before it was answered");
        }
    }
}

fn ok(nonce: Nonce, seq: u64) -> String {
    format!("{}\n", Reply::Ok { nonce, seq })
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn load_tail(pages: &Pages, head: u64, limits: &Limits) -> Result<Tail, sqlx::Error> {
    let mut tail = Tail::default();
    let mut after = pages
        .start_of_tail(head, limits.tail_bytes_at_start)
        .await?;
    while after < head {
        let Some((lines, last)) = pages.page(after, head, limits.page_entries_max).await? else {
            break;
        };
        let lines = lines.into_bytes();
        let count = memchr::memchr_iter(b'\n', &lines).count() as u64;
        tail = tail.with(
            Segment::from_lines(last + 1 - count, lines),
            limits.tail_bytes_max,
        );
        after = last;
    }
    Ok(tail)
}

/// How full the disk is, looked at now and then.
#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    checked_at: Option<Instant>,
    is_low: bool,
}

impl Disk {
    fn new(db: PathBuf) -> Self {
        let folder = match db.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Self {
            folder,
            checked_at: None,
            is_low: false,
        }
    }

    fn is_low(&mut self) -> bool {
        if self
            .checked_at
            .is_some_and(|at| at.elapsed() < DISK_CHECK_INTERVAL)
        {
            return self.is_low;
        }
        self.checked_at = Some(Instant::now());
        let was_low = self.is_low;
        // Where free space cannot be asked for, a full disk is waited out when it comes.
        let space = fs4::available_space(&self.folder)
            .ok()
            .zip(fs4::total_space(&self.folder).ok());
        self.is_low =
            space.is_some_and(|(free, total)| free < (total / 50).min(DISK_FREE_BYTES_MIN));
        match (was_low, self.is_low) {
            (false, true) => error!("the disk is nearly full; lines are refused"),
            (true, false) => info!("there is room on the disk again"),
            _ => {}
        }
        self.is_low
    }
}
