//! A server's bytes, cut into lines, in bounded memory.

use bytes::BytesMut;
use wire::limits::SERVER_LINE_BYTES_MAX;
use wire::{LineDecoder, Overlong};

use crate::limits::READ_BYTES_MAX;

/// The bytes that were read and not yet cut into lines.
#[derive(Debug)]
pub(crate) struct Incoming {
    buffer: BytesMut,
    decoder: LineDecoder,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            decoder: LineDecoder::new(SERVER_LINE_BYTES_MAX),
        }
    }

    pub(crate) fn next_line(&mut self) -> Option<Result<BytesMut, Overlong>> {
        self.decoder.decode(&mut self.buffer)
    }

    /// Returns the buffer to read into. The decoder leaves less than a line in it, so it stays
    /// bounded.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_BYTES_MAX);
        &mut self.buffer
    }
}
