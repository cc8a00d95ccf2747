//! The text that a client asks to say: no author, no time.

use std::fmt;
use std::sync::Arc;

use crate::limits::TEXT_BYTES_MAX;

/// A text that may be said: 1 to 4096 bytes of UTF-8 on one line, with nothing in it that moves
/// a cursor, reorders text or hides.
///
/// What is refused is refused whole and never repaired, so that what is stored is exactly what
/// was sent.
// No author and no time here: the one comes from the certificate, the other from the recorder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Line(Arc<str>);

impl Line {
    /// Reads a text from the wire, without its line end.
    ///
    /// # Errors
    ///
    /// Says why the text may not be said.
    pub fn parse(text: &[u8]) -> Result<Self, LineError> {
        if text.is_empty() {
            return Err(LineError::Empty);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(LineError::TooLong);
        }
        let text = std::str::from_utf8(text).map_err(|_| LineError::NotUtf8)?;
        // Most text is ASCII, where bytes tell what characters would.
        if text.is_ascii() {
            if let Some(bad) = text.bytes().find(|&b| b.is_ascii_control() && b != b'\t') {
                return Err(LineError::Character(char::from(bad)));
            }
        } else if let Some(bad) = text.chars().find(|&c| is_forbidden(c)) {
            return Err(LineError::Character(bad));
        }
        Ok(Self(text.into()))
    }

    /// The text, to the byte as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character may not be shown as a part of a line: controls but TAB, line separators,
/// bidirectional controls (UAX #9), byte order marks, interlinear annotations, noncharacters and
/// tags.
pub fn is_forbidden(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{2028}' | '\u{2029}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        '\u{fdd0}'..='\u{fdef}' => true,
        // U+0085 is a control character (C1), so it is refused here too.
        c => c.is_control() || u32::from(c) & 0xfffe == 0xfffe,
    }
}

/// A text that somebody else wrote, fit for a message: what no line may hold is escaped as Rust does
/// it, and so is TAB. Nothing else is: a name keeps its apostrophe and its marks.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' || is_forbidden(c) {
            shown.extend(c.escape_debug());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The beginning of such a text.
pub fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => escape(&text[..end]) + "...",
        None => escape(text),
    }
}

/// Why a text may not be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is nothing in it.
    #[error("there is no text in it")]
    Empty,
    /// More than 4096 bytes.
    #[error("a line may have {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes are not UTF-8.
    #[error("a line must be UTF-8")]
    NotUtf8,
    /// A character that could deceive or disturb whoever reads it.
    #[error("a line may not contain U+{:04X}", u32::from(*.0))]
    Character(char),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_shows_is_what_was_written_but_for_what_no_line_may_hold() {
        for text in ["O'Connor", "น้อง", "Zoe\u{308}", "\"a\\b\"", "👨‍👩‍👧", "张三"]
        {
            assert_eq!(escape(text), text);
        }
        assert_eq!(
            escape("a\n[b]\u{1b}\u{202e}\t\0"),
            r"a\n[b]\u{1b}\u{202e}\t\0"
        );
        // All that is forbidden is gone, and nothing that takes its place is.
        let all: String = (char::MIN..=char::MAX).collect();
        assert!(!escape(&all).contains(is_forbidden));
        assert_eq!(excerpt("张三丰", 3), "张三丰");
        assert_eq!(excerpt("张三丰", 2), "张三...");
        assert_eq!(excerpt("\0\0\0", 2), r"\0\0...");
    }

    #[test]
    fn what_people_write_may_be_said() {
        for text in [
            "hello",
            "你好",
            "a\tb",
            " ",
            "👨‍👩‍👧",
            "می‌خواهم",
            "e\u{301}",
            "[bob@192.0.2.9] hi",
            "= ok",
            "! no",
            "41 x",
            "* bob@192.0.2.9 entered",
            "❤\u{fe0f}",
        ] {
            let line = Line::parse(text.as_bytes());
            assert_eq!(line.as_ref().map(Line::as_str), Ok(text), "{text:?}");
        }
        assert!(Line::parse("x".repeat(4096).as_bytes()).is_ok());
    }

    #[test]
    fn what_could_deceive_or_disturb_may_not() {
        use LineError::*;
        assert_eq!(Line::parse(b""), Err(Empty));
        assert_eq!(Line::parse("x".repeat(4097).as_bytes()), Err(TooLong));
        for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"a\xe4\xbd"] {
            assert_eq!(Line::parse(bytes), Err(NotUtf8), "{bytes:?}");
        }
        for c in [
            '\0',
            '\u{7}',
            '\u{8}',
            '\n',
            '\u{b}',
            '\u{c}',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{80}',
            '\u{85}',
            '\u{9b}',
            '\u{61c}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fdd0}',
            '\u{fffe}',
            '\u{1ffff}',
            '\u{10fffe}',
            '\u{e0001}',
            '\u{e007f}',
        ] {
            assert_eq!(
                Line::parse(format!("a{c}b").as_bytes()),
                Err(Character(c)),
                "{c:?}"
            );
            assert_eq!(
                Line::parse(format!("张{c}").as_bytes()),
                Err(Character(c)),
                "{c:?}"
            );
        }
    }
}
