//! A line that is being written, and a cursor that never stands inside a grapheme: what a person
//! sees as one character, an emoji family or a letter with its accents (UAX #29).

use std::mem;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use wire::limits::TEXT_BYTES_MAX;

/// At most 4096 bytes, so that nothing is written that cannot be said.
#[derive(Debug, Default)]
pub(super) struct Written {
    text: String,
    cursor: usize,
}

/// Where the cursor can go, and what can be removed: from the cursor to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    End,
    /// One grapheme back.
    Before,
    /// One grapheme on.
    After,
    /// The beginning of a word of letters and digits.
    WordBefore,
    /// The end of a word of letters and digits.
    WordAfter,
    /// The beginning of whatever stands between blanks.
    BlankBefore,
}

/// What was to be inserted does not fit, and none of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Written {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// In bytes, from the beginning.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub(super) fn after_cursor(&self) -> &str {
        &self.text[self.cursor..]
    }

    pub(super) fn bytes_left(&self) -> usize {
        TEXT_BYTES_MAX - self.text.len()
    }

    /// Puts another text here, of which only the beginning is taken when it is too long.
    pub(super) fn set(&mut self, text: &str) {
        let mut bytes = 0;
        for grapheme in text.graphemes(true) {
            if bytes + grapheme.len() > TEXT_BYTES_MAX {
                break;
            }
            bytes += grapheme.len();
        }
        self.text = text[..bytes].to_owned();
        self.cursor = bytes;
    }

    pub(super) fn take(&mut self) -> String {
        mem::take(self).text
    }

    pub(super) fn insert(&mut self, text: &str) -> Result<(), Full> {
        self.replace(self.cursor..self.cursor, text)
    }

    /// The cursor stands behind what was put there.
    pub(super) fn replace(&mut self, range: Range<usize>, text: &str) -> Result<(), Full> {
        if text.len() > self.bytes_left() + range.len() {
            return Err(Full);
        }
        let end = range.start + text.len();
        self.text.replace_range(range, text);
        self.put_cursor(end);
        Ok(())
    }

    pub(super) fn go(&mut self, place: Place) {
        self.cursor = self.reach(place);
    }

    /// Removes what stands between the cursor and a place.
    pub(super) fn remove(&mut self, place: Place) -> String {
        let place = self.reach(place);
        let range = self.cursor.min(place)..self.cursor.max(place);
        let start = range.start;
        let removed = self.text.drain(range).collect();
        self.put_cursor(start);
        removed
    }

    /// A place in bytes, from the beginning.
    pub(super) fn reach(&self, place: Place) -> usize {
        let back = self.before_cursor().graphemes(true).rev();
        let on = self.after_cursor().graphemes(true);
        match place {
            Place::Start => 0,
            Place::End => self.text.len(),
            Place::Before => self.cursor - bytes(back.take(1)),
            Place::After => self.cursor + bytes(on.take(1)),
            Place::WordBefore => self.cursor - bytes(through_word(back, is_of_word)),
            Place::WordAfter => self.cursor + bytes(through_word(on, is_of_word)),
            Place::BlankBefore => self.cursor - bytes(through_word(back, is_not_blank)),
        }
    }

    /// What is inserted or removed can make one grapheme of two, such as a flag of two letters.
    /// The cursor then goes on to where that ends.
    fn put_cursor(&mut self, at: usize) {
        let mut starts = self.text.grapheme_indices(true).map(|(start, _)| start);
        let start = starts.find(|&start| start >= at);
        self.cursor = start.unwrap_or(self.text.len());
    }
}

fn bytes<'a>(graphemes: impl Iterator<Item = &'a str>) -> usize {
    graphemes.map(str::len).sum()
}

/// To the next word and through it.
fn through_word<'a>(
    graphemes: impl Iterator<Item = &'a str>,
    is_of_word: fn(&str) -> bool,
) -> impl Iterator<Item = &'a str> {
    let mut is_inside = false;
    graphemes.take_while(move |grapheme| {
        let was_inside = is_inside;
        is_inside = is_of_word(grapheme);
        is_inside || !was_inside
    })
}

fn is_of_word(grapheme: &str) -> bool {
    grapheme.contains(char::is_alphanumeric)
}

fn is_not_blank(grapheme: &str) -> bool {
    !grapheme.starts_with(char::is_whitespace)
}
