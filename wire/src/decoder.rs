//! Cuts a stream of bytes into lines, in bounded memory.
//!
//! An over-long line is refused once, the rest of it is discarded as it arrives, and the next line
//! is read as usual. Bytes after the last LF of a stream are not a line.

use bytes::{Buf, BytesMut};

use crate::limits::{DISCARD_BYTES_MAX, PREFIX_BYTES_MAX};

/// Finds the lines in a buffer of received bytes.
#[derive(Debug)]
pub struct LineDecoder {
    line_bytes_max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Looking for the LF of a line; the first `searched` bytes of the buffer hold none.
    Within { searched: usize },
    /// Discarding an over-long line, of which `discarded` bytes are gone already.
    Discarding { discarded: usize },
    /// The sender is hostile; nothing more is read.
    Ended,
}

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlong {
    /// A line was too long; this is its beginning, at most 64 bytes.
    Line(Vec<u8>),
    /// It went on for more than 64 KiB: the connection should be closed.
    Endless,
}

impl LineDecoder {
    /// Creates a decoder of lines with at most `line_bytes_max` bytes, not counting the line end.
    pub fn new(line_bytes_max: usize) -> Self {
        Self {
            line_bytes_max,
            state: State::Within { searched: 0 },
        }
    }

    /// Takes the next line out of `buffer`, without its LF and one CR before it. Returns `None`
    /// when more bytes are needed; `buffer` then holds at most `line_bytes_max` + 1 bytes.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Option<Result<BytesMut, Overlong>> {
        loop {
            match self.state {
                State::Within { searched } => return self.take_line(buffer, searched),
                State::Discarding { discarded } => {
                    let found = memchr::memchr(b'\n', buffer);
                    let discarded = discarded + found.unwrap_or(buffer.len());
                    if discarded > DISCARD_BYTES_MAX {
                        self.state = State::Ended;
                        return Some(Err(Overlong::Endless));
                    }
                    let Some(end) = found else {
                        self.state = State::Discarding { discarded };
                        buffer.clear();
                        return None;
                    };
                    buffer.advance(end + 1);
                    self.state = State::Within { searched: 0 };
                }
                State::Ended => {
                    buffer.clear();
                    return None;
                }
            }
        }
    }

    fn take_line(
        &mut self,
        buffer: &mut BytesMut,
        searched: usize,
    ) -> Option<Result<BytesMut, Overlong>> {
        let found = memchr::memchr(b'\n', &buffer[searched..]).map(|at| searched + at);
        let line = &buffer[..found.unwrap_or(buffer.len())];
        // The CR of an incomplete line end does not count either.
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        if length > self.line_bytes_max {
            let prefix = line[..line.len().min(PREFIX_BYTES_MAX)].to_vec();
            self.state = State::Discarding { discarded: 0 };
            return Some(Err(Overlong::Line(prefix)));
        }
        let Some(end) = found else {
            self.state = State::Within {
                searched: buffer.len(),
            };
            return None;
        };
        let mut line = buffer.split_to(end + 1);
        line.truncate(length);
        self.state = State::Within { searched: 0 };
        Some(Ok(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 8;

    /// Returns the findings of a decoder in `reads`, in short: a line as it is, "!" + prefix, or
    /// "!!".
    fn decode(reads: &[&[u8]]) -> Vec<String> {
        let mut decoder = LineDecoder::new(MAX);
        let mut buffer = BytesMut::new();
        let mut found = Vec::new();
        for read in reads {
            buffer.extend_from_slice(read);
            while let Some(line) = decoder.decode(&mut buffer) {
                found.push(match line {
                    Ok(line) => line.escape_ascii().to_string(),
                    Err(Overlong::Line(prefix)) => format!("!{}", prefix.escape_ascii()),
                    Err(Overlong::Endless) => "!!".to_owned(),
                });
            }
            assert!(buffer.len() <= MAX + 1, "memory is bounded");
        }
        found
    }

    #[test]
    fn lines_come_out_whole_however_they_come_in() {
        assert_eq!(decode(&[b"a\nb\r\n\nc"]), ["a", "b", ""]);
        assert_eq!(decode(&[b"a", b"\n", b"b\r", b"\n"]), ["a", "b"]);
        assert_eq!(decode(&[b"a\rb\r\r\n"]), ["a\\rb\\r"]);
    }

    #[test]
    fn the_limit_counts_neither_lf_nor_cr() {
        assert_eq!(
            decode(&[b"12345678\n12345678\r\n"]),
            ["12345678", "12345678"]
        );
        assert_eq!(decode(&[b"12345678", b"\r", b"\n"]), ["12345678"]);
        assert_eq!(decode(&[b"123456789\nok\n"]), ["!123456789", "ok"]);
    }

    #[test]
    fn an_over_long_line_is_refused_once_and_the_next_is_fine() {
        assert_eq!(
            decode(&[b"1234567890", b"abc", b"def\nok\n"]),
            ["!1234567890", "ok"]
        );
        assert_eq!(
            decode(&[b"12345678\r", b"x\nok\n"]),
            ["!12345678\\rx", "ok"]
        );
    }

    #[test]
    fn a_line_without_end_ends_the_stream() {
        let endless = vec![b'x'; DISCARD_BYTES_MAX + 1];
        let prefix = format!("!{}", "x".repeat(PREFIX_BYTES_MAX));
        assert_eq!(decode(&[&endless, b"\nok\n"]), [prefix.as_str(), "!!"]);
        let long = [&endless[1..], b"\nok\n"].concat();
        assert_eq!(decode(&[&long]), [prefix.as_str(), "ok"]);
    }
}
