//! A line that is being written, with a cursor that never stands inside a grapheme: a character as
//! people see it, such as an emoji family or a letter with its accents (UAX #29).

use std::mem;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use wire::limits::TEXT_BYTES_MAX;

/// At most 4096 bytes, so that nothing can be written that cannot be said.
#[derive(Debug, Default)]
pub(super) struct Written {
    text: String,
    cursor: usize,
}

/// The places that the cursor can go to, and up to which text can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    End,
    /// One grapheme back.
    Before,
    /// One grapheme forward.
    After,
    /// The beginning of a word of letters and digits.
    WordBefore,
    /// The end of a word of letters and digits.
    WordAfter,
    /// The beginning of the text between blanks.
    BlankBefore,
}

/// The text to insert does not fit, and none of it was inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Written {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the cursor in bytes from the beginning.
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

    /// Replaces the text by another, which is cut if it is too long.
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

    /// Replaces a range. The cursor then stands after the new text.
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

    /// Removes the text between the cursor and a place. Returns it.
    pub(super) fn remove(&mut self, place: Place) -> String {
        let place = self.reach(place);
        let range = self.cursor.min(place)..self.cursor.max(place);
        let start = range.start;
        let removed = self.text.drain(range).collect();
        self.put_cursor(start);
        removed
    }

    /// Returns a place in bytes from the beginning.
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

    /// Sets the cursor. An insertion or a removal can make one grapheme of two, such as a flag of
    /// two letters; the cursor then moves on to the end of it.
    fn put_cursor(&mut self, at: usize) {
        let mut starts = self.text.grapheme_indices(true).map(|(start, _)| start);
        let start = starts.find(|&start| start >= at);
        self.cursor = start.unwrap_or(self.text.len());
    }
}

fn bytes<'a>(graphemes: impl Iterator<Item = &'a str>) -> usize {
    graphemes.map(str::len).sum()
}

/// Returns the graphemes up to the end of the next word.
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
