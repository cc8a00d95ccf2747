//! The text that a client asks to say: no author, no time.

use std::fmt;
use std::sync::Arc;

use unicode_normalization::char::is_combining_mark;
use unicode_properties::UnicodeEmoji as _;

use crate::limits::TEXT_BYTES_MAX;

/// A text that may be said: 1 to 4096 bytes of UTF-8 on one line, of which at least one character
/// is visible, with nothing in it that moves a cursor, reorders text or hides.
///
/// A text is refused whole and never repaired, so that the record holds exactly what was sent.
// No author and no time here: the author comes from the certificate, the time from the recorder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Line(Arc<str>);

impl Line {
    /// Reads a text from the wire, without its line end.
    ///
    /// # Errors
    ///
    /// Says why the text may not be said.
    pub fn parse(text: &[u8]) -> Result<Self, LineError> {
        let line = Self::parse_recorded(text)?;
        // Invisible characters are not ASCII, and most text is.
        if !line.0.is_ascii() {
            let mut before = None;
            for c in line.0.chars() {
                if !may_follow(before, c) {
                    return Err(LineError::Character(c));
                }
                before = Some(c);
            }
        }
        if is_blank(&line.0) {
            return Err(LineError::Blank);
        }
        Ok(line)
    }

    /// Reads a text that was said already. A record may be older than the rules about invisible
    /// text, so this refuses only characters that are dangerous to show.
    pub(crate) fn parse_recorded(text: &[u8]) -> Result<Self, LineError> {
        if text.is_empty() {
            return Err(LineError::Empty);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(LineError::TooLong);
        }
        let text = std::str::from_utf8(text).map_err(|_| LineError::NotUtf8)?;
        // Most text is ASCII, where each byte is a character.
        if text.is_ascii() {
            if let Some(bad) = text.bytes().find(|&b| b.is_ascii_control() && b != b'\t') {
                return Err(LineError::Character(char::from(bad)));
            }
        } else if let Some(bad) = text.chars().find(|&c| is_forbidden(c)) {
            return Err(LineError::Character(bad));
        }
        Ok(Self(text.into()))
    }

    /// Returns the text, byte for byte as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a character may not be shown as a part of a line: controls but TAB, line
/// separators, bidirectional controls (UAX #9), byte order marks, interlinear annotations,
/// noncharacters and tags.
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

/// Returns whether a character shows nothing by itself: Default_Ignorable_Code_Point (UAX #44).
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns whether an invisible character changes how the character before it looks, as text needs
/// it to. It may stand nowhere else: a text must not carry anything that nobody sees.
fn has_use_after(before: char, c: char) -> bool {
    match c {
        // ZWNJ and ZWJ: the shapes of letters, and emoji of several parts.
        '\u{200c}' => is_shaped(before),
        '\u{200d}' => is_shaped(before) || is_picture(before) || is_emoji_style(before),
        '\u{fe0e}' | '\u{fe0f}' => before.is_emoji_char(),
        '\u{fe00}' if is_mathematical(before) || is_of_myanmar(before) => true,
        '\u{fe00}'..='\u{fe0d}' | '\u{e0100}'..='\u{e01ef}' => is_ideograph(before),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => is_mongolian(before),
        // Separates a word from its last letter, which may have a variation selector.
        '\u{180e}' => {
            is_mongolian(before) || matches!(before, '\u{180b}'..='\u{180d}' | '\u{180f}')
        }
        _ => false,
    }
}

/// Returns whether a character is a letter, mark or digit of a script whose letters change their
/// shapes beside each other: Arabic and its kin, those of South and Southeast Asia, and Mongolian.
fn is_shaped(c: char) -> bool {
    let is_of_such_script = matches!(
        c,
        '\u{600}'..='\u{109f}'
            | '\u{1780}'..='\u{18af}'
            | '\u{1900}'..='\u{1cff}'
            | '\u{a800}'..='\u{aaff}'
            | '\u{fb50}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefc}'
            | '\u{10a00}'..='\u{11fff}'
            | '\u{1e900}'..='\u{1e95f}'
    );
    is_of_such_script && !is_invisible(c) && (c.is_alphanumeric() || is_combining_mark(c))
}

fn is_picture(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

fn is_emoji_style(c: char) -> bool {
    c == '\u{fe0f}'
}

/// CJK ideographs and their compatibility forms.
fn is_ideograph(c: char) -> bool {
    matches!(
        c,
        '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3fffd}'
    )
}

/// Operators, some of which have a standardized variant.
fn is_mathematical(c: char) -> bool {
    matches!(c, '\u{2200}'..='\u{22ff}' | '\u{2a00}'..='\u{2aff}')
}

/// Letters, some of which have a dotted form.
fn is_of_myanmar(c: char) -> bool {
    matches!(c, '\u{1000}'..='\u{109f}' | '\u{aa60}'..='\u{aa7f}')
}

/// Letters.
fn is_mongolian(c: char) -> bool {
    matches!(c, '\u{1820}'..='\u{1878}' | '\u{1880}'..='\u{18aa}')
}

/// Returns whether a character may stand in a new text, after the one before it.
pub(crate) fn may_follow(before: Option<char>, c: char) -> bool {
    !is_forbidden(c) && (!is_invisible(c) || before.is_some_and(|before| has_use_after(before, c)))
}

/// Returns a text without the characters that a new one may not have. The rest may be blank.
pub fn without_refused(text: &str) -> String {
    let mut before = None;
    let mut left = String::with_capacity(text.len());
    for c in text.chars() {
        if may_follow(before, c) {
            left.push(c);
            before = Some(c);
        }
    }
    left
}

/// Returns whether nothing of a text can be seen: it is white space, or the Braille pattern without
/// dots.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == '\u{2800}')
}

/// Returns a text that somebody else wrote in a form that is fit for a message: characters that no
/// line may hold are escaped as Rust does it, and so is TAB. Nothing else is escaped: a name keeps
/// its apostrophe and its marks.
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

/// Returns the beginning of such a text, with `...` where something was cut off.
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
    #[error("the line is empty")]
    Empty,
    /// There is nothing in it that can be seen.
    #[error("a line needs a character that can be seen")]
    Blank,
    /// More than 4096 bytes.
    #[error("a line may have at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes are not UTF-8.
    #[error("a line must be UTF-8")]
    NotUtf8,
    /// A character that could deceive or disturb readers.
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
    fn a_message_shows_a_text_as_written_except_forbidden_characters() {
        for text in ["O'Connor", "น้อง", "Zoe\u{308}", "\"a\\b\"", "👨‍👩‍👧", "张三"]
        {
            assert_eq!(escape(text), text);
        }
        assert_eq!(
            escape("a\n[b]\u{1b}\u{202e}\t\0"),
            r"a\n[b]\u{1b}\u{202e}\t\0"
        );
        // Every forbidden character is gone, and none takes its place.
        let all: String = (char::MIN..=char::MAX).collect();
        assert!(!escape(&all).contains(is_forbidden));
        assert_eq!(excerpt("张三丰", 3), "张三丰");
        assert_eq!(excerpt("张三丰", 2), "张三...");
        assert_eq!(excerpt("\0\0\0", 2), r"\0\0...");
    }

    #[test]
    fn texts_of_people_may_be_said() {
        for text in [
            "hello",
            "你好",
            "a\tb",
            " a",
            "👨‍👩‍👧",
            "می‌خواهم",
            "e\u{301}",
            "[bob@192.0.2.9] hi",
            "= ok",
            "! no",
            "41 x",
            "* bob@192.0.2.9 entered",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "❤\u{fe0f}\u{200d}🔥",
            "👩🏽\u{200d}💻",
            "क\u{94d}\u{200d}ष",
            "র\u{200d}\u{9cd}য",
            "葛\u{e0100}飾",
            "辻\u{fe00}",
            "ᠰ\u{180b}ᠠ",
            "ᠬᠠᠷ\u{180e}ᠠ",
            "∩\u{fe00}",
            "က\u{fe00}",
            "\u{2801}\u{2800}",
        ] {
            let line = Line::parse(text.as_bytes());
            assert_eq!(line.as_ref().map(Line::as_str), Ok(text), "{text:?}");
        }
        assert!(Line::parse("x".repeat(4096).as_bytes()).is_ok());
    }

    #[test]
    fn invisible_text_may_be_said_only_where_it_has_a_use() {
        for c in '\0'..=char::MAX {
            if !is_invisible(c) || is_forbidden(c) {
                continue;
            }
            // No letter of Latin, no digit and no blank needs one, except emoji of digits.
            for before in ["", "a", "é", " ", "я", "!"] {
                let text = format!("x{before}{c}y");
                let refused = Line::parse(text.as_bytes());
                assert_eq!(refused, Err(LineError::Character(c)), "{text:?}");
                assert_eq!(without_refused(&text), format!("x{before}y"));
            }
            let alone = Line::parse(c.to_string().as_bytes());
            assert_eq!(alone, Err(LineError::Character(c)), "{c:?}");
        }
        for text in [
            "pay\u{200b}pal",
            "a\u{2060}b",
            "a\u{206a}b",
            "\u{3164}",
            "a\u{ad}b",
            "字\u{200d}",
            "字\u{fe0f}",
            "字\u{e0100}\u{e0101}",
            "字\u{fe00}\u{e0100}",
            "❤\u{fe0f}\u{fe0f}",
            "❤\u{fe0e}\u{200d}",
            "1\u{200d}",
            "❤\u{fe00}",
            "❤\u{e0100}",
            "म\u{200d}\u{200d}",
            "م\u{200c}\u{200c}",
            "م \u{200c}",
            "ᠰ\u{180b}\u{180b}",
            "a\u{180e}",
            "x\u{17b4}",
            "ក\u{17b4}",
        ] {
            let refused = Line::parse(text.as_bytes());
            let is_refused = matches!(refused, Err(LineError::Character(c)) if is_invisible(c));
            assert!(is_refused, "{text:?}: {refused:?}");
            // The rest may be said, and nothing else is left out.
            let left = without_refused(text);
            assert!(left.is_empty() || Line::parse(left.as_bytes()).is_ok());
            assert!(left.len() < text.len());
        }
        assert_eq!(without_refused("❤\u{fe0f}\u{fe0f}\u{1b}a"), "❤\u{fe0f}a");
    }

    #[test]
    fn a_text_of_blanks_is_no_line() {
        for text in [
            " ",
            "\t",
            " \t ",
            "\u{a0}",
            "\u{2003}\u{3000}",
            "\u{2800}",
            "\u{2800} \u{2800}",
        ] {
            assert_eq!(
                Line::parse(text.as_bytes()),
                Err(LineError::Blank),
                "{text:?}"
            );
            let shown = format!("{text}.");
            assert!(Line::parse(shown.as_bytes()).is_ok(), "{shown:?}");
        }
    }

    #[test]
    fn a_text_that_was_said_under_older_rules_can_still_be_read() {
        for text in [" ", "pay\u{200b}pal", "\u{3164}", "a\u{e0100}"] {
            let line = Line::parse_recorded(text.as_bytes());
            assert_eq!(line.as_ref().map(Line::as_str), Ok(text), "{text:?}");
        }
        for c in ['\u{1b}', '\u{202e}', '\u{e0041}', '\n'] {
            let refused = Line::parse_recorded(format!("a{c}").as_bytes());
            assert_eq!(refused, Err(LineError::Character(c)));
        }
    }

    #[test]
    fn deceptive_and_disturbing_text_may_not_be_said() {
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
