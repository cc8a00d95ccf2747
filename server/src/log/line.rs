//! Formats one event as one line of at most [`LINE_BYTES_MAX`] bytes, in which nothing moves a
//! cursor.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The maximum length of a line, including escapes, the mark of a cut and the line end.
pub(super) const LINE_BYTES_MAX: usize = 512;

/// Marks the place where a line was cut.
const CUT: &str = "...[cut]";

/// Formats events as `F` does, but each on one line.
pub(super) struct OneLine<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = LogLine::default();
        // A full line ends its formatting with an error, so that a long value costs no more than a
        // short one. The text before an error is logged in any case.
        let _cut = self.0.format_event(context, Writer::new(&mut line), event);
        line.end();
        writer.write_str(&line.text)
    }
}

/// A line that is being written.
#[derive(Debug, Default)]
struct LogLine {
    text: String,
    /// A cut here leaves room for the mark.
    cut_at: usize,
    is_cut: bool,
    /// Whether the last character was a line end. Only a following character shows that it was not
    /// the line's own.
    has_line_end: bool,
}

impl LogLine {
    fn push(&mut self, c: char) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let before = self.text.len();
        if matches!(c, ' '..='~') {
            self.text.push(c);
        } else {
            escape(c, &mut self.text);
        }
        let most = LINE_BYTES_MAX - "\n".len();
        if before <= most - CUT.len() {
            self.cut_at = before;
        }
        if self.text.len() > most {
            self.text.truncate(self.cut_at);
            self.text.push_str(CUT);
            self.is_cut = true;
            return Err(fmt::Error);
        }
        Ok(())
    }

    fn end(&mut self) {
        self.text.push('\n');
    }
}

impl fmt::Write for LogLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if std::mem::replace(&mut self.has_line_end, c == '\n') {
                self.push('\n')?;
            }
            if c != '\n' {
                self.push(c)?;
            }
        }
        Ok(())
    }
}

/// Writes a character, or its escape if it is not printable.
fn escape(c: char, text: &mut String) {
    // After a letter, because an accent is printable only there.
    let mut bytes = [b'a'; 1 + char::MAX_LEN_UTF8];
    let length = 1 + c.encode_utf8(&mut bytes[1..]).len();
    match std::str::from_utf8(&bytes[..length]) {
        Ok(pair) => text.extend(pair.escape_debug().skip(1)),
        Err(_) => text.push(char::REPLACEMENT_CHARACTER),
    }
}

/// Returns at most the first `bytes_max` bytes of a text, with a mark if that is not all of it.
pub(crate) fn cut(text: &str, bytes_max: usize) -> String {
    let kept = &text[..text.floor_char_boundary(bytes_max)];
    let mark = if kept.len() < text.len() { CUT } else { "" };
    format!("{kept}{mark}")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// Returns the logged line for an event that is formatted as these texts.
    fn line_of(texts: &[&str]) -> String {
        let mut line = LogLine::default();
        let _cut = texts.iter().try_for_each(|text| line.write_str(text));
        line.end();
        assert!(line.text.len() <= LINE_BYTES_MAX, "{}", line.text.len());
        line.text
    }

    #[test]
    fn a_line_of_512_bytes_is_whole_and_a_longer_one_is_cut_with_a_mark() {
        let longest = "x".repeat(511);
        assert_eq!(line_of(&[&longest, "\n"]), format!("{longest}\n"));
        let cut = format!("{}...[cut]\n", "x".repeat(503));
        assert_eq!(line_of(&[&longest, "y\n"]), cut);
        assert_eq!(line_of(&[&"x".repeat(100_000), "\n"]), cut);
        assert_eq!(line_of(&["x"; 1000]), cut);
    }

    #[test]
    fn a_line_is_cut_between_characters_and_never_within_an_escape() {
        for before in 0..16 {
            for long in ["é", "字", "🌍", "\u{1b}", "\u{202e}"] {
                let line = line_of(&[&"x".repeat(before), &long.repeat(1000)]);
                let text = line.strip_suffix("...[cut]\n").expect("a mark");
                let text = &text[before..];
                let shown = line_of(&[long]);
                let shown = shown.trim_end();
                assert_eq!(text, shown.repeat(text.len() / shown.len()));
                assert!(line.len() > LINE_BYTES_MAX - shown.len(), "{}", line.len());
            }
        }
    }

    #[test]
    fn an_event_is_logged_as_one_line_whatever_it_contains() {
        let line = line_of(&[
            "a\nb",
            "\n",
            "\n\r",
            "\u{1b}[2J\u{7f}\u{9b}\u{0}",
            "\u{2028}c\n",
        ]);
        let escaped = r"a\nb\n\n\r\u{1b}[2J\u{7f}\u{9b}\0\u{2028}c";
        assert_eq!(line, format!("{escaped}\n"));
        assert_eq!(line_of(&["\n"]), "\n");
        // People's names are shown as they are.
        let names = "\"Zoë\" 世界 हिन्दी e\u{301} C:\\room\n";
        assert_eq!(line_of(&[names]), names);
    }

    #[test]
    fn a_cause_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc...[cut]");
        assert_eq!(cut("aéé", 4), "aé...[cut]");
        assert_eq!(cut("", 0), "");
    }
}
