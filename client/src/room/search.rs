//! A search through the record: from the first entry that is loaded back to the very first one.
//!
//! The server is asked for one page after the other. The pages are kept apart from the timeline until
//! something is found, so the person goes on seeing what they saw.

use std::collections::VecDeque;

use wire::Timestamp;

use super::timeline::Item;
use crate::limits::{SEARCH_PAGES_MAX, SEARCHED_BYTES_MAX};

/// A search, under way or at its end.
#[derive(Debug)]
pub(crate) struct Search {
    /// The words, in lower case.
    words: String,
    /// The entries that were searched last, without a gap, oldest first. Those nearest to the
    /// timeline are dropped first.
    pages: VecDeque<Item>,
    bytes: usize,
    /// The oldest entry that was searched.
    before: u64,
    /// When it was recorded.
    back_to: Option<Timestamp>,
    pages_left: usize,
    pub(crate) progress: Progress,
}

/// How far a search has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The next page is asked for.
    Going,
    /// A line was found that holds the words: its entry.
    Found(u64),
    /// Nothing was found yet. A wish of the person, a lost connection or its own bound stopped it.
    Stopped,
    /// Nothing was found, and there is nothing before it.
    AtTheBeginning,
}

impl Search {
    /// Begins before an entry, which was recorded `at` that time.
    pub(super) fn new(words: &str, before: u64, at: Option<Timestamp>) -> Self {
        Self {
            words: words.to_lowercase(),
            pages: VecDeque::new(),
            bytes: 0,
            before,
            back_to: at,
            pages_left: SEARCH_PAGES_MAX,
            progress: if before > 1 {
                Progress::Going
            } else {
                Progress::AtTheBeginning
            },
        }
    }

    /// Returns whether it is for these words.
    pub(super) fn is_for(&self, words: &str) -> bool {
        self.words == words.to_lowercase()
    }

    /// Returns the oldest entry that was searched.
    pub(super) fn before(&self) -> u64 {
        self.before
    }

    /// Returns when the oldest entry that was searched was recorded.
    pub(crate) fn back_to(&self) -> Option<Timestamp> {
        self.back_to
    }

    /// Goes on where it stopped.
    pub(super) fn go_on(&mut self) {
        if self.progress == Progress::Stopped {
            self.progress = Progress::Going;
            self.pages_left = SEARCH_PAGES_MAX;
        }
    }

    /// Stops, and can go on later.
    pub(crate) fn stop(&mut self) {
        if self.progress == Progress::Going {
            self.progress = Progress::Stopped;
        }
    }

    /// Takes the next page. The record begins where nothing comes, or with entry 1.
    pub(super) fn take(&mut self, page: Vec<Item>) {
        self.pages_left = self.pages_left.saturating_sub(1);
        let is_end = page.is_empty();
        // An answer to a search before this one: taking it would leave a gap.
        if page
            .last()
            .and_then(Item::last_seq)
            .is_some_and(|last| last + 1 < self.before)
        {
            return self.stop_at_the_bound();
        }
        let older = |item: &Item| item.last_seq().is_some_and(|last| last < self.before);
        let page: Vec<Item> = page.into_iter().filter(older).collect();
        let found = page.iter().rev().find(|item| item.holds(&self.words));
        let found = found.and_then(Item::first_seq);
        self.back_to = page.first().and_then(Item::at).or(self.back_to);
        // A page of nothing but entries that are known already says nothing about those before.
        self.before = match page.first().and_then(Item::first_seq) {
            Some(first) => first,
            None if is_end => 1,
            None => self.before,
        };
        for item in page.into_iter().rev() {
            self.bytes += item.bytes();
            self.pages.push_front(item);
        }
        while self.bytes > SEARCHED_BYTES_MAX
            && let Some(dropped) = self.pages.pop_back()
        {
            self.bytes -= dropped.bytes();
        }
        if self.progress != Progress::Going {
            return;
        }
        self.progress = match (found, self.before) {
            (Some(seq), _) => Progress::Found(seq),
            (None, ..=1) => Progress::AtTheBeginning,
            (None, _) => Progress::Going,
        };
        self.stop_at_the_bound();
    }

    fn stop_at_the_bound(&mut self) {
        if self.pages_left == 0 {
            self.stop();
        }
    }

    /// Returns the entries that were searched last, oldest first.
    pub(super) fn into_pages(self) -> Vec<Item> {
        self.pages.into()
    }
}
