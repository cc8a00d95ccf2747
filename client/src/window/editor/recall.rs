//! The lines that were sent, to be recalled.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::TYPED_LINES_MAX;

/// At most 500 lines. After the newest stands the line that is being written.
#[derive(Debug, Default)]
pub(super) struct Recall {
    lines: VecDeque<String>,
    /// The line that is in the editor.
    at: usize,
    /// Lines that were changed, or written, and not sent; forgotten when the next line is sent.
    unsent: BTreeMap<usize, String>,
}

impl Recall {
    /// Remembers a line that was sent.
    pub(super) fn remember(&mut self, line: &str) {
        self.unsent.clear();
        let is_repeated = self.lines.back().is_some_and(|last| last == line);
        if !line.is_empty() && !is_repeated {
            if self.lines.len() == TYPED_LINES_MAX {
                self.lines.pop_front();
            }
            self.lines.push_back(line.to_owned());
        }
        self.at = self.lines.len();
    }

    /// Returns the line before the one in the editor, which now reads `left`.
    pub(super) fn older(&mut self, left: &str) -> Option<&str> {
        let at = self.at.checked_sub(1)?;
        Some(self.go(at, left))
    }

    /// Returns the line after it.
    pub(super) fn newer(&mut self, left: &str) -> Option<&str> {
        let is_older = self.at < self.lines.len();
        is_older.then(|| self.go(self.at + 1, left))
    }

    /// Returns the line at `at`, which replaces `left` in the editor.
    pub(super) fn go(&mut self, at: usize, left: &str) -> &str {
        if self.sent(self.at) == left {
            self.unsent.remove(&self.at);
        } else {
            self.unsent.insert(self.at, left.to_owned());
        }
        self.at = at;
        self.line(at)
    }

    /// Returns a line as it was left.
    pub(super) fn line(&self, at: usize) -> &str {
        self.unsent
            .get(&at)
            .map_or_else(|| self.sent(at), String::as_str)
    }

    fn sent(&self, at: usize) -> &str {
        self.lines.get(at).map_or("", String::as_str)
    }

    /// Returns the newest line that holds `query` and is older than `before`.
    pub(super) fn find(&self, query: &str, before: Option<usize>) -> Option<usize> {
        let before = before.unwrap_or(self.lines.len());
        (0..before).rfind(|&at| self.line(at).contains(query))
    }
}
