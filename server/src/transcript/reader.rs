//! The transcript as sessions read it: the newest part from a published view, the rest page by
//! page.

use std::sync::Arc;

use tokio::sync::watch;
use wire::{ClientId, Here, Timestamp};

use crate::config::Limits;
use crate::transcript::fault::DatabaseError;
use crate::transcript::record::{LastSession, Pages};
use crate::transcript::tail::Tail;

/// The state that the recorder publishes after each commit. Everything in it is on the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The newest entry.
    pub(crate) head: u64,
    pub(crate) tail: Arc<Tail>,
    /// The people who are here as of `head`.
    pub(crate) here: Arc<Vec<Here>>,
    /// The reason why nothing can be written at the moment.
    pub(crate) waiting: Option<&'static str>,
}

/// A reader of the transcript.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    view: watch::Receiver<View>,
    pages: Arc<dyn Pages>,
    page_entries_max: u64,
    page_bytes_max: usize,
}

/// A position in the transcript.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// The last entry that was read.
    seq: u64,
    /// The unread rest of the current page.
    page: Option<Page>,
    /// How many entries to ask for next.
    page_entries: u64,
}

#[derive(Debug)]
struct Page {
    lines: String,
    taken: usize,
}

/// The recorder has ended.
#[derive(Debug)]
pub(crate) struct Closed;

impl Transcript {
    pub(crate) fn new(view: watch::Receiver<View>, pages: Arc<dyn Pages>, limits: &Limits) -> Self {
        Self {
            view,
            pages,
            page_entries_max: limits.page_entries_max,
            page_bytes_max: limits.page_bytes_max,
        }
    }

    /// Returns the newest view.
    pub(crate) fn view(&mut self) -> View {
        self.view.borrow_and_update().clone()
    }

    /// Returns the channel of published views.
    pub(crate) fn views(&self) -> watch::Receiver<View> {
        self.view.clone()
    }

    /// Returns the newest entry's seq.
    pub(crate) fn head(&self) -> u64 {
        self.view.borrow().head
    }

    /// Returns whether the recorder has ended, so that no view follows.
    pub(crate) fn is_over(&self) -> bool {
        self.view.has_changed().is_err()
    }

    /// Waits until there is a view that [`Transcript::view`] has not returned yet.
    pub(crate) async fn changed(&mut self) -> Result<(), Closed> {
        self.view.changed().await.map_err(|_| Closed)
    }

    /// Returns the time of an entry.
    pub(crate) async fn time_of(&self, seq: u64) -> Result<Option<Timestamp>, DatabaseError> {
        self.pages.time_of(seq).await
    }

    /// Returns the last session of an ID.
    pub(crate) async fn last_session(
        &self,
        id: &ClientId,
    ) -> Result<Option<LastSession>, DatabaseError> {
        self.pages.last_session(id).await
    }
}

impl Cursor {
    /// Returns a cursor after the entry `seq`.
    pub(crate) fn after(seq: u64) -> Self {
        Self {
            seq,
            page: None,
            page_entries: u64::MAX,
        }
    }

    /// Returns the seq of the last entry that was read.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Appends the next entries up to `to` as whole lines, until `out` has some `bytes_max` bytes: from the tail
    /// while the cursor is in it, from the database when it is not.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub(crate) async fn take(
        &mut self,
        transcript: &Transcript,
        view: &View,
        to: u64,
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), DatabaseError> {
        while !self.take_at_hand(view, to, out, bytes_max) {
            let entries_max = self.page_entries.min(transcript.page_entries_max);
            let page = transcript.pages.page(self.seq, to, entries_max).await?;
            // Entries below the head that are in no page were pruned; nothing is skipped that could
            // still be sent to anybody.
            let Some((lines, last)) = page else {
                self.seq = to;
                break;
            };
            let entries = count(lines.as_bytes());
            self.seq = last - entries;
            // Long lines make large pages; the next page has only as many lines as are kept.
            let average = lines.len() as u64 / entries.max(1) + 1;
            self.page_entries = (transcript.page_bytes_max as u64 / average).max(1);
            self.page = Some(Page::new(lines, transcript.page_bytes_max));
        }
        Ok(())
    }

    /// Appends entries as [`Cursor::take`] does, as far as that needs no database. Returns whether
    /// that was everything.
    pub(crate) fn take_at_hand(
        &mut self,
        view: &View,
        to: u64,
        out: &mut Vec<u8>,
        bytes_max: usize,
    ) -> bool {
        while self.seq < to && out.len() < bytes_max {
            let left = bytes_max - out.len();
            if let Some(page) = &mut self.page {
                let taken = page.take(left);
                out.extend_from_slice(taken);
                self.seq += count(taken);
                if page.is_empty() {
                    self.page = None;
                }
            } else if let Some((bytes, last)) = view.tail.read(self.seq, to, left) {
                out.extend_from_slice(bytes);
                self.seq = last;
            } else {
                return false;
            }
        }
        true
    }

    /// Returns everything up to the head if it lies in one piece of the tail that has at most
    /// `bytes_max` bytes.
    pub(crate) fn take_in_one_piece<'a>(
        &mut self,
        view: &'a View,
        bytes_max: usize,
    ) -> Option<&'a [u8]> {
        if self.page.is_some() {
            return None;
        }
        let (bytes, last) = view.tail.read(self.seq, view.head, bytes_max)?;
        (last == view.head).then(|| {
            self.seq = last;
            bytes
        })
    }
}

impl Page {
    /// Keeps the first whole lines within `bytes_max`, but at least one. A slow reader holds no
    /// more than that; the rest is read again.
    fn new(lines: String, bytes_max: usize) -> Self {
        let mut page = Self { lines, taken: 0 };
        let kept = page.take(bytes_max).len();
        page.lines.truncate(kept);
        page.lines.shrink_to_fit();
        page.taken = 0;
        page
    }

    /// Returns the next whole lines within `bytes_max`, but at least one.
    fn take(&mut self, bytes_max: usize) -> &[u8] {
        let rest = &self.lines.as_bytes()[self.taken..];
        let first = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let within = &rest[..bytes_max.min(rest.len())];
        let whole = memchr::memrchr(b'\n', within).map_or(0, |end| end + 1);
        let length = whole.max(first);
        self.taken += length;
        &self.lines.as_bytes()[self.taken - length..self.taken]
    }

    fn is_empty(&self) -> bool {
        self.taken >= self.lines.len()
    }
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_given_out_in_whole_lines() {
        let mut page = Page {
            lines: "one\ntwo\nthree\n".into(),
            taken: 0,
        };
        assert_eq!(page.take(9), b"one\ntwo\n");
        assert_eq!(page.take(1), b"three\n");
        assert!(page.is_empty());
    }
}
