//! The port to the place that keeps the record: the functions that the recorder and the readers need.
//!
//! SQLite keeps it for every real server (`store/sqlite/`); `store/memory.rs` keeps it where time
//! is simulated. A larger database engine would implement these traits too.

use std::fmt::Debug;
use std::net::IpAddr;
use std::pin::Pin;

use wire::{ClientId, FullName, Reason, Role, Timestamp};

pub use crate::room::batch::Batch;
pub use crate::room::found::Found;
pub use crate::room::presence::Left;
pub use crate::room::quota::{Space, Used};
pub use crate::room::senders::{Known, Sender};

use crate::transcript::fault::DatabaseError;

/// The functions of the record for the recorder, its only writer.
pub trait Record: Debug + Send + 'static {
    /// Commits a batch: when this returns `Ok`, all of it is durable. `head` is the newest entry from
    /// then on, and `alive_at` the time when the server was last known to run.
    ///
    /// # Errors
    ///
    /// A passing error means that nothing was stored, and that the same batch may be tried again.
    /// After any other error it is unknown what was stored.
    fn commit(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Returns what is known of a run of one person's client.
    ///
    /// # Errors
    ///
    /// When the record cannot be read.
    fn known_run(
        &mut self,
        sender: &Sender,
    ) -> impl Future<Output = Result<Known, DatabaseError>> + Send;

    /// Checks that the open files are still the ones that others would open, and that they can be
    /// read. Called every second, and between each commit and its acknowledgements.
    ///
    /// # Errors
    ///
    /// When they are not, so that committed lines may be lost.
    fn check(&mut self) -> Result<(), DatabaseError>;

    /// Returns how much space is left: lines are refused while there is still enough to record that.
    fn space(&mut self) -> Space;

    /// Closes the record properly.
    ///
    /// # Errors
    ///
    /// When that fails; everything committed is safe all the same.
    fn close(self) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}

/// The functions of the record for readers. They see only committed entries.
pub trait Pages: Debug + Send + Sync {
    /// Returns the entries after `after` up to `to` as they are sent, at most `entries_max`, and
    /// the seq of the last one; `None` when there is none.
    fn page(&self, after: u64, to: u64, entries_max: u64) -> Answer<'_, Option<(String, u64)>>;

    /// Returns the time of an entry; `None` when it does not exist.
    fn time_of(&self, seq: u64) -> Answer<'_, Option<Timestamp>>;

    /// Returns the last session of an ID.
    fn last_session<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<LastSession>>;

    /// Returns the seq after which at most this many bytes of text follow.
    fn start_of_tail(&self, head: u64, bytes: usize) -> Answer<'_, u64>;
}

/// The result of a read. Boxed, because reads are rare: new entries are read from the tail.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send + 'a>>;

/// The last session of somebody who is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSession {
    /// The role that the certificate gave.
    pub role: Role,
    /// The full name in it.
    pub name: Option<FullName>,
    /// The client's address.
    pub ip: IpAddr,
    /// The time when it ended.
    pub left_at: Option<Timestamp>,
    /// The reason why it ended.
    pub reason: Option<Reason>,
}
