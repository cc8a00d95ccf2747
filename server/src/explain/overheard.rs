//! A connection whose lines are told as they come and go. Only sessions that somebody wants to be
//! explained run over one, so the others cost nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use narration::{Narrator, Part, Step, from_client, from_server};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::LineDecoder;
use wire::limits::{LINE_BYTES_MAX, SERVER_LINE_BYTES_MAX};

use super::steps;

/// A connection that tells the narrator each line.
#[derive(Debug)]
pub(crate) struct Overheard<S> {
    stream: S,
    narrator: Narrator,
    /// The person and the address.
    about: String,
    coming: Lines,
    going: Lines,
}

/// Bytes in one direction, cut into lines.
#[derive(Debug)]
struct Lines {
    buffer: BytesMut,
    decoder: LineDecoder,
    line_bytes_max: usize,
}

/// Entries that follow each other in one write.
struct Entries {
    first: String,
    last: String,
    count: usize,
    bytes: usize,
}

impl<S> Overheard<S> {
    pub(super) fn new(stream: S, narrator: Narrator, about: String) -> Self {
        Self {
            stream,
            narrator,
            about,
            coming: Lines::new(LINE_BYTES_MAX),
            going: Lines::new(SERVER_LINE_BYTES_MAX),
        }
    }

    fn came(&mut self, bytes: &[u8]) {
        for line in self.coming.cut(bytes) {
            let words = match line {
                Ok(line) => from_client(&line),
                Err(bytes) => format!("a line of more than {bytes} bytes"),
            };
            self.tell(Part::of(steps::READ).came(words));
        }
    }

    fn went(&mut self, bytes: &[u8]) {
        let mut entries: Option<Entries> = None;
        for line in self.going.cut(bytes) {
            let line = match line {
                Ok(line) => line,
                Err(bytes) => {
                    let words = format!("a line of more than {bytes} bytes");
                    self.tell(Part::of(steps::SEND).sent(words));
                    continue;
                }
            };
            if line.first().is_some_and(u8::is_ascii_digit) {
                let words = from_server(&line);
                let entries = entries.get_or_insert_with(|| Entries {
                    first: words.clone(),
                    last: String::new(),
                    count: 0,
                    bytes: 0,
                });
                entries.last = words;
                entries.count += 1;
                entries.bytes += line.len() + 1;
                continue;
            }
            if let Some(entries) = entries.take() {
                self.tell(entries.part());
            }
            self.tell(Part::of(step_of(&line)).sent(from_server(&line)));
        }
        if let Some(entries) = entries {
            self.tell(entries.part());
        }
    }

    fn tell(&self, part: Part) {
        self.narrator.tell(&self.about, &part);
    }
}

/// Returns the step in which a line that is no entry is sent. Only a note comes without a question.
fn step_of(line: &[u8]) -> Step {
    match line {
        _ if line.starts_with(b"= welcome ") => steps::GREET,
        _ if line.starts_with(b"= bye ") => steps::BYE,
        _ if line.starts_with(b"= note ") => steps::SEND,
        _ => steps::ANSWER,
    }
}

impl Entries {
    fn part(self) -> Part {
        let part = Part::of(steps::SEND).sent(self.first);
        match self.count {
            1 => part,
            count => part
                .more(format!("and so on to {}", self.last))
                .more(format!(
                    "{count} entries, {} bytes, in one write",
                    self.bytes
                )),
        }
    }
}

impl Lines {
    fn new(line_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            decoder: LineDecoder::new(line_bytes_max),
            line_bytes_max,
        }
    }

    /// Returns the lines that are complete with these bytes, or how long a line may be.
    fn cut(&mut self, bytes: &[u8]) -> Vec<Result<BytesMut, usize>> {
        self.buffer.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(line) = self.decoder.decode(&mut self.buffer) {
            match line {
                Ok(line) => lines.push(Ok(line)),
                Err(wire::Overlong::Line(_)) => lines.push(Err(self.line_bytes_max)),
                // The session ends over it.
                Err(wire::Overlong::Endless) => {
                    self.buffer.clear();
                    break;
                }
            }
        }
        lines
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        self.came(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.went(&bytes[..wrote]);
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_one_person_is_not_told_as_news_for_everybody() {
        for line in [
            "= ok run-1 7",
            "= who 7 count=1",
            "= here alice role=student ip=192.0.2.7",
            "= whois alice role=student ip=192.0.2.7",
            "= begin history",
            "= 3 2026-11-21T10:00:00.123Z * alice@192.0.2.7 entered",
            "= end history",
            "= help /who",
            "= at 7",
            "! unknown-id - nobody has this ID",
        ] {
            assert_eq!(step_of(line.as_bytes()), steps::ANSWER, "{line}");
        }
        let note = b"= note disk-low the disk is nearly full";
        assert_eq!(step_of(note), steps::SEND);
        assert_eq!(step_of(b"= welcome id=alice"), steps::GREET);
        assert_eq!(step_of(b"= bye goodbye"), steps::BYE);
    }
}
