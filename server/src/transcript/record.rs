//! Where the transcript is kept: what the recorder asks of it, and what readers do.
//!
//! SQLite keeps it for every server that people use (`store/sqlite/`); `store/memory.rs` keeps it
//! where time is simulated. A bigger engine would take SQLite's place here.

use std::fmt::Debug;
use std::pin::Pin;

use wire::{ClientId, Timestamp};

pub use crate::room::batch::Batch;
pub use crate::room::found::Found;
pub use crate::room::presence::Left;
pub use crate::room::quota::{Space, Used};
pub use crate::room::senders::{Known, Sender};

use crate::transcript::fault::DatabaseError;

/// What the recorder, which alone writes, asks of the record.
pub trait Record: Debug + Send + 'static {
    /// Commits a batch: afterwards it is durable, or nothing of it is known to be. `head` is the
    /// newest entry from then on, and `alive_at` when the server was last known to run.
    ///
    /// # Errors
    ///
    /// Those that pass say that nothing was stored, and the same batch may be tried again; after
    /// any other it is not known what was.
    fn commit(
        &mut self,
        batch: &Batch,
        head: u64,
        alive_at: Timestamp,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// What is known of a run of one person's client.
    ///
    /// # Errors
    ///
    /// When the record cannot be read.
    fn stored(
        &mut self,
        sender: &Sender,
    ) -> impl Future<Output = Result<Known, DatabaseError>> + Send;

    /// Whether what is written to is still what others would open, and can be read. Asked every
    /// second, and between each commit and its acknowledgements.
    ///
    /// # Errors
    ///
    /// When it is not, so that what was committed may be lost.
    fn check(&mut self) -> Result<(), DatabaseError>;

    /// How much room there is: lines are refused while there is still room to say so.
    fn space(&mut self) -> Space;

    /// Closes the record in good order.
    ///
    /// # Errors
    ///
    /// When that fails; what was committed is safe all the same.
    fn close(self) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}

/// What readers ask of the record. They see what was committed, and nothing else.
pub trait Pages: Debug + Send + Sync {
    /// The entries after `after` up to `to` as they go out, at most so many, and the seq of the
    /// last one; `None` when there is none.
    fn page(&self, after: u64, to: u64, entries_max: u64) -> Answer<'_, Option<(String, u64)>>;

    /// When an entry was recorded; `None` when there is no such entry.
    fn time_of(&self, seq: u64) -> Answer<'_, Option<String>>;

    /// The last session of an ID.
    fn last_session<'a>(&'a self, id: &'a ClientId) -> Answer<'a, Option<LastSession>>;

    /// Where to begin so that at most so many bytes of text follow: the seq before the first.
    fn start_of_tail(&self, head: u64, bytes: usize) -> Answer<'_, u64>;
}

/// What a reader gets. Boxed, because reading is rare: what is new is read from the tail.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send + 'a>>;

/// The last session of somebody who is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSession {
    /// The role that the certificate gave.
    pub role: String,
    /// Where from.
    pub ip: String,
    /// When it ended.
    pub left_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
}
